"""The main job over HTTP alone: ask, watch two answers, vote, see who they were; and everything that may go wrong on the way."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.record.store import Store
from arena.results.votes.feed import VoteFeed
from tests.support.serving import SAYS, TEAMS, Citizen, serving, shown, stage_toml
from tests.support.stages import stage_of


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One arena for the tests that leave nothing behind."""
    with serving(
        tmp_path_factory.mktemp("arena"),
        stage_toml(limits="battles_per_hour = 10000\nvotes_per_hour = 10000\nturns_per_minute = 10000"),
    ) as address:
        yield address


@pytest.fixture
def citizen(base: str) -> Citizen:
    """A citizen who has agreed."""
    return Citizen(base).agree()


CARD = """card = { organisation = { ko = "가람연구소", en = "Garam Lab" }, size = "32B", openness = { ko = "가중치 공개", en = "open weights" } }"""


def test_a_card_comes_with_the_reveal_and_not_before(tmp_path: Path) -> None:
    """What the stage says of an entrant is told with its name: in no answer before the vote."""
    with serving(tmp_path, stage_toml(extra=dict.fromkeys(SAYS, CARD))) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        sent = citizen.ask(battle)
        assert "가람연구소" not in str([sent, citizen.see(battle), citizen.http.get("/stage").text])
        thanks = citizen.vote(battle).json()
        assert thanks["reveal"]["a"]["card"]["organisation"]["ko"] == "가람연구소"
        assert citizen.see(battle)["reveal"] == thanks["reveal"]


def test_from_prompt_to_reveal(citizen: Citizen) -> None:
    """A citizen asks, both sides answer in full, the vote gives a receipt, and only then are the two named."""
    battle = citizen.open()
    sent = citizen.ask(battle)
    assert [e.name for e in sent[-3:]] == ["answer", "answer", "done"]
    assert sent[-1].data == {"turn": 1, "votable": True, "void": False}
    assert [e.id for e in sent] == list(range(1, len(sent) + 1))
    before = citizen.see(battle)
    assert before["votable"] is True
    assert before["reveal"] is None
    for side in ("a", "b"):
        html, pending = shown(sent, side)
        assert (html, pending) == (before["turns"][0]["answers"][side]["html"], "")
    thanks = citizen.vote(battle, "model_b", reasons={"b": ["useful"]}, comment="좋아요")
    assert thanks.status_code == 201
    reveal = thanks.json()["reveal"]
    assert {reveal[s]["id"] for s in "ab"} <= set(SAYS)
    for side in ("a", "b"):
        assert before["turns"][0]["answers"][side]["text"] == SAYS[reveal[side]["id"]]
    after = citizen.see(battle)
    assert (after["state"], after["vote"]["receipt"], after["reveal"]) == ("revealed", thanks.json()["receipt"], reveal)
    assert (before["vote"], after["vote"]["winner"]) == (None, "model_b")


def test_a_topic_is_kept_with_the_battle_and_counted_with_the_votes(tmp_path: Path) -> None:
    """Who names the topic of a first question has their vote counted under it; an unknown topic draws no battle, and none is no harm."""
    text = stage_toml(protocol="excluded_leaks = []")
    with serving(tmp_path, text) as base:
        citizen = Citizen(base).agree()
        offered = [each["id"] for each in citizen.http.get("/stage").json()["starters"]]
        for topic in (offered[2], offered[2], offered[5], None):
            battle = citizen.http.post("/battles", json={"topic": topic}).raise_for_status().json()["battle_id"]
            citizen.ask(battle)
            citizen.vote(battle).raise_for_status()
        refused = citizen.http.post("/battles", json={"topic": "weather"})
        assert (refused.status_code, refused.json()["code"]) == (422, "unknown_topic")
        assert len(citizen.http.get("/battles").json()) == 4
    stage, store = stage_of(text), Store(f"sqlite:///{tmp_path / 'arena.db'}")
    votes, _ = VoteFeed(store, stage).table()
    assert [(*votes.topics, None)[code] for code in votes.topic] == [offered[2], offered[2], offered[5], None]


def test_a_vote_on_answers_that_were_not_seen_is_refused(citizen: Citizen) -> None:
    """A vote that says how many turns its voter saw counts only where there are no others; the same vote again is still the same vote."""
    battle = citizen.open()
    citizen.ask(battle)
    citizen.ask(battle, "이어서 물어요")
    refused = citizen.vote(battle, turns=1)
    assert (refused.status_code, refused.json()["code"]) == (409, "turns_unseen")
    assert citizen.see(battle)["votable"] is True
    assert [citizen.vote(battle, turns=2).status_code for _ in range(2)] == [201, 200]


