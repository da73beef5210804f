"""What an organizer can do. Each act names who acted, is kept in the audit log, and answers with a sentence in both languages; nothing is decided by a page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from arena.domain.errors import Conflict, NotFound, Unusable
from arena.domain.stage import StageStatus
from arena.record.keys import Keys
from arena.results import lifecycle
from arena.results.export.bundle import export, git_commit
from arena.results.export.proofs import VerificationError
from arena.results.export.verify import verify
from arena.results.votes.exclusions import active_exclusions, exclude, history, restore
from arena.results.votes.removals import remove_entrant
from arena.results.votes.sealed import known
from arena.web.console.board import Board
from arena.web.console.exports import Check, folder_of
from arena.web.console.section import many, particle

Text = Annotated[str, Field(min_length=1, max_length=500)]


class Said(NamedTuple):
    """What has been done."""

    ko: str
    en: str


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Nothing(_Body):
    """An act that needs no word."""


class Pause(_Body):
    """Stop drawing new battles."""

    reason: Text


class Remove(_Body):
    """Take an entrant out, for good."""

    entrant: Annotated[str, Field(max_length=64)]
    reason: Text
    confirm: Annotated[str, Field(max_length=200)]
    """The team's name in either language, typed."""


class Move(_Body):
    """One step on the stage's way."""

    to: Literal["open", "frozen", "published"]
    confirm: Annotated[str, Field(max_length=200)]
    """The stage's id, typed."""


class Exclude(_Body):
    """Leave the votes of one proposal out."""

    proposal: Annotated[str, Field(max_length=64)]


class Restore(_Body):
    """Take the votes of one decision back into the fit."""

    decision: Annotated[int, Field(ge=0)]
    reason: Text


class Verify(_Body):
    """Check an export again from its files."""

    folder: Annotated[str, Field(max_length=200)]


