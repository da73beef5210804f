"""A small reference aggregator: pulls a stage's user score over HTTP, verifies it, and totals it, as the programme's own system would.

    KAI_API_KEY=kai_… python examples/aggregator/aggregator.py --arena https://arena.example.kr --stage round-1.toml --jwks pinned.json \\
        --benchmark benchmark.csv --expert expert.csv --eligibility eligibility.csv --out programme --every 600 --listen 8090

It asks every so often, with the last ETag, so that an unchanged score costs nothing; a signed push from the arena (`kai.push/1`) makes it
ask at once. Nothing is believed: the whole folder is fetched, every number is computed again from the votes, and the signature has to be
by a key that was pinned beforehand. What does not verify is refused and changes nothing that is there.
"""

import argparse
import io
import json
import os
import sys
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from arena.domain.clock import kst  # noqa: E402
from arena.domain.errors import ArenaError  # noqa: E402
from arena.domain.stage import Stage  # noqa: E402
from arena.i18n.terminal import said  # noqa: E402
from arena.record.keys import Keys, verify_jws  # noqa: E402
from arena.results.export.atomic_write import write_directory, write_file  # noqa: E402
from arena.results.export.document import FILES, SUMS  # noqa: E402
from arena.results.export.verify import read_jwks, verify_files  # noqa: E402
from arena.results.programme.aggregate import Handed, aggregate  # noqa: E402
from arena.results.publish.html import total_page  # noqa: E402

MOST_BYTES = 2_000_000_000
MOST_PUSHED = 10_000_000
TIMEOUT_S = 120.0
WAIT_AFTER_FAILURE_S = 30.0


class Refused(Exception):
    """What was pulled cannot be used; the sentence says why."""


@dataclass(frozen=True)
class Programme:
    """What the programme holds itself: none of it comes from the arena."""

    stage: Path
    jwks: Mapping[str, Any]
    components: Mapping[str, Path]
    eligibility: Path
    out: Path

    @property
    def state(self) -> Path:
        """What was taken last: its ETag, its export and when that was made."""
        return self.out / "state.json"

    def last(self) -> dict[str, str]:
        """The state; empty before the first score."""
        return json.loads(self.state.read_text("utf-8")) if self.state.exists() else {}

    def take(self, files: Mapping[str, bytes], etag: str) -> str:
        """Verifies an export, totals it, and keeps both; returns what was decided, in a line."""
        export = verify_files(files, self.jwks).document
        made = str(kst(export.created_at))
        if made < self.last().get("created_at", ""):
            raise Refused(f"export {export.export_id} is older than the one that was taken before")
        total = aggregate(
            _handed(self.stage),
            export,
            {component: _handed(path) for component, path in self.components.items()},
            _handed(self.eligibility),
            Keys.open(self.out, {}),
            datetime.now(UTC),
            trusted=True,
        )
        decided = self.out / "totals" / total.total_id
        write_directory(files, self.out / "exports" / f"{export.export_id}-{total.total_id[:8]}")
        write_directory({"total.json": total.canonical(), "total.html": total_page(total).encode()}, decided)
        state = {"etag": etag, "export_id": export.export_id, "created_at": made, "total": decided.name}
        write_file(json.dumps(state).encode(), self.state)  # last: a failure before this line is simply tried again
        return f"{decided}: advance {', '.join(total.advance) or 'nobody'}; vacant {total.vacancy}"