def test_an_answered_battle_waits_for_its_vote(citizen: Citizen) -> None:
    """Whoever left before voting finds the battle again, by how its question begins as it was kept; afterwards, what they chose."""
    asked, waiting = citizen.open(), citizen.open()
    citizen.ask(waiting, "전화번호는\n010-1234-5678 " + "이에요 " * 40)
    listed = {each["battle_id"]: each for each in citizen.http.get("/battles").json()}
    assert (listed[asked]["votable"], listed[asked]["prompt_start"]) == (False, None)
    assert listed[waiting]["votable"] is True
    kept = citizen.see(waiting)["turns"][0]["prompt"]
    begins = listed[waiting]["prompt_start"]
    assert "010-1234-5678" not in begins
    assert begins[-1] == "…"
    assert len(begins) <= 61
    assert " ".join(kept.split()).startswith(begins[:-1])
    receipt = citizen.vote(waiting, "tie").json()["receipt"]
    (voted,) = (each for each in citizen.http.get("/battles").json() if each["battle_id"] == waiting)
    assert (voted["votable"], voted["winner"], voted["receipt"]) == (False, "tie", receipt)
    assert voted["reveal"] == citizen.see(waiting)["reveal"]


def test_nothing_before_the_vote_names_an_entrant(base: str) -> None:
    """Before the vote no byte that reaches the browser, header or body, holds an entrant's id or a team's name. Only the consent to the provision
    names the teams, as the law has it: all of them, always the same, whoever was drawn."""
    citizen = Citizen(base)
    seen: list[str] = []
    citizen.http.event_hooks["response"].append(lambda r: seen.append(str(r.headers)))
    citizen.agree()
    stage = citizen.http.get("/stage").json()
    consents = stage.pop("consents")
    seen.append(str(stage))
    battle = citizen.open()
    seen.extend(str(event) for event in citizen.ask(battle))
    seen.append(str(citizen.see(battle)))
    assert (
        citizen.http.get("/stage").json()["consents"] == consents == Citizen(base).http.get("/stage").json()["consents"]
    )
    assert all(team in consents[1]["text"]["ko"] for team, _ in TEAMS.values())
    text = "\n".join(seen).replace("가람이 말합니다", "").replace("나래의 답입니다", "").replace("다솜이에요", "")
    for word in (
        "garam",
        "narae",
        "dasom",
        "Garam",
        "Narae",
        "Dasom",
        "가람",
        "나래",
        "다솜",
        "scripted",
        "token",
        "_ms",
    ):
        assert word not in text


def test_several_turns_then_no_more(tmp_path: Path) -> None:
    """A conversation goes on up to the stage's turns; then it says to vote."""
    with serving(tmp_path, stage_toml(protocol="turns = 2")) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        assert [citizen.ask(battle)[-1].data["turn"] for _ in range(2)] == [1, 2]
        refused = citizen.http.post(f"/battles/{battle}/turns", json={"prompt": "하나 더"})
        assert (refused.status_code, refused.json()["code"]) == (409, "no_turns_left")
        assert citizen.see(battle)["turns_left"] == 0
        assert citizen.vote(battle, "tie").status_code == 201


def test_the_same_vote_again_gives_the_same_receipt(citizen: Citizen) -> None:
    """A lost acknowledgement can be asked for again; another decision cannot replace the first."""
    battle = citizen.open()
    citizen.ask(battle)
    first, again, other = citizen.vote(battle, "tie"), citizen.vote(battle, "tie"), citizen.vote(battle, "model_a")
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json() == again.json()
    assert other.json()["code"] == "another_vote"


