"""What anybody may ask of the ledger: signed checkpoints, proofs, and the public keys; and the task that signs."""

import asyncio
import logging
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool

from arena.battles.arena import Arena
from arena.domain.errors import Conflict, Unavailable, Unusable
from arena.record.keys import Keys
from arena.record.ledger import Checkpoint, Ledger, LedgerError
from arena.record.store import Store
from arena.results.export.cosigning import take
from arena.results.export.schema import CosignaturePart, OpeningPart
from arena.results.witness.stamps import due, stamp
from arena.web.api.schemas import ConsistencyProof, IncludedReceipt, PendingReceipt, TreeHead, TreeHeads

log = logging.getLogger(__name__)

SIGN_EVERY_S = 60.0
STAMP_AGAIN_S = 600.0
"""How long an authority that did not answer is left alone."""
PAGE = 1000
RECEIPT = "^[0-9a-f]{64}$"

StageId = Annotated[str, Query(max_length=64)]
Size = Annotated[int, Query(ge=0, lt=2**53)]
CheckpointSize = Annotated[int, Path(ge=0, lt=2**53)]


async def inclusion(ledger: Ledger, receipt: str) -> IncludedReceipt | PendingReceipt:
    """Tell whether a receipt is in the ledger, with the proof.

    Raises:
        NotFound: no vote has this receipt.
    """
    found = await run_in_threadpool(ledger.inclusion, receipt)
    if found is None:
        return PendingReceipt(receipt=receipt, signed_every_s=SIGN_EVERY_S)
    return IncludedReceipt(
        receipt=receipt, leaf_index=found.index, inclusion_path=list(found.path), checkpoint=_head(found.checkpoint)
    )


def routes(store: Store, ledger: Ledger, keys: Keys, stage_id: str) -> APIRouter:
    """Build the ledger's routes; `stage_id` is the stage that is meant when none is named."""
    router = APIRouter()

    @router.get("/api/v1/receipts/{receipt}")
    async def receipt(
        receipt: Annotated[str, Path(pattern=RECEIPT)],
    ) -> IncludedReceipt | PendingReceipt:
        """Return the proof that a vote is in the ledger, under its newest checkpoint (RFC 9162); `pending` until the next one is signed."""
        return await inclusion(ledger, receipt)

    @router.get("/api/v1/checkpoints")
    async def checkpoints(stage: StageId = stage_id, after: Annotated[int, Query(ge=-1, lt=2**53)] = -1) -> TreeHeads:
        """List the signed checkpoints over more than `after` votes, smallest first, at most 1,000; the last one's `size` asks for more."""
        found = await run_in_threadpool(ledger.checkpoints, stage, after, PAGE)
        act = await run_in_threadpool(ledger.opening, stage)
        opening = None if act is None else OpeningPart.model_validate_json(act)
        return TreeHeads(stage=stage, opening=opening, checkpoints=[_head(checkpoint) for checkpoint in found])

    @router.post("/api/v1/checkpoints/{size}/cosignatures", status_code=201)
    async def cosign(size: CheckpointSize, given: CosignaturePart, stage: StageId = stage_id) -> CosignaturePart:
        """Take the cosignature of a witness that the stage file names, over one of its checkpoints; the first one that it gives stays."""
        if given.size != size:
            raise Conflict("cosignature_of_another", size=size)
        await run_in_threadpool(take, store, stage, given)
        return given

    @router.get("/api/v1/checkpoints/consistency")
    async def consistency(first: Size, second: Size, stage: StageId = stage_id) -> ConsistencyProof:
        """Return the proof that the first `first` votes are the beginning of the first `second` (RFC 9162)."""
        path = await run_in_threadpool(ledger.consistency, stage, first, second)
        return ConsistencyProof(stage=stage, first=first, second=second, consistency_path=path)

    @router.get("/.well-known/jwks.json")
    async def jwks() -> dict[str, Any]:
        """Return the public keys that verify every signature of this arena (RFC 7517)."""
        return keys.jwks()

    return router


def _head(checkpoint: Checkpoint) -> TreeHead:
    return TreeHead.model_validate(checkpoint.to_json())


async def keep_stamping(store: Store, ledger: Ledger, arena: Arena, url: str, every_s: float = SIGN_EVERY_S) -> None:
    """Have the opening, daily and last checkpoints stamped by a time-stamping authority; run until cancelled."""
    while True:
        wait_s = every_s
        try:
            record = await arena.run_in_db_thread(store.stages.find, arena.stage.id)
            over = record is not None and record.frozen_at is not None
            for head in await run_in_threadpool(due, store.timestamps, ledger, arena.stage.id, arena.now(), over=over):
                await run_in_threadpool(stamp, store.timestamps, head, url)
        except (Unavailable, Unusable) as error:
            log.warning("no time stamp: %s", error)
            wait_s = STAMP_AGAIN_S
        await asyncio.sleep(wait_s)


async def keep_signing(ledger: Ledger, arena: Arena, every_s: float = SIGN_EVERY_S) -> None:
    """Sign a checkpoint whenever there are new votes; run until cancelled."""
    while True:
        try:
            if await arena.run_in_db_thread(ledger.opening, arena.stage.id) is not None:
                await arena.run_in_db_thread(ledger.checkpoint, arena.stage.id, arena.now())
        except Unavailable:
            log.warning("the record cannot be reached; no checkpoint is signed until it is back")
        except LedgerError as error:
            log.critical("%s", error)
        await asyncio.sleep(every_s)
