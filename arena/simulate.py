"""Citizens with a known taste, through the real record and the real ratings: for demonstrations and tests, always labelled synthetic."""

import hashlib
import random
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import exp
from pathlib import Path
from typing import Any

from arena.domain import draw as pairing
from arena.domain.battle import SIDES, Answer, Battle, BattleState, Draw, Side, Turn
from arena.domain.citizen import Citizen, pseudonym
from arena.domain.errors import Conflict, Unusable
from arena.domain.questions import QuestionKeys
from arena.domain.repeat import Earlier, again, is_due
from arena.domain.stage import Stage, StageStatus
from arena.domain.vote import NONCE_BYTES, Ballot, Vote, Winner, cast
from arena.record import bulk
from arena.record.store import Store
from arena.results.live.leaderboard import Leaderboard
from arena.results.votes.warnings import warnings
from ratings.result import Ratings

SIMULATED = "simulated"
BY_VERBS = 50
"""So many votes are cast verb by verb; the others, the same rows, are kept a few thousand at a time."""
CHUNK = 5000
OPEN_FOR = timedelta(days=30)
"""How long a simulated stage has been open: its votes have to fit in."""
VOTE_S = 6
"""Seconds that a battle takes."""
ANSWERS = 1000
"""So many different answers are there to be given."""
_WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
TEAMS: dict[str, tuple[str, str]] = {team: (ko, en) for team, (ko, en) in _WORDS["teams"].items()}

_TURNED = {Winner.MODEL_A: Winner.MODEL_B, Winner.MODEL_B: Winner.MODEL_A}

STAGE = """\
# A simulated stage: five invented teams, scripted answers, votes by programme. Nothing in it was said or judged by a person.
id = "{id}"
title = {{ ko = "{title[ko]}", en = "{title[en]}" }}
programme = "{programme}"
round = {round}
component_max = {component_max}
planned_advance = {planned_advance}
synthetic = true
"""
ENTRANT = """
[[entrants]]
id = "{id}"
team = {{ ko = "{ko}", en = "{en}" }}
backend = "scripted"
answers = ["{answer}"]
"""


