"""A panel without a login: the code of an invitation is who somebody is, and whoever has none is nobody."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from arena.domain.invitation import code_digest, new_code
from arena.record.store import Store
from tests.support.serving import Citizen, serving, stage_toml

CODES = [new_code() for _ in range(4)]
PANEL = f"""
[population]
kind = "panel"
[population.panel]
members = {json.dumps([code_digest(code) for code in CODES])}
"""
REQUIRED = {"consents": ["service", "teams"], "age_ok": True}


@pytest.fixture
def base(tmp_path: Path, database_url: str) -> Iterator[str]:
    """An arena with a panel of four."""
    with serving(tmp_path, stage_toml(top=PANEL), database_url=database_url) as address:
        yield address


def entered(citizen: Citizen, code: str | None) -> httpx.Response:
    """Agrees, with a code."""
    return citizen.http.post("/session", json={**REQUIRED, "invitation": code})


def test_a_panel_admits_its_members_and_nobody_else(base: str, database_url: str) -> None:
    """Without a code, or with one of nobody's, there is no session, and the reader is told what to do in both languages. A code, however it is typed,
    leads to the same citizen in every browser; withdrawn, it leads nowhere, and the votes stay."""
    stranger = Citizen(base)
    assert stranger.http.get("/stage").json()["population"] == "panel"
    for code, refusal, ko, en in (
        (None, "invitation_needed", "초대 코드를 입력해 주세요", "Type the invitation code"),
        ("", "invitation_needed", "초대 코드를 입력해 주세요", "Type the invitation code"),
        (new_code(), "invitation_unknown", "명단에 없는 초대 코드", "No member of the panel"),
        (code_digest(CODES[0]), "invitation_unknown", "명단에 없는 초대 코드", "No member of the panel"),
    ):
        refused = entered(stranger, code)
        assert (refused.status_code, refused.json()["code"]) == (403, refusal)
        assert (ko in refused.json()["ko"], en in refused.json()["en"]) == (True, True)
        assert "set-cookie" not in refused.headers
    assert stranger.http.post("/battles").status_code == 401

    member, elsewhere = Citizen(base), Citizen(base)
    assert entered(member, CODES[0]).status_code == 201
    battle = member.open()
    member.ask(battle)
    assert member.vote(battle, "tie").status_code == 201
    assert entered(elsewhere, f" {CODES[0].lower().replace('-', ' ')} ").status_code == 201
    assert elsewhere.see(battle)["vote"]["winner"] == "tie"
    other = Citizen(base)
    assert entered(other, CODES[1]).status_code == 201
    assert other.http.get("/battles").json() == []

    assert member.http.delete("/session").status_code == 204
    for each in (member, elsewhere, Citizen(base)):
        assert entered(each, CODES[0]).json()["code"] == "withdrawn"
    assert elsewhere.http.get("/battles").status_code == 401
    store = Store(database_url)
    (vote,) = store.votes.after("test", 0)
    store.close()
    assert vote.identity_level == "invited"


def test_the_pages_of_a_panel_say_what_stays(base: str) -> None:
    """Before anybody withdraws: that it is for good in this stage, what is kept to notice it, and until when; on their page and in the policy."""
    member = Citizen(base)
    entered(member, CODES[2])
    headers = {"cookie": f"arena_session={member.http.cookies['arena_session']}"}
    for language, mine, policy in (
        (
            "ko",
            "철회한 뒤에는 다시 참여할 수 없습니다",
            "초대 코드의 암호화 요약값과 철회한 사실을 평가 종료 후 365일까지",
        ),
        (
            "en",
            "so you cannot take part again afterwards",
            "digest of your invitation and the fact that you have withdrawn, until 365",
        ),
    ):
        assert mine in httpx.get(f"{base}/my?lang={language}", headers=headers).text
        assert policy in httpx.get(f"{base}/privacy?lang={language}").text
