"""The verbs of a battle: open, ask, stop, vote, reveal. Nothing here is kept in memory but the turns that are running."""

import asyncio
import contextlib
import itertools
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from arena.battles import retention
from arena.battles.identity import Lexicon
from arena.battles.pacing import pacer
from arena.battles.pairing import Pairing
from arena.battles.text import clean_comment, clean_prompt
from arena.battles.turn import Entrants, Question, RunningTurn, sampling_of
from arena.battles.views import BlindBattle, Reveal, blind, reveal_of
from arena.domain import privacy
from arena.domain import vote as votes
from arena.domain.battle import SIDES, Answer, Battle, Side, new_battle_id, void_reason
from arena.domain.citizen import Citizen
from arena.domain.errors import ArenaError, NotFound, Unavailable, Unusable
from arena.domain.stage import Stage, StageStatus
from arena.domain.vote import Ballot, Winner
from arena.record.battles import stage_not_open
from arena.record.counters import Admission
from arena.record.store import Store
from models.base import Message

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

LEASE = timedelta(seconds=20)
RENEW_S = 5.0
SWEEP_EVERY = 12
PURGE_EVERY = 720
"""In renewals: once a minute, once an hour."""
RESUME_S = 60.0
"""How long a finished turn's events stay in memory for a client that comes back."""