@dataclass(frozen=True, slots=True)
class Taste:
    """How the simulated citizens judge; strengths in logits."""

    spread: float = 1.4
    """From the best entrant to the last."""
    personal: float = 0.4
    """Standard deviation of a citizen's own liking of an entrant."""
    side: float = 0.0
    """Liking of whatever stands on side a."""
    ties: float = 0.15
    """How often two equally liked answers are called a tie."""
    both_bad: float = 0.05
    memory: float = 0.5
    """How often a citizen who is shown a battle again says what they said, without judging it anew."""


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What was planted and what the ratings found."""

    stage_id: str
    votes: int
    voters: int
    seed: int
    planted: Mapping[str, float]
    """Strengths in logits, mean 0."""
    ratings: Ratings

    @property
    def fitted_order(self) -> list[str]:
        """The entrants as the ratings rank them, best first."""
        return [row.model for row in self.ratings.by_rank()]

    @property
    def planted_order(self) -> list[str]:
        """The entrants by planted strength, best first."""
        return sorted(self.planted, key=lambda entrant: -self.planted[entrant])

    @property
    def recovered(self) -> bool:
        """Whether the fitted order is the planted one."""
        return self.fitted_order == self.planted_order

    def to_json(self) -> dict[str, Any]:
        """For files."""
        return {
            "synthetic": True,
            "stage": self.stage_id,
            "votes": self.votes,
            "voters": self.voters,
            "seed": self.seed,
            "planted": {entrant: round(theta, 6) for entrant, theta in self.planted.items()},
            "planted_order": self.planted_order,
            "fitted_order": self.fitted_order,
            "recovered": self.recovered,
            **self.ratings.to_dict("team_id"),
            "warnings": warnings(self.ratings.notices),
        }


def simulated_stage(
    stage_id: str = SIMULATED,
    *,
    teams: Mapping[str, tuple[str, str]] | None = None,
    round_number: int = 1,
    component_max: float = 25,
    planned_advance: int = 4,
    more: str = "",
) -> tuple[Stage, bytes]:
    """Write a stage file for a simulation, with these teams (`{id: (Korean, English)}`); `more` holds further tables of the file."""
    text = STAGE.format(
        id=stage_id,
        title=_WORDS["title"],
        programme=_WORDS["programme"],
        round=round_number,
        component_max=component_max,
        planned_advance=planned_advance,
    ) + (f"\n{more}\n" if more else "")
    for entrant, (ko, en) in (teams or TEAMS).items():
        answer = _WORDS["declared_answer"].format(team=ko)
        text += ENTRANT.format(id=entrant, ko=ko, en=en, answer=answer)
    data = text.encode()
    return Stage.from_toml(data, f"{stage_id}.toml"), data


def simulate(
    store: Store,
    stage: Stage,
    votes: int,
    seed: int,
    voters: int | None = None,
    *,
    secret: bytes,
    strengths: Mapping[str, float] | None = None,
    taste: Taste | None = None,
    ends: datetime | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> SimulationReport:
    """Play citizens through an open synthetic stage and rate what they voted.

    Args:
        store: the record; the stage has to be open in it.
        stage: a stage whose file says that it is synthetic.
        votes: how many votes to cast.
        seed: decides taste, prompts, answers and votes; the draws have the stage's own seed.
        voters: how many citizens take turns; one for every 20 votes unless given.
        secret: keys pseudonyms and seals, as the arena's own does.
        strengths: of the entrants, in logits; unless given, evenly spread in an order that the seed decides.
        taste: how they judge.
        ends: when the last vote is cast; now, unless given.
        progress: told how many votes there are, now and then.

    Raises:
        Unusable: the stage is not synthetic, or there is nothing to simulate.
        Conflict: the stage has votes, or is not open.
    """
    if not stage.synthetic or votes < 1:
        raise Unusable("not_synthetic", stage=stage.id)
    record = store.stages.find(stage.id)
    if record is not None and record.draws:
        raise Conflict("has_battles", stage=stage.id)
    rng = random.Random(seed)
    people = voters or max(2, votes // 20)
    ends = (ends or datetime.now(UTC)).replace(microsecond=0)
    opened = record.opened_at if record and record.opened_at else ends - OPEN_FOR
    step = min(_pace(stage, people), (ends - opened) / votes)
    crowd = _Crowd(
        stage,
        seed,
        secret,
        QuestionKeys.of_stage(stage, hashlib.sha256(f"simulate {stage.id} {seed} questions".encode()).hexdigest()),
        taste or Taste(),
        _planted(stage, rng, taste or Taste(), strengths),
        _citizens(secret, stage, seed, people),
        ends - votes * step,
        rests=max(timedelta(), step - timedelta(seconds=VOTE_S)),
    )
    crowd.enrol(store)
    store.events.append(
        datetime.now(UTC),
        stage.id,
        "simulate",
        "simulation",
        {"votes": votes, "voters": len(crowd.citizens), "seed": seed},
    )
    for done in range(1, min(votes, BY_VERBS) + 1):
        crowd.vote_by_verbs(store)
        progress(done)
    for start in range(BY_VERBS, votes, CHUNK):
        count = min(CHUNK, votes - start)
        bulk.append(store.database, stage.id, count, crowd.draw_next, crowd.played)
        progress(start + count)
    ratings = Leaderboard(store, stage).snapshot().ratings
    assert ratings is not None  # noqa: S101 - votes were just cast
    return SimulationReport(stage.id, votes, len(crowd.citizens), seed, crowd.strengths, ratings)


def open_simulated(store: Store, stage: Stage, file: bytes, now: datetime) -> None:
    """Register the simulation's stage, open for 30 days by now."""
    if store.stages.adopt(stage, file, now - OPEN_FOR).status is not StageStatus.OPEN:
        raise Conflict("has_ended", stage=stage.id)


