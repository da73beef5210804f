"""What the routes take and answer: `/openapi.json` shows it, and every request and every answer is held to it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from arena.battles.blind_view import Reveal
from arena.battles.limits import PROOF_CHARS
from arena.domain.battle import AnswerStatus, BattleState
from arena.domain.declared import Bilingual
from arena.domain.invitation import CODE_CHARS
from arena.domain.operator import Operator
from arena.domain.stage import Card, Consent, Reason, StageStatus, Starters
from arena.domain.vote import Winner
from arena.record.votes import OwnVote
from arena.results.export.schema import OpeningPart
from arena.web.core.standing import StageState

Word = Annotated[str, Field(max_length=64)]
Side = Literal["a", "b"]


class _Whole(BaseModel):
    """Nothing may be missing, and nothing may slip in that is not promised."""

    model_config = ConfigDict(extra="forbid")


# --- what is asked ----------------------------------------------------------------------------------------------------


class SessionRequest(_Whole):
    """What a citizen agrees to."""

    consents: Annotated[list[Word], Field(max_length=50)]
    age_ok: bool
    proof: Annotated[str, Field(max_length=PROOF_CHARS)] | None = None
    """Base64 of a solved `GET /challenge`; needed when a refusal says `proof_needed`."""
    invitation: Annotated[str, Field(max_length=CODE_CHARS)] | None = None
    """The code of a panel's member; needed once, where `population` is `panel`."""


class BattleRequest(_Whole):
    """What a citizen may say with a new battle, and shows where work is due for it."""

    topic: Word | None = None
    """What the first question is about: the id of one of the stage's `starters`."""
    proof: Annotated[str, Field(max_length=PROOF_CHARS)] | None = None
    """Base64 of a solved `GET /challenge?act=battle`; needed when a refusal says `proof_needed`."""


class ConsentsRequest(_Whole):
    """What a citizen agrees to from now on; what is left out is taken back."""

    consents: Annotated[list[Word], Field(max_length=50)]


class PromptRequest(_Whole):
    """A question to both sides."""

    prompt: str


class ReasonsBySide(_Whole):
    """Tags on each side."""

    a: Annotated[list[Word], Field(max_length=50)] = []
    b: Annotated[list[Word], Field(max_length=50)] = []


class VoteRequest(_Whole):
    """The citizen's decision."""

    winner: Annotated[str, Field(max_length=64, json_schema_extra={"enum": [*Winner]})]
    reasons: ReasonsBySide = ReasonsBySide()
    comment: str = ""
    turns: Annotated[int, Field(ge=1)] | None = None
    """As many as the voter has seen: where the battle has gone on since, the vote is refused with `turns_unseen`."""


class AboutYouRequest(_Whole):
    """`{question: category}`; what is left out is not answered."""

    answers: Annotated[dict[Word, Word], Field(max_length=50)]


# --- what is answered -------------------------------------------------------------------------------------------------


class SessionResponse(_Whole):
    """What this citizen has agreed to."""

    consents: list[str]


class OpenedBattle(_Whole):
    """A battle that was drawn."""

    battle_id: str
    repeat: bool
    """Whether it shows an earlier battle of this citizen again: `GET /battles/{id}` has its turns, and it takes a vote and no question."""


class EntrantView(_Whole):
    """Who a side was, once that may be said."""

    id: str
    team: Bilingual
    card: Card | None


class RevealView(_Whole):
    """Who both sides were."""

    a: EntrantView
    b: EntrantView


def reveal_view(reveal: Reveal | None) -> RevealView | None:
    """Write who the sides were, where that may be said."""
    if reveal is None:
        return None
    a, b = (EntrantView(id=reveal[side].id, team=reveal[side].team, card=reveal[side].card) for side in ("a", "b"))
    return RevealView(a=a, b=b)


class OwnVoteView(_Whole):
    """The owner's own vote, with all that proves it."""

    winner: Winner
    receipt: str
    record: str
    promise: str


def own_vote_view(vote: OwnVote | None) -> OwnVoteView | None:
    """Write the owner's vote, if there is one."""
    if vote is None:
        return None
    return OwnVoteView(winner=vote.winner, receipt=vote.receipt, record=vote.record, promise=vote.promise)


