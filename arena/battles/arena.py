"""The verbs of a battle: open, ask, stop, vote, reveal. Nothing here is kept in memory but the turns that are running."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from arena.battles.blind_view import BlindBattle, BlindOpened, BlindSummary, Reveal, blind, blind_summary, reveal_of
from arena.battles.draw_floor import DrawFloor
from arena.battles.identity import Lexicon
from arena.battles.kept_html import KeptHtml
from arena.battles.pacing import pacer
from arena.battles.pairing import Pairing
from arena.battles.text import clean_comment, clean_prompt
from arena.battles.turn import Entrants, Question, RunningTurn, sampling_of
from arena.battles.version_log import VersionLog
from arena.domain import privacy
from arena.domain import vote as votes
from arena.domain.battle import (
    ASKS_IDENTITY,
    SIDES,
    Answer,
    Battle,
    BattleState,
    Shown,
    Side,
    new_battle_id,
    void_reason,
)
from arena.domain.citizen import Citizen
from arena.domain.errors import ArenaError, Conflict, NotFound, Unavailable, Unusable, not_found
from arena.domain.promise import Promise
from arena.domain.questions import QuestionKeys
from arena.domain.stage import Stage, StageStatus
from arena.domain.vote import Ballot, Vote, Winner
from arena.record.battles import Stop, stage_not_open
from arena.record.counters import Admission
from arena.record.stages import Stages
from arena.record.store import Store
from models.base import Message

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

LEASE = timedelta(seconds=20)
_LONG_MS = 2**31 - 1
"""As much as the record's columns hold: 24 days."""
RESUME_S = 60.0
"""How long a finished turn's events stay in memory for a client that comes back."""


@dataclass(frozen=True, slots=True)
class CastVote:
    """What a citizen gets for a vote that is durable."""

    vote: Vote
    new: bool
    reveal: Reveal | None


