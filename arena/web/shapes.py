"""The shapes of what the citizen's and the ledger's routes answer: `/openapi.json` shows them, and every answer is held to its own."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict
from typing_extensions import TypedDict

from arena.domain.battle import AnswerStatus, BattleState
from arena.domain.stage import StageStatus


class _Whole(TypedDict):
    """Nothing may be missing, and nothing may slip in that is not promised."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]


class Opened(_Whole):
    """A battle that was drawn."""

    battle_id: str


class Listed(_Whole):
    """One of a citizen's battles."""

    battle_id: str
    state: BattleState
    opened_at: datetime
    turns: int
    receipt: str | None


class Words(_Whole):
    """The same in Korean and English."""

    ko: str
    en: str


class Author(_Whole):
    """Who a side was, once that may be said."""

    id: str
    team: Words


class Authors(_Whole):
    """Both sides."""

    a: Author
    b: Author


class Thanked(_Whole):
    """A vote that is durable."""

    receipt: str
    reveal: Authors | None


class Said(_Whole):
    """One answer, without its author, its cost or its time."""

    status: AnswerStatus
    text: str
    html: str
    reasoning: str | None


class Asked(_Whole):
    """One turn; a side that has not answered yet is not there."""

    n: int
    prompt: str
    answers: dict[Literal["a", "b"], Said]


class Seen(_Whole):
    """The owner's view of a battle."""

    battle_id: str
    state: BattleState
    votable: bool
    opened_at: datetime
    turns: list[Asked]
    turns_left: int
    receipt: str | None
    reveal: Authors | None


class TreeHead(_Whole):
    """A signed checkpoint as it is published."""

    schema: Literal["kai.checkpoint/1"]
    stage: str
    size: int
    root: str
    at: str
    jws: str


class Pending(_Whole):
    """A vote that waits for the next checkpoint."""

    receipt: str
    status: Literal["pending"]
    signed_every_s: float


class Included(_Whole):
    """The proof that a vote is a leaf under a checkpoint."""

    receipt: str
    status: Literal["included"]
    leaf_index: int
    inclusion_path: list[str]
    checkpoint: TreeHead


class TreeHeads(_Whole):
    """A stage's checkpoints."""

    stage: str
    checkpoints: list[TreeHead]


class Consistent(_Whole):
    """The proof that one tree is the beginning of another."""

    stage: str
    first: int
    second: int
    consistency_path: list[str]


class StageFacts(_Whole):
    """What anybody may know of a stage: where it stands, and what was committed to before it opened."""

    id: str
    status: StageStatus
    file_sha256: str
    draw_commitment: str
    opened_at: datetime | None
    frozen_at: datetime | None
    published_at: datetime | None


class AboutYou(_Whole):
    """What the stage asks about its voters, and what this citizen has answered."""

    strata: list[Any]
    answers: dict[str, str]
