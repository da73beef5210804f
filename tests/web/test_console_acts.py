"""The console over HTTP: nobody acts without the organizers' cookie or from another site; every act is done, told and kept."""

import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import plotly.graph_objects as go
import pytest

from arena.record.keys import Keys
from arena.record.store import Store
from arena.results.export.verify import verify_files
from arena.results.votes.exclusions import active, history
from arena.results.votes.removals import removals
from arena.simulate import open_simulated, simulate, simulated_stage
from tests.support.serving import Citizen, serving

NAME, PASSWORD = "organizer", "correct horse battery"
ACTS: dict[str, dict[str, Any]] = {
    "pause": {"reason": "x"},
    "resume": {},
    "remove": {"entrant": "garam", "reason": "x", "confirm": "가람팀"},
    "move": {"to": "frozen", "confirm": "simulated"},
    "follow": {"proposal": "x"},
    "follow-all": {},
    "decline": {"proposal": "x", "reason": "x"},
    "leave-out": {"receipts": "0" * 64, "grounds": "x"},
    "restore": {"decision": 0, "reason": "x"},
    "export": {},
    "rotate": {"entrant": "garam", "reason": "x"},
    "verify": {"folder": "x"},
}
TYPED = "모델 점검"
HANGUL, SENTENCE = re.compile("[가-힣]"), re.compile("[A-Za-z]{2,} [A-Za-z]{2,} [A-Za-z]{2,}")
DOCUMENTS = ("live", "trends", "operations", "integrity", "exports")


