"""Our static files: addresses that change with their content, so that a browser keeps them for a year and never keeps a stale one."""

import hashlib
from pathlib import Path

from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

FOLDER = Path(__file__).resolve().parent / "assets"
MOUNTED = "/arena-assets"
FOREVER = "public, max-age=31536000, immutable"


def _version() -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in FOLDER.rglob("*") if p.is_file()):
        digest.update(path.relative_to(FOLDER).as_posix().encode() + b"\x00" + path.read_bytes())
    return digest.hexdigest()[:12]


VERSION = _version()
"""Of all files together: a module that imports another by a relative address gets the one it was written with."""


def url(name: str) -> str:
    """The address of a file, good for ever."""
    return f"{MOUNTED}/{VERSION}/{name}"


class Assets(StaticFiles):
    """Serves them, with or without the version in their address."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file; kept for ever by the browser where its address holds a hash (the slices of the font have their own)."""
        bare = path.removeprefix(f"{VERSION}/")
        response = await super().get_response(bare, scope)
        if response.status_code == 200:
            hashed = bare != path or bare.endswith(".woff2")
            response.headers["cache-control"] = FOREVER if hashed else "no-cache"
        return response
