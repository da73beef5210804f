"""What a citizen finds of their own: what waits for a vote first, each battle by what they asked and chose, their taste only once they may know whom they judged."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from arena.battles.retention import purge
from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from tests.support.serving import TEAMS, Citizen, serving, stage_toml

NAMES = [ko for ko, _ in TEAMS.values()]


def my(citizen: Citizen, language: str = "ko") -> str:
    """Their page."""
    headers = {"accept": "text/html", "accept-language": language}
    return citizen.http.get(f"{citizen.base}/my", headers=headers).raise_for_status().text


def test_the_unvoted_come_first_and_the_others_say_what_was_chosen(tmp_path: Path) -> None:
    """An answered battle without a vote stands on top with the way to it; below, question, choice, teams, date, a folded receipt and the count."""
    with serving(tmp_path, stage_toml()) as base:
        citizen = Citizen(base).agree()
        waiting, voted = citizen.open(), citizen.open()
        citizen.ask(waiting, "제 전화번호는 010-1234-5678이고 강릉 2박 3일 여행 일정을 짜 주세요.")
        citizen.ask(voted, "김치찌개를 <b>맛있게</b> 끓이는 법")
        thanks = citizen.vote(voted, "model_b").json()
        text = my(citizen)
        above, below = text.split("지난 대결")
        assert f'href="/#{waiting}"' in above
        assert "이어서 투표하기" in above
        assert "010-1234-5678" not in text
        assert "강릉 2박 3일" in above
        assert f'href="/#{voted}"' in below
        assert "김치찌개를 &lt;b&gt;맛있게" in below
        assert "B가 더 좋아요" in below
        reveal = thanks["reveal"]
        assert f"A {reveal['a']['team']['ko']}, B {reveal['b']['team']['ko']}" in below
        fold = below.split("<details")[1].split("</details>")[0]
        assert f"{thanks['receipt'][:4]} {thanks['receipt'][4:8]} …" in fold.split("</summary>")[0]
        assert thanks["receipt"] not in fold.split("</summary>")[0]
        assert thanks["receipt"] in fold
        assert "오늘 1번째, 모두 1번 투표하셨습니다." in text
        assert "Number 1 today, 1 vote in all." in my(citizen, "en")


def test_a_stranger_finds_the_ways_on(tmp_path: Path) -> None:
    """Whoever has no battle yet reads so, with the way to begin and to what there is to read; there is nothing to withdraw."""
    with serving(tmp_path, stage_toml()) as base:
        text = my(Citizen(base))
        assert "아직 참여하신 대결이 없습니다." in text
        assert 'href="/"' in text.split("arena-empty")[1]
        assert "참여 철회" not in text


@pytest.mark.parametrize("reveal", ["after_vote", "after_stage", "never"])
def test_taste_is_told_when_the_sides_may_be_known_and_never_before(tmp_path: Path, reveal: str) -> None:
    """While voting goes on only a stage that reveals at once tells a citizen their taste, without everybody's; with the published result everybody's stands beside it."""
    store, keys = Store(f"sqlite:///{tmp_path / 'arena.db'}"), Keys.open(tmp_path, {})
    with serving(tmp_path, stage_toml(protocol=f'reveal = "{reveal}"\nexcluded_leaks = []')) as base:
        citizen, other = Citizen(base).agree(), Citizen(base).agree()
        for each in (citizen, citizen, other, other, other):
            battle = each.open()
            each.ask(battle)
            each.vote(battle)
        before = my(citizen)
        assert ("내 취향" in before) == (reveal == "after_vote")
        assert any(name in before for name in NAMES) == (reveal == "after_vote")
        assert "전체 비율" not in before
        now = datetime.now(UTC)
        lifecycle.freeze(store, keys, "test", organizer="t", now=now)
        assert ("내 취향" in my(citizen)) == (reveal != "never")
        lifecycle.publish(store, keys, "test", tmp_path / "exports" / "test", tmp_path, organizer="t", now=now)
        after = my(citizen)
        assert ("내 취향" in after) == (reveal != "never")
        assert ("전체 비율" in after) == (reveal != "never")
        assert any(name in after for name in NAMES) == (reveal != "never")
    store.close()


def test_what_was_erased_is_not_shown(tmp_path: Path) -> None:
    """After the retention of texts the question is gone from the list, the choice and the receipt stay."""
    toml = stage_toml()
    with serving(tmp_path, toml) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle, "비밀스러운 질문입니다")
        receipt = citizen.vote(battle).json()["receipt"]
        assert "비밀스러운" in my(citizen)
        store, keys = Store(f"sqlite:///{tmp_path / 'arena.db'}"), Keys.open(tmp_path, {})
        lifecycle.freeze(store, keys, "test", organizer="t", now=datetime.now(UTC))
        purge(store, Stage.from_toml(toml.encode(), "stage.toml"), datetime.now(UTC) + timedelta(days=400))
        store.close()
        text = my(citizen)
        assert "비밀스러운" not in text
        assert "삭제된 질문" in text
        assert receipt in text
        assert "A가 더 좋아요" in text
        (listed,) = citizen.http.get("/battles").json()
        assert (listed["prompt_start"], listed["winner"]) == (None, "model_a")


def test_battles_of_an_earlier_stage_are_kept_apart(tmp_path: Path) -> None:
    """Under the next stage of the same record one's earlier battles are still listed and can be opened, and are no part of this stage's taste."""
    with serving(tmp_path, stage_toml()) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle, "지난 단계의 질문")
        citizen.vote(battle)
        cookies = dict(citizen.http.cookies)
    following = stage_toml().replace('id = "test"', 'id = "next"').replace('"garam"', '"garam2"')
    with serving(tmp_path, following) as base:
        back = Citizen(base)
        back.http.cookies.update(cookies)
        text = my(back)
        assert "지난 단계의 질문" in text
        assert "내 취향" not in text
        assert back.see(battle)["reveal"] is not None
        assert httpx.get(f"{base}/my").status_code == 200
