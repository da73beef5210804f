"""The score over HTTP: by key, by disclosure, by ETag; and a stage of real battles from the first question to a verified score."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.results import lifecycle
from arena.results.export.export_list import newest, read_list
from arena.results.export.kept import READ
from arena.results.export.proofs import VerificationError
from arena.results.export.schema import UserScore
from arena.results.export.verify import verify_files
from arena.results.integrity import review
from arena.results.live.access_log import SEEN
from arena.results.votes.exclusions import ExclusionReason
from arena.settings import ROOT
from tests.support.serving import Citizen, serving
from tests.support.stages import CLI, NOW, Room
from tests.support.words import refusing

DISCLOSURES = ("full", "winners_and_means", "sealed")
PANEL = (ROOT / "stages" / "populations" / "panel-500.toml").read_text("utf-8")
TWO = {"garam": ("가람팀", "Team Garam"), "narae": ("나래팀", "Team Narae"), "maru": ("마루팀", "Team Maru")}


class Served:
    """An arena whose database has a stage for each disclosure, and one that is open."""

    def __init__(self, base: str, rooms: Mapping[str, Room]) -> None:
        self.base = base
        self.rooms = rooms
        self.room = rooms["full"]
        self.http = httpx.Client(base_url=f"{base}/api/v1/stages", timeout=60)

    def key(self, *scopes: str, stage: str | None = None) -> tuple[str, dict[str, str]]:
        """A new key's id, and the header that carries it."""
        made, key = self.room.store.api_keys.new("aggregator", stage, scopes, NOW)
        return made.id, {"authorization": f"Bearer {key}"}

    def get(self, stage: str, format: str = "json", headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Asks for an export."""
        return self.http.get(f"/{stage}/export", params={"format": format}, headers=headers or {})


def code(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Three published stages, a frozen one with strata and an open one in one database, behind one process."""
    folder = tmp_path_factory.mktemp("export-http")
    rooms = {}
    for name in DISCLOSURES:
        room = Room(folder, stage_id=name.replace("_", "-"), more=f'disclosure = "{name}"', teams=TWO).vote(60).freeze()
        room.publish()
        rooms[name] = room
    room = Room(folder, stage_id="panel", more=PANEL).vote(200, voters=50)
    for n, voter in enumerate(sorted({row.voter for row in room.store.votes.after("panel", 0)})):
        room.store.strata.answer(voter, {"sex": "female" if n % 2 else "male"}, NOW)
    rooms["panel"] = room.freeze()
    rooms["open"] = Room(folder, stage_id="open", teams=TWO).vote(60)
    file = folder / "open.toml"
    file.write_bytes(rooms["open"].file)
    with serving(folder, file) as base:
        yield Served(base, rooms)
    for room in rooms.values():
        room.close()


def test_disclosure_decides_what_everybody_reads(served: Served) -> None:
    """Once published the document is everybody's where the stage is `full`, and nobody's without a key elsewhere; evidence always needs a key."""
    full = served.get("full")
    assert full.status_code == 200
    assert full.headers["cache-control"] == "public, max-age=60"
    assert len(full.json()["scores"]) == 3
    assert served.get("full", "csv").content.startswith(b"\xef\xbb\xbf")
    assert code(served.get("full", "zip")) == (401, "api_key_needed")
    assert code(served.get("full", "parquet")) == (401, "api_key_needed")
    for stage in ("winners-and-means", "sealed"):
        assert code(served.get(stage)) == (403, "not_disclosed")
        assert code(served.get(stage, "csv")) == (403, "not_disclosed")
    assert code(served.http.get("/open/result")) == (404, "not_found")


def test_a_key_opens_what_it_is_scoped_for(served: Served) -> None:
    """An aggregator pulls with its key whatever the disclosure: the format its scopes allow, of its stage, until it is revoked."""
    scoped, headers = served.key("export", stage="sealed")
    assert len(served.get("sealed", "json", headers).json()["scores"]) == 3
    assert code(served.get("sealed", "zip", headers)) == (403, "api_key_scope")
    assert code(served.get("full", "json", headers)) == (403, "api_key_scope")
    assert code(served.get("full", "json", {"authorization": "Bearer kai_wrong"})) == (401, "api_key_unknown")
    served.room.store.api_keys.revoke(scoped, NOW)
    assert code(served.get("sealed", "json", headers)) == (401, "api_key_unknown")

    _, auditor = served.key("export", "votes")
    archive = zipfile.ZipFile(io.BytesIO(served.get("sealed", "zip", auditor).content))
    files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    jwks = served.http.get(f"{served.base}/.well-known/jwks.json").json()
    assert verify_files(files, jwks).document.stage.id == "sealed"
    votes = pd.read_parquet(io.BytesIO(served.get("sealed", "parquet", auditor).content))
    assert len(votes) == 60
    assert code(served.get("nowhere", "json", auditor)) == (404, "stage_not_found")
    assert served.get("full", "xlsx", auditor).status_code == 422


def test_strata_are_for_auditors_alone(served: Served) -> None:
    """What voters said of themselves leaves by a key of the scope `audit` and by nothing else, an organizer's login included; it is never
    cached, each time is on record with the key before it leaves, and the scope opens nothing besides."""
    store, path = served.room.store, "/panel/strata"
    scoped, auditor = served.key("audit", stage="panel")
    _, everything = served.key("export", "votes", "metrics")
    _, elsewhere = served.key("audit", stage="full")
    assert code(served.http.get(path)) == (401, "audit_key_needed")
    assert code(served.http.get(path, headers={"authorization": "Bearer kai_wrong"})) == (401, "api_key_unknown")
    assert code(served.http.get(path, headers=everything)) == (403, "api_key_scope")
    assert code(served.http.get(path, headers=elsewhere)) == (403, "api_key_scope")
    assert code(served.http.get("/full/strata", headers=elsewhere)) == (404, "strata_none")
    assert code(served.http.get("/nowhere/strata", headers=elsewhere)) == (404, "stage_not_found")
    for format in ("json", "csv", "parquet", "zip"):
        assert code(served.get("panel", format, auditor)) == (403, "api_key_scope")
    store.organizers.add("desk", "a long password", NOW)
    with httpx.Client(base_url=served.base, headers={"origin": served.base}, timeout=30) as organizer:
        organizer.post("/organizer/login", data={"name": "desk", "password": "a long password"})
        assert code(organizer.get("/api/v1/stages/panel/strata")) == (401, "audit_key_needed")
    assert store.events.of_stage("panel", READ) == []

    given = served.http.get(path, headers=auditor)
    assert given.status_code == 200
    assert given.headers["cache-control"] == "no-store"
    assert given.headers["content-type"] == "application/vnd.apache.parquet"
    [event] = store.events.of_stage("panel", READ)
    assert (event.actor, event.data["key"], event.data["name"]) == ("auditor", scoped, "aggregator")
    folder = served.room.folder / "exports" / "panel"
    archive = zipfile.ZipFile(io.BytesIO(served.get("panel", "zip", everything).content))
    (folder / "latest" / "strata.parquet").write_bytes(given.content)  # where it must never be put
    careless = zipfile.ZipFile(io.BytesIO(served.get("panel", "zip", everything).content))
    assert careless.namelist() == archive.namelist()
    files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert "strata.parquet" not in files
    assert verify_files(files, strata=given.content).attested == ()


def test_keys_are_kept_as_digests(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is shown once, by the command that makes it; the database holds its digest, the list says who has one and since when it is revoked."""
    monkeypatch.setenv("ARENA_DATA_DIR", str(served.room.folder))

    def run(*args: str) -> Any:
        return CliRunner().invoke(cli, ["api-key", *args])

    made = run("new", "msit", "--stage", "sealed")
    key = made.stdout.strip()
    assert served.get("sealed", "json", {"authorization": f"Bearer {key}"}).status_code == 200
    kept = b"".join(path.read_bytes() for path in served.room.folder.glob("arena.db*"))
    assert key.encode() not in kept
    assert hashlib.sha256(key.encode()).hexdigest().encode() in kept
    listed = next(line for line in run("list").stdout.splitlines() if "msit" in line)
    assert "sealed" in listed
    assert "used" in listed
    assert key not in listed
    assert run("revoke", listed.split()[0]).exit_code == 0
    assert "revoked" in run("list").stdout
    assert "no key" in run("revoke", listed.split()[0]).stderr
    assert "Of all that leaves it identifies people the most" in run("new", "auditor", "--scope", "audit").stderr
    assert "Of all that leaves" not in made.stderr
    assert "Choose scopes" in run("new", "x", "--scope", "everything").stderr
    assert code(served.get("sealed", "json", {"authorization": f"Bearer {key}"})) == (401, "api_key_unknown")


def test_polling_costs_nothing(served: Served) -> None:
    """The same export has the same ETag in every format and answers 304; a correction has another, and the signed list ends with it."""
    _, headers = served.key("export", "votes")
    tags = set()
    for format in ("json", "csv", "parquet", "zip"):
        first = served.get("full", format, headers)
        tags.add(first.headers["etag"])
        again = served.get("full", format, {**headers, "if-none-match": f'"other", {first.headers["etag"]}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert len(tags) == 4
    before = served.get("full", "json", headers)
    room = served.rooms["full"]
    lifecycle.correct(
        room.store,
        room.keys,
        "full",
        room.folder / "exports" / "full",
        ROOT,
        reason="cast by a team",
        leave_out=room.battles()[:3],
        organizer=CLI,
        now=NOW + timedelta(days=1),
    )
    after = served.get("full", "json", {**headers, "if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.json()["supersedes"] == before.json()["export_id"]
    assert after.json()["correction"] == "cast by a team"
    assert after.json()["population"]["exclusions"] == [{"reason": "operator", "count": 3}]
    listed = httpx.get(f"{served.base}/api/v1/stages/full/exports").raise_for_status()
    chain = read_list(listed.content, "exports.json")
    assert [final.export_id for final in chain.finals] == [before.json()["export_id"], after.json()["export_id"]]
    assert chain.is_signed_by(room.keys.jwks())
    assert newest(UserScore.model_validate_json(after.content), sha256(after.content).hexdigest(), chain)
    with refusing(VerificationError, match="another one has taken its place"):
        newest(UserScore.model_validate_json(before.content), sha256(before.content).hexdigest(), chain)
    result = httpx.get(f"{served.base}/api/v1/stages/full/result").raise_for_status()
    assert (result.json()["export_id"], result.json()["correction"]) == (after.json()["export_id"], "cast by a team")
    page = httpx.get(f"{served.base}/results/full", headers={"accept": "text/html", "accept-language": "ko"})
    assert "정정했습니다. 사유: cast by a team" in page.text


def test_a_review_gives_provisional_results_and_tells_who_looked(tmp_path: Path) -> None:
    """Between freeze and publication a key gets an export that says that it is provisional; each look is published with the result, which is then the only one."""
    room = Room(tmp_path, teams=TWO, clock=lambda: datetime.now(UTC)).vote(60)
    file = tmp_path / "stage.toml"
    file.write_bytes(room.file)
    _, key = room.store.api_keys.new("aggregator", None, ("export", "votes"), NOW)
    headers = {"authorization": f"Bearer {key}"}
    with serving(tmp_path, file) as base:
        address = f"{base}/api/v1/stages/{room.stage.id}/export"
        room.freeze(room.propose(ExclusionReason.SPEED, room.battles()[:4]))
        first = httpx.get(address, headers=headers).json()
        assert httpx.get(address, headers=headers).json() == first
        assert json.loads(httpx.get(f"{address}s").content)["finals"] == []
        review.follow(room.store, room.stage.id, None, organizer=CLI, now=datetime.now(UTC))
        second = httpx.get(address, headers=headers).json()
        room.publish(now=datetime.now(UTC))
        result = httpx.get(address, headers=headers)
        assert httpx.get(address, headers=headers).content == result.content
    room.close()

    assert [(each["final"], each["stage"]["status"]) for each in (first, second)] == [(False, "frozen")] * 2
    assert second["export_id"] != first["export_id"]
    assert (result.json()["final"], result.json()["supersedes"]) == (True, None)
    assert [look["acts"] for look in result.json()["review"]["looks"]] == [0, 1]


def test_an_open_stage_tells_nobody_its_score(served: Served) -> None:
    """Before the freeze the public and every key are refused; an organizer sees a preliminary export that says so, and the look is on record."""
    _, headers = served.key("export", "votes")
    assert code(served.get("open")) == (401, "api_key_needed")
    assert code(served.get("open", "json", headers)) == (409, "not_frozen")
    served.room.store.organizers.add("office", "a long password", NOW)
    with httpx.Client(base_url=served.base, headers={"origin": served.base}, timeout=30) as organizer:
        organizer.post("/organizer/login", data={"name": "office", "password": "a long password"})
        seen = organizer.get("/api/v1/stages/open/export")
    assert seen.json()["stage"]["status"] == "open"
    assert seen.json()["draws"]["seed"] is None
    assert [event.actor for event in served.room.store.events.of_stage("open", SEEN)] == ["office"]
    assert served.room.store.events.of_stage("open", "export.made") == []


def test_a_stage_of_real_battles_gives_a_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five tiny language models, eight citizens, sixteen battles over HTTP; frozen by command, pulled by key, verified: each vote is in it."""
    text = (ROOT / "stages" / "demo.toml").read_text("utf-8")
    text = text.replace("answer_tokens = 288", "answer_tokens = 24").replace(
        "graphemes_per_s = 40", "graphemes_per_s = 400\nmin_exposure = { chars = 0, seconds = 0 }"
    )
    file = tmp_path / "demo.toml"
    file.write_text(text, "utf-8")
    monkeypatch.setenv("ARENA_DATA_DIR", str(tmp_path))

    def take_part(n: int) -> list[str]:
        citizen = Citizen(base).agree()
        receipts = []
        for winner in ("model_a", "tie" if n % 2 else "model_b"):
            battle = citizen.open()
            citizen.ask(battle, "한국의 수도는 어디인가요?")
            receipts.append(citizen.vote(battle, winner).raise_for_status().json()["receipt"])
        return receipts

    with serving(tmp_path, file) as base:
        with ThreadPoolExecutor(8) as pool:
            receipts = {receipt for some in pool.map(take_part, range(8)) for receipt in some}
        frozen = CliRunner().invoke(cli, ["stage", "freeze", "demo"])
        assert "16 votes" in frozen.stdout
        key = CliRunner().invoke(cli, ["api-key", "new", "aggregator", "--scope", "export", "--scope", "votes"])
        headers = {"authorization": f"Bearer {key.stdout.strip()}"}
        pulled = httpx.get(f"{base}/api/v1/stages/demo/export?format=zip", headers=headers, timeout=60)
    assert pulled.status_code == 200, pulled.text
    archive = zipfile.ZipFile(io.BytesIO(pulled.content))
    archive.extractall(tmp_path / "pulled")

    [folder] = (tmp_path / "pulled").iterdir()
    checked = CliRunner().invoke(cli, ["verify", str(folder)])
    assert checked.exit_code == 0, checked.output
    votes = pd.read_parquet(folder / "votes.parquet")
    assert set(votes["receipt"]) == receipts
    document = json.loads((folder / "export.json").read_bytes())
    assert all(len(entrant["artifact_sha256"]) == 64 for entrant in document["entrants"])
    assert min(votes["length_a"].tolist()) > 0
    assert {warning["code"] for warning in document["warnings"]} >= {"few_votes"}