@dataclass
class Served:
    """A simulated stage that is served, and the record beside it."""

    base: str
    store: Store
    http: httpx.Client

    def act(self, name: str, body: dict[str, Any]) -> httpx.Response:
        """As the console does it."""
        return self.http.post(f"/organizer/console/acts/{name}", json=body)

    def tab(self, name: str, language: str = "ko") -> dict[str, Any]:
        """A tab's document."""
        return self.http.get(f"/organizer/console/{name}?lang={language}").raise_for_status().json()

    def table(self, name: str, section: str) -> list[list[Any]]:
        """The rows of one of its tables."""
        return next(s for s in self.tab(name)["sections"] if s["id"] == section)["table"]["rows"]

    def slow_tab(self, name: str, told_by: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """A tab that may be as old as its clock allows, once it tells what was just done."""
        deadline = time.monotonic() + 60
        while not told_by(found := self.tab(name)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return found

    def receipt(self) -> str:
        """That of a vote which is not left out."""
        out = active(history(self.store, "simulated"))
        rows = self.store.votes.after("simulated", 0)
        return next(row.receipt for row in rows if row.battle_id not in out)

    def kinds(self) -> list[str]:
        """The audit log, oldest first."""
        return [event.kind for event in self.store.events.of_stage("simulated")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """300 simulated votes, and one organizer who is logged in."""
    folder: Path = tmp_path_factory.mktemp("console")
    stage, data = simulated_stage()
    (folder / "stage.toml").write_bytes(data)
    store = Store(f"sqlite:///{folder / 'arena.db'}")
    open_simulated(store, stage, data, datetime.now(UTC))
    simulate(store, stage, 300, 7, secret=Keys.open(folder, {}).secret)
    store.organizers.add(NAME, PASSWORD, datetime.now(UTC))
    with serving(folder, folder / "stage.toml") as base:
        http = httpx.Client(base_url=base, headers={"origin": base}, timeout=60)
        entered = http.post("/organizer/login", data={"name": NAME, "password": PASSWORD})
        assert entered.status_code == 303
        yield Served(base, store, http)
        http.close()
    store.close()


def test_nobody_acts_without_the_cookie(served: Served) -> None:
    """Without a login every document, table, download and act is refused, whatever is sent; nothing is done and nothing is told."""
    before = served.kinds()
    with httpx.Client(base_url=served.base, headers={"origin": served.base}) as stranger:
        asked = [stranger.post(f"/organizer/console/acts/{name}", json=body) for name, body in ACTS.items()]
        asked += [stranger.get(f"/organizer/console/{name}") for name in DOCUMENTS]
        asked += [
            stranger.get(path)
            for path in (
                "/organizer/console/live/ratings.csv",
                "/organizer/console/exports/x.zip",
                "/organizer/console/plotly.js",
                "/organizer/config",
            )
        ]
        stranger.cookies.set("arena_organizer", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvIn0.")
        asked.append(stranger.post("/organizer/console/acts/pause", json=ACTS["pause"]))
    assert {answer.status_code for answer in asked} == {401}
    assert all("가람" not in answer.text for answer in asked)
    assert served.kinds() == before


def test_gradio_has_nothing_to_call(served: Served) -> None:
    """The console's Gradio app has no event: its queue is out of reach for strangers and does nothing for an organizer."""
    call = {"data": [], "fn_index": 0, "session_hash": "abc"}
    paths = ("/organizer/gradio_api/queue/join", "/organizer/gradio_api/run/predict", "/organizer/gradio_api/call/0")
    for path in paths:
        assert httpx.post(f"{served.base}{path}", json=call, headers={"origin": served.base}).status_code in (401, 404)
        assert served.http.post(path, json=call).status_code == 404
    assert served.http.get("/organizer/config").json()["dependencies"] == []


def test_no_other_site_acts_with_the_organizers_browser(served: Served) -> None:
    """A request that another site sends along with the organizer's cookie is refused before it is read."""
    before = served.kinds()
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}):
        for name, body in ACTS.items():
            answer = served.http.post(f"/organizer/console/acts/{name}", json=body, headers=headers)
            assert answer.status_code == 403
    assert served.kinds() == before


def test_every_tab_can_be_drawn_and_read(served: Served) -> None:
    """Every figure fits plotly's own schema, and every one has a table with the same rows and a CSV that Excel opens in Korean."""
    seen = 0
    for name in DOCUMENTS:
        for section in served.tab(name)["sections"]:
            assert section["says"]
            assert all(len(row) == len(section["table"]["columns"]) for row in section["table"]["rows"])
            if section["figure"]:
                go.Figure(section["figure"])
                assert section["table"]["rows"]
                seen += 1
            csv = served.http.get(f"/organizer/console/{name}/{section['csv']}").raise_for_status()
            assert csv.content.startswith(b"\xef\xbb\xbf")
            assert csv.text.count("\r\n") >= len(section["table"]["rows"]) + 1
    assert seen >= 11


def told(value: Any) -> Iterator[str]:
    """Every string of a document, also those of its figures."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from told(part)
    elif isinstance(value, list):
        for part in value:
            yield from told(part)


def foreign(served: Served) -> list[str]:
    """Hangul in the English console, English sentences in the Korean one; what organizers typed is theirs."""
    english = [text for name in DOCUMENTS for text in told(served.tab(name, "en")) if HANGUL.search(text)]
    korean = [text for name in DOCUMENTS for text in told(served.tab(name)) if SENTENCE.search(text)]
    return [text for text in english + korean if TYPED not in text]


def test_the_console_is_whole_in_both_languages(served: Served) -> None:
    """Tiles, tables, figures, forms and spreadsheets are told in the language that was asked for, and only in that one."""
    assert foreign(served) == []
    tags = [served.http.get(f"/organizer/console/live?lang={each}").headers["etag"] for each in ("ko", "en", "ko")]
    assert tags[0] == tags[2] != tags[1]
    csv = served.http.get("/organizer/console/live/points.csv", headers={"accept-language": "en"}).content
    assert csv.decode("utf-8-sig").startswith("Team,Points,")


def test_a_document_is_sent_again_only_when_it_has_changed(served: Served) -> None:
    """With the tag it has, a console hears 304; waiting, it hears of a vote as soon as it is there."""
    first = served.http.get("/organizer/console/live")
    tag = first.headers["etag"]
    assert served.http.get("/organizer/console/live", headers={"if-none-match": tag}).status_code == 304
    citizen = Citizen(served.base).agree()
    battle = citizen.open()
    citizen.ask(battle)
    assert citizen.vote(battle).status_code == 201
    answer = served.http.get("/organizer/console/live?wait=10", headers={"if-none-match": tag})
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() < 2


def test_pausing_is_done_told_and_kept(served: Served) -> None:
    """Pause and resume hold for citizens at once and stand in the audit log with who and why."""
    citizen = Citizen(served.base).agree()
    paused = served.act("pause", {"reason": TYPED}).json()
    assert paused["ko"].startswith("추첨을 멈췄습니다")
    assert paused["en"].startswith("The draws are paused")
    assert foreign(served) == []
    assert citizen.http.post("/battles").status_code == 503
    assert [form["id"] for form in served.tab("operations")["forms"]] == [
        "resume",
        "remove",
        "freeze",
        "rotate",
    ]
    assert served.table("operations", "audit")[0][1:] == [NAME, "추첨 멈춤", TYPED]
    assert served.act("resume", {}).status_code == 200
    assert citizen.http.post("/battles").status_code == 201


def test_nothing_is_left_out_while_votes_come_in(served: Served) -> None:
    """Proposals can be looked at while the stage is open; every act on them is refused, and says when it can be done."""
    for name in ("follow-all", "leave-out", "restore"):
        answer = served.act(name, ACTS[name] if name != "leave-out" else {"receipts": served.receipt(), "grounds": "x"})
        assert (answer.status_code, answer.json()["code"]) == (409, "review_not_begun"), name
        assert "마감" in answer.json()["ko"]
    assert served.act("follow", {"proposal": "f" * 24}).json()["code"] == "proposal_unknown"
    assert served.act("follow", {"battles": ["x"]}).status_code == 422
    tab = served.tab("integrity")
    assert "ranking" not in [section["id"] for section in tab["sections"]]
    assert tab["forms"] == []


def test_an_export_is_made_verified_and_handed_out(served: Served) -> None:
    """An export appears on the shelf, verifies again, and its download is the very files that verify; all of it is in the audit log."""
    made = served.act("export", {})
    assert made.status_code == 200, made.text
    [row, *_] = served.table("exports", "exports")
    assert row[5] == "작성할 때 통과"
    assert served.act("verify", {"folder": row[1]}).json()["ko"].startswith("검증을 통과했습니다")
    assert "통과" in served.table("exports", "exports")[0][5]
    packed = served.http.get(f"/organizer/console/exports/{row[1]}.zip").raise_for_status()
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        verify_files({name.split("/")[-1]: archive.read(name) for name in archive.namelist()})
    assert served.http.get("/organizer/console/exports/latest.zip").status_code == 404
    assert served.act("verify", {"folder": "../simulated"}).status_code == 404
    assert {"export.asked", "export.made", "export.verified", "export.downloaded"} <= set(served.kinds())


def test_the_last_steps_ask_for_the_word(served: Served) -> None:
    """Removing a team and freezing the stage want the word typed; then they are done, for good, and the ratings follow."""
    assert served.act("remove", {**ACTS["remove"], "confirm": "나래팀"}).json()["code"] == "not_confirmed"
    assert served.act("move", {"to": "frozen", "confirm": "simulate"}).json()["code"] == "not_confirmed"
    assert served.act("move", {"to": "published", "confirm": "simulated"}).json()["code"] == "stage_status"
    assert served.act("remove", ACTS["remove"]).status_code == 200
    assert [removal.entrant for removal in removals(served.store, "simulated")] == ["garam"]
    assert "가람팀" not in [row[2] for row in served.table("live", "ratings")]
    assert served.act("move", ACTS["move"]).status_code == 200


def test_a_review_is_blind_until_the_result_is_published(served: Served) -> None:
    """While votes are under review the live ratings stay as they froze and no tab says what an act does; the result does, to everybody at once."""
    frozen = served.tab("live")["sections"]
    assert served.act("follow-all", {}).status_code == 200
    out = served.receipt()
    assert served.act("leave-out", {"receipts": out, "grounds": TYPED}).status_code == 200
    assert served.act("leave-out", {"receipts": out, "grounds": TYPED}).json()["code"] == "excluded_already"
    assert served.tab("live")["sections"] == frozen
    tab = served.slow_tab("integrity", lambda tab: any(TYPED in text for text in told(tab["sections"])))
    assert "ranking" not in [section["id"] for section in tab["sections"]]
    names = [served.tab("trends")["sections"], served.tab("integrity")["sections"]]
    assert not any("모두 제외" in text for text in told(names))
    assert foreign(served) == []
    assert served.act("export", {}).status_code == 200
    assert served.act("move", {"to": "published", "confirm": "simulated"}).status_code == 200
    assert [form["id"] for form in served.tab("operations")["forms"]] == ["rotate"]
    assert served.kinds()[-1] == "stage.published"
    served.slow_tab("integrity", lambda tab: "ranking" in [section["id"] for section in tab["sections"]])
    assert served.act("leave-out", {"receipts": out, "grounds": TYPED}).json()["code"] == "review_over"
    assert foreign(served) == []
    made = served.act("export", {}).json()["ko"]
    [final] = served.store.finals.of_stage("simulated")
    assert json.loads(final.document)["export_id"][:8] in made
    assert [look["acts"] > 0 for look in json.loads(final.document)["review"]["looks"]] == [True]
