"""What an organizer can do. Each act names who acted, is kept in the audit log, and answers with a sentence in both languages; nothing is decided by a page."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from arena.domain.coded import as_json
from arena.domain.errors import NotFound, Unusable
from arena.domain.stage import StageStatus
from arena.i18n.catalogue import Messages, messages
from arena.record.evidence_keys import TAKEN, hand_out, waiting
from arena.record.keys import Keys
from arena.results import lifecycle
from arena.results.export.archive import zipped
from arena.results.export.bundle import export, git_commit, looked_at
from arena.results.export.chain import shelved
from arena.results.export.document import JSON
from arena.results.export.proofs import VerificationError
from arena.results.export.schema import UserScore
from arena.results.export.verify import verify
from arena.results.integrity import review
from arena.results.votes.exclusions import Exclusion
from arena.results.votes.removals import remove_entrant
from arena.results.votes.sealed import known
from arena.web.console.cache import DocumentCache
from arena.web.console.tabs.exports import VERIFIED, Check, folder_of

Text = Annotated[str, Field(min_length=1, max_length=500)]


class Done(NamedTuple):
    """What has been done, told in both languages."""

    ko: str
    en: str

    @classmethod
    def told(cls, tell: Callable[[Messages], str]) -> "Done":
        """Have it told in each."""
        return cls(tell(messages("ko")), tell(messages("en")))


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
    reason: Annotated[str, Field(max_length=500)] = ""
    """Why it is frozen otherwise than its closing rule says."""


class Rotate(_Body):
    """Let a new key to the evidence take the place of an entrant's."""

    entrant: Annotated[str, Field(max_length=64)]
    reason: Text


class Follow(_Body):
    """Leave the votes of one proposal out."""

    proposal: Annotated[str, Field(max_length=64)]


class Decline(_Body):
    """Let the votes of one proposal count."""

    proposal: Annotated[str, Field(max_length=64)]
    reason: Text


class LeaveOut(_Body):
    """Leave out votes that no test proposes."""

    receipts: Annotated[str, Field(min_length=64, max_length=500)]
    """With spaces between them."""
    grounds: Text


class Restore(_Body):
    """Take the votes of one act of its own back into the fit."""

    decision: Annotated[int, Field(ge=0)]
    reason: Text


class Verify(_Body):
    """Check an export again from its files."""

    folder: Annotated[str, Field(max_length=200)]


