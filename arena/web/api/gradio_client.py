"""What `gradio_client` may ask: the stage, a receipt, the standings, each answered by the function behind the HTTP route of the same name.

Only reading: a Gradio session hash can be forged and its events can be called by anybody, so no verb of a battle stands here, and no cookie is
looked at. The endpoints are declared on the Blocks by `gr.api`, so Gradio describes them; they are answered here and not by Gradio's queue,
which keeps something of every call that nobody fetches for as long as the process lives (docs/adr/0011-web-component.md).
"""

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.encoders import jsonable_encoder
from fastapi.responses import StreamingResponse
from gradio.events import api
from gradio.server_messages import BaseMessage, CloseStreamMessage, ProcessCompletedMessage
from pydantic import BaseModel, Field, ValidationError, validate_call

from arena.domain.errors import ArenaError, NotFound, Unusable
from arena.i18n.catalogue import in_both
from arena.record.ledger import Ledger
from arena.web.api import ledger
from arena.web.api import stage as facts
from arena.web.core.dependencies import Services

KEPT: Final = 200
"""Answers that wait to be fetched; the oldest goes when another comes."""

LINGERS_S: Final = 1.0
"""How long a stream stays open for another answer of its session."""

Session = Annotated[str, Field(max_length=64)]
Receipt = Annotated[str, Field(pattern=ledger.RECEIPT)]


class Call(BaseModel):
    """One call, as `gradio_client` sends it among other things."""

    fn_index: int
    data: list[Any]
    session_hash: Session


class GradioClient:
    """Declares the endpoints on Blocks, and answers them: a call is answered at once, and the answer kept until a stream of its session takes it."""

    def __init__(self, services: Callable[[], Services], record: Ledger) -> None:
        """`services` is asked at each call, when the arena is up."""
        self._services = services
        self._record = record
        self._reads: dict[int, Callable[..., Awaitable[Any]]] = {}
        self._listening: dict[str, asyncio.Event] = {}
        self._answers: deque[tuple[str, ProcessCompletedMessage]] = deque(maxlen=KEPT)
        self.router = APIRouter(prefix="/gradio_api/queue", include_in_schema=False)
        self.router.add_api_route("/join", self._join, methods=["POST"])
        self.router.add_api_route("/data", self._data, methods=["GET"])

    def declare(self) -> None:
        """Declare the endpoints on the Blocks whose context is open."""

        async def stage() -> dict[str, Any]:
            """Return the stage's public facts: title, status, notices, limits."""
            return jsonable_encoder(await facts.facts(self._services(), None))

        async def receipt(receipt: Receipt) -> dict[str, Any]:
            """Return the proof that the vote of this receipt (64 hexadecimal digits) is in the ledger."""
            return jsonable_encoder(await ledger.inclusion(self._record, receipt))

        async def leaderboard() -> dict[str, Any]:
            """Return the live snapshot, once the stage file opens it to everybody."""
            return await facts.standings(self._services(), None)

        for read in (stage, receipt, leaderboard):
            self._reads[api(read, api_name=read.__name__)["id"]] = validate_call(read)

    async def _join(self, call: Call) -> dict[str, str]:
        read = self._reads.get(call.fn_index)
        if read is None:
            raise NotFound("not_found")
        try:
            output, whole = {"data": [await read(*call.data)]}, True
        except ArenaError as refusal:
            output, whole = _refused(refusal), False
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(("data", *map(str, first["loc"])))
            output, whole = _refused(Unusable("unusable", at=where, problem=first["msg"])), False
        event = uuid.uuid4().hex
        self._answers.append((call.session_hash, ProcessCompletedMessage(event_id=event, output=output, success=whole)))
        if call.session_hash in self._listening:
            self._listening[call.session_hash].set()
        return {"event_id": event}

    async def _data(self, session_hash: Annotated[Session, Query()]) -> StreamingResponse:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._stream(session_hash), media_type="text/event-stream", headers=headers)

    async def _stream(self, session: str) -> AsyncIterator[str]:
        arrived = self._listening.setdefault(session, asyncio.Event())
        try:
            # Not closed at once: a call that is under way would wait for a stream that nobody opens again.
            with contextlib.suppress(TimeoutError):
                while True:
                    arrived.clear()
                    for answer in self._taken(session):
                        yield _event(answer)
                    await asyncio.wait_for(arrived.wait(), LINGERS_S)
            yield _event(CloseStreamMessage())
        finally:
            self._listening.pop(session, None)

    def _taken(self, session: str) -> list[ProcessCompletedMessage]:
        mine = [answer for owner, answer in self._answers if owner == session]
        self._answers = deque((each for each in self._answers if each[0] != session), maxlen=KEPT)
        return mine


def _event(message: BaseMessage) -> str:
    return f"data: {message.model_dump_json()}\n\n"


def _refused(error: ArenaError) -> dict[str, str]:
    said = in_both(error)
    return {"error": f"{error.code}: {said['ko']} / {said['en']}"}
