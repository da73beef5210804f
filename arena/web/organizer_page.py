"""The organizer's console: a Gradio app of its own, behind its own login; what it shows is read from the results, never decided here."""

from collections.abc import Callable

import gradio as gr
import pandas as pd

from arena.domain.stage import Stage
from arena.results.leaderboard import Snapshot

REFRESH_S = 2.0
RATING_COLUMNS = ["순위", "순위 구간", "팀", "레이팅", "95% 구간", "점수", "점수 95% 구간", "투표", "비고"]


def build(stage: Stage, snapshot: Callable[[], Snapshot]) -> gr.Blocks:
    """The console of this stage; `snapshot()` is called at every refresh and may be slow-ish, never wrong."""

    def read() -> tuple[str, pd.DataFrame, pd.DataFrame]:
        seen = snapshot()
        return summary(seen), ratings_table(seen), pairwise_table(seen)

    with gr.Blocks(title=f"운영 콘솔 · {stage.title.ko}", analytics_enabled=False, fill_width=True) as page:
        gr.Markdown(f"# 운영 콘솔 · {stage.title.ko}")
        if stage.synthetic:
            gr.Markdown("**시연 데이터입니다 (synthetic).** 참가팀과 점수는 모두 지어낸 것입니다.")
        headline = gr.Markdown(elem_id="organizer-headline")
        gr.Markdown("## 레이팅")
        ratings = gr.Dataframe(headers=RATING_COLUMNS, interactive=False, elem_id="organizer-ratings")
        gr.Markdown("## 맞대결")
        pairs = gr.Dataframe(interactive=False, elem_id="organizer-pairs")
        gr.Markdown(f"[결과 내려받기 (ZIP)](/api/v1/stages/{stage.id}/export?format=zip)")
        outputs = [headline, ratings, pairs]
        page.load(read, None, outputs, api_visibility="private", show_progress="hidden")
        gr.Timer(REFRESH_S).tick(read, None, outputs, api_visibility="private", show_progress="hidden")
    return page


def summary(seen: Snapshot) -> str:
    """How much there is, in one line."""
    excluded = sum(seen.left_out.values())
    return f"투표 {seen.n_votes_raw:,}건 · 참여자 {seen.n_voters:,}명 · 제외 {excluded:,}건 · {seen.as_of.astimezone():%Y-%m-%d %H:%M:%S} 기준"


def ratings_table(seen: Snapshot) -> pd.DataFrame:
    """One row for each entrant, with its interval."""
    if seen.ratings is None:
        empty = [["–", "–", team.ko, "–", "–", "–", "–", 0, "아직 투표가 없음"] for team in seen.entrants.values()]
        return pd.DataFrame(empty, columns=RATING_COLUMNS)
    rows = []
    for row in seen.ratings.by_rank():
        team = seen.entrants[row.model].ko
        if row.rating is None or row.rating_ci95 is None or row.points_ci95 is None or row.rank_ci95 is None:
            rows.append(["–", "–", team, "–", "–", "–", "–", row.n_votes, "비교 없음"])
            continue
        rows.append(
            [
                row.rank,
                _span(row.rank_ci95, "{:d}"),
                team,
                f"{row.rating:.0f}",
                _span(row.rating_ci95, "{:.0f}"),
                f"{row.points:.2f}",
                _span(row.points_ci95, "{:.2f}"),
                row.n_votes,
                "잠정" if row.provisional else "",
            ]
        )
    return pd.DataFrame(rows, columns=RATING_COLUMNS)


def pairwise_table(seen: Snapshot) -> pd.DataFrame:
    """What happened between every two entrants."""
    columns = ["팀 1", "팀 2", "팀 1 승", "팀 2 승", "비슷", "둘 다 별로", "구분됨"]
    if seen.ratings is None:
        return pd.DataFrame(columns=columns)
    verdict = {True: "예", False: "아니요", None: "–"}
    return pd.DataFrame(
        [
            [seen.entrants[p.a].ko, seen.entrants[p.b].ko, p.wins_a, p.wins_b, p.ties, p.both_bad, verdict[p.separated]]
            for p in seen.ratings.pairwise
        ],
        columns=columns,
    )


def _span(interval: tuple[float, float], form: str) -> str:
    low, high = (form.format(end) for end in interval)
    return low if low == high else f"{low} ~ {high}"
