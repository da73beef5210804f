"""The line of a SQLite file's writers: one at a time, votes first, everybody else in the order in which they came."""

import threading
import time

from arena.record.writers import WritersLine


def waiting(line: WritersLine, name: str, order: list[str], *, vote: bool = False) -> threading.Thread:
    """Let somebody wait in line, who writes their name down when it is their turn."""
    before = len(line._votes) + len(line._others)

    def write() -> None:
        assert line.enter(vote=vote, timeout_s=30)
        order.append(name)
        line.leave()

    thread = threading.Thread(target=write)
    thread.start()
    while len(line._votes) + len(line._others) == before:
        time.sleep(0.001)
    return thread


def test_a_vote_passes_whoever_waits() -> None:
    """Behind the one who writes: the votes as they came, then the others as they came; who gives up leaves no gap."""
    line, order = WritersLine(), list[str]()
    assert line.enter(vote=False, timeout_s=0)
    threads = [waiting(line, "first", order), waiting(line, "second", order)]
    assert not line.enter(vote=False, timeout_s=0)
    threads += [waiting(line, "a vote", order, vote=True), waiting(line, "another", order, vote=True)]
    threads.append(waiting(line, "third", order))
    line.leave()
    for thread in threads:
        thread.join()
    assert order == ["a vote", "another", "first", "second", "third"]
    assert line.enter(vote=False, timeout_s=0)
