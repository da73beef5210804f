"""What other sites make a browser send is nobody's call, and counts against nobody; and nothing that is counted ever stands before a vote."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from arena.record.store import Store
from tests.support.serving import Citizen, serving, stage_toml

GOES = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"}
IMAGE = {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image", "accept": "image/*"}
FRAME = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe", "accept": "text/html"}
SITES = ("same-site", "cross-site")
BOUND = 5
LIMITS = f"refusals_per_minute = {BOUND}\nreads_per_minute = {BOUND}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arena")


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    """An arena that soon loses patience."""
    with serving(folder, stage_toml(limits=LIMITS)) as address:
        yield address


def ready(base: str) -> tuple[Citizen, str]:
    """A citizen, and a battle of theirs that waits for its vote."""
    citizen = Citizen(base).agree()
    battle = citizen.open()
    citizen.ask(battle)
    return citizen, battle


def led(citizen: Citizen, path: str, how: Mapping[str, str], site: str) -> httpx.Response:
    """What another site makes the citizen's browser ask for."""
    return citizen.http.get(httpx.URL(citizen.http.base_url).join(path), headers={**how, "sec-fetch-site": site})


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("how", [GOES, IMAGE, FRAME], ids=["window", "image", "frame"])
def test_other_sites_use_up_nobodys_patience(base: str, site: str, how: Mapping[str, str]) -> None:
    """Refused calls and looks that another site causes, by an image, a frame or a window, are nobody's: the citizen reads, asks and votes as if there were none."""
    citizen, battle = ready(base)
    for path in ("/api/v1/battles/none", f"/api/v1/battles/{battle}", "/api/v1/battles", "/my"):
        answers = {led(citizen, path, how, site).status_code for _ in range(2 * BOUND)}
        assert 429 not in answers or (path, how) == ("/my", GOES), path
        assert answers == {401} or path == "/my", path
    assert led(citizen, "/api/v1/stage", {**how, "accept": "*/*"}, site).json()["session"] is None
    assert citizen.see(battle)["votable"]
    assert citizen.vote(battle).status_code == 201


def test_a_link_of_another_site_leads_to_ones_own_page(base: str) -> None:
    """Who follows a link is who they are; only an image, a script or a frame that asks for the page is nobody."""
    citizen, battle = ready(base)
    receipt = citizen.vote(battle).json()["receipt"]
    for site in SITES:
        assert receipt in led(citizen, "/my", GOES, site).text
        for how in (IMAGE, FRAME):
            assert receipt not in led(citizen, "/my", how, site).text
    for site in ("same-origin", "none"):
        assert led(citizen, f"/api/v1/battles/{battle}", IMAGE, site).status_code == 200


def test_no_refused_call_stands_before_a_vote(base: str) -> None:
    """Where a browser says nothing of where calls come from, a citizen past every bound is told to wait for all but their votes, which have a bound of their own."""
    citizen, battle = ready(base)
    codes = [citizen.http.get("/battles/none").status_code for _ in range(3 * BOUND)]
    assert codes.count(429) >= BOUND
    junk = [citizen.http.post("/battles/none/vote", json={"winner": "tie"}).status_code for _ in range(BOUND - 1)]
    assert junk == [404] * (BOUND - 1)
    assert citizen.vote(battle).status_code == 201
    again = [citizen.http.post("/battles/none/vote", json={"winner": "tie"}).status_code for _ in range(3 * BOUND)]
    assert again.count(429) >= BOUND


def test_no_other_site_makes_an_organizer_look(tmp_path: Path) -> None:
    """A picture on a neighbour's page shows an organizer nothing, and puts no look at live ratings on record."""
    with serving(tmp_path, stage_toml()) as base:
        store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
        store.organizers.add("desk", "a long enough password", datetime.now(UTC))
        with httpx.Client(base_url=base, headers={"origin": base}) as desk:
            form = {"name": "desk", "password": "a long enough password"}
            assert desk.post("/organizer/login", data=form).status_code == 303
            for path in ("/api/v1/leaderboard", "/organizer/console/live", "/organizer/", "/organizer/config"):
                for site in SITES:
                    seen = desk.get(path, headers={**IMAGE, "sec-fetch-site": site})
                    assert seen.status_code in (303, 401, 403), path
            assert list(store.events.of_stage("test", "ratings.seen")) == []
            assert desk.get("/organizer/console/live", headers={**IMAGE, "sec-fetch-site": "same-origin"}).is_success
            assert len(list(store.events.of_stage("test", "ratings.seen"))) == 1
        store.close()
