"""One round of a witness: what is new, whether it continues everything that was kept, and the cosignature that says so."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from arena.domain.clock import kst
from arena.domain.errors import ArenaError
from arena.domain.opening import opening_sha256
from arena.domain.vote import canonical
from arena.record.cosignatures import COSIGNATURE_SCHEMA, cosignature_payload
from arena.record.ledger import CHECKPOINT_SCHEMA, verify_checkpoint
from arena.record.merkle import verify_consistency
from arena.results.witness.arena_client import PAGES, ArenaClient, Refused, Unreachable
from arena.results.witness.evidence import EVIDENCE_SCHEMA, moment
from arena.results.witness.notebook import Identity, Notebook

PAGE = 1000
BEYOND = 2**53 - 1
"""No stage has so many votes: asked for what comes after them, the arena says only which stage it serves."""


class Untrusted(ArenaError):
    """What the arena says is not signed as it should be: nothing is cosigned, and nothing is proved by it either."""


class Contradiction(ArenaError):
    """The arena has signed two things that cannot both be true; the file holds both."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to."""

    stage: str
    size: int | None
    """The votes under the newest checkpoint; None before the stage opens."""
    new: int
    """Checkpoints that came in."""
    accepted: bool
    """Whether the arena has the cosignature."""
    refused: bool = False
    """Whether it does not take it, since the stage does not name this witness."""


def follow(
    client: ArenaClient,
    folder: Path,
    own: Identity,
    now: datetime,
    *,
    stage: str | None = None,
    jwks: Mapping[str, Any] | None = None,
) -> Round:
    """Do one round.

    Args:
        client: the arena.
        folder: what the witness keeps.
        own: who it is.
        now: by its own clock.
        stage: which stage, where it is not the one that the arena serves.
        jwks: the arena's public keys, where they are known from elsewhere; else those of the first contact are believed from then on.

    Raises:
        Unreachable: ask again later.
        Untrusted: a signature does not hold, or a key is not known.
        Contradiction: the arena has contradicted itself, now or before.
    """
    stage = _stage_id(stage or client.heads(None, BEYOND).get("stage"))
    book = Notebook(folder / stage)
    if (kept := book.evidence()) is not None:
        raise Contradiction("witness_contradiction", file=str(kept), stage=stage)
    facts = client.facts(stage)
    if facts.get("status") == "draft":
        book.draft(str(facts["draw_commitment"]), str(facts["file_sha256"]), now)
    trusted = jwks or book.first_contact() or client.jwks()
    book.note_contact(client.url, trusted, now)
    before = book.newest()
    last = before["checkpoints"][-1] if before else None
    act, heads = _heads(client, stage, -1 if last is None else last["size"] - 1)
    _require_signed(stage, heads, trusted)
    if last is None and not heads:
        return Round(stage, None, 0, accepted=False)
    checked = _Checked(client, book, stage, trusted, now)
    opening = checked.opening(act, heads)
    new = heads if last is None else checked.continues(last, heads)
    if new:
        path = [] if last is None else checked.path(last, new[-1])
        cosignature = cosigned(own, new[-1], book.known_since(opening), now)
        book.keep_round(new[-1]["size"], {"checkpoints": new, "consistency_path": path, "cosignature": cosignature})
    newest = book.newest()
    if newest is None:
        return Round(stage, None, 0, accepted=False)
    size = newest["checkpoints"][-1]["size"]
    refused = False
    if not book.accepted(size):
        try:
            client.cosign(stage, size, newest["cosignature"])
            book.note_accepted(size, now)
        except Refused:
            refused = True
    return Round(stage, size, len(new), accepted=not refused, refused=refused)


