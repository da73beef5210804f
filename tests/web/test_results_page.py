"""What citizens see of a result: before it when and what, from publication on as much as the stage's file discloses, and everything to check it."""

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.integrity import review
from arena.simulate import open_simulated, simulate, simulated_stage
from tests.support.serving import TEAMS, Citizen, serving, stage_toml

KOREAN = {"accept": "text/html", "accept-language": "ko"}
NOW = datetime.now(UTC)
CONSENTS = {"consents": ["service", "teams", "votes-release", "texts-release"], "age_ok": True}


def voted(base: str, votes: int, **session: object) -> Citizen:
    """A citizen with so many votes."""
    citizen = Citizen(base)
    citizen.http.post("/session", json=session or CONSENTS).raise_for_status()
    for n in range(votes):
        battle = citizen.open()
        citizen.ask(battle)
        assert citizen.vote(battle, ("model_a", "model_b")[n % 2]).status_code == 201
    return citizen


def published(folder: Path, stage_id: str = "test") -> None:
    """Freezes and publishes the stage that is served from this folder."""
    store, keys = Store(f"sqlite:///{folder / 'arena.db'}"), Keys.open(folder, {})
    lifecycle.freeze(store, keys, stage_id, organizer="t", now=datetime.now(UTC))
    review.follow(store, stage_id, None, organizer="t", now=datetime.now(UTC))
    lifecycle.publish(
        store, keys, stage_id, folder / "exports" / stage_id, folder, organizer="t", now=datetime.now(UTC)
    )
    store.close()


def simulated(folder: Path, votes: int, disclosure: str = "full", stage_id: str = "simulated") -> bytes:
    """A published stage of simulated votes, and its file."""
    stage, data = simulated_stage(stage_id)
    data = f'disclosure = "{disclosure}"\n'.encode() + data
    stage = type(stage).from_toml(data, "stage.toml")
    store, keys = Store(f"sqlite:///{folder / 'arena.db'}"), Keys.open(folder, {})
    open_simulated(store, stage, data, NOW)
    simulate(store, stage, votes, 7, secret=keys.secret, ends=NOW)
    store.close()
    published(folder, stage_id)
    return data


def results(base: str, path: str = "/results", **cookies: str) -> str:
    """The page as a Korean browser reads it."""
    return httpx.get(base + path, headers=KOREAN, cookies=cookies).raise_for_status().text


@pytest.mark.parametrize(
    ("disclosure", "promised"),
    [
        ("full", "팀별 점수와 95% 신뢰구간"),
        ("winners_and_means", "가장 높은 팀의 점수와"),
        ("means_and_gaps", "이웃한 순위 사이의 점수 차이"),
        ("sealed", "일반에 공개하지 않으며"),
    ],
)
def test_before_publication_the_page_says_when_and_what(tmp_path: Path, disclosure: str, promised: str) -> None:
    """The planned time and what the stage's disclosure will show stand on the page, no team's name does, and nothing can be fetched early."""
    top = f'publishes = 2127-01-10T10:00:00+09:00\ncloses = 2126-12-31T18:00:00+09:00\ndisclosure = "{disclosure}"'
    with serving(tmp_path, stage_toml(top=top)) as base:
        text = results(base)
        assert "2127" in text
        assert "2126" in text
        assert promised in text
        assert not [ko for ko, _ in TEAMS.values() if ko in text]
        for path in ("/results/test", "/results/test/report", "/results/test/dataset"):
            assert httpx.get(base + path, headers=KOREAN).status_code == 404
        assert 'href="/results"' in httpx.get(f"{base}/how").text


