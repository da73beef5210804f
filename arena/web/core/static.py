"""Static files, compressed when the environment is built: `python -m arena.web.core.static` (make does) packs ours and Gradio's.

The addresses of ours change with their content, so that a browser keeps them for a year and never keeps a stale one. Where nothing was
packed beforehand (a wheel that pip has installed), files go out as they are, or gzipped as they go.
"""

import hashlib
import mimetypes
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

import brotli
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Scope

from arena.i18n.catalogue import LANGUAGES

FOLDER: Final = Path(__file__).resolve().parent.parent / "assets"
_CATALOGUE: Final = Path(str(files("arena.i18n")))
WORDS: Final = {f"{language}.json": _CATALOGUE / language / "page.json" for language in LANGUAGES} | {
    f"console.{language}.json": _CATALOGUE / language / "console_page.json" for language in LANGUAGES
}
"""The sentences that the browser needs, of the citizens' pages and of the console; they lie with all others."""
MOUNTED: Final = "/arena-assets"
FOREVER: Final = "public, max-age=31536000, immutable"
GRADIO: Final = Path(str(files("gradio"))) / "templates" / "frontend" / "assets"
"""Gradio's own scripts and style sheets; their names hold a hash."""
_PACKED: Final = Path(__file__).resolve().parents[3] / "build" / "static"
_WORTH_PACKING: Final = frozenset({".js", ".css", ".json", ".svg", ".html"})


def _ours() -> Mapping[str, Path]:
    found = {path.relative_to(FOLDER).as_posix(): path for path in sorted(FOLDER.rglob("*")) if path.is_file()}
    return found | WORDS


def _version() -> str:
    digest = hashlib.sha256()
    for name, path in sorted(_ours().items()):
        digest.update(name.encode() + b"\x00" + path.read_bytes())
    return digest.hexdigest()[:12]


VERSION: Final = _version()
"""Of all files together: a module that imports another by a relative address gets the one it was written with."""
_OURS_PACKED: Final = _PACKED / f"arena-{VERSION}"
_GRADIO_PACKED: Final = _PACKED / f"gradio-{version('gradio')}"


def url(name: str) -> str:
    """Give the address of a file, good for ever."""
    return f"{MOUNTED}/{VERSION}/{name}"


def modules(folder: str) -> tuple[str, ...]:
    """Name each module of a folder: a page that names them all lets the browser ask at once instead of finding them one by one."""
    return tuple(sorted(path.relative_to(FOLDER).as_posix() for path in (FOLDER / folder).glob("*.js")))


class PackedFiles(StaticFiles):
    """Serves a folder: a file's packed form to whoever takes it."""

    def __init__(self, directory: Path, packed: Path) -> None:
        super().__init__(directory=directory)
        self._packed = packed

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with the file, packed where that was done and is taken; a browser keeps it for ever."""
        response = await super().get_response(path, scope)
        # What was answered lies inside the folder, so only for such a path the packed file is looked for.
        taken = isinstance(response, FileResponse) and "br" in Headers(scope=scope).get("accept-encoding", "")
        packed = self._packed / f"{path}.br"
        if taken and packed.is_file():
            kind = mimetypes.guess_type(path)[0]
            response = FileResponse(packed, media_type=kind, headers={"content-encoding": "br"})
        if response.status_code == 200:
            response.headers["cache-control"] = FOREVER
            response.headers["vary"] = "accept-encoding"
        return response


class Assets(PackedFiles):
    """Serves our files, with or without the version in their address."""

    def __init__(self) -> None:
        super().__init__(FOLDER, _OURS_PACKED)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find a file, or a language's sentences."""
        if path in WORDS:
            return str(WORDS[path]), WORDS[path].stat()
        return super().lookup_path(path)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with the file; kept for ever where its address holds a hash (the slices of the font have their own)."""
        bare = path.removeprefix(f"{VERSION}/")
        response = await super().get_response(bare, scope)
        if response.status_code == 200 and bare == path and not bare.endswith(".woff2"):
            response.headers["cache-control"] = "no-cache"
        return response


def gradios_files() -> PackedFiles:
    """Serve Gradio's scripts and style sheets, the same for both of its pages."""
    return PackedFiles(GRADIO, _GRADIO_PACKED)


def _pack(path: Path, into: Path) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_bytes(brotli.compress(path.read_bytes(), quality=11))


def pack_all() -> int:
    """Pack every file that is not packed yet; returns how many were."""
    gradios = {path.name: path for path in GRADIO.iterdir()}
    wanted = [
        (path, folder / f"{name}.br")
        for sources, folder in ((_ours(), _OURS_PACKED), (gradios, _GRADIO_PACKED))
        for name, path in sources.items()
        if path.suffix in _WORTH_PACKING and not (folder / f"{name}.br").exists()
    ]
    with ProcessPoolExecutor() as pool:
        list(pool.map(_pack, *zip(*wanted, strict=True), chunksize=8) if wanted else ())
    return len(wanted)


if __name__ == "__main__":
    print(f"packed {pack_all()} static files")