@dataclass(frozen=True, slots=True)
class Thanks:
    """What a citizen gets for a vote that is durable."""

    receipt: str
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
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`secret` keys the digests that stand in the ledger in place of texts."""
        self.stage = stage
        self.store = store
        self._entrants = entrants
        self._pairing = Pairing(stage, store)
        self._lexicon = Lexicon(stage.entrants)
        self._drawn = set(stage.entrant_ids)
        self._secret = secret
        self._clock = clock
        self._owner = secrets.token_hex(8)
        self._running: dict[str, tuple[str, RunningTurn]] = {}
        self._beginning = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="record")

    def now(self) -> datetime:
        """The arena's clock."""
        return self._clock()

    @property
    def turns_running(self) -> int:
        """Questions being answered in this process."""
        return sum(not turn.over.is_set() for _, turn in self._running.values()) + self._beginning

    @property
    def in_draw(self) -> int:
        """Entrants that can be drawn now."""
        return len(self._drawn & self._entrants.available())

    async def run_in_db_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs one call of the record in a thread: the loop never waits for a disk."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*args, **kwargs))

    # --- the verbs -------------------------------------------------------------------------------------------------

    async def open(self, citizen: Citizen, admission: Admission | None = None) -> str:
        """Draws a battle for this citizen, counted by `admission`; returns its id.

        Raises:
            Forbidden: a required consent is missing.
            TooMany: the citizen, or the network, has opened as many as it may.
            Conflict: the stage is not open.
            Unavailable: fewer than two entrants can be drawn, the draws are paused, or not saved.
        """
        now = self._clock()
        self._require_window(now)
        entrants = self._entrants.available()
        battle = await self.run_in_db_thread(
            self.store.battles.open,
            new_battle_id(),
            self.stage.id,
            citizen.id,
            lambda seed, number, removed: self._pairing.draw(seed, number, self._drawable(entrants - removed)),
            now,
            consents=self.stage.consents,
            admission=admission,
        )
        return battle.id

    async def ask(
        self, citizen: Citizen, battle_id: str, prompt: str, admission: Admission | None = None
    ) -> RunningTurn:
        """Asks both sides at the same instant, counted by `admission`; the turn runs on by itself.

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
            prompt, marks = await self.run_in_db_thread(self._admitted, clean_prompt(prompt, protocol.prompt_chars))
            battle = await self.run_in_db_thread(
                self.store.battles.begin_turn,
                battle_id,
                citizen.id,
                prompt,
                max_turns=protocol.turns,
                max_streams=limits.streams_per_citizen,
                lease=(self._owner, now + LEASE),
                now=now,
                marks=marks,
                admission=admission,
            )
        finally:
            self._beginning -= 1
        turn = RunningTurn(
            len(battle.turns),
            Question(
                entrants={side: battle.entrant(side) for side in SIDES},
                messages={side: self._conversation(battle, side) for side in SIDES},
                sampling=sampling_of(protocol),
            ),
            self._entrants,
            pacer(protocol.pacing, protocol.pacing_graphemes_per_s),
            lambda answers: self._keep(battle, answers),
            fold_reasoning=protocol.reasoning == "folded",
        )
        self._running[battle_id] = (citizen.id, turn)
        task = asyncio.create_task(self._run(battle_id, turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return turn

    def running(self, citizen: Citizen, battle_id: str, n: int) -> RunningTurn:
        """The turn with this number, while its events are at hand.

        Raises:
            NotFound: it ended a while ago, runs in another process, or is somebody else's: `GET /battles/{id}` has what was kept.
        """
        owner, turn = self._running.get(battle_id, ("", None))
        if turn is None or owner != citizen.id or turn.n != n:
            raise NotFound(
                "stream_gone",
                "이 답변의 실시간 전송은 끝났어요. 대결을 다시 불러오세요.",
                "This answer is no longer being streamed. Load the battle again.",
            )
        return turn

    async def stop(self, citizen: Citizen, battle_id: str) -> None:
        """Stops both sides of the running turn; without one it changes nothing."""
        await self.run_in_db_thread(self.store.battles.find, battle_id, citizen.id)
        _, turn = self._running.get(battle_id, ("", None))
        if turn is not None:
            turn.stop()

    async def vote(
        self,
        citizen: Citizen,
        battle_id: str,
        winner: str,
        reasons: Mapping[Side, Sequence[str]],
        comment: str,
        admission: Admission | None = None,
    ) -> Thanks:
        """Casts the vote, counted by `admission`; returns only when it is durable, and nothing stands between the commit and the thank-you.

        Raises:
            Unusable: unknown winner or reason.
            NotFound, Conflict: the battle.
            TooMany: the citizen, or the network, has cast as many as it may.
            Unavailable: not saved; the same call may succeed later.
        """
        now = self._clock()
        self._require_window(now)
        ballot = self._ballot(winner, reasons, comment)
        done = await self.run_in_db_thread(
            self.store.votes.cast,
            battle_id,
            citizen.id,
            ballot,
            lambda battle: votes.cast(battle, citizen, ballot, now, self._secret),
            reveal=self.stage.protocol.reveal == "after_vote",
            admission=admission,
        )
        return Thanks(done.vote.receipt, done.new, reveal_of(done.battle, self.stage, done.stage_status))

    async def view(self, citizen: Citizen, battle_id: str) -> BlindBattle:
        """The owner's view.

        Raises:
            NotFound: unknown, or somebody else's.
        """

        def read() -> BlindBattle:
            battle = self.store.battles.find(battle_id, citizen.id)
            reveal = reveal_of(battle, self.stage, self._status())
            return blind(battle, self.stage, self.store.votes.of_battle(battle_id), reveal)

        return await self.run_in_db_thread(read)

    async def ready(self) -> None:
        """Raises Unavailable unless a vote could be saved now and two entrants reached."""
        await self.run_in_db_thread(self.store.ping)
        self._drawable(
            self._entrants.available() - await self.run_in_db_thread(self.store.events.removed, self.stage.id)
        )

    # --- the life of the process -----------------------------------------------------------------------------------

    async def run_maintenance(self) -> None:
        """Renews the leases of running turns, opens what dead processes left, erases what may not be kept; runs until cancelled."""
        for n in itertools.count(1):
            await asyncio.sleep(RENEW_S)
            try:
                now = self._clock()
                for battle_id, (_, turn) in list(self._running.items()):
                    if not turn.over.is_set():
                        await self.run_in_db_thread(self.store.battles.renew, battle_id, self._owner, now + LEASE)
                if n % SWEEP_EVERY == 0:
                    await self.run_in_db_thread(self.store.battles.release_expired, now)
                    idle = timedelta(minutes=self.stage.limits.idle_minutes)
                    await self.run_in_db_thread(self.store.battles.abandon_idle, now - idle)
                    await self.run_in_db_thread(self.store.counters.sweep, now)
                if n % PURGE_EVERY == 0:
                    await self.run_in_db_thread(retention.purge, self.store, self.stage, now)
            except Unavailable:
                log.warning("the record cannot be reached; leases are not renewed until it is back")

    async def close(self) -> None:
        """Stops what is running; unfinished turns are given back, finished ones stay."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(Unavailable):
            await self.run_in_db_thread(self.store.battles.release_owner, self._owner)
        self._threads.shutdown()

    # --- inside ----------------------------------------------------------------------------------------------------

    async def _run(self, battle_id: str, turn: RunningTurn) -> None:
        try:
            await turn.run()
        except ArenaError as error:
            log.warning("turn not kept: %s", error)
            await turn.refuse({"code": error.code, "message": {"ko": error.ko, "en": error.en}})
        except Exception:
            log.exception("turn broken")
            await turn.refuse(
                {
                    "code": "internal",
                    "message": {
                        "ko": "문제가 생겨 답변을 마치지 못했어요. 다시 질문해 주세요.",
                        "en": "Something went wrong and the answers were not finished. Please ask again.",
                    },
                }
            )
            with contextlib.suppress(ArenaError):
                await self.run_in_db_thread(self.store.battles.release, battle_id, self._owner)
        finally:
            await turn.end()
        await asyncio.sleep(RESUME_S)
        if self._running.get(battle_id, ("", None))[1] is turn:
            del self._running[battle_id]

    async def _keep(self, battle: Battle, answers: Sequence[Answer]) -> Mapping[str, Any]:
        """Stores the answers, patiently: two answers are worth a few tries."""
        void = void_reason(answers)
        answers = await self.run_in_db_thread(self._marked, battle, answers)
        pauses = iter((0.2, 1.0, 3.0))
        while True:
            try:
                kept = await self.run_in_db_thread(
                    self.store.battles.finish_turn,
                    battle.id,
                    len(battle.turns),
                    answers,
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
                return {"votable": kept.votable, "void": void is not None}

    def _admitted(self, prompt: str) -> tuple[str, tuple[str, ...]]:
        """The prompt as it may be stored and sent, and its marks; from here on nobody has the other one."""
        admitted, masked = privacy.guard(prompt, self.stage.protocol.privacy)
        return admitted, (*self._lexicon.mark_prompt(admitted), *masked)

    def _marked(self, battle: Battle, answers: Sequence[Answer]) -> list[Answer]:
        folded = self.stage.protocol.reasoning == "folded"
        seen = {a.side: f"{a.reasoning}\n\n{a.text}" if folded else a.text for a in answers}
        return [replace(a, marks=self._lexicon.mark_answer(seen[a.side], battle.entrant(a.side))) for a in answers]

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
            raise Unusable(
                "unknown_winner",
                "투표는 model_a, model_b, tie, both_bad 가운데 하나여야 해요.",
                f"{winner[:40]!r} is no winner: choose model_a, model_b, tie or both_bad.",
            )
        known = {reason.id for reason in self.stage.reasons}
        for tag in (tag for tags in reasons.values() for tag in tags):
            if tag not in known:
                raise Unusable(
                    "unknown_reason",
                    "고를 수 없는 이유가 들어 있어요.",
                    f"{tag[:40]!r} is not one of the stage's reasons.",
                )
        tags: dict[Side, tuple[str, ...]] = {side: tuple(sorted(set(reasons.get(side, ())))) for side in SIDES}
        said = clean_comment(comment, self.stage.limits.comment_chars)
        return Ballot(Winner(winner), tags, privacy.mask(said, privacy.check(said)))

    def _drawable(self, entrants: AbstractSet[str]) -> list[str]:
        """These in the order that a draw takes them in; raises Unavailable unless there are two."""
        available = sorted(entrants)
        if len(set(available) & set(self.stage.entrant_ids)) < 2:
            raise Unavailable(
                "no_entrants",
                "지금은 대결할 모델이 부족해요. 잠시 뒤 다시 시도해 주세요.",
                "There are not enough models to draw from just now. Please try again in a moment.",
                retry_after_s=30,
            )
        return available

    def _status(self) -> StageStatus:
        found = self.store.stages.find(self.stage.id)
        return found.status if found else StageStatus.DRAFT

    def _require_window(self, now: datetime) -> None:
        if not self.stage.is_within_window(now):
            raise stage_not_open()

    def _require_room(self) -> None:
        """Both answers or none: a question that only one side has room for would make the battle void."""
        if self.turns_running >= self.stage.limits.streams or self._entrants.room() < 2 * (self._beginning + 1):
            raise Unavailable(
                "busy",
                "지금 이용하는 분이 많아요. 잠시 뒤 다시 시도해 주세요.",
                "Many people are here right now. Please try again in a moment.",
                retry_after_s=10,
            )