class Acts:
    """The acts on one stage. Every call is slow enough for a thread."""

    def __init__(self, board: Board, keys: Keys, root: Path, webhooks: Sequence[str]) -> None:
        """`root`: the checkout, for the commit that exports name; `webhooks`: who hears of a publication."""
        self._board = board
        self._stage = board.stage
        self._store = board.store
        self._keys = keys
        self._root = root
        self._webhooks = webhooks

    def pause(self, organizer: str, asked: Pause) -> Said:
        """No new battle anywhere; running ones go on."""
        now = datetime.now(UTC)
        if not self._store.stages.pause(self._stage.id, now):
            return Said("이미 멈춰 있습니다.", "The draws are paused already.")
        self._store.events.append(now, self._stage.id, organizer, "pairing.paused", {"reason": asked.reason})
        return Said("추첨을 멈췄습니다. 진행 중인 대결은 이어집니다.", "The draws are paused. Running battles go on.")

    def resume(self, organizer: str, _asked: Nothing) -> Said:
        """New battles again."""
        if not self._store.stages.resume(self._stage.id):
            return Said("이미 추첨하고 있습니다.", "The draws are running already.")
        self._store.events.append(datetime.now(UTC), self._stage.id, organizer, "pairing.resumed", {})
        return Said("추첨을 다시 시작했습니다.", "The draws are running again.")

    def remove(self, organizer: str, asked: Remove) -> Said:
        """An entrant leaves the draws and the fit, with a published reason."""
        team = next((e.team for e in self._stage.entrants if e.id == asked.entrant), None)
        self._confirmed(asked.confirm, *((team.ko, team.en) if team else ()))
        gone = remove_entrant(
            self._store, self._stage, asked.entrant, reason=asked.reason, organizer=organizer, now=datetime.now(UTC)
        )
        ko, en = (team.ko, team.en) if team else (gone.entrant, gone.entrant)
        return Said(
            f"{particle(ko, '을', '를')} 제외했습니다. 사유와 시각은 결과와 함께 공개됩니다.",
            f"{en} is removed. Reason and time are published with the result.",
        )

    def move(self, organizer: str, asked: Move) -> Said:
        """Opens, freezes or publishes."""
        self._confirmed(asked.confirm, self._stage.id)
        now, store, stage_id = datetime.now(UTC), self._store, self._stage.id
        if asked.to == "open":
            lifecycle.open_stage(store, self._stage, known(store, stage_id).file.encode(), organizer=organizer, now=now)
            return Said("단계를 시작했습니다.", "The stage is open.")
        if asked.to == "frozen":
            _, checkpoint = lifecycle.freeze(store, self._keys, stage_id, organizer=organizer, now=now)
            return Said(
                f"단계를 마감했습니다. 투표 {checkpoint.size:,}건에 서명했습니다.",
                f"The stage is frozen, and signed over {many(checkpoint.size, 'vote')}.",
            )
        folder, _ = lifecycle.publish(
            store,
            self._keys,
            stage_id,
            self._board.shelf,
            self._root,
            organizer=organizer,
            now=now,
            webhooks=self._webhooks,
        )
        return Said(f"결과를 공개했습니다: {folder.name}", f"The result is published: {folder.name}")

    def exclude(self, organizer: str, asked: Exclude) -> Said:
        """Follows a proposal that the integrity tab shows now."""
        self._unpublished()
        proposal = self._board.proposals.get(asked.proposal)
        if proposal is None:
            raise Conflict(
                "proposal_gone",
                "이 제안은 그 사이에 달라졌습니다. 화면을 새로 본 뒤 다시 결정해 주세요.",
                "This proposal has changed meanwhile. Look at the new one and decide again.",
            )
        act = exclude(
            self._store,
            self._stage.id,
            proposal.battles,
            reason=proposal.reason,
            rule=proposal.rule,
            organizer=organizer,
            now=datetime.now(UTC),
        )
        return Said(
            f"투표 {len(act.battles):,}건을 평가에서 뺐습니다. 기록에서 되돌릴 수 있습니다.",
            f"{many(len(act.battles), 'vote')} left out. You can take it back in the history below.",
        )

    def restore(self, organizer: str, asked: Restore) -> Said:
        """Takes back what one decision left out, as far as it still is."""
        self._unpublished()
        acts = history(self._store, self._stage.id)
        if asked.decision >= len(acts):
            raise NotFound("no_decision", "그런 결정이 없습니다.", "There is no such decision.")
        active = active_exclusions(self._store, self._stage.id)
        held = [battle for battle in acts[asked.decision].battles if battle in active]
        act = restore(self._store, self._stage.id, held, rule=asked.reason, organizer=organizer, now=datetime.now(UTC))
        return Said(
            f"투표 {len(act.battles):,}건을 평가에 다시 넣었습니다.",
            f"{many(len(act.battles), 'vote')} taken back into the evaluation.",
        )

    def export(self, organizer: str, _asked: Nothing) -> Said:
        """Makes, verifies and shelves an export."""
        now = datetime.now(UTC)
        self._store.events.append(now, self._stage.id, organizer, "export.asked", {})
        folder = export(
            self._store, self._keys, self._stage.id, self._board.shelf, now, git_commit=git_commit(self._root)
        )
        return Said(f"내보내기를 만들고 검증했습니다: {folder.name}", f"The export is made and verified: {folder.name}")

    def verify(self, organizer: str, asked: Verify) -> Said:
        """The stranger's check, again, against the arena's own keys."""
        folder, now = folder_of(self._board.shelf, asked.folder), datetime.now(UTC)
        try:
            checks = verify(folder, self._keys.jwks()).checks
            check = Check(now, True, f"{len(checks)}가지 확인", many(len(checks), "check"))
        except VerificationError as error:
            check = Check(now, False, f"‘{error.check}’ 확인이 맞지 않습니다", error.en)
        self._board.checks[folder.name] = check
        data = {"folder": folder.name, "ok": check.ok, "ko": check.ko, "en": check.en}
        self._store.events.append(now, self._stage.id, organizer, "export.verified", data)
        return Said(
            f"검증을 {'통과했습니다' if check.ok else '통과하지 못했습니다'}: {check.ko}",
            f"The export {'verifies' if check.ok else 'does not verify'}: {check.en}",
        )

    def downloaded(self, organizer: str, name: str) -> Path:
        """The folder of an export that is about to be given out; who took it is kept first."""
        folder = folder_of(self._board.shelf, name)
        self._store.events.append(
            datetime.now(UTC), self._stage.id, organizer, "export.downloaded", {"folder": folder.name}
        )
        return folder

    def _confirmed(self, typed: str, *words: str) -> None:
        if typed.strip() not in words:
            raise Unusable(
                "not_confirmed",
                "확인하는 말이 다릅니다. 화면에 적힌 그대로 적어 주세요.",
                "The confirmation differs. Type exactly what the page asks for.",
            )

    def _unpublished(self) -> None:
        if known(self._store, self._stage.id).status is StageStatus.PUBLISHED:
            raise Conflict(
                "published",
                "공개된 결과는 바꿀 수 없습니다.",
                "A published result does not change.",
            )
