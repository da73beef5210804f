"""What may leave the server: these types have no field for an identity, but for the reveal, which exists only once it is allowed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from arena.battles.render import render
from arena.domain.battle import SIDES, Answer, AnswerStatus, Battle, BattleState, Side
from arena.domain.stage import Bilingual, Stage, StageStatus


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


Reveal = Mapping[Side, Revealed]


@dataclass(frozen=True, slots=True)
class BlindBattle:
    """The owner's view of a battle."""

    battle_id: str
    state: BattleState
    votable: bool
    opened_at: datetime
    turns: tuple[BlindTurn, ...]
    turns_left: int
    receipt: str | None
    reveal: Reveal | None


def blind(battle: Battle, stage: Stage, receipt: str | None, reveal: Reveal | None) -> BlindBattle:
    """The battle as its owner may see it."""
    turns = tuple(
        BlindTurn(
            turn.n,
            turn.prompt,
            {
                side: BlindAnswer(answer.status, answer.text, render(answer.text), _folded(answer, stage))
                for side in SIDES
                if (answer := turn.answers.get(side)) is not None
            },
        )
        for turn in battle.turns
    )
    left = max(0, stage.protocol.turns - len(turns)) if battle.state in (BattleState.OPEN, BattleState.ANSWERING) else 0
    return BlindBattle(battle.id, battle.state, battle.votable, battle.opened_at, turns, left, receipt, reveal)


def _folded(answer: Answer, stage: Stage) -> str | None:
    shown = stage.protocol.reasoning == "folded" and answer.status != "failed" and answer.reasoning.strip()
    return render(answer.reasoning) if shown else None


def reveal_of(battle: Battle, stage: Stage, status: StageStatus) -> Reveal | None:
    """Who the sides were, if the battle has its vote and the stage's protocol allows it now."""
    if battle.state not in (BattleState.VOTED, BattleState.REVEALED):
        return None
    allowed = {
        "after_vote": True,
        "after_stage": status in (StageStatus.FROZEN, StageStatus.PUBLISHED),
        "never": False,
    }[stage.protocol.reveal]
    if not allowed:
        return None
    return {side: Revealed(battle.entrant(side), stage.entrant(battle.entrant(side)).team) for side in SIDES}
