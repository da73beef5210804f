"""What a command shows while it works: a moving line on a terminal, one plain line elsewhere; always on standard error, which no program parses."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from arena.i18n.terminal import t
from ratings.listing import printable


@contextmanager
def working(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show that something goes on until the block ends; what it prints itself belongs after the block.

    Args:
        what: is done, in a few words.
        total: how many steps it has, where that is known; the block is then given a function to tell how many are done.
    """
    console = Console(stderr=True, emoji=False)
    line = t("working_line", what=printable(what))
    if not console.is_terminal:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
        yield _nowhere
        return
    bar = () if total is None else (BarColumn(), MofNCompleteColumn())
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), *bar, TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(line, total=total)
        yield lambda done: shown.update(task, completed=done)


def _nowhere(_done: int) -> None:
    pass
