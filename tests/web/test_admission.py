"""Who may take part, over HTTP: consent in its newest version, a proof of work where one is asked, and bounds that say when to come back."""

from pathlib import Path

import httpx

from arena.record.store import Store
from tests.support.serving import STRATA, Citizen, serving, stage_toml

CONSENTS = """
[[consents]]
id = "service"
version = {version}
required = true
title = {{ ko = "동의", en = "Consent" }}
text = {{ ko = "동의합니다.", en = "I agree." }}

[[consents]]
id = "release"
required = false
title = {{ ko = "공개", en = "Release" }}
text = {{ ko = "공개합니다.", en = "To be released." }}
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
        assert back.http.put("/session", json={"consents": ["release"]}).status_code == 403
        back.http.put("/session", json={"consents": ["service", "release"]}).raise_for_status()
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


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_stage_may_ask_for_work_and_says_when_to_come_back(tmp_path: Path) -> None:
    """Without a proof, with a used one or a forged one nobody new enters; who has voted as often as one may is told how long to wait."""
    stage = stage_toml(limits="proof_cost = 1\nvotes_per_hour = 1", proof="always")
    asked: dict[str, object] = {"consents": ["service", "teams"], "age_ok": True}
    with serving(tmp_path, stage) as base:
        citizen = Citizen(base)
        proof = citizen.work("session")
        for wrong in ({}, {"proof": None}, {"proof": "bm90aGluZw=="}):
            refused(citizen.http.post("/session", json=asked | wrong), 403, "proof_needed")
        assert citizen.http.post("/session", json=asked | {"proof": proof}).status_code == 201
        refused(Citizen(base).http.post("/session", json=asked | {"proof": proof}), 403, "proof_needed")
        again = citizen.http.put("/session", json={"consents": asked["consents"]})
        assert again.status_code == 200  # known: no work again

        battles = [citizen.open() for _ in range(2)]
        for battle in battles:
            citizen.ask(battle)
        assert citizen.vote(battles[0]).status_code == 201
        late = citizen.vote(battles[1])
        refused(late, 429, "too_many")
        assert 0 < int(late.headers["retry-after"]) <= 3600
        minutes = -(-int(late.headers["retry-after"]) // 60)
        assert f"{minutes}분 뒤" in late.json()["ko"]
        assert f"{minutes} minute" in late.json()["en"]
        assert citizen.see(battles[1])["votable"] is True


def test_a_battle_may_ask_for_work_of_its_own(tmp_path: Path) -> None:
    """Where much is done a battle needs its own citizen's proof, once: not a used one, not another cookie's, not that of a new session, not a forged one."""
    with serving(tmp_path, stage_toml(limits="proof_cost = 1", proof="always")) as base:
        one, other = Citizen(base).agree(), Citizen(base).agree()
        refused(Citizen(base).http.get("/challenge", params={"act": "battle"}), 401, "session_needed")
        assert one.http.get("/challenge", params={"act": "vote"}).status_code == 422
        mine = one.work("battle")
        assert mine is not None
        for wrong in (None, other.work("battle"), one.work("session"), mine[:-8], "nonsense", "x" * 4000):
            refused(one.http.post("/battles", json={"proof": wrong}), 403, "proof_needed")
        refused(one.http.post("/battles"), 403, "proof_needed")
        refused(other.http.post("/battles", json={"proof": mine}), 403, "proof_needed")
        opened = one.http.post("/battles", json={"proof": mine})
        assert opened.status_code == 201
        refused(one.http.post("/battles", json={"proof": mine}), 403, "proof_needed")
        battle = opened.json()["battle_id"]
        one.ask(battle)
        assert one.vote(battle).status_code == 201  # what has begun is never asked for more


def test_junk_votes_refuse_no_neighbour(tmp_path: Path) -> None:
    """Fifty-one cookies of one address post votes for battles that do not exist: each is soon told to wait, and a neighbour votes as before, without any work."""
    stage = stage_toml(limits="votes_per_hour = 10\nrefusals_per_minute = 10", proof="pressure")
    with serving(tmp_path, stage) as base:
        neighbour = Citizen(base).agree()
        battle = neighbour.open()
        neighbour.ask(battle)

        somebody = Citizen(base)
        for _ in range(51):
            somebody.http.cookies.clear()
            somebody.agree()
            codes = [somebody.vote("x" * 24).json()["code"] for _ in range(22)]  # a minute may end among them
            assert codes[:10] == ["battle_not_found"] * 10
            assert set(codes) == {"battle_not_found", "too_many"}
        assert neighbour.vote(battle).status_code == 201
        assert neighbour.http.get("/challenge", params={"act": "battle"}).status_code == 204
        neighbour.open()


def test_the_same_vote_again_and_again_is_told_to_wait(tmp_path: Path) -> None:
    """Whoever heard no answer may send a vote again; a script that does nothing else soon waits, and keeps no other citizen's vote waiting."""
    with serving(tmp_path, stage_toml(limits="refusals_per_minute = 10")) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle)
        assert citizen.vote(battle).status_code == 201
        again = [citizen.vote(battle).status_code for _ in range(22)]  # a minute may end among them
        assert again[:10] == [200] * 10
        assert set(again) == {200, 429}


def test_a_crowd_of_new_citizens_closes_no_door(tmp_path: Path) -> None:
    """Three hundred sessions of one address: the next one enters after a little work, and a citizen who has voted nothing yet opens a battle after theirs."""
    stage = stage_toml(limits="proof_cost = 1", proof="pressure")
    with serving(tmp_path, stage) as base:
        late = Citizen(base)
        for _ in range(300):
            late.agree()
            late.http.cookies.clear()
        assert late.work("session") is not None
        late.agree()
        battle = late.open()
        late.ask(battle)
        assert late.vote(battle).status_code == 201


def test_changes_of_mind_have_a_bound_of_their_own(tmp_path: Path) -> None:
    """A cookie changes its consents and its answers so often an hour and is then told when to come back; it still votes, and nobody else notices."""
    given = {"consents": ["service", "teams", "strata"]}
    with serving(tmp_path, stage_toml(limits="changes_per_hour = 4") + STRATA) as base:
        citizen, other = Citizen(base).agree(), Citizen(base).agree()
        codes = [citizen.http.put("/session", json=given).status_code for _ in range(2)]
        codes += [citizen.http.put("/about-you", json={"answers": {"age": "old"}}).status_code for _ in range(2)]
        assert codes == [200, 200, 204, 204]
        for answer in (
            citizen.http.put("/about-you", json={"answers": {}}),
            citizen.http.put("/session", json=given),
        ):
            refused(answer, 429, "too_many")
            assert int(answer.headers["retry-after"]) > 3000
        assert citizen.http.get("/about-you").json()["answers"] == {"age": "old"}
        assert other.http.put("/session", json=given).status_code == 200
        battle = citizen.open()
        citizen.ask(battle)
        assert citizen.vote(battle).status_code == 201
