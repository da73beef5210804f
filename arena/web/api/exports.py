"""The score over HTTP: what is public of the stages, and the signed export for whoever may read it."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool

from arena.domain.clock import kst
from arena.domain.errors import Forbidden, NotFound, Unauthorized
from arena.domain.stage import Stage, StageStatus
from arena.record.api_keys import EVIDENCE, ApiKey, Scope
from arena.record.keys import Keys
from arena.record.stages import StageRecord
from arena.record.store import Store
from arena.results.export.archive import zipped
from arena.results.export.bundle import make
from arena.results.export.cache import ExportCache
from arena.results.export.chain import export_list
from arena.results.export.document import FILES, JSON, SCORES, SUMS, VOTES
from arena.results.export.kept import hand_out
from arena.results.export.result import OPENED, Result
from arena.results.export.strata_file import STRATA
from arena.results.live.access_log import LiveViews
from arena.results.publish.publications import Publications
from arena.web.api.schemas import StageFacts
from arena.web.core.dependencies import Here

Format = Literal["json", "csv", "parquet", "zip"]
FILE_OF: dict[Format, str] = {"json": JSON, "csv": SCORES, "parquet": VOTES}
SCOPE_OF: dict[Format, Scope] = {"json": "export", "csv": "export", "parquet": "votes", "zip": "votes"}
MEDIA_TYPE: dict[Format, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The export in this format",
        "content": {media.split(";")[0]: {} for media in MEDIA_TYPE.values()},
    },
    304: {"description": "It is the one that you have"},
}
_STRATA: dict[int | str, dict[str, Any]] = {
    200: {"description": "The strata, as they were at the freeze", "content": {MEDIA_TYPE["parquet"]: {}}}
}
_RESULT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The result", "content": {"application/json": {"schema": {"type": "object"}}}},
    304: _ANSWERS[304],
}
_LIST: dict[int | str, dict[str, Any]] = {200: {"description": "The list", "content": {"application/json": {}}}}
StageId = Annotated[str, PathParameter(max_length=64)]
IfNoneMatch = Annotated[str | None, Header(max_length=1024)]


@dataclass(frozen=True, slots=True)
class Copy:
    """What is given out."""

    data: bytes
    tag: str
    name: str
    media: str
    public: bool

    @classmethod
    def of(cls, result: Result) -> Self:
        """Write the result that everybody may read."""
        data = result.canonical()
        return cls(data, _tag(data), f"{result.stage.id}-result.json", MEDIA_TYPE["json"], public=True)


class ExportDesk:
    """Decides who may read what, and gives it out."""

    def __init__(self, store: Store, keys: Keys, cache: ExportCache) -> None:
        self._store = store
        self._keys = keys
        self._cache = cache
        self._views: dict[str, LiveViews] = {}

    def stages(self) -> list[StageFacts]:
        """Tell what anybody may know of every stage: what was committed to, and when."""
        return [_facts(record) for record in self._store.stages.all()]

    def record(self, stage_id: str) -> StageRecord:
        """Read the stage's record.

        Raises:
            NotFound: no such stage here.
        """
        record = self._store.stages.find(stage_id)
        if record is None:
            raise NotFound("stage_not_found")
        return record

    def give(self, stage_id: str, format: Format, key: str | None, organizer: str | None, now: datetime) -> Copy:
        """Give the export in this format, as far as this reader may have it.

        Raises:
            NotFound, Conflict: there is nothing to give.
            Unauthorized, Forbidden: not to this reader.
        """
        record, who = self.record(stage_id), organizer or ""
        if key is not None:
            known = self._known(key, now)
            who = f"key {known.id}"
            if known.allows(stage_id, EVIDENCE):
                self._require_published(record)
            else:
                self._require(known, stage_id, format, SCOPE_OF[format])
        elif organizer is None:
            return self._public(record, format, now)
        elif record.frozen_at is None:
            self._views.setdefault(stage_id, LiveViews(self._store, stage_id)).note(organizer)
            return self._preliminary(stage_id, format, now)
        return self._whole(stage_id, format, who, now, public=False)

    def strata(self, stage_id: str, key: str | None, now: datetime) -> bytes:
        """Give what the voters said of themselves to whoever has a key of the scope `audit`, and to nobody else, organizers included.

        Raises:
            NotFound, Conflict: there is nothing to give.
            Unauthorized, Forbidden: not to this reader.
        """
        self.record(stage_id)
        if key is None:
            raise Unauthorized("audit_key_needed")
        known = self._known(key, now)
        self._require(known, stage_id, STRATA, "audit")
        return hand_out(self._store, stage_id, "auditor", now, key=known.id, name=known.name)

    def finals(self, stage_id: str, now: datetime) -> bytes:
        """Give the signed list of the stage's final exports; empty before publication.

        Raises:
            NotFound: no such stage here.
        """
        self.record(stage_id)
        return export_list(self._store, self._keys, stage_id, now).canonical()

    def _known(self, key: str, now: datetime) -> ApiKey:
        known = self._store.api_keys.find(key, now)
        if known is None or known.revoked_at is not None:
            raise Unauthorized("api_key_unknown")
        return known

    def _require(self, known: ApiKey, stage_id: str, what: str, scope: Scope) -> None:
        if not known.allows(stage_id, scope):
            raise Forbidden("api_key_scope", stage=stage_id, format=what, scope=scope)

    def _require_published(self, record: StageRecord) -> None:
        """Let an entrant's key open everything from publication on, whatever the stage discloses to everybody, and nothing before."""
        if record.status is not StageStatus.PUBLISHED:
            planned = Stage.from_toml(record.file.encode(), record.id).publishes
            if planned is None:
                raise Forbidden("evidence_later", stage=record.id)
            raise Forbidden("evidence_from", stage=record.id, planned=kst(planned))

    def _public(self, record: StageRecord, format: Format, now: datetime) -> Copy:
        disclosure = Stage.from_toml(record.file.encode(), record.id).disclosure
        if record.status is not StageStatus.PUBLISHED or SCOPE_OF[format] == "votes":
            raise Unauthorized("api_key_needed")
        if FILE_OF[format] not in OPENED.get(disclosure, ()):
            raise Forbidden("not_disclosed", disclosure=disclosure)
        return self._whole(record.id, format, "", now, public=True)

    def _whole(self, stage_id: str, format: Format, who: str, now: datetime, *, public: bool) -> Copy:
        folder, media = self._cache.newest(stage_id, who, now), MEDIA_TYPE[format]
        if format == "zip":
            files = {name: (folder / name).read_bytes() for name in (*FILES, SUMS)}
            return Copy(
                zipped(files, folder.name), _tag(b"zip" + files[SUMS]), f"{folder.name}.zip", media, public=public
            )
        data = (folder / FILE_OF[format]).read_bytes()
        return Copy(data, _tag(data), f"{folder.name}{Path(FILE_OF[format]).suffix}", media, public=public)

    def _preliminary(self, stage_id: str, format: Format, now: datetime) -> Copy:
        """While voting goes on, for organizers: made now, remembered nowhere, and saying that the stage is open."""
        bundle = make(self._store, self._keys, stage_id, now)
        data = zipped(bundle.files, bundle.folder) if format == "zip" else bundle.files[FILE_OF[format]]
        suffix = ".zip" if format == "zip" else Path(FILE_OF[format]).suffix
        return Copy(data, _tag(data), f"preliminary-{bundle.folder}{suffix}", MEDIA_TYPE[format], public=False)


