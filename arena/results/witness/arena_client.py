"""How a witness asks an arena that it does not trust: few bytes, little time, and again later where the network fails."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

import orjson

from arena.domain.errors import ArenaError

MOST_BYTES = 8 * 2**20
"""No answer is larger: a page of 1,000 checkpoints is less than one."""
TIMEOUT_S = 20.0
WHOLE_S = 60.0
"""What one answer may take, however slowly it comes."""
PAGES = 200
"""So many pages of checkpoints are read in a round; the next round goes on."""


class Unreachable(ArenaError):
    """The arena did not answer, or not with what it should: nothing is learnt from that, and it is asked again."""


class Refused(ArenaError):
    """The arena answered, and does not take a cosignature."""


class ArenaClient:
    """One arena over HTTP."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """`url` is the arena's address, without a path of the API."""
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s

    def jwks(self) -> dict[str, Any]:
        """Ask for its public keys."""
        return self._get("/.well-known/jwks.json")

    def heads(self, stage: str | None, after: int) -> dict[str, Any]:
        """Ask for one page of checkpoints over more than `after` votes, with the opening act."""
        return self._get("/api/v1/checkpoints", after=after, **({"stage": stage} if stage else {}))

    def facts(self, stage: str) -> dict[str, Any]:
        """Ask what is public of the stage: its status, the commitment to its draws, the hash of its file."""
        return self._get(f"/api/v1/stages/{urllib.parse.quote(stage)}")

    def consistency(self, stage: str, first: int, second: int) -> list[str]:
        """Ask for the proof that the first `first` votes are the beginning of the first `second`."""
        told = self._get("/api/v1/checkpoints/consistency", stage=stage, first=first, second=second)
        path = told.get("consistency_path")
        if not isinstance(path, list) or not all(isinstance(step, str) for step in path):
            raise Unreachable("arena_unreadable", url=self.url, problem="consistency_path")
        return path

    def cosign(self, stage: str, size: int, cosignature: Mapping[str, Any]) -> None:
        """Give it a cosignature.

        Raises:
            Refused: it takes none from this witness, or not this one.
            Unreachable: try again.
        """
        query = urllib.parse.urlencode({"stage": stage})
        address = f"{self.url}/api/v1/checkpoints/{size}/cosignatures?{query}"
        data = json.dumps(dict(cosignature)).encode()
        self._ask(urllib.request.Request(address, data, {"content-type": "application/json"}))  # noqa: S310  # http(s) only, see `_ask`

    def _get(self, path: str, **query: object) -> dict[str, Any]:
        address = f"{self.url}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        told = self._ask(urllib.request.Request(address, headers={"accept": "application/json"}))  # noqa: S310
        if not isinstance(told, dict):
            raise Unreachable("arena_unreadable", url=self.url, problem=path)
        return told

    def _ask(self, request: urllib.request.Request) -> Any:
        if not request.full_url.startswith(("http://", "https://")):
            raise Unreachable("arena_address", url=self.url)
        until = time.monotonic() + WHOLE_S
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                parts, size = [], 0
                while part := answer.read1(65536):
                    parts.append(part)
                    size += len(part)
                    if size > MOST_BYTES or time.monotonic() > until:
                        raise Unreachable("arena_unreadable", url=self.url, problem=f"> {MOST_BYTES} B, > {WHOLE_S} s")
                return orjson.loads(b"".join(parts))
        except urllib.error.HTTPError as error:
            with error:
                if request.data is not None and error.code < 500 and error.code != 429:
                    raise Refused("cosignature_refused", status=error.code) from None
            raise Unreachable("arena_answered", url=self.url, status=error.code) from None
        except (OSError, ValueError) as error:
            raise Unreachable("arena_unreadable", url=self.url, problem=str(error)) from None