class Actions:
    """The acts on one stage. Every call is slow enough for a thread."""

    def __init__(self, cache: DocumentCache, keys: Keys, root: Path, webhooks: Sequence[str]) -> None:
        """`root`: the checkout, for the commit that exports name; `webhooks`: who hears of a publication."""
        self._cache = cache
        self._stage = cache.stage
        self._store = cache.store
        self._keys = keys
        self._root = root
        self._webhooks = webhooks

    def pause(self, organizer: str, asked: Pause) -> Done:
        """No new battle anywhere; running ones go on."""
        now = datetime.now(UTC)
        if not self._store.stages.pause(self._stage.id, now):
            return Done.told(lambda t: t("operations_paused_already"))
        self._store.events.append(now, self._stage.id, organizer, "pairing.paused", {"reason": asked.reason})
        return Done.told(lambda t: t("operations_done_paused"))

    def resume(self, organizer: str, _asked: Nothing) -> Done:
        """Let new battles begin again."""
        if not self._store.stages.resume(self._stage.id):
            return Done.told(lambda t: t("operations_running_already"))
        self._store.events.append(datetime.now(UTC), self._stage.id, organizer, "pairing.resumed", {})
        return Done.told(lambda t: t("operations_done_resumed"))

    def remove(self, organizer: str, asked: Remove) -> Done:
        """Take an entrant out of the draws and the fit, with a published reason."""
        team = next((e.team for e in self._stage.entrants if e.id == asked.entrant), None)
        self._confirmed(asked.confirm, *((team.ko, team.en) if team else ()))
        remove_entrant(
            self._store, self._stage, asked.entrant, reason=asked.reason, organizer=organizer, now=datetime.now(UTC)
        )
        return Done.told(lambda t: t("operations_done_removed", team=t.pick(team) if team else asked.entrant))

    def move(self, organizer: str, asked: Move) -> Done:
        """Open, freeze or publish."""
        self._confirmed(asked.confirm, self._stage.id)
        now, store, stage_id = datetime.now(UTC), self._store, self._stage.id
        if asked.to == "open":
            lifecycle.open_stage(
                store,
                self._keys,
                self._stage,
                known(store, stage_id).file.encode(),
                organizer=organizer,
                now=now,
                evidence=self._cache.evidence.parent,
            )
            return Done.told(lambda t: t("operations_done_opened"))
        if asked.to == "frozen":
            _, checkpoint = lifecycle.freeze(
                store, self._keys, stage_id, organizer=organizer, now=now, reason=asked.reason
            )
            return Done.told(lambda t: t("operations_done_frozen", votes=checkpoint.size))
        folder, _ = lifecycle.publish(
            store,
            self._keys,
            stage_id,
            self._cache.shelf,
            self._root,
            organizer=organizer,
            now=now,
            webhooks=self._webhooks,
        )
        return Done.told(lambda t: t("operations_done_published", folder=folder.name))

    def rotate(self, organizer: str, asked: Rotate) -> Done:
        """Make an entrant a new key to the evidence, to be taken once like those of the opening; the act is published."""
        store, now = self._store, datetime.now(UTC)
        key, held = store.evidence_keys.rotate(self._stage.id, asked.entrant, asked.reason, organizer, now)
        hand_out(self._cache.evidence, {key.entrant: held})
        return Done.told(lambda t: t("operations_done_rotated", team=t.pick(self._stage.entrant(key.entrant).team)))

    def taken(self, organizer: str) -> bytes:
        """Give the keys that wait as a ZIP, once: the files are gone afterwards, and who has taken them is kept.

        Raises:
            NotFound: none waits.
        """
        waits = waiting(self._cache.evidence)
        if not waits:
            raise NotFound("no_evidence_keys")
        data = zipped({path.name: path.read_bytes() for path in waits}, f"{self._stage.id}-keys")
        self._store.events.append(
            datetime.now(UTC), self._stage.id, organizer, TAKEN, {"entrants": [path.stem for path in waits]}
        )
        for path in waits:
            path.unlink()
        return data

    def follow(self, organizer: str, asked: Follow) -> Done:
        """Leave out exactly what was proposed under this key at the freeze."""
        made = review.follow(self._store, self._stage.id, asked.proposal, organizer=organizer, now=datetime.now(UTC))
        return self._left_out(made)

    def follow_all(self, organizer: str, _asked: Nothing) -> Done:
        """Leave out whatever was proposed and is not decided on."""
        return self._left_out(
            review.follow(self._store, self._stage.id, None, organizer=organizer, now=datetime.now(UTC))
        )

    def decline(self, organizer: str, asked: Decline) -> Done:
        """Let what was proposed under this key count, with the reason that is published."""
        review.decline(
            self._store, self._stage.id, asked.proposal, why=asked.reason, organizer=organizer, now=datetime.now(UTC)
        )
        return Done.told(lambda t: t("integrity_done_declined"))

    def leave_out(self, organizer: str, asked: LeaveOut) -> Done:
        """Leave out votes that no test proposes, by their receipts."""
        wanted = asked.receipts.split()
        found = self._store.votes.battles_of(self._stage.id, wanted)
        for receipt in wanted:
            if receipt not in found:
                raise Unusable("no_such_receipt", receipt=receipt[:64], stage=self._stage.id)
        grounds, now = asked.grounds, datetime.now(UTC)
        battles = [found[receipt] for receipt in wanted]
        act = review.leave_out(self._store, self._stage.id, battles, grounds=grounds, organizer=organizer, now=now)
        return self._left_out([act])

    def restore(self, organizer: str, asked: Restore) -> Done:
        """Take back what one act of its own left out, as far as it still is."""
        act = review.take_back(
            self._store,
            self._stage.id,
            asked.decision,
            grounds=asked.reason,
            organizer=organizer,
            now=datetime.now(UTC),
        )
        return Done.told(lambda t: t("integrity_done_taken_back", votes=len(act.battles)))

    def _left_out(self, made: Sequence[Exclusion]) -> Done:
        return Done.told(lambda t: t("integrity_done_left_out", votes=sum(len(act.battles) for act in made)))

    def export(self, organizer: str, _asked: Nothing) -> Done:
        """Make, verify and shelve an export; of a published stage its result, as it was declared."""
        now, stage_id = datetime.now(UTC), self._stage.id
        self._store.events.append(now, stage_id, organizer, "export.asked", {})
        if known(self._store, stage_id).status is StageStatus.PUBLISHED:
            folder = shelved(self._store, self._keys, stage_id, self._cache.shelf)
        else:
            commit = git_commit(self._root)
            folder = export(self._store, self._keys, stage_id, self._cache.shelf, now, who=organizer, git_commit=commit)
        return Done.told(lambda t: t("exports_done", folder=folder.name))

    def verify(self, organizer: str, asked: Verify) -> Done:
        """Run the stranger's check, again, against the arena's own keys."""
        folder, now = folder_of(self._cache.shelf, asked.folder), datetime.now(UTC)
        try:
            check = Check(folder=folder.name, ok=True, checks=len(verify(folder, self._keys.jwks()).checks))
        except VerificationError as error:
            check = Check(folder=folder.name, ok=False, error=as_json(error))
        self._store.events.append(now, self._stage.id, organizer, VERIFIED, check.model_dump(exclude_defaults=True))
        if check.ok:
            return Done.told(lambda t: t("export_verifies", found=check.told(t)))
        return Done.told(lambda t: t("export_fails", found=check.told(t)))

    def downloaded(self, organizer: str, name: str) -> Path:
        """Keep who takes an export that is about to be given out; return its folder."""
        folder, now = folder_of(self._cache.shelf, name), datetime.now(UTC)
        self._store.events.append(now, self._stage.id, organizer, "export.downloaded", {"folder": folder.name})
        looked_at(self._store, UserScore.model_validate_json((folder / JSON).read_bytes()), organizer, now)
        return folder

    def _confirmed(self, typed: str, *words: str) -> None:
        if typed.strip() not in words:
            raise Unusable("not_confirmed")
