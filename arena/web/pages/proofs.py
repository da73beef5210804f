"""The ledger in plain words: whether a receipt's vote stands in it, and the signatures over it."""

import re
from io import BytesIO
from typing import Annotated, Final

import segno
from fastapi import APIRouter, Path, Request, Response

from arena.domain.errors import NotFound
from arena.domain.stage import Stage
from arena.record.ledger import Ledger
from arena.web.api.ledger import RECEIPT
from arena.web.pages.layout import Layout

_RECEIPT: Final = re.compile(r"[0-9a-f]{64}")
SHOWN = 20


def routes(layout: Layout, stage: Stage, ledger: Ledger, public_url: str) -> APIRouter:
    """Build the routes of these pages; `public_url` is where people reach the arena, "" where it is reached as it is asked."""
    router = APIRouter(include_in_schema=False)

    @router.get("/receipts")
    def ask(request: Request, receipt: str = "") -> Response:
        typed = "".join(receipt.split()).lower()[:200]
        if not typed:
            return layout.page(request, "receipts.html", title="title_receipts", typed="", state="ask")
        if not _RECEIPT.fullmatch(typed):
            return layout.page(request, "receipts.html", title="title_receipts", typed=typed, state="bad")
        try:
            found = ledger.inclusion(typed)
        except NotFound:
            return layout.page(request, "receipts.html", title="title_receipts", typed=typed, state="unknown")
        state = "pending" if found is None else "included"
        return layout.page(request, "receipts.html", title="title_receipts", typed=typed, state=state, found=found)

    @router.get("/receipts/{receipt}/qr.svg")
    def qr(request: Request, receipt: Annotated[str, Path(pattern=RECEIPT)]) -> Response:
        """Draw the address of this receipt's page, for a phone's camera; whether the receipt is known is not asked."""
        drawn = BytesIO()
        address = f"{(public_url or str(request.base_url)).rstrip('/')}/receipts?receipt={receipt}"
        segno.make(address, error="m", micro=False).save(drawn, kind="svg", scale=4, light="#fff", xmldecl=False)
        return Response(
            drawn.getvalue(), media_type="image/svg+xml", headers={"cache-control": "private, max-age=86400"}
        )

    @router.get("/checkpoints")
    def checkpoints(request: Request) -> Response:
        newest = ledger.newest(stage.id)
        after = newest.size - SHOWN * 50 if newest else -1
        signed = ledger.checkpoints(stage.id, max(-1, after))[-SHOWN:][::-1]
        return layout.page(request, "checkpoints.html", title="title_checkpoints", signed=signed)

    return router
