"""Push: a published score goes to the aggregators' webhooks, signed, until each has taken it; the outbox survives restarts.

A push is a POST of canonical JSON (`kai.push/1`: an id, what happened, the stage, the export's hash, and the signed document itself).
The header `KAI-Signature` holds a detached ES256 JWS over exactly these bytes by a key of the arena's JWK Set, so no secret is
shared with anybody. Whoever answers with 2xx has it. It is delivered at least once: the `id` tells a repetition.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import aiohttp
import rfc8785
from pydantic import Field

from arena.domain.errors import Unavailable
from arena.domain.redaction import redacted
from arena.record.keys import Keys
from arena.record.outbox import Parcel
from arena.record.store import Store
from arena.results.export.schema import UserScore
from arena.results.export.signed import Moment, Part, Sha256

SCHEMA = "kai.push/1"
SIGNATURE = "KAI-Signature"
WAITS_S = (5, 30, 120, 600, 1800, 3600, 7200, *(14_400,) * 20)
"""How long after each failed attempt the next one waits; more than three days in all, then it is given up."""
TIMEOUT_S = 20.0
LEASE = timedelta(seconds=60)
"""How long one process has for an attempt before another may try."""
LOOK_EVERY_S = 2.0
GONE = 410

log = logging.getLogger(__name__)


class Push(Part):
    """What an aggregator is told."""

    schema_: Literal["kai.push/1"] = Field(alias="schema", description="this schema")
    id: str = Field(description="the same for a repetition")
    event: str = Field(description="what happened")
    at: Moment = Field(description="when")
    stage: str = Field(description="the stage")
    export_id: str = Field(description="the export")
    export_sha256: Sha256 = Field(description="hash of export.json")
    export: UserScore = Field(description="the signed document itself")


def push_of(document: UserScore, data: bytes, event: str, now: datetime) -> bytes:
    """Write what an aggregator is told of a final export: the document and its bytes."""
    push = Push(
        schema=SCHEMA,
        id=f"{event}:{document.export_id}",
        event=event,
        at=now,
        stage=document.stage.id,
        export_id=document.export_id,
        export_sha256=hashlib.sha256(data).hexdigest(),
        export=document,
    )
    return rfc8785.dumps(push.to_json())


async def deliver_due(
    store: Store, keys: Keys, session: aiohttp.ClientSession, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> int:
    """Try every message that is due, one after the other; return how many were tried."""
    tried = 0
    while parcel := await asyncio.to_thread(store.outbox.take, clock(), clock() + LEASE):
        tried += 1
        error = await _attempt(parcel, keys, session)
        if error is None:
            await asyncio.to_thread(store.outbox.delivered, parcel.seq, clock())
            continue
        spent = parcel.attempts > len(WAITS_S) or error == f"HTTP {GONE}"
        due = None if spent else clock() + timedelta(seconds=WAITS_S[parcel.attempts - 1])
        again = "given up" if spent else f"again at {due}"
        log.warning("push %s to %s: %s; %s", parcel.seq, redacted(parcel.url), error, again)
        await asyncio.to_thread(store.outbox.failed, parcel.seq, error, due, clock())
    return tried


async def deliver_once(store: Store, keys: Keys) -> int:
    """Try what is due now, once; return how many were tried."""
    async with _session() as session:
        return await deliver_due(store, keys, session)


async def keep_delivering(store: Store, keys: Keys, every_s: float = LOOK_EVERY_S) -> None:
    """Deliver what is due, whoever put it there; run until cancelled."""
    async with _session() as session:
        while True:
            try:
                await deliver_due(store, keys, session)
            except Unavailable:
                log.warning("the record cannot be reached; pushes wait until it is back")
            await asyncio.sleep(every_s)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))


async def _attempt(parcel: Parcel, keys: Keys, session: aiohttp.ClientSession) -> str | None:
    """Try once to send the message; return what went wrong, None when it was taken."""
    headers = {"content-type": "application/json", SIGNATURE: keys.sign(parcel.body)}
    try:
        async with session.post(parcel.url, data=parcel.body, headers=headers, allow_redirects=False) as answer:
            return None if 200 <= answer.status < 300 else f"HTTP {answer.status}"
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
