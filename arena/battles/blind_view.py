"""What may leave the server: these types have no field for an identity, but for the reveal, which exists only once it is allowed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from arena.battles.text import beginning
from arena.domain.battle import SIDES, Answer, AnswerStatus, Battle, BattleState, Side
from arena.domain.declared import Bilingual
from arena.domain.stage import Card, Entrant, Stage, StageStatus
from arena.domain.vote import Winner
from arena.record.battles import OwnBattle
from arena.record.votes import OwnVote

BEGINNING_GRAPHEMES: Final = 60


@dataclass(frozen=True, slots=True)
class BlindOpened:
    """A battle that was drawn."""

    battle_id: str
    repeat: bool
    """It is one of the citizen's own once more, with its answers: it takes a vote and no question."""


@dataclass(frozen=True, slots=True)
class BlindAnswer:
    """One side's answer, without its author, its cost or its time."""

    status: AnswerStatus
    text: str
    html: str
    reasoning: str | None = None
    """As safe HTML, where the stage shows it."""


@dataclass(frozen=True, slots=True)
class BlindTurn:
    """A prompt and its answers."""

    n: int
    prompt: str
    answers: Mapping[Side, BlindAnswer]


@dataclass(frozen=True, slots=True)
class Revealed:
    """Who a side was."""

    id: str
    team: Bilingual
    card: Card | None


Reveal = Mapping[Side, Revealed]


@dataclass(frozen=True, slots=True)
class BlindBattle:
    """The owner's view of a battle."""

    battle_id: str
    state: BattleState
    votable: bool
    repeat: bool
    """An earlier one of the owner's once more, to be judged afresh: it takes no question."""
    opened_at: datetime
    turns: tuple[BlindTurn, ...]
    turns_left: int
    vote: OwnVote | None
    reveal: Reveal | None


@dataclass(frozen=True, slots=True)
class BlindSummary:
    """The owner's view of a battle in a list of them."""

    battle_id: str
    state: BattleState
    votable: bool
    opened_at: datetime
    turns: int
    prompt_start: str | None
    """How the first question begins; nothing where none was asked, or its text was erased."""
    winner: Winner | None
    receipt: str | None
    reveal: Reveal | None


def blind(
    battle: Battle, stage: Stage, status: StageStatus, vote: OwnVote | None, html_of: Callable[[str], str]
) -> BlindBattle:
    """Show the battle as its owner may see it; `html_of` gives an answer's text as safe HTML."""
    chars = stage.protocol.answer_chars
    turns = tuple(
        BlindTurn(
            turn.n,
            turn.prompt,
            {
                side: BlindAnswer(
                    answer.told_status(chars), answer.text, html_of(answer.text), _folded(answer, stage, html_of)
                )
                for side in SIDES
                if (answer := turn.answers.get(side)) is not None
            },
        )
        for turn in battle.turns
    )
    repeat = battle.draw.repeat_of is not None
    asks = battle.state in (BattleState.OPEN, BattleState.ANSWERING) and not repeat
    left = max(0, stage.protocol.turns - len(turns)) if asks else 0
    return BlindBattle(
        battle.id,
        battle.state,
        _votable(battle, status),
        repeat,
        battle.opened_at,
        turns,
        left,
        vote,
        reveal_of(battle, stage, status),
    )


def blind_summary(own: OwnBattle, stage: Stage, status: StageStatus) -> BlindSummary:
    """Show one of a citizen's battles as its owner may see it in a list."""
    battle = own.battle
    return BlindSummary(
        battle.id,
        battle.state,
        _votable(battle, status),
        battle.opened_at,
        own.turns,
        beginning(own.first_prompt, BEGINNING_GRAPHEMES) or None,
        own.winner,
        own.receipt,
        reveal_of(battle, stage, status),
    )


def _votable(battle: Battle, status: StageStatus) -> bool:
    return battle.votable and status is StageStatus.OPEN


def _folded(answer: Answer, stage: Stage, html_of: Callable[[str], str]) -> str | None:
    shown = stage.protocol.reasoning == "folded" and answer.status != "failed" and answer.reasoning.strip()
    return html_of(answer.reasoning) if shown else None


def reveal_of(battle: Battle, stage: Stage, status: StageStatus) -> Reveal | None:
    """Who the sides were, if the battle has its vote and the stage's protocol allows it now."""
    voted = battle.state in (BattleState.VOTED, BattleState.REVEALED)
    if not voted or not reveals_votes(stage, status):
        return None
    return {side: _revealed(stage.entrant(battle.entrant(side))) for side in SIDES}


def _revealed(entrant: Entrant) -> Revealed:
    return Revealed(entrant.id, entrant.team, entrant.card)


def reveals_votes(stage: Stage, status: StageStatus) -> bool:
    """Tell whether whoever voted on a battle may know now who the sides were."""
    return {
        "after_vote": True,
        "after_stage": status in (StageStatus.FROZEN, StageStatus.PUBLISHED),
        "never": False,
    }[stage.protocol.reveal]