def test_fifty_simultaneous_votes_leave_one(citizen: Citizen) -> None:
    """Fifty clicks at the same instant, all different in mind: one vote, one receipt, and forty-nine clear answers."""
    battle = citizen.open()
    citizen.ask(battle)
    answers, gate = [], threading.Barrier(50)

    def click(i: int) -> None:
        gate.wait()
        answers.append(citizen.vote(battle, ("model_a", "model_b", "tie", "both_bad")[i % 4]))

    threads = [threading.Thread(target=click, args=(i,)) for i in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = [a.status_code for a in answers]
    assert codes.count(201) == 1
    assert set(codes) <= {200, 201, 409, 429}  # of one citizen so many at once wait, no more
    assert {a.json()["receipt"] for a in answers if a.status_code < 300} == {citizen.see(battle)["vote"]["receipt"]}


def test_no_vote_before_there_is_something_to_judge(citizen: Citizen) -> None:
    """A battle without answers takes no vote."""
    refused = citizen.vote(citizen.open())
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_judge")


def test_no_prompt_after_the_vote(citizen: Citizen) -> None:
    """After the reveal the conversation is over."""
    battle = citizen.open()
    citizen.ask(battle)
    citizen.vote(battle)
    refused = citizen.http.post(f"/battles/{battle}/turns", json={"prompt": "더"})
    assert (refused.status_code, refused.json()["code"]) == (409, "already_voted")


def test_somebody_elses_battle_is_unknown(base: str, citizen: Citizen) -> None:
    """Another citizen's battle and one that never was are told apart by nobody."""
    battle = citizen.open()
    citizen.ask(battle)
    stranger = Citizen(base).agree()
    for path in (battle, "there-is-no-such-battle"):
        answers = [
            stranger.http.get(f"/battles/{path}"),
            stranger.http.post(f"/battles/{path}/turns", json={"prompt": "?"}),
            stranger.http.post(f"/battles/{path}/stop"),
            stranger.vote(path),
        ]
        assert [(a.status_code, a.json()["code"]) for a in answers] == [(404, "battle_not_found")] * 4
    assert citizen.see(battle)["votable"] is True


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"prompt": ""}, 422, "empty_prompt"),
        ({"prompt": " \n "}, 422, "empty_prompt"),
        ({"prompt": "가" * 4001}, 413, "prompt_too_long"),
        ({"prompt": 5}, 422, "unusable"),
        ({}, 422, "unusable"),
        ({"prompt": "안녕", "model": "garam"}, 422, "unusable"),
        (b"{not json", 400, "malformed"),
        (b"", 422, "unusable"),
        (b'{"prompt": "' + b"x" * 1_000_000 + b'"}', 413, None),
    ],
)
def test_bad_prompts_change_nothing(citizen: Citizen, body: object, status: int, code: str | None) -> None:
    """Each bad prompt has its status, code and sentence in both languages, and the battle goes on."""
    battle = citizen.open()
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = citizen.http.post(f"/battles/{battle}/turns", **sent, headers={"content-type": "application/json"})  # type: ignore[arg-type]
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["ko"]
    assert problem["en"]
    assert code in (None, problem["code"])
    assert citizen.see(battle)["turns"] == []
    assert citizen.ask(battle)[-1].name == "done"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"winner": "model_c"}, "unknown_winner"),
        ({"winner": "model_a", "reasons": {"a": ["cheap"]}}, "unknown_reason"),
        ({"winner": "model_a", "reasons": {"c": ["useful"]}}, "unusable"),
        ({"winner": None}, "unusable"),
        ({"winner": "model_a", "comment": "가" * 1001}, "comment_too_long"),
    ],
)
def test_bad_votes_change_nothing(citizen: Citizen, body: dict[str, object], code: str) -> None:
    """A vote that cannot be read is refused by name, and a good one still counts afterwards."""
    battle = citizen.open()
    citizen.ask(battle)
    refused = citizen.http.post(f"/battles/{battle}/vote", json=body)
    assert refused.json()["code"] == code
    assert citizen.vote(battle, "model_a").status_code == 201


def test_the_sentence_is_in_the_readers_language(base: str) -> None:
    """Korean first, English for who asks for it."""
    stranger = Citizen(base)
    korean = stranger.http.post("/battles").json()
    english = stranger.http.post("/battles", headers={"accept-language": "en-GB, ko;q=0.3"}).json()
    assert (korean["detail"], english["detail"]) == (korean["ko"], korean["en"])


def test_no_consent_no_battle(base: str) -> None:
    """Without the required consents, or below the age, there is no session and no battle."""
    stranger = Citizen(base)
    assert (
        stranger.http.post("/session", json={"consents": ["service"], "age_ok": True}).json()["code"]
        == "consent_needed"
    )
    young = stranger.http.post("/session", json={"consents": ["service", "teams"], "age_ok": False})
    assert young.json()["code"] == "too_young"
    assert stranger.http.post("/battles").status_code == 401


def test_a_model_that_dies_makes_the_battle_void(tmp_path: Path) -> None:
    """A failed answer is a status, not a text; the battle is void, takes no vote, and names nobody."""
    stage = stage_toml(extra=dict.fromkeys(SAYS, "fail_after_chars = 3"))
    with serving(tmp_path, stage) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        sent = citizen.ask(battle)
        assert sent[-1].data == {"turn": 1, "votable": False, "void": True}
        assert "failed" in [e.data["status"] for e in sent if e.name == "answer"]
        view = citizen.see(battle)
        assert (view["state"], view["reveal"]) == ("void", None)
        refused = citizen.vote(battle)
        assert (refused.status_code, refused.json()["code"]) == (409, "battle_void")


@pytest.mark.parametrize(("bound", "told"), [("answer_tokens = 5", "complete"), ("answer_chars = 5", "truncated")])
def test_an_answer_that_was_cut_tells_no_tokenizer(tmp_path: Path, bound: str, told: str) -> None:
    """Stream and view say `truncated` at the bound in characters only: at one in tokens, the text's length would say how long a model's tokens are."""
    with serving(tmp_path, stage_toml(protocol=bound)) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        sent = citizen.ask(battle)
        answers = citizen.see(battle)["turns"][0]["answers"]
    assert {e.data["status"] for e in sent if e.name == "answer"} == {told}
    assert {(said["status"], len(said["text"])) for said in answers.values()} == {(told, 5)}