class BattleSummary(_Whole):
    """One of a citizen's battles."""

    battle_id: str
    state: BattleState
    votable: bool
    """Answered, and still waiting for its vote."""
    opened_at: datetime
    turns: int
    prompt_start: str | None
    """How its first question begins, as it was kept; null where none was asked, or its text was erased."""
    winner: Winner | None
    receipt: str | None
    reveal: RevealView | None


class VoteResponse(_Whole):
    """A vote that is durable."""

    receipt: str
    record: str
    """The canonical text that was sealed: `receipt` is SHA-256 of a zero byte and its bytes."""
    promise: str
    """A compact JWS (ES256) of `{schema, stage, receipt, cast_at, include_by}`: that it will be under a signed checkpoint by then."""
    reveal: RevealView | None


class AnswerView(_Whole):
    """One answer, without its author, its cost or its time."""

    status: AnswerStatus
    text: str
    html: str
    reasoning: str | None


class TurnView(_Whole):
    """One turn; a side that has not answered yet is not there."""

    n: int
    prompt: str
    answers: dict[Side, AnswerView]


class BattleView(_Whole):
    """The owner's view of a battle."""

    battle_id: str
    state: BattleState
    votable: bool
    repeat: bool
    """Whether it is an earlier battle shown again."""
    opened_at: datetime
    turns: list[TurnView]
    turns_left: int
    vote: OwnVoteView | None
    reveal: RevealView | None


class StopResponse(_Whole):
    """Both sides will stop."""

    stopping: Literal[True]


class Draws(_Whole):
    """What anybody needs to run the draws again."""

    commitment: str
    """SHA-256 of the secret seed, from the first day on."""
    beacon: str | None
    """What the seed is mixed with, from the opening on; null where nothing is."""
    seed: str | None
    """The secret seed itself, after the freeze."""


class StageLimits(_Whole):
    """What a page has to know of the bounds."""

    turns: int
    prompt_chars: int
    comment_chars: int


class StageSession(_Whole):
    """Whether this browser's session still holds, and what it agreed to."""

    valid: bool
    consents: list[str]


class StageView(_Whole):
    """A stage's public facts: no entrant is among them, but for the consent to the provision, which names all teams."""

    id: str
    title: Bilingual
    programme: str
    operator: Operator
    round: int
    status: StageStatus
    state: StageState
    """As citizens live it: `paused` while no battle is drawn, `frozen` from the window's end on."""
    votes: int
    """As many as the newest signed checkpoint covers."""
    planned_votes: int | None
    opens: datetime | None
    closes: datetime | None
    synthetic: bool
    draws: Draws | None
    notices: dict[str, Bilingual]
    consents: tuple[Consent, ...]
    min_age: int
    limits: StageLimits
    privacy: Literal["mask", "ask"]
    starters: tuple[Starters, ...]
    reasons: tuple[Reason, ...]
    reveal: Literal["after_vote", "after_stage", "never"]
    population: Literal["open", "panel", "professional"]
    identity: Literal["anonymous", "oidc"]
    public_leaderboard: bool
    session: StageSession | None


class CategoryView(_Whole):
    """One answer that may be given."""

    id: str
    title: Bilingual


class QuestionView(_Whole):
    """One question about a voter."""

    id: str
    title: Bilingual
    categories: list[CategoryView]


class AboutYou(_Whole):
    """What the stage asks about its voters, and what this citizen has answered."""

    strata: list[QuestionView]
    answers: dict[str, str]


class TreeHead(_Whole):
    """A signed checkpoint as it is published."""

    schema_: Annotated[Literal["kai.checkpoint/2"], Field(alias="schema")]
    stage: str
    size: int
    root: str
    opening: str
    at: str
    jws: str


class PendingReceipt(_Whole):
    """A vote that waits for the next checkpoint."""

    receipt: str
    status: Literal["pending"] = "pending"
    signed_every_s: float


class IncludedReceipt(_Whole):
    """The proof that a vote is a leaf under a checkpoint."""

    receipt: str
    status: Literal["included"] = "included"
    leaf_index: int
    inclusion_path: list[str]
    checkpoint: TreeHead


class TreeHeads(_Whole):
    """A stage's checkpoints, and the opening act that each of them names by the SHA-256 of its canonical form."""

    stage: str
    opening: OpeningPart | None
    checkpoints: list[TreeHead]


class ConsistencyProof(_Whole):
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
