"""The score over HTTP: what is public of the stages, and the signed export for whoever may read it."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import rfc8785
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool

from arena.domain.errors import Forbidden, NotFound, Unauthorized
from arena.domain.pairing import commitment
from arena.domain.stage import Stage, StageStatus
from arena.record.api_keys import Scope
from arena.record.keys import Keys
from arena.record.stages import StageRecord
from arena.record.store import Store
from arena.results.export.bundle import make
from arena.results.export.cache import Shelf
from arena.results.export.document import JSON, SCORES, SUMS, VOTES
from arena.results.export.public_summary import top_and_mean
from arena.results.live.access_log import LiveViews
from arena.web import shapes

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
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)

StageId = Annotated[str, PathParameter(max_length=64)]


@dataclass(frozen=True, slots=True)
class Copy:
    """What is given out."""

    data: bytes
    tag: str
    name: str
    public: bool


class Desk:
    """Decides who may read what, and gives it out."""

    def __init__(self, store: Store, keys: Keys, shelf: Shelf) -> None:
        self._store = store
        self._keys = keys
        self._shelf = shelf
        self._views: dict[str, LiveViews] = {}

    def stages(self) -> list[dict[str, Any]]:
        """What anybody may know of every stage: what was committed to, and when."""
        return [_facts(record) for record in self._store.stages.all()]

    def record(self, stage_id: str) -> StageRecord:
        """The stage's record.

        Raises:
            NotFound: no such stage here.
        """
        record = self._store.stages.find(stage_id)
        if record is None:
            raise NotFound("stage_not_found", "이 아레나에 없는 단계예요.", "There is no such stage in this arena.")
        return record

    def give(self, stage_id: str, format: Format, key: str | None, organizer: str | None, now: datetime) -> Copy:
        """The export in this format, as far as this reader may have it.

        Raises:
            NotFound, Conflict: there is nothing to give.
            Unauthorized, Forbidden: not to this reader.
        """
        record = self.record(stage_id)
        if key is not None:
            self._admit(stage_id, format, key, now)
        elif organizer is None:
            return self._public(record, format, now)
        elif record.frozen_at is None:
            self._views.setdefault(stage_id, LiveViews(self._store, stage_id)).note(organizer)
            return self._preliminary(stage_id, format, now)
        return self._whole(stage_id, format, now, public=False)

    def _admit(self, stage_id: str, format: Format, key: str, now: datetime) -> None:
        known = self._store.api_keys.find(key, now)
        if known is None or known.revoked_at is not None:
            raise Unauthorized(
                "api_key_unknown",
                "알 수 없거나 폐기된 API 키입니다. 운영 기관에 새 키를 요청하세요.",
                "This API key is unknown or revoked. Ask the arena's operator for a new one.",
            )
        if not known.allows(stage_id, SCOPE_OF[format]):
            raise Forbidden(
                "api_key_scope",
                f"이 키로는 {stage_id}의 {format} 형식을 받을 수 없습니다.",
                f"This key does not open {format} of stage {stage_id}: it needs the scope {SCOPE_OF[format]!r} for it.",
            )

    def _public(self, record: StageRecord, format: Format, now: datetime) -> Copy:
        disclosure = Stage.from_toml(record.file.encode(), record.id).disclosure
        if record.status is not StageStatus.PUBLISHED or SCOPE_OF[format] == "votes":
            raise Unauthorized(
                "api_key_needed",
                "API 키가 필요합니다. 공개된 단계의 점수(json, csv)만 키 없이 받을 수 있습니다.",
                "Send an API key as `Authorization: Bearer …`. Only the scores (json, csv) of a published stage are open to all.",
            )
        if disclosure == "sealed" or (disclosure == "top_and_mean" and format != "json"):
            raise Forbidden(
                "not_disclosed",
                "이 단계의 점수는 공개하지 않기로 정해져 있습니다.",
                f"This stage was declared {disclosure!r}: this is not open to all.",
            )
        whole = self._whole(record.id, format, now, public=True)
        if disclosure == "full":
            return whole
        summary = top_and_mean(orjson.loads(whole.data), self._keys)
        return Copy(rfc8785.dumps(summary), f'W/"summary-{whole.tag[1:-1]}"', f"{record.id}-summary.json", public=True)

    def _whole(self, stage_id: str, format: Format, now: datetime, *, public: bool) -> Copy:
        folder = self._shelf.newest(stage_id, now)
        if format == "zip":
            files = {path.name: path.read_bytes() for path in folder.iterdir()}
            return Copy(zipped(files, folder.name), _tag(b"zip" + files[SUMS]), f"{folder.name}.zip", public=public)
        data = (folder / FILE_OF[format]).read_bytes()
        return Copy(data, _tag(data), f"{folder.name}{Path(FILE_OF[format]).suffix}", public=public)

    def _preliminary(self, stage_id: str, format: Format, now: datetime) -> Copy:
        """While voting goes on, for organizers: made now, remembered nowhere, and saying that the stage is open."""
        bundle = make(self._store, self._keys, stage_id, now)
        data = zipped(bundle.files, bundle.folder) if format == "zip" else bundle.files[FILE_OF[format]]
        suffix = ".zip" if format == "zip" else Path(FILE_OF[format]).suffix
        return Copy(data, _tag(data), f"preliminary-{bundle.folder}{suffix}", public=False)


def routes(desk: Desk, organizer: Callable[[Request], str | None]) -> APIRouter:
    """The routes of the desk; `organizer` says which organizer a request comes from."""
    router = APIRouter(prefix="/api/v1/stages")

    @router.get("", response_model=list[shapes.StageFacts])
    async def stages() -> list[dict[str, Any]]:
        """Every stage of this arena: its status, and the hashes that were committed to when it opened."""
        return await run_in_threadpool(desk.stages)

    @router.get("/{stage_id}", response_model=shapes.StageFacts)
    async def stage(stage_id: StageId) -> dict[str, Any]:
        """One of them."""
        return _facts(await run_in_threadpool(desk.record, stage_id))

    @router.get("/{stage_id}/export", response_class=Response, responses=_ANSWERS)
    async def export(
        request: Request,
        stage_id: StageId,
        format: Annotated[Format, Query()] = "json",
        authorization: Annotated[str | None, Header(max_length=256)] = None,
        if_none_match: Annotated[str | None, Header(max_length=1024)] = None,
    ) -> Response:
        """The signed export: with an API key, for organizers, or for everybody once published, as the stage file disclosed."""
        scheme, _, key = (authorization or "").partition(" ")
        bearer = key.strip() if scheme.lower() == "bearer" else None
        copy = await run_in_threadpool(desk.give, stage_id, format, bearer, organizer(request), datetime.now(UTC))
        caching = "public, max-age=60" if copy.public else "private, no-cache"
        headers = {"etag": copy.tag, "cache-control": caching, "vary": "Authorization, Cookie"}
        if _matches(if_none_match, copy.tag):
            return Response(status_code=304, headers=headers)
        headers["content-disposition"] = f'attachment; filename="{copy.name}"'
        return Response(copy.data, media_type=MEDIA_TYPE[format], headers=headers)

    return router


def zipped(files: Any, folder: str) -> bytes:
    """The files as a ZIP of one folder; the same files always give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}", _ZIP_EPOCH), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _facts(record: StageRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "status": record.status,
        "file_sha256": record.file_sha256,
        "draw_commitment": commitment(record.draw_seed),
        "opened_at": record.opened_at,
        "frozen_at": record.frozen_at,
        "published_at": record.published_at,
    }


def _tag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()}"'


def _matches(if_none_match: str | None, tag: str) -> bool:
    """RFC 9110 §13.1.2: weak comparison."""
    asked = [part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")]
    return "*" in asked or tag.removeprefix("W/") in asked