def test_a_published_result_is_all_there(tmp_path: Path) -> None:
    """Sentences, points with intervals, possible ranks, the table, what else the votes say; the report, the dataset, the export and the key are a link away, from the footer too."""
    data = simulated(tmp_path, 1500)
    (tmp_path / "stage.toml").write_bytes(data)
    with serving(tmp_path, tmp_path / "stage.toml") as base:
        text = results(base)
        score = httpx.get(f"{base}/api/v1/stages/simulated/export").json()
        best = max(score["scores"], key=lambda row: row["points"])
        names = {each["team_id"]: each["team"]["ko"] for each in score["entrants"]}
        says = text.split('id="results-says"')[1].split("</section>")[0]
        leaders = [names[row["team_id"]] for row in score["scores"] if row["rank_ci95"][0] == 1]
        assert names[best["team_id"]] in leaders
        assert all(name in says for name in leaders)
        assert f"{score['population']['n_votes_used']:,}표입니다" in says
        assert f"상위 {score['cut']['k']}팀" in says
        sure, maybe = (
            [names[row["team_id"]] for row in score["scores"] if row["in_first_k"] == told]
            for told in ("surely", "maybe")
        )
        assert ", ".join(sure) in says
        assert ("확실하지 않습니다" in says) == bool(maybe)
        assert text.split("투표가 더 말해 주는 것")[1].split("</ul>")[0].count("<li>") == len(score["tests"])
        for row in score["scores"]:
            low, high = row["points_ci95"]
            assert f"{row['points']:.2f}점 ({low:.2f}–{high:.2f})" in text
            assert f"<td>{low:.2f}–{high:.2f}</td>" in text
        assert 'class="arena-rank"' in text
        by_group = text.split("집단별로 보면")[1].split("<h2")[0]
        told = [grouping for grouping in score["groups"] if grouping["difference"]]
        assert by_group.count('class="arena-plot"') == len(told) > 0
        for group in told[0]["groups"]:
            for row in group["scores"]:
                low, high = row["points_ci95"]
                assert f"{row['points']:.2f}점 ({low:.2f}–{high:.2f})" in by_group
        report = httpx.get(f"{base}/results/simulated/report")
        assert (report.status_code, report.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert names[best["team_id"]] in report.text
        assert ("통계적으로 동점" in report.text) != score["cut"]["separated"]
        packed = zipfile.ZipFile(io.BytesIO(httpx.get(f"{base}/results/simulated/dataset").raise_for_status().content))
        assert {Path(name).name for name in packed.namelist()} >= {
            "battles.parquet",
            "release.json",
            "README.md",
            "SHA256SUMS",
        }
        assert (
            httpx.get(f"{base}/results/simulated/dataset").content
            == httpx.get(f"{base}/results/simulated/dataset").content
        )
        assert httpx.get(f"{base}/api/v1/stages/simulated/export?format=csv").status_code == 200
        for page in ("/how", "/results"):
            footer = httpx.get(base + page, headers=KOREAN).text.split("<footer")[1]
            assert 'href="/results/simulated/report"' in footer
        english = httpx.get(f"{base}/results", headers={"accept-language": "en"}).text
        assert "Possible ranks" in english


@pytest.mark.parametrize("disclosure", ["winners_and_means", "sealed"])
def test_what_is_closed_is_refused_as_a_page(tmp_path: Path, disclosure: str) -> None:
    """Where not everything is open, report and dataset are refused with a page, and no link leads there."""
    (tmp_path / "stage.toml").write_bytes(simulated(tmp_path, 600, disclosure))
    with serving(tmp_path, tmp_path / "stage.toml") as base:
        text = results(base)
        assert "집단별로 보면" not in text
        for path in ("report", "dataset"):
            answer = httpx.get(f"{base}/results/simulated/{path}", headers=KOREAN)
            assert answer.status_code == 403
            assert answer.headers["content-type"].startswith("text/html")
            assert f"/results/simulated/{path}" not in text


def test_ones_own_share_is_told_to_oneself(tmp_path: Path) -> None:
    """Whoever voted reads how many of the votes were theirs; whoever did not reads nothing of the kind."""
    with serving(tmp_path, stage_toml()) as base:
        citizen = voted(base, 3)
        voted(base, 4)
        published(tmp_path)
        mine = results(base, **dict(citizen.http.cookies))
        assert "전체 7표 가운데 이 브라우저에서 투표하신 표는 3표" in mine
        assert "이 브라우저에서" not in results(base)


def test_who_takes_the_consent_back_is_gone_from_the_dataset(tmp_path: Path) -> None:
    """The dataset holds the votes of those who agree now: after a withdrawal the next one who asks gets it without them."""
    with serving(tmp_path, stage_toml(protocol="excluded_leaks = []")) as base:
        leaving = voted(base, 3)
        voted(base, 4)
        voted(base, 2, consents=["service", "teams"], age_ok=True)
        published(tmp_path)

        def released() -> int:
            packed = zipfile.ZipFile(io.BytesIO(httpx.get(f"{base}/results/test/dataset").raise_for_status().content))
            return pq.read_table(io.BytesIO(packed.read("test-dataset/battles.parquet"))).num_rows

        assert released() == 7
        leaving.http.delete("/session").raise_for_status()
        assert released() == 4
        assert len(list((tmp_path / "exports" / "test").glob("*.zip"))) == 1


def test_an_earlier_stage_stays_readable(tmp_path: Path) -> None:
    """Published stages of the same record are listed below the result and each has its page; one that is not published has none."""
    simulated(tmp_path, 300, stage_id="round-one")
    with serving(tmp_path, stage_toml()) as base:
        assert 'href="/results/round-one"' in results(base)
        earlier = results(base, "/results/round-one")
        assert "결과 요약" in earlier
        assert httpx.get(f"{base}/results/round-one/report").status_code == 200
        voted(base, 1)
        published(tmp_path)
        assert 'href="/results/round-one"' in results(base)
        assert 'href="/results/test"' in results(base, "/results/round-one")


def test_the_live_board_waits_for_enough_votes_of_every_team(tmp_path: Path) -> None:
    """Where the stage opens its standings, page and API show nothing below the declared number of votes and say how many are missing; above, all teams; after the end, nothing again."""
    with serving(
        tmp_path,
        stage_toml(
            top="leaderboard_votes = 4",
            protocol="public_leaderboard = true\nexcluded_leaks = []",
            limits="turns_per_minute = 1000",
        ),
    ) as base:
        early = results(base)
        assert "모든 팀이 4표 이상" in early
        assert "4표가 더 필요합니다" in early
        assert not [ko for ko, _ in TEAMS.values() if ko in early]
        refused = httpx.get(f"{base}/api/v1/leaderboard")
        assert (refused.status_code, refused.json()["code"]) == (403, "leaderboard_early")
        voted(base, 24)
        text = results(base)
        assert all(f'scope="row">{ko}' in text for ko, _ in TEAMS.values())
        assert text.count("잠정") == 3  # 24 votes decide nothing: no row has a rank
        assert "1위" not in text
        assert httpx.get(f"{base}/api/v1/leaderboard").status_code == 200
        store, keys = Store(f"sqlite:///{tmp_path / 'arena.db'}"), Keys.open(tmp_path, {})
        lifecycle.freeze(store, keys, "test", organizer="t", now=datetime.now(UTC))
        store.close()
        assert "24표를 집계" in results(base)
        assert not [ko for ko, _ in TEAMS.values() if ko in results(base)]
        assert httpx.get(f"{base}/api/v1/leaderboard").json()["code"] == "leaderboard_over"


def test_a_stage_without_a_live_board_says_why(tmp_path: Path) -> None:
    """Where standings stay closed the page says that nobody should be swayed, and the API refuses."""
    with serving(tmp_path, stage_toml()) as base:
        assert "영향을 주지 않도록" in results(base)
        assert httpx.get(f"{base}/api/v1/leaderboard").json()["code"] == "leaderboard_closed"