def pull(arena: str, stage_id: str, key: str, etag: str | None) -> tuple[dict[str, bytes], str] | None:
    """The export's files and their ETag; None when nothing has changed since `etag`."""
    request = urllib.request.Request(  # noqa: S310 - the operator gave the address
        f"{arena.rstrip('/')}/api/v1/stages/{stage_id}/export?format=zip", headers={"authorization": f"Bearer {key}"}
    )
    if etag:
        request.add_header("if-none-match", etag)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            data = answer.read(MOST_BYTES + 1)
            tag = answer.headers["etag"]
    except urllib.error.HTTPError as error:
        if error.code == 304:
            return None
        raise Refused(f"the arena answered {error.code}: {error.read(2000).decode(errors='replace')}") from None
    if len(data) > MOST_BYTES:
        raise Refused(f"the export is larger than {MOST_BYTES:,} bytes")
    return unpack(data), tag


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of the ZIP by name: those of an export, nothing else, and not larger than they may be."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = {Path(info.filename).name: info for info in archive.infolist()}
            if set(entries) != {*FILES, SUMS} or sum(info.file_size for info in entries.values()) > MOST_BYTES:
                raise Refused("the ZIP does not hold the files of an export")
            return {name: archive.read(info) for name, info in entries.items()}
    except zipfile.BadZipFile as error:
        raise Refused(f"not a ZIP: {error}") from None


def listen(port: int, stage_id: str, jwks: Mapping[str, Any], wake: threading.Event) -> ThreadingHTTPServer:
    """A door for the arena's pushes: one that is signed and of this stage makes us ask at once. Its content is not used."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(size) if 0 < size <= MOST_PUSHED else b""
            signed = verify_jws(body, self.headers.get("kai-signature", ""), jwks)
            ours = signed and json.loads(body).get("stage") == stage_id
            if ours:
                wake.set()
            self.send_response(204 if ours else 403)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing: every pull says its own."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def once(programme: Programme, arena: str, key: str) -> str:
    """One round: ask, verify, total."""
    stage_id = Stage.from_toml(programme.stage.read_bytes(), programme.stage.name).id
    found = pull(arena, stage_id, key, programme.last().get("etag"))
    return "unchanged" if found is None else programme.take(*found)


def main() -> None:
    """Runs until interrupted, or once."""
    chosen = _arguments()
    key = os.environ.get("KAI_API_KEY", "")
    try:
        jwks = read_jwks(chosen.jwks.read_bytes(), str(chosen.jwks))
        stage_id = Stage.from_toml(chosen.stage.read_bytes(), chosen.stage.name).id
    except (ArenaError, OSError) as error:
        sys.exit(f"cannot start: {said(error)}")
    components = {"benchmark": chosen.benchmark, "expert": chosen.expert}
    components |= {name: Path(path) for name, _, path in (given.partition("=") for given in chosen.component)}
    programme = Programme(chosen.stage, jwks, components, chosen.eligibility, chosen.out)
    programme.out.mkdir(parents=True, exist_ok=True)
    wake = threading.Event()
    if chosen.listen:
        server = listen(chosen.listen, stage_id, jwks, wake)
        print(f"listening for pushes on {server.server_address}", flush=True)
    while True:
        wake.clear()
        try:
            print(once(programme, chosen.arena, key), flush=True)
            wait = chosen.every
        except (ArenaError, Refused, OSError) as error:
            print(f"refused: {said(error)}", file=sys.stderr, flush=True)
            if not chosen.every:
                sys.exit(1)
            wait = min(chosen.every, WAIT_AFTER_FAILURE_S)
        if not chosen.every:
            return
        wake.wait(wait)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--arena", required=True, help="the arena's address")
    parser.add_argument("--stage", type=Path, required=True, help="the programme's own copy of the stage file")
    parser.add_argument(
        "--jwks", type=Path, required=True, help="the arena's public keys, pinned after comparing the kid"
    )
    parser.add_argument("--benchmark", type=Path, required=True)
    parser.add_argument("--expert", type=Path, required=True)
    parser.add_argument("--component", action="append", default=[], help="ID=CSV for every further component")
    parser.add_argument("--eligibility", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="where exports and totals are kept")
    parser.add_argument("--every", type=float, default=0, help="seconds between two questions; 0 asks once")
    parser.add_argument("--listen", type=int, default=0, help="a port for the arena's pushes")
    return parser.parse_args()


def _handed(path: Path) -> Handed:
    return Handed(path.name, path.read_bytes())


if __name__ == "__main__":
    main()