@dataclass
class _Crowd:
    """The citizens of one simulation, their taste, and a clock of their own."""

    stage: Stage
    seed: int
    secret: bytes
    questions: QuestionKeys
    taste: Taste
    strengths: Mapping[str, float]
    citizens: list[Citizen]
    now: datetime
    rests: timedelta
    """Between two battles: nobody votes more often than the stage lets them."""
    rng: random.Random = field(default_factory=random.Random)
    citizen: Citizen = field(init=False)
    """Who comes next."""
    voted: int = 0
    pauses: list[int] = field(default_factory=list)
    """Milliseconds before the battle, its answers and its vote."""
    answers: list[list[str]] = field(default_factory=list)
    """What entrants say, as words."""
    likes: dict[tuple[str, str], float] = field(default_factory=dict)
    """What each citizen thinks of each entrant, as soon as they have met."""
    histories: dict[str, list[Earlier]] = field(default_factory=dict)
    """Every citizen's battles, where the stage has repeats."""
    kept: dict[int, tuple[Turn, Winner]] = field(default_factory=dict)
    """What was asked, answered and said in each of them, by the number of its draw."""
    shown: Counter[pairing.Pair] = field(default_factory=Counter)
    known: Mapping[pairing.Pair, int] = field(default_factory=dict)

    def enrol(self, store: Store) -> None:
        """Everybody agrees to what is required; some to the release of votes and texts."""
        self.rng.seed(f"{self.seed} answers")
        self.answers = [self.rng.choices(_WORDS["words"], k=self.rng.randrange(5, 40)) for _ in range(ANSWERS)]
        self.rng.seed(f"{self.seed} consents")
        enrolled = []
        for citizen in self.citizens:
            granted = {c.id: (c.version, c.required or self.rng.random() < 0.7) for c in self.stage.consents}
            enrolled.append((citizen, granted))
        bulk.enrol(store.database, enrolled, self.now)

    def draw(self, seed: str, number: int, _removed: frozenset[str] = frozenset()) -> Draw:
        """Make the stage's own draw; nobody else draws in a simulated stage, so what was drawn before is known here."""
        drawn = pairing.draw(seed, number, self.stage.entrant_ids, pairing.rule_of(self.stage), self.known)
        self.shown[pairing.pair_of(drawn.a, drawn.b)] += 1
        return drawn

    def repeat(
        self, seed: str, number: int, _removed: frozenset[str], history: Callable[[], Sequence[Earlier]]
    ) -> Draw | None:
        """Show one of the citizen's own battles again, where it is due; asked before every draw."""
        if pairing.epoch_start(number) == number - 1:
            self.known = dict(self.shown)
        share = self.stage.protocol.repeats
        return again(seed, number, share, history(), self.stage.entrant_ids) if is_due(seed, number, share) else None

    def draw_next(self, seed: str, number: int) -> Draw:
        """Make the draw of who comes next."""
        self.citizen = self._next()
        history = self.histories.setdefault(self.citizen.id, [])
        return self.repeat(seed, number, frozenset(), lambda: history) or self.draw(seed, number)

    def vote_by_verbs(self, store: Store) -> None:
        """One battle, verb by verb, as a citizen's browser would have it."""
        citizen = self._next()
        battle = store.battles.open(
            self._battle_id(), self.stage.id, citizen.id, self.draw, self._later(), repeat=self.repeat
        )
        turn = self._turn(battle.draw)
        now = self._later()
        if battle.draw.repeat_of is None:
            lease = ("simulate", now)
            store.battles.begin_turn(battle.id, citizen.id, turn.prompt, max_turns=1, lease=lease, now=turn.asked_at)
            given = list(turn.answers.values())
            store.battles.finish_turn(battle.id, 1, given, owner="simulate", void_reason=None, now=now)
        ballot = self._ballot(citizen, battle.draw)
        self._remember(citizen, battle.draw, turn, ballot.winner)
        now = self._later()
        store.votes.cast(
            battle.id,
            citizen.id,
            ballot,
            lambda b: self._cast(b, citizen, ballot, now),
            reveal=self.stage.protocol.reveal == "after_vote",
        )

    def played(self, drawn: Draw) -> tuple[Battle, Vote]:
        """Return the same battle as a value."""
        citizen = self.citizen
        opened = self._later()
        turn = self._turn(drawn)
        self._later()
        battle = Battle(self._battle_id(), self.stage.id, citizen.id, BattleState.VOTED, drawn, opened, (turn,))
        ballot = self._ballot(citizen, drawn)
        self._remember(citizen, drawn, turn, ballot.winner)
        return battle, self._cast(battle, citizen, ballot, self._later())

    def _cast(self, battle: Battle, citizen: Citizen, ballot: Ballot, now: datetime) -> Vote:
        """Make the vote, with a nonce of this simulation's own, so that the same seed makes the same receipts."""
        return cast(battle, citizen, ballot, now, self.secret, self.questions, nonce=self.rng.randbytes(NONCE_BYTES))

    def _remember(self, citizen: Citizen, drawn: Draw, turn: Turn, winner: Winner) -> None:
        """Keep what may be shown again."""
        if self.stage.protocol.repeats:
            told = Earlier(drawn.number, drawn.a, drawn.b, voted=True, has_texts=True, repeat_of=drawn.repeat_of)
            self.histories.setdefault(citizen.id, []).append(told)
            self.kept[drawn.number] = (turn, winner)

    def _next(self) -> Citizen:
        """Who votes next. Every vote has its own randomness, so that nothing depends on what was drawn before."""
        self.voted += 1
        self.rng.seed(f"{self.stage.id} {self.seed} vote {self.voted}")
        self.now += self.rests
        self.pauses = [self.rng.randrange(1500, 2500) for _ in range(3)]
        return self.rng.choice(self.citizens)

    def _later(self) -> datetime:
        self.now += timedelta(milliseconds=self.pauses.pop())
        return self.now

    def _battle_id(self) -> str:
        return self.rng.randbytes(12).hex()

    def _turn(self, drawn: Draw) -> Turn:
        if drawn.repeat_of is not None:
            asked, _ = self.kept[drawn.repeat_of]
            turned: tuple[tuple[Side, Side], ...] = (("a", "b"), ("b", "a"))
            said: dict[Side, Answer] = {
                side: Answer(side, "complete", asked.answers[other].text) for side, other in turned
            }
            return Turn(1, asked.prompt, self.now, said)
        prompt = self.rng.choice(_WORDS["asks"]).format(self.rng.choice(_WORDS["words"]))
        answers: dict[Side, Answer] = {}
        for side, entrant in zip(SIDES, (drawn.a, drawn.b), strict=True):
            words = self.rng.choice(self.answers)
            answers[side] = Answer(
                side,
                "complete",
                _WORDS["answer"].format(words=" ".join(words)),
                first_token_ms=self.rng.randrange(80, 400),
                total_ms=self.rng.randrange(800, 4000),
                shown_ms=4000,
                prompt_tokens=12,
                completion_tokens=len(words) * 2 + len(entrant),
            )
        return Turn(1, prompt, self.now, answers)

    def _ballot(self, citizen: Citizen, drawn: Draw) -> Ballot:
        if drawn.repeat_of is not None and self.rng.random() < self.taste.memory:
            _, before = self.kept[drawn.repeat_of]
            return Ballot(_TURNED.get(before, before), self._tags(_TURNED.get(before, before)), "")
        apart = self._likes(citizen, drawn.a) - self._likes(citizen, drawn.b) + self.taste.side
        p = 1 / (1 + exp(-apart))
        lot = self.rng.random()
        if lot < self.taste.both_bad:
            winner = Winner.BOTH_BAD
        elif lot < self.taste.both_bad + self.taste.ties * 4 * p * (1 - p):
            winner = Winner.TIE
        else:
            winner = Winner.MODEL_A if self.rng.random() < p else Winner.MODEL_B
        return Ballot(winner, self._tags(winner), "")

    def _tags(self, winner: Winner) -> dict[Side, tuple[str, ...]]:
        praise = [reason.id for reason in self.stage.reasons if reason.kind == "praise"]
        tags = (self.rng.choice(praise),) if praise and self.rng.random() < 0.3 else ()
        return {"a": tags if winner is Winner.MODEL_A else (), "b": tags if winner is Winner.MODEL_B else ()}

    def _likes(self, citizen: Citizen, entrant: str) -> float:
        known = self.likes.get((citizen.id, entrant))
        if known is None:
            personal = random.Random(f"{self.seed} {citizen.id} {entrant}").gauss(0, self.taste.personal)
            known = self.likes[citizen.id, entrant] = self.strengths[entrant] + personal
        return known


def _pace(stage: Stage, voters: int) -> timedelta:
    """How long from one vote to the next, so that everybody keeps to half of what the stage lets one citizen do."""
    hour, day = timedelta(hours=1) / stage.limits.votes_per_hour, timedelta(days=1) / stage.limits.votes_per_day
    return max(timedelta(seconds=VOTE_S), 2 * max(hour, day) / voters)


def _planted(
    stage: Stage, rng: random.Random, taste: Taste, strengths: Mapping[str, float] | None
) -> Mapping[str, float]:
    if strengths is not None:
        return strengths
    order = rng.sample(stage.entrant_ids, len(stage.entrant_ids))
    step = taste.spread / (len(order) - 1)
    planted = {entrant: taste.spread / 2 - n * step for n, entrant in enumerate(order)}
    return {entrant: planted[entrant] for entrant in stage.entrant_ids}


def _citizens(secret: bytes, stage: Stage, seed: int, voters: int) -> list[Citizen]:
    run = hashlib.sha256(f"simulate {stage.id} {seed}".encode()).hexdigest()
    level = stage.population.identity_levels[-1]
    return [Citizen(pseudonym(secret, f"{run} {number}"), level) for number in range(voters)]
