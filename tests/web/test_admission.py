"""Who may take part, over HTTP: consent in its newest version, a proof of work where one is asked, and bounds that say when to come back."""

from pathlib import Path

import altcha
import httpx

from arena.record.store import Store
from tests.support.serving import Citizen, serving, stage_toml

CONSENTS = """
[[consents]]
id = "service"
version = {version}
required = true
text = {{ ko = "동의", en = "Agreed" }}

[[consents]]
id = "release"
required = false
text = {{ ko = "공개", en = "Release" }}
"""


def test_a_new_version_of_a_consent_asks_again(tmp_path: Path) -> None:
    """Each consent is kept with its version and time; when the stage asks for a newer one, nothing goes on until it is given."""
    first = stage_toml() + CONSENTS.format(version=1)
    second = stage_toml().replace('"test"', '"test-2"') + CONSENTS.format(version=2)
    with serving(tmp_path, first) as base:
        citizen = Citizen(base)
        citizen.http.post("/session", json={"consents": ["service"], "age_ok": True}).raise_for_status()
        citizen.open()
        cookies = dict(citizen.http.cookies)
    with serving(tmp_path, second) as base:
        back = Citizen(base)
        back.http.cookies.update(cookies)
        assert back.http.get("/stage").json()["session"]["valid"] is False
        refused = back.http.post("/battles")
        assert (refused.status_code, refused.json()["code"]) == (403, "consent_needed")
        assert back.http.post("/session", json={"consents": ["release"], "age_ok": True}).status_code == 403
        back.http.post("/session", json={"consents": ["service", "release"], "age_ok": True}).raise_for_status()
        back.open()
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    with store.database.reading() as connection:
        kept = connection.exec_driver_sql(
            "SELECT consent_id, version, granted, at > 0 FROM consents ORDER BY seq"
        ).all()
    store.close()
    assert [tuple(row) for row in kept] == [
        ("service", 1, 1, 1),
        ("release", 1, 0, 1),
        ("service", 2, 1, 1),
        ("release", 1, 1, 1),
    ]


def test_a_stage_may_ask_for_work_and_says_when_to_come_back(tmp_path: Path) -> None:
    """Without a proof, with a used one or a forged one nobody new enters; who has voted as often as one may is told how long to wait."""
    stage = stage_toml(limits='proof = "always"\nproof_cost = 1\nvotes_per_hour = 1')
    asked: dict[str, object] = {"consents": ["service", "teams"], "age_ok": True}
    with serving(tmp_path, stage) as base:
        challenge = altcha.Challenge.from_dict(httpx.get(f"{base}/api/v1/challenge").json())
        solution = altcha.solve_challenge(challenge)
        assert solution is not None
        proof = altcha.Payload(challenge, solution).to_base64()
        citizen = Citizen(base)
        for wrong in ({}, {"proof": None}, {"proof": "bm90aGluZw=="}):
            answer = citizen.http.post("/session", json=asked | wrong)
            assert (answer.status_code, answer.json()["code"]) == (403, "proof_needed")
        assert citizen.http.post("/session", json=asked | {"proof": proof}).status_code == 201
        assert Citizen(base).http.post("/session", json=asked | {"proof": proof}).json()["code"] == "proof_needed"
        assert citizen.http.post("/session", json=asked).status_code == 201  # known already: no work again

        battles = [citizen.open() for _ in range(2)]
        for battle in battles:
            citizen.ask(battle)
        assert citizen.vote(battles[0]).status_code == 201
        late = citizen.vote(battles[1])
        assert (late.status_code, late.json()["code"]) == (429, "too_many")
        assert 0 < int(late.headers["retry-after"]) <= 3600
        assert "고맙습니다" in late.json()["ko"]
        assert citizen.see(battles[1])["votable"] is True
