"""Facts as sentences: what the record keeps in codes and figures is told in both languages, and published as it always was."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

from arena.domain.battle import VoidReason
from arena.domain.coded import Coded, Fault, Kept, as_json
from arena.domain.grounds import GROUNDS, Grounds, HoursGrounds, NetworkGrounds, VoterGrounds, WrittenGrounds
from arena.domain.outage import Cause
from arena.i18n import facts
from arena.i18n.catalogue import messages
from arena.record.outages import cause_in
from arena.results.integrity.voter_tests import TESTS
from arena.results.votes.exclusions import ExclusionReason, grounds_in
from models.breaker import State
from models.cause import CauseKind
from models.errors import AnswerErrorKind

VOTER = VoterGrounds(test="side", p=1e-12, q=3.14e-11, rate=0.05, tests=9)
NETWORK = NetworkGrounds(network="1a2b3c4d", votes=120, excess=31.46, entrant="garam", q=2e-9, rate=0.01, share=0.8)
HOURS = HoursGrounds(
    since=datetime(2026, 11, 1, 9, tzinfo=UTC),
    hours=2.0,
    votes=9,
    excess=-3.0,
    entrant="garam",
    q=0.01,
    rate=0.01,
    share=0.8,
)
WRITTEN = WrittenGrounds(text="written by {an} organizer")
TEAM = {"garam": "가람팀"}.__getitem__


@pytest.mark.parametrize(
    ("grounds", "published"),
    [
        (VOTER, "voter test side: p = 1e-12, q = 3.1e-11 <= 0.05 (Simes over 9 tests, Benjamini-Hochberg)"),
        (
            NETWORK,
            "campaign test, network 1a2b3c4d: 120 votes, +31.5 wins for garam beyond the others' consensus, "
            "q = 2e-09 <= 0.01 (Benjamini-Yekutieli); voters with 80 % of their votes there",
        ),
        (
            HOURS,
            "campaign test, 2 hours from 2026-11-01T09:00+00:00: 9 votes, -3.0 wins for garam beyond the others' consensus, "
            "q = 0.01 <= 0.01 (Benjamini-Yekutieli); voters with 80 % of their votes there",
        ),
        (WRITTEN, "written by {an} organizer"),
    ],
)
def test_grounds_are_published_as_one_english_sentence(grounds: Grounds, published: str) -> None:
    """To the byte, also after the event that keeps them was read again: codes for names, ISO 8601 for times."""
    kept = {"grounds": GROUNDS.dump_python(grounds, mode="json")}
    assert grounds_in(kept) == grounds
    assert facts.published_grounds(grounds_in(kept)) == published


@pytest.mark.parametrize(
    ("grounds", "ko", "en"),
    [
        (VOTER, "개인 검정 자리: p = 1e-12, q = 3.1e-11 ≤ 0.05 (", "voter test side: p = 1e-12, "),
        (
            NETWORK,
            "집단 검정, 네트워크 1a2b3c4d: 투표 120건, 다른 사람들의 판단보다 가람팀 승 +31.5, q = 2e-09 ≤ 0.01 (",
            "campaign test, network 1a2b3c4d: 120 votes, +31.5 wins for 가람팀 ",
        ),
        (
            HOURS,
            "집단 검정, 2026년 11월 1일 오후 6:00부터 2시간: 투표 9건, 다른 사람들의 판단보다 가람팀 승 -3.0, q = 0.01 ≤ 0.01 (",
            "campaign test, 2 hours from 1 Nov 2026, 18:00 KST: 9 votes, ",
        ),
        (WRITTEN, "written by {an} organizer", "written by {an} organizer"),
    ],
)
def test_grounds_are_told_in_the_readers_language(grounds: Grounds, ko: str, en: str) -> None:
    """What a test found has names and Korea's time; what a person wrote stays as it is."""
    assert facts.grounds(grounds, messages("ko"), TEAM).startswith(ko)
    assert facts.grounds(grounds, messages("en"), TEAM).startswith(en)


@pytest.mark.parametrize(
    ("cause", "published"),
    [
        (Cause(kind="answers_failed", failure="upstream"), "answers failed, the last one: upstream"),
        (Cause(kind="own_question_failed", failure="too_long"), "our own question failed too: too_long"),
        (Cause(kind="silent_at_start"), "no answer at the start"),
        (Cause(kind="failed_at_start", failure="rejected"), "no answer at the start: rejected"),
        (Cause(kind="asked_again"), "asking it again"),
        (Cause(kind="still_failing", failure="fault"), "still failing: fault"),
        (Cause(kind="answers_again"), "it answers again"),
        (Cause(kind="worker_killed", signal=9), "the worker process died (signal 9)"),
        (Cause(kind="worker_exited", exit_code=1), "the worker process died (exit code 1)"),
        (Cause(kind="worker_silent", seconds=60), "the worker process has said nothing for 60 s"),
        (Cause(kind="worker_back"), "the worker process serves again"),
        (Cause(kind="arena_stopped"), "the arena was stopped"),
        (Cause(kind="text", text="timeout, {three} in a row"), "timeout, {three} in a row"),
    ],
)
def test_outages_are_published_as_one_english_sentence(cause: Cause, published: str) -> None:
    """To the byte, also after the event that keeps them was read again."""
    assert facts.published_outage(cause_in({"cause": cause.model_dump(exclude_none=True)})) == published


def test_the_oldest_outages_keep_their_sentence() -> None:
    """An outage from before causes had figures is told in the words that stand in its event."""
    assert facts.published_outage(cause_in({"entrant": "maru", "reason": "gone"})) == "gone"


def test_outages_are_told_in_the_readers_language() -> None:
    """With the name of the failure; a kind that a newer arena wrote is shown as it stands, and breaks no page."""
    failed = Cause(kind="answers_failed", failure="upstream")
    assert facts.outage(failed, messages("ko")) == "답변이 거듭 실패함: 모델 서버 오류"
    assert facts.outage(failed, messages("en")) == "answers failed, the last one: error of the model's server"
    assert facts.outage(Cause(kind="hacked", failure="new"), messages("ko")) == "hacked"


def test_every_code_has_a_name() -> None:
    """In both languages: each test, reason, cause, failure and state of a breaker."""
    families = {
        "test": TESTS,
        "exclusion": ExclusionReason,
        "outage": get_args(CauseKind),
        "failure": get_args(AnswerErrorKind),
        "breaker": get_args(State),
        "void": get_args(VoidReason),
    }
    for t in (messages("ko"), messages("en")):
        assert [
            f"{family}_{code}" for family, codes in families.items() for code in codes if f"{family}_{code}" not in t
        ] == []


def test_what_a_check_found_is_kept_as_codes() -> None:
    """An error with another one in its parameters, lists too, comes back from JSON with the same sentence in both languages."""
    fault = Fault("draw_differs", n=7, a="x", b="y", seed_a="y", seed_b="x")
    missing = Fault("file_missing", file=Path("votes.parquet"))
    for error in (NotVerified(check="draws", fault=fault), NotVerified(check="files", fault=[missing, fault])):
        kept = Kept.read(orjson.loads(orjson.dumps(as_json(error))))
        for t in (messages("ko"), messages("en")):
            assert t.of(kept) == t.of(error)


class NotVerified(Coded):
    """As the stranger's check raises it."""

    kind = "error"

    def __init__(self, **params: Any) -> None:
        super().__init__("not_verified", **params)
