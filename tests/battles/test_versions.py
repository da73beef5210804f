"""Which version of a sealed entrant answers: kept with each answer, told to organizers when it changes, compared in the export, and never shown to a citizen."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import httpx
import pyarrow.parquet as pq

from arena.battles.version_log import new_versions
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.export import bundle as exports
from arena.results.export.document import VOTES
from arena.results.export.tables import Versions
from arena.results.export.verify import verify_files
from arena.results.votes.feed import VoteFeed
from tests.support.endpoint_wire import SECRET
from tests.support.model_endpoint import Endpoint, endpoint
from tests.support.serving import TEAMS, Citizen, serving, stage_toml
from tests.support.stages import stage_of


def stage_toml_of(there: Endpoint) -> str:
    """A stage of three endpoints, of which one is renewed after four answers."""
    entrants = "".join(
        f'\n[[entrants]]\nid = "{id}"\nteam = {{ ko = "{ko}", en = "{en}" }}\n'
        f'backend = "openai"\nbase_url = "{there.base_url}"\nmodel = "{behaviour}"\n'
        for (id, (ko, en)), behaviour in zip(TEAMS.items(), ("plain", "renewed", "pieces"), strict=True)
    )
    limits = "battles_per_hour = 1000\nvotes_per_hour = 1000\nturns_per_minute = 1000"
    return stage_toml(protocol='reveal = "after_stage"', limits=limits).partition("\n[[entrants]]")[0] + entrants


def test_an_endpoint_that_changes_is_noticed(database_url: str, tmp_path: Path) -> None:
    """Two fingerprints of one entrant: each vote has its own in the export, organizers hear when the second came, and nothing of it is in what a citizen gets."""
    heard: list[str] = []
    store = Store(database_url)
    with endpoint() as there:
        text = stage_toml_of(there)
        stage = stage_of(text)
        with serving(tmp_path, text, database_url=database_url) as base:
            citizen = Citizen(base).agree()
            store.organizers.add("Kim", "long enough a word", datetime.now(UTC))
            console = httpx.Client(base_url=base, headers={"origin": base}, timeout=60)
            console.post("/organizer/login", data={"name": "Kim", "password": "long enough a word"})
            while len(heard) < 12 or not new_versions(store.events.of_stage(stage.id)):
                assert len(heard) < 200
                battle = citizen.open()
                heard.append(str([event.data for event in citizen.ask(battle)]))
                heard[-1] += citizen.http.get(f"/battles/{battle}").text + citizen.vote(battle).text
            seen = console.get("/organizer/console/operations?lang=en").raise_for_status().json()
            keys, now = Keys.open(tmp_path, {}), datetime.now(UTC)
            lifecycle.freeze(store, keys, stage.id, organizer="t", now=now)
            bundle = exports.make(store, keys, stage.id, now)
    assert [word for word in ("fp_", SECRET) for each in heard if word in each] == []
    (change,) = new_versions(store.events.of_stage(stage.id))
    assert (change.entrant, change.before, change.version) == ("narae", f"{SECRET} fp_one", f"{SECRET} fp_two")
    (shown,) = next(section for section in seen["sections"] if section["id"] == "versions")["table"]["rows"]
    assert shown[1:] == ["Team Narae", change.before, change.version]
    assert verify_files(bundle.files)
    named = {entrant.team_id: entrant.versions for entrant in bundle.document.entrants}
    assert named == {"narae": [change.before, change.version], "garam": [SECRET], "dasom": [SECRET]}
    rows = pq.read_table(BytesIO(bundle.files[VOTES])).to_pylist()
    codes = [row[f"version_{side}"] for row in rows for side in "ab" if row[f"model_{side}"] == "narae"]
    assert codes == sorted(codes)
    assert set(codes) == {0, 1}
    assert {row[f"version_{side}"] for row in rows for side in "ab" if row[f"model_{side}"] != "narae"} == {0}
    table, _ = VoteFeed(store, stage).table(measured=True)
    assert table.measured.version.tolist() == [[row["version_a"], row["version_b"]] for row in rows]
    store.close()


def test_codes_are_places_in_the_list_that_is_published() -> None:
    """A version has the place at which it was first met; controls have none."""
    versions = Versions({"garam": [], "narae": []})
    assert [versions.code("garam", told) for told in ("x", None, "y", "x")] == [0, None, 1, 0]
    assert versions.code("nonsense", "x") is None
    assert versions == {"garam": ["x", "y"], "narae": []}