def routes(desk: ExportDesk, publications: Publications) -> APIRouter:
    """Build the routes of the desk."""
    router = APIRouter(prefix="/api/v1/stages")

    @router.get("")
    async def stages() -> list[StageFacts]:
        """Every stage of this arena: its status, and the hashes that were committed to when it opened."""
        return await run_in_threadpool(desk.stages)

    @router.get("/{stage_id}")
    async def stage(stage_id: StageId) -> StageFacts:
        """One of them."""
        return _facts(await run_in_threadpool(desk.record, stage_id))

    @router.get("/{stage_id}/result", response_class=Response, responses=_RESULT)
    async def result(stage_id: StageId, if_none_match: IfNoneMatch = None) -> Response:
        """Return what everybody may read of a published stage, signed: as much of its scores as the stage file disclosed, and the hashes of what is closed."""
        found = await run_in_threadpool(publications.result, stage_id)
        return _answer(Copy.of(found.result), if_none_match)

    @router.get("/{stage_id}/exports", response_class=Response, responses=_LIST)
    async def exports(stage_id: StageId) -> Response:
        """Return the signed list of the stage's final exports (`kai.exports/1`), the newest last: whatever is not in it is no result."""
        data = await run_in_threadpool(desk.finals, stage_id, datetime.now(UTC))
        return Response(data, media_type="application/json", headers={"cache-control": "no-cache"})

    @router.get("/{stage_id}/export", response_class=Response, responses=_ANSWERS)
    async def export(
        here: Here,
        request: Request,
        stage_id: StageId,
        format: Annotated[Format, Query()] = "json",
        authorization: Annotated[str | None, Header(max_length=256)] = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Return the signed export: with an API key, for organizers, or for everybody once published, as the stage file disclosed."""
        bearer = _bearer(authorization)
        organizer = await here.organizers.name(request)
        copy = await run_in_threadpool(desk.give, stage_id, format, bearer, organizer, datetime.now(UTC))
        return _answer(copy, if_none_match)

    @router.get("/{stage_id}/strata", response_class=Response, responses=_STRATA)
    async def strata(
        stage_id: StageId, authorization: Annotated[str | None, Header(max_length=256)] = None
    ) -> Response:
        """Return what each voter of a frozen stage said of themselves, under their pseudonyms: with an API key of the scope `audit` alone."""
        data = await run_in_threadpool(desk.strata, stage_id, _bearer(authorization), datetime.now(UTC))
        headers = {
            "cache-control": "no-store",
            "vary": "Authorization",
            "content-disposition": f'attachment; filename="{stage_id}-{STRATA}"',
        }
        return Response(data, media_type=MEDIA_TYPE["parquet"], headers=headers)

    return router


def _bearer(authorization: str | None) -> str | None:
    """Read the key in the header, if there is one."""
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def _answer(copy: Copy, if_none_match: str | None) -> Response:
    caching = "public, max-age=60" if copy.public else "private, no-cache"
    headers = {"etag": copy.tag, "cache-control": caching, "vary": "Authorization, Cookie"}
    if _matches(if_none_match, copy.tag):
        return Response(status_code=304, headers=headers)
    headers["content-disposition"] = f'attachment; filename="{copy.name}"'
    return Response(copy.data, media_type=copy.media, headers=headers)


def _facts(record: StageRecord) -> StageFacts:
    return StageFacts(
        id=record.id,
        status=record.status,
        file_sha256=record.file_sha256,
        draw_commitment=record.draw_commitment,
        opened_at=record.opened_at,
        frozen_at=record.frozen_at,
        published_at=record.published_at,
    )


def _tag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()}"'


def _matches(if_none_match: str | None, tag: str) -> bool:
    """RFC 9110 §13.1.2: weak comparison."""
    asked = [part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")]
    return "*" in asked or tag.removeprefix("W/") in asked