class Arena:
    """One process's share of a stage's battles."""

    def __init__(
        self,
        stage: Stage,
        store: Store,
        entrants: Entrants,
        *,
        secret: bytes,
        sign: Callable[[bytes], str],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`secret` keys the digests that stand in the ledger in place of texts; `sign` makes a compact JWS of a promise."""
        self.stage = stage
        self.store = store
        self._entrants = entrants
        self._pairing = Pairing(stage, store)
        self._lexicon = Lexicon(stage.entrants)
        self._floor = DrawFloor(stage, clock=clock)
        self._versions = VersionLog(store, stage.id, "answers", clock)
        self._secret = secret
        self._sign = sign
        self._question_keys: QuestionKeys | None = None
        self._clock = clock
        self._owner = secrets.token_hex(8)
        self._running: dict[str, tuple[str, RunningTurn]] = {}
        self._beginning = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._html = KeptHtml()
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="record")
        self._vote_threads = ThreadPoolExecutor(8, thread_name_prefix="votes")
        self._view_threads = ThreadPoolExecutor(1, thread_name_prefix="views")

    def _questions(self) -> QuestionKeys:
        """Give what makes the keys of questions; a stage that takes votes has it. Read once, by the votes' own connections."""
        if self._question_keys is None:
            record = Stages(self.store.lane).find(self.stage.id)
            if record is None or record.question_key is None:
                raise Conflict("stage_not_open")
            self._question_keys = QuestionKeys.of_stage(self.stage, record.question_key)
        return self._question_keys

    def now(self) -> datetime:
        """Read the arena's clock."""
        return self._clock()

    @property
    def turns_running(self) -> int:
        """Questions being answered in this process."""
        return sum(not turn.over.is_set() for _, turn in self._running.values()) + self._beginning

    async def run_in_db_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one call of the record in a thread: the loop never waits for a disk."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*args, **kwargs))

    async def run_in_vote_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what casts a vote in a thread that nothing else ever holds."""
        return await asyncio.get_running_loop().run_in_executor(self._vote_threads, lambda: call(*args, **kwargs))

    async def run_in_view_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what makes a page of many answers where it holds up nothing but other such pages."""
        return await asyncio.get_running_loop().run_in_executor(self._view_threads, lambda: call(*args, **kwargs))

    # --- the verbs -------------------------------------------------------------------------------------------------

    async def open(
        self, citizen: Citizen, admission: Admission | None = None, *, topic: str | None = None
    ) -> BlindOpened:
        """Draw a battle for this citizen, counted by `admission`, or show one of theirs again; `topic` is kept with a new one.

        Raises:
            Unauthorized: the citizen has withdrawn.
            Forbidden: a required consent is missing.
            TooMany: the citizen, or the network, has opened as many as it may.
            Conflict: the stage is not open.
            Unavailable: too few entrants can be drawn, the draws are paused, or not saved.
        """
        now = self._clock()
        self._require_window(now)
        entrants = self._entrants.available()
        battle = await self.run_in_db_thread(
            self.store.battles.open,
            new_battle_id(),
            self.stage.id,
            citizen.id,
            lambda seed, number, removed: self._pairing.draw(seed, number, self._drawable(entrants, removed)),
            now,
            topic=topic,
            consents=self.stage.consents,
            admission=admission,
            repeat=self._pairing.repeat,
        )
        return BlindOpened(battle.id, repeat=battle.draw.repeat_of is not None)

    async def ask(
        self, citizen: Citizen, battle_id: str, prompt: str, admission: Admission | None = None
    ) -> RunningTurn:
        """Ask both sides at the same instant, counted by `admission`; the turn runs on by itself.

        Raises:
            TooLarge, Unusable: the prompt.
            NotFound, Conflict: the battle.
            TooMany: too many turns lately, or too many streams at once.
            Unavailable: no room for two more answers.
        """
        now = self._clock()
        self._require_window(now)
        protocol, limits = self.stage.protocol, self.stage.limits
        self._require_room()
        self._beginning += 1
        try:
            prompt, masked, flags = await self.run_in_db_thread(
                self._admitted, clean_prompt(prompt, protocol.prompt_chars)
            )
            battle = await self.run_in_db_thread(
                self.store.battles.begin_turn,
                battle_id,
                citizen.id,
                prompt,
                max_turns=protocol.turns,
                max_streams=limits.streams_per_citizen,
                lease=(self._owner, now + LEASE),
                now=now,
                flags=flags,
                admission=admission,
            )
        finally:
            self._beginning -= 1
        turn = RunningTurn(
            len(battle.turns),
            Question(
                prompt=prompt,
                masked=masked,
                entrants={side: battle.entrant(side) for side in SIDES},
                messages={side: self._conversation(battle, side) for side in SIDES},
                sampling=sampling_of(protocol),
                network=admission.widest_network if admission else "",
            ),
            self._entrants,
            pacer(protocol),
            lambda answers: self._keep(battle, turn, answers),
            lambda shown: self._note_shown(
                battle_id, {(len(battle.turns), side): each for side, each in shown.items()}
            ),
            fold_reasoning=protocol.reasoning == "folded",
        )
        self._running[battle_id] = (citizen.id, turn)
        task = asyncio.create_task(self._run(battle_id, turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return turn

    async def running(self, citizen: Citizen, battle_id: str, n: int) -> RunningTurn:
        """Find the turn with this number, while its events are at hand.

        Raises:
            NotFound: the battle is unknown or somebody else's, or the turn ended a while ago: `GET /battles/{id}` has what was kept.
            Unavailable: another process is answering it; `GET /battles/{id}` has the answers once they are whole.
        """
        owner, turn = self._running.get(battle_id, ("", None))
        if turn is None or owner != citizen.id or turn.n != n:
            battle = await self.run_in_db_thread(self.store.battles.find, battle_id, citizen.id)
            if battle.state is BattleState.ANSWERING and len(battle.turns) == n:
                raise Unavailable("stream_elsewhere", retry_after_s=2)
            raise NotFound("stream_gone")
        return turn

    async def stop(self, citizen: Citizen, battle_id: str) -> None:
        """Stop both sides of the running turn, at once or, where another process writes it, as soon as that one has heard; without one nothing changes.

        Raises:
            NotFound: the battle is unknown, or somebody else's.
        """
        owner, turn = self._running.get(battle_id, ("", None))
        if turn is not None and owner == citizen.id and not turn.over.is_set():
            turn.stop()
            return
        battle = await self.run_in_db_thread(self.store.battles.find, battle_id, citizen.id)
        if battle.state is BattleState.ANSWERING:
            await self.run_in_db_thread(self.store.battles.request_stop, battle_id, citizen.id, self._clock())

    def forget(self, citizen: Citizen) -> None:
        """Let nobody hear another word of a citizen who has withdrawn: their turns stop, and what was said in them is gone."""
        self._forget(citizen.id)

    async def vote(
        self,
        citizen: Citizen,
        battle_id: str,
        winner: str,
        reasons: Mapping[Side, Sequence[str]],
        comment: str,
        admission: Admission | None = None,
        *,
        turns: int | None = None,
    ) -> CastVote:
        """Cast the vote, counted by `admission`; return only when it is durable, and nothing stands between the commit and the thank-you.

        Args:
            turns: as many as the citizen has seen, where that is known: a battle that has gone on elsewhere is not judged by a part of it.

        Raises:
            Unusable: unknown winner or reason.
            NotFound, Conflict: the battle.
            TooMany: the citizen, or the network, has cast as many as it may.
            Unavailable: not saved; the same call may succeed later.
        """
        now = self._clock()
        self._require_window(now)
        ballot = self._ballot(winner, reasons, comment)
        owner, turn = self._running.get(battle_id, ("", None))
        if turn is not None and owner == citizen.id:
            await turn.note_shown()

        questions = self._question_keys or await self.run_in_vote_thread(self._questions)
        protocol = self.stage.protocol

        def made(battle: Battle) -> Vote:
            if turns is not None and turns != len(battle.turns):
                raise Conflict("turns_unseen")
            vote = votes.cast(battle, citizen, ballot, now, self._secret, questions, protocol.min_exposure)
            promise = Promise.of(vote, timedelta(minutes=protocol.merge_delay_minutes))
            return replace(vote, promise=self._sign(promise.payload()))

        done = await self.run_in_vote_thread(
            self.store.votes.cast,
            battle_id,
            citizen.id,
            ballot,
            made,
            reveal=protocol.reveal == "after_vote",
            admission=admission,
        )
        return CastVote(done.vote, done.new, reveal_of(done.battle, self.stage, done.stage_status))

    async def view(self, citizen: Citizen, battle_id: str) -> BlindBattle:
        """Return the owner's view: what stands in it was shown to them.

        Raises:
            NotFound: unknown, or somebody else's.
        """

        def read() -> BlindBattle:
            battle = self.store.battles.find(battle_id, citizen.id)
            if unseen := _unseen(battle, self._clock()):
                with contextlib.suppress(Unavailable):
                    self.store.battles.note_shown(battle_id, unseen)
            vote = self.store.votes.of_battle(battle_id)
            return blind(battle, *self._declared(battle.stage_id), vote, self._html.of)

        return await self.run_in_view_thread(read)

    def own(self, citizen: Citizen, limit: int) -> list[BlindSummary]:
        """List this citizen's newest battles as their owner may see them, of whichever stage they were. Reads the record."""
        listed = self.store.battles.of_citizen(citizen.id, limit)
        declared = {stage_id: self._declared(stage_id) for stage_id in {each.battle.stage_id for each in listed}}
        return [blind_summary(each, *declared[each.battle.stage_id]) for each in listed]

    async def ready(self) -> None:
        """Raise Unavailable unless a vote could be saved now. How many entrants can be drawn is no part of it: anybody may ask."""
        await self.run_in_db_thread(self.store.ping)

    # --- the life of the process -----------------------------------------------------------------------------------

    @property
    def owner(self) -> str:
        """The name in the leases of what this process is answering; no other process has it."""
        return self._owner

    def answering(self) -> list[str]:
        """List the battles that are being answered here."""
        return [battle_id for battle_id, (_, turn) in self._running.items() if not turn.over.is_set()]

    def stop_here(self, stop: Stop) -> None:
        """Stop both sides of the turn that runs here, if one does; whoever asks has the right to."""
        owner, turn = self._running.get(stop.battle_id, ("", None))
        if turn is not None and stop.withdrawn:
            self._forget(owner)
        elif turn is not None:
            turn.stop()

    def _forget(self, citizen_id: str) -> None:
        for battle_id in [battle_id for battle_id, (owner, _) in self._running.items() if owner == citizen_id]:
            _, turn = self._running.pop(battle_id)
            turn.silence()
        self._html.clear()

    async def close(self) -> None:
        """Stop what is running; unfinished turns are given back, finished ones stay."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(Unavailable):
            await self.run_in_db_thread(self.store.processes.end, self._owner)
        self._versions.close()
        for threads in (self._threads, self._vote_threads, self._view_threads):
            threads.shutdown()

    # --- inside ----------------------------------------------------------------------------------------------------

    async def _run(self, battle_id: str, turn: RunningTurn) -> None:
        try:
            await turn.run()
            for text, html in turn.rendered:
                self._html.keep(text, html)
        except ArenaError as error:
            log.warning("turn not kept: %s", error)
            await turn.refuse(error)
        except Exception:
            log.exception("turn broken")
            await turn.refuse(ArenaError("internal"))
            with contextlib.suppress(ArenaError):
                await self.run_in_db_thread(self.store.battles.release, battle_id, self._owner)
        finally:
            await turn.end()
        await asyncio.sleep(RESUME_S)
        if self._running.get(battle_id, ("", None))[1] is turn:
            del self._running[battle_id]

    async def _note_shown(self, battle_id: str, shown: Mapping[tuple[int, Side], Shown]) -> None:
        """Store what was handed to the citizen since; a vote may wait for it, so it has the votes' threads."""
        with contextlib.suppress(Unavailable):
            await self.run_in_vote_thread(self.store.battles.note_shown, battle_id, shown)

    async def _keep(self, battle: Battle, turn: RunningTurn, answers: Sequence[Answer]) -> Mapping[str, Any]:
        """Store the answers, patiently: two answers are worth a few tries."""
        void = void_reason(answers)
        answers = await self.run_in_db_thread(self._marked, battle, answers)
        pauses = iter((0.2, 1.0, 3.0))
        while True:
            try:
                kept = await self.run_in_db_thread(
                    self.store.battles.finish_turn,
                    battle.id,
                    len(battle.turns),
                    turn.as_shown(answers),
                    owner=self._owner,
                    void_reason=void,
                    now=self._clock(),
                )
            except Unavailable:
                pause = next(pauses, None)
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                self._versions.heard(battle, answers)
                return {"votable": kept.votable, "void": void is not None}

    def _admitted(self, prompt: str) -> tuple[str, bool, tuple[str, ...]]:
        """Return the prompt as it may be stored and sent, whether it was masked, and its flags; from here on nobody has the other one."""
        admitted, masked = privacy.guard(prompt, self.stage.protocol.privacy)
        return admitted, bool(masked), (*self._lexicon.mark_prompt(admitted), *masked)

    def _marked(self, battle: Battle, answers: Sequence[Answer]) -> list[Answer]:
        folded = self.stage.protocol.reasoning == "folded"
        seen = {a.side: f"{a.reasoning}\n\n{a.text}" if folded else a.text for a in answers}
        prompts = [turn.prompt for turn in battle.turns]
        asked = any(ASKS_IDENTITY in turn.flags for turn in battle.turns)
        return [
            replace(a, leaks=self._lexicon.mark_answer(seen[a.side], battle.entrant(a.side), prompts, asked=asked))
            for a in answers
        ]

    def _conversation(self, battle: Battle, side: Side) -> list[Message]:
        system = self.stage.protocol.system_prompt
        messages = [Message("system", system)] if system else []
        for turn in battle.turns:
            messages.append(Message("user", turn.prompt))
            if side in turn.answers:
                messages.append(Message("assistant", turn.answers[side].text))
        return messages

    def _ballot(self, winner: str, reasons: Mapping[Side, Sequence[str]], comment: str) -> Ballot:
        if winner not in list(Winner):
            raise Unusable("unknown_winner", value=repr(winner[:40]), known=[each.value for each in Winner])
        known = {reason.id for reason in self.stage.reasons}
        for tag in (tag for tags in reasons.values() for tag in tags):
            if tag not in known:
                raise Unusable("unknown_reason", value=repr(tag[:40]))
        tags: dict[Side, tuple[str, ...]] = {side: tuple(sorted(set(reasons.get(side, ())))) for side in SIDES}
        said = clean_comment(comment, self.stage.limits.comment_chars)
        return Ballot(Winner(winner), tags, privacy.mask(said, privacy.check(said)))

    def draws(self) -> bool:
        """Whether there are enough entrants to draw from. Reads the record, also where none is out: that would be told by the time it takes."""
        return self._floor.holds(self._entrants.available(), self.store.events.removed(self.stage.id))

    def _drawable(self, available: AbstractSet[str], removed: AbstractSet[str]) -> list[str]:
        """Put them in the order that a draw takes them in; raise Unavailable unless there are enough."""
        if not self._floor.holds(available, removed):
            raise _too_few()
        return sorted(available - removed)

    def _declared(self, stage_id: str) -> tuple[Stage, StageStatus]:
        """Give a stage of this record as it was sealed, and where it stands now."""
        record = self.store.stages.find(stage_id)
        if record is None:
            raise not_found()
        same = stage_id == self.stage.id
        stage = self.stage if same else Stage.from_toml(record.file.encode(), f"{stage_id}.toml (sealed)")
        return stage, record.status

    def _require_window(self, now: datetime) -> None:
        if not self.stage.is_within_window(now):
            raise stage_not_open()

    def _require_room(self) -> None:
        """Both answers or none: a question that only one side has room for would make the battle void."""
        if self.turns_running >= self.stage.limits.streams or self._entrants.room() < 2 * (self._beginning + 1):
            raise Unavailable("busy", retry_after_s=10)


def _unseen(battle: Battle, now: datetime) -> dict[tuple[int, Side], Shown]:
    """Find what a view shows for the first time of a battle that can still be judged, by turn and side: nothing where the streams were heard."""
    if battle.state not in (BattleState.OPEN, BattleState.ANSWERING):
        return {}
    return {
        (turn.n, side): Shown(min((now - turn.asked_at) // timedelta(milliseconds=1), _LONG_MS), len(answer.text))
        for turn in battle.turns
        for side, answer in turn.answers.items()
        if answer.shown_chars < len(answer.text)
    }


def _too_few() -> Unavailable:
    """Say what everybody hears: nothing of how many there are."""
    return Unavailable("no_entrants", retry_after_s=30)