@dataclass(frozen=True, slots=True)
class _Checked:
    """What is held against what was kept; a contradiction is kept as evidence before it is told."""

    client: ArenaClient
    book: Notebook
    stage: str
    jwks: Mapping[str, Any]
    now: datetime

    def opening(self, act: Mapping[str, Any] | None, heads: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Hold the act against the checkpoints that name it, and all of them against what was kept."""
        first = self.book.newest()
        if first is None:
            if (
                act is None
                or opening_sha256(canonical(dict(act))) != heads[0]["opening"]
                or act.get("stage") != self.stage
            ):
                raise Untrusted("witness_opening", stage=self.stage)
            if heads[0]["size"] != 0:
                raise Untrusted("witness_no_beginning", stage=self.stage)
        kept = heads[0] if first is None else first["checkpoints"][-1]
        for head in heads:
            if head["opening"] != kept["opening"]:
                self._contradiction("opening", kept, head)
        return self.book.opening(act or {})

    def continues(self, last: Mapping[str, Any], heads: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Return what is new after the last one that was kept, which still has to be there."""
        same = next((head for head in heads if head["size"] == last["size"]), None)
        if same is not None and same["root"] != last["root"]:
            self._contradiction("fork", last, same)
        if not heads:
            shown = _heads(self.client, self.stage, -1)[1]
            _require_signed(self.stage, shown, self.jwks)
            if shown and moment(shown[-1]) > moment(last):
                self._contradiction("rollback", last, shown[-1])
            raise Untrusted("witness_gone", stage=self.stage, size=last["size"])
        return [head for head in heads if head["size"] > last["size"]]

    def path(self, last: Mapping[str, Any], head: Mapping[str, Any]) -> list[str]:
        """Ask for the proof that `head` continues `last`, and hold it."""
        path = self.client.consistency(self.stage, last["size"], head["size"])
        try:
            holds = verify_consistency(last["size"], last["root"], head["size"], head["root"], path)
        except ValueError:
            holds = False
        if not holds:
            self._contradiction("fork", last, head, path)
        return path

    def _contradiction(
        self, kind: str, kept: Mapping[str, Any], shown: Mapping[str, Any], path: list[str] | None = None
    ) -> NoReturn:
        """Keep both, and shout."""
        told = {
            "schema": EVIDENCE_SCHEMA,
            "kind": kind,
            "arena": self.client.url,
            "jwks": dict(self.jwks),
            "kept": dict(kept),
            "shown": dict(shown),
            "consistency_path": path,
            "at": kst(self.now),
        }
        file = self.book.keep_evidence(told)
        raise Contradiction("witness_contradiction", file=str(file), stage=self.stage)


def _heads(client: ArenaClient, stage: str, after: int) -> tuple[Mapping[str, Any] | None, list[Any]]:
    """Read checkpoints page by page."""
    heads: list[Any] = []
    act = None
    for _ in range(PAGES):
        told = client.heads(stage, after)
        page = told.get("checkpoints")
        if not isinstance(page, list) or not all(map(_is_head, page)):
            raise Unreachable("arena_unreadable", url=client.url, problem="checkpoints")
        act = told.get("opening")
        sizes = [after, *(head["size"] for head in page)]
        if sizes != sorted(set(sizes)):
            raise Unreachable("arena_unreadable", url=client.url, problem="checkpoints")
        heads += page
        if len(page) < PAGE:
            break
        after = page[-1]["size"]
    return act, heads


def _is_head(head: Any) -> bool:
    texts = ("schema", "stage", "root", "opening", "at", "jws")
    return (
        isinstance(head, dict)
        and all(isinstance(head.get(name), str) for name in texts)
        and isinstance(head.get("size"), int)
        and head["size"] >= 0
        and set(head) == {*texts, "size"}
    )


def _require_signed(stage: str, heads: Sequence[Mapping[str, Any]], jwks: Mapping[str, Any]) -> None:
    for head in heads:
        if (head["schema"], head["stage"]) != (CHECKPOINT_SCHEMA, stage) or not verify_checkpoint(head, jwks):
            raise Untrusted("witness_unsigned", stage=stage, size=head["size"])


def cosigned(own: Identity, head: Mapping[str, Any], since: datetime | None, now: datetime) -> dict[str, Any]:
    """Cosign a checkpoint; `since` is when commitment and stage file were first seen."""
    body = {
        "schema": COSIGNATURE_SCHEMA,
        **{name: head[name] for name in ("stage", "size", "root", "opening")},
        "witness": own.name,
        "known_since": kst(since),
        "at": kst(now),
    }
    return {**body, "jws": own.sign(cosignature_payload(body))}


def _stage_id(given: object) -> str:
    """Take a stage's id for a folder's name, only where it can be one."""
    if not isinstance(given, str) or not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", given):
        raise Untrusted("witness_stage", stage=str(given)[:80])
    return given