def test_stop_keeps_what_was_shown(tmp_path: Path) -> None:
    """Stop ends both sides at once; what the citizen saw is the answer, and can be judged."""
    with serving(
        tmp_path, stage_toml(protocol="pacing_graphemes_per_s = 10").replace("pacing_graphemes_per_s = 400\n", "")
    ) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        sent = []
        with citizen.http.stream("POST", f"/battles/{battle}/turns", json={"prompt": "안녕?"}) as response:
            from tests.support.serving import events

            for event in events(response):
                sent.append(event)
                if event.name == "delta" and len(sent) == 3:
                    assert citizen.http.post(f"/battles/{battle}/stop").status_code == 202
        assert {e.data["status"] for e in sent if e.name == "answer"} == {"stopped"}
        view = citizen.see(battle)
        assert view["votable"] is True
        for side in ("a", "b"):
            assert 0 < len(view["turns"][0]["answers"][side]["text"]) < 12


def test_a_dropped_stream_is_picked_up(tmp_path: Path) -> None:
    """A client that leaves locks nothing: the answers go on, and a second request gets exactly the events that are missing."""
    with serving(
        tmp_path, stage_toml(protocol="pacing_graphemes_per_s = 20").replace("pacing_graphemes_per_s = 400\n", "")
    ) as base:
        from tests.support.serving import events

        citizen = Citizen(base).agree()
        battle = citizen.open()
        first = []
        with citizen.http.stream("POST", f"/battles/{battle}/turns", json={"prompt": "안녕?"}) as response:
            for event in events(response):
                first.append(event)
                if len(first) == 2:
                    break
        with citizen.http.stream(
            "GET", f"/battles/{battle}/turns/1/stream", headers={"last-event-id": str(first[-1].id)}
        ) as response:
            rest = list(events(response))
        assert [e.id for e in first + rest] == list(range(1, len(first + rest) + 1))
        assert rest[-1].data["votable"] is True
        assert citizen.vote(battle).status_code == 201


def test_a_restart_loses_no_finished_turn(tmp_path: Path) -> None:
    """Stopped in the middle of the second turn and started again: the first turn is there, the battle is open, the vote counts."""
    slow = stage_toml(protocol="pacing_graphemes_per_s = 10").replace("pacing_graphemes_per_s = 400\n", "")
    with serving(tmp_path, slow) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle)
        with citizen.http.stream("POST", f"/battles/{battle}/turns", json={"prompt": "둘째"}) as response:
            next(response.iter_lines())
        cookies = dict(citizen.http.cookies)
    with serving(tmp_path, slow) as base:
        back = Citizen(base)
        back.http.cookies.update(cookies)
        view = back.see(battle)
        assert (view["state"], len(view["turns"]), view["votable"]) == ("open", 1, True)
        assert back.vote(battle, "both_bad").status_code == 201


def test_alive_and_ready(base: str, citizen: Citizen) -> None:
    """The process answers, and says that it could save a vote."""
    for path in ("/healthz", "/readyz"):
        assert citizen.http.get(base + path).json() == {"ok": True}


@pytest.mark.parametrize("rule", ["hidden", "folded"])
def test_reasoning_is_shown_only_where_the_stage_folds_it(tmp_path: Path, rule: str) -> None:
    """What a model thought is never part of its answer; a stage may show it, clean, when the answers have ended, and a name in it is then marked."""
    thought = "<think>나는 가람팀이 만든 모델입니다. <script>x</script> **음**</think>정답은 하나입니다."
    toml = stage_toml(protocol=f'reasoning = "{rule}"\nexcluded_leaks = []')
    for said in SAYS.values():
        toml = toml.replace(json.dumps(said, ensure_ascii=False), json.dumps(thought, ensure_ascii=False))
    with serving(tmp_path, toml) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        sent = citizen.ask(battle)
        ended = {event.data["side"]: event.data for event in sent if event.name == "answer"}
        for side in ("a", "b"):
            html, pending = shown(sent, side)
            assert html + pending == "<p>정답은 하나입니다.</p>\n"
            kept = citizen.see(battle)["turns"][0]["answers"][side]
            assert kept["text"] == "정답은 하나입니다."
            assert kept["reasoning"] == ended[side].get("reasoning")
            if rule == "folded":
                assert "<strong>음</strong>" in kept["reasoning"]
                assert "<script" not in kept["reasoning"]
            else:
                assert kept["reasoning"] is None
    with sqlite3.connect(tmp_path / "arena.db") as database:
        leaks = {side: json.loads(leaks) for side, leaks in database.execute("SELECT side, leaks FROM answers")}
    assert any(leaks.values()) == (rule == "folded")
