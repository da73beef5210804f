"""The console's HTTP routes. Who asks is read from our cookie, for every route, before anything else; no Gradio event decides anything."""

import asyncio
import gzip
import time
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool

from arena.domain.errors import NotFound, Unauthorized
from arena.results.export.archive import zipped
from arena.results.export.document import FILES, SUMS
from arena.results.live.access_log import LiveViews
from arena.web.console import actions
from arena.web.console.cache import DocumentCache, Name
from arena.web.core.dependencies import Here
from arena.web.core.negotiation import language_of

LONGEST_WAIT_S = 25.0
STEP_S = 0.5
"""How soon a waiting console sees a change."""
SHOWS_RATINGS: frozenset[Name] = frozenset({"live", "trends", "groups", "integrity"})

Tag = Annotated[str | None, Header(alias="if-none-match", max_length=64)]


async def organizer(here: Here, request: Request) -> str:
    """Who asks, by the cookie of a session that goes on."""
    name = await here.organizers.name(request)
    if name is None:
        raise Unauthorized("organizer_login_needed")
    return name


Me = Annotated[str, Depends(organizer)]


def routes(cache: DocumentCache, doing: actions.Actions, views: LiveViews) -> APIRouter:
    """Build the routes of one stage's console."""
    router = APIRouter(prefix="/organizer/console", include_in_schema=False, dependencies=[Depends(organizer)])

    async def act(call: Callable[[], actions.Done]) -> dict[str, str]:
        try:
            return (await cache.run(call))._asdict()
        finally:
            cache.touch()

    @router.get("/plotly.js", response_class=Response)
    async def plotly() -> Response:
        """Return the plotting library, from the package that is installed: no other host is asked for it."""
        headers = {"content-encoding": "gzip", "cache-control": "private, max-age=86400"}
        return Response(await run_in_threadpool(_plotly), media_type="text/javascript; charset=utf-8", headers=headers)

    @router.get("/evidence.zip", response_class=Response)
    async def keys(me: Me) -> Response:
        """Return the entrants' keys to the evidence that nobody has taken yet; they are gone from here afterwards."""
        data = await cache.run(lambda: doing.taken(me))
        cache.touch()
        named = f'attachment; filename="{cache.stage.id}-keys.zip"'
        headers = {"content-disposition": named, "cache-control": "no-store"}
        return Response(data, media_type="application/zip", headers=headers)

    @router.get("/{name}", response_class=Response)
    async def document(
        here: Here, me: Me, request: Request, name: Name, seen: Tag = None, wait: Annotated[float, Query(ge=0)] = 0
    ) -> Response:
        """Return a tab's document; with `wait`, answer as soon as it differs from what the console has, or 304 when it has not by then."""
        if name in SHOWS_RATINGS:
            await run_in_threadpool(views.note, me)
        until = time.monotonic() + min(wait, LONGEST_WAIT_S)
        while True:
            found = await cache.document(name, language_of(request))
            if found.etag != seen:
                break
            if time.monotonic() + STEP_S > until or await request.is_disconnected():
                return Response(status_code=304, headers={"etag": found.etag})
            await asyncio.sleep(STEP_S)
        await organizer(here, request)  # the session may have ended meanwhile
        headers = {"etag": found.etag, "cache-control": "no-store", "vary": "accept-encoding, accept-language, cookie"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(found.packed, media_type="application/json", headers=headers | {"content-encoding": "gzip"})
        return Response(found.body, media_type="application/json", headers=headers)

    @router.get("/{name}/{section}.csv", response_class=Response)
    async def table(
        me: Me, request: Request, name: Name, section: Annotated[str, PathParameter(max_length=64)]
    ) -> Response:
        """Return a section's table for a spreadsheet."""
        if name in SHOWS_RATINGS:
            await run_in_threadpool(views.note, me)
        found = (await cache.document(name, language_of(request))).section(section)
        if found is None:
            raise NotFound("no_section")
        return Response(
            found.table.csv(),
            media_type="text/csv; charset=utf-8",
            headers={
                "content-disposition": f'attachment; filename="{cache.stage.id}-{section}.csv"',
                "cache-control": "no-store",
            },
        )

    @router.get("/exports/{folder}.zip", response_class=Response)
    async def download(me: Me, folder: Annotated[str, PathParameter(max_length=200)]) -> Response:
        """Return an export with all its files; who takes it is kept in the audit log."""

        def packed() -> bytes:
            path = doing.downloaded(me, folder)
            return zipped({name: (path / name).read_bytes() for name in (*FILES, SUMS)}, path.name)

        data = await cache.run(packed)
        cache.touch()
        headers = {"content-disposition": f'attachment; filename="{folder}.zip"', "cache-control": "no-store"}
        return Response(data, media_type="application/zip", headers=headers)

    @router.post("/acts/pause")
    async def pause(me: Me, asked: actions.Pause) -> dict[str, Any]:
        """No new battles, in any process."""
        return await act(lambda: doing.pause(me, asked))

    @router.post("/acts/resume")
    async def resume(me: Me, asked: actions.Nothing) -> dict[str, Any]:
        """Let new battles begin again."""
        return await act(lambda: doing.resume(me, asked))

    @router.post("/acts/remove")
    async def remove(me: Me, asked: actions.Remove) -> dict[str, Any]:
        """Take an entrant out."""
        return await act(lambda: doing.remove(me, asked))

    @router.post("/acts/move")
    async def move(me: Me, asked: actions.Move) -> dict[str, Any]:
        """Open, freeze or publish the stage."""
        return await act(lambda: doing.move(me, asked))

    @router.post("/acts/rotate")
    async def rotate(me: Me, asked: actions.Rotate) -> dict[str, Any]:
        """Replace an entrant's key to the evidence."""
        return await act(lambda: doing.rotate(me, asked))

    @router.post("/acts/follow")
    async def follow(me: Me, asked: actions.Follow) -> dict[str, Any]:
        """Leave out what is proposed."""
        return await act(lambda: doing.follow(me, asked))

    @router.post("/acts/follow-all")
    async def follow_all(me: Me, asked: actions.Nothing) -> dict[str, Any]:
        """Leave out whatever is proposed."""
        return await act(lambda: doing.follow_all(me, asked))

    @router.post("/acts/decline")
    async def decline(me: Me, asked: actions.Decline) -> dict[str, Any]:
        """Let what is proposed count."""
        return await act(lambda: doing.decline(me, asked))

    @router.post("/acts/leave-out")
    async def leave_out(me: Me, asked: actions.LeaveOut) -> dict[str, Any]:
        """Leave out what no test proposes."""
        return await act(lambda: doing.leave_out(me, asked))

    @router.post("/acts/restore")
    async def restore(me: Me, asked: actions.Restore) -> dict[str, Any]:
        """Take votes back."""
        return await act(lambda: doing.restore(me, asked))

    @router.post("/acts/export")
    async def export(me: Me, asked: actions.Nothing) -> dict[str, Any]:
        """Make a new export."""
        return await act(lambda: doing.export(me, asked))

    @router.post("/acts/verify")
    async def verify(me: Me, asked: actions.Verify) -> dict[str, Any]:
        """Check an export again."""
        return await act(lambda: doing.verify(me, asked))

    return router


@cache
def _plotly() -> bytes:
    """Return the bundle, compressed once. Every browser that runs it takes gzip."""
    return gzip.compress((files("plotly") / "package_data" / "plotly.min.js").read_bytes(), 6, mtime=0)
