"""The two pictures of `docs/ratings.md`, drawn from seeded synthetic votes: `python -m benchmarks.ratings_pictures`.

Plain SVG, in Korean and English, without a plotting library; the same votes always give the same bytes.
"""

from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from ratings.comparison import Comparisons
from ratings.fit import rate
from ratings.result import Ratings
from tests.support.ratings_votes import votes

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
TEAMS = {
    "ko": ("가람팀", "나래팀", "다솜팀", "마루팀", "한빛팀"),
    "en": ("Team Garam", "Team Narae", "Team Dasom", "Team Maru", "Team Hanbit"),
}
COLOURS = ("#0072b2", "#d55e00", "#00795a", "#a34a7f", "#8a6100")
STRENGTHS = (0.5, 0.3, 0.2, -0.25, -0.75)
EACH = 20
VOTERS = (30, 60, 120, 300, 600, 1200, 3000)
SHOWN = 300
WORDS = {
    "ko": {
        "synthetic": "모의 데이터(가상의 팀, 시민 300명 × 20표)",
        "shares": "① 투표: 행의 팀이 열의 팀을 이긴 비율",
        "points": "② 점수(25점 만점)와 95 % 구간",
        "rank": "순위",
        "funnel": "투표자가 늘수록 95 % 구간이 좁아진다(25점 만점, 한 사람 20표)",
        "voters": "투표자 수",
        "synthetic_funnel": "모의 데이터(가상의 팀). 띠가 겹치는 팀은 아직 순위를 가릴 수 없다.",
    },
    "en": {
        "synthetic": "Synthetic data (invented teams, 300 citizens × 20 votes)",
        "shares": "① Votes: how often the row's team beat the column's",
        "points": "② Points of 25, with their 95 % interval",
        "rank": "rank",
        "funnel": "More voters, narrower 95 % intervals (points of 25, 20 votes each)",
        "voters": "voters",
        "synthetic_funnel": "Synthetic data (invented teams). Where bands overlap much, the order is not known yet.",
    },
}
FONT = "'Noto Sans KR','Noto Sans CJK KR','Apple SD Gothic Neo','Malgun Gothic',sans-serif"


class Svg:
    """A white card to draw on."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="{FONT}">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#fff"/>',
        ]

    def text(self, x: float, y: float, words: str, size: int = 14, anchor: str = "start", colour: str = "#222") -> None:
        """Words, `anchor` at x."""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = "#ddd", width: float = 1) -> None:
        """A straight line."""
        self._parts.append(
            f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" stroke-width="{width:g}" fill="none"/>'
        )

    def dot(self, x: float, y: float, colour: str) -> None:
        """A point."""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>')

    def cell(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""
        self._parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>')

    def band(self, points: list[tuple[float, float]], colour: str, opacity: float) -> None:
        """A filled outline."""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._parts.append(f'<path d="M{path}Z" fill="{colour}" fill-opacity="{opacity:g}"/>')

    def trace(self, points: list[tuple[float, float]], colour: str) -> None:
        """A line through points."""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def __str__(self) -> str:
        return "\n".join([*self._parts, "</svg>\n"])


def stage(voters: int) -> Comparisons:
    """The votes of the first so many citizens, each with a taste of their own."""
    everybody = votes(list(STRENGTHS), max(VOTERS), EACH, seed=25, taste=0.7, ties=0.15, both_bad=0.05)
    first = slice(0, voters * EACH)
    assert everybody.voter is not None
    return Comparisons(
        everybody.models, everybody.a[first], everybody.b[first], everybody.outcome[first], everybody.voter[first]
    )


def votes_to_points(ratings: Ratings, language: str) -> str:
    """Left: who beat whom how often. Right: the points that follow, with their intervals and rank intervals."""
    words, teams = WORDS[language], TEAMS[language]
    drawn = Svg(960, 440, f"{words['shares']} → {words['points']}")
    drawn.text(24, 34, words["shares"], 16)
    size, left, top = 62, 130, 78
    wins = {frozenset((pair.a, pair.b)): pair for pair in ratings.pairwise}
    for i, name in enumerate(ratings.models):
        drawn.text(left - 10, top + size * i + 37, teams[i], 13, "end")
        drawn.text(left + size * (i + 0.5), top - 8, teams[i].removeprefix("Team "), 12, "middle")
        for j, other in enumerate(ratings.models):
            x, y = left + size * j, top + size * i
            if i == j:
                drawn.cell(x + 1, y + 1, size - 2, size - 2, "#f2f2f2")
                continue
            pair = wins[frozenset((name, other))]
            won, lost = (pair.wins_a, pair.wins_b) if pair.a == name else (pair.wins_b, pair.wins_a)
            share = (won + pair.ties / 2) / (won + lost + pair.ties)
            depth = min(1.0, abs(share - 0.5) / 0.3)
            ends = (0, 114, 178) if share > 0.5 else (213, 94, 0)
            colour = "#" + "".join(f"{round(255 + (end - 255) * depth * 0.55):02x}" for end in ends)
            drawn.cell(x + 1, y + 1, size - 2, size - 2, colour)
            drawn.text(x + size / 2, y + 37, f"{100 * share:.0f} %", 14, "middle")
    start, width, low, high = 600, 250, 7.0, 18.0

    def at(points: float) -> float:
        return start + width * (points - low) / (high - low)

    drawn.text(500, 34, words["points"], 16)
    for tick in range(8, 19, 2):
        drawn.line(at(tick), top, at(tick), top + 5 * size)
        drawn.text(at(tick), top + 5 * size + 18, str(tick), 12, "middle", "#555")
    for n, row in enumerate(ratings.rows):
        y = top + size * n + 32
        if row.points is None or row.points_ci95 is None or row.rank_ci95 is None:
            continue
        ends = row.rank_ci95
        rank = f"{ends[0]}" if ends[0] == ends[1] else f"{ends[0]}–{ends[1]}"
        drawn.text(start - 14, y + 5, teams[n], 13, "end")
        drawn.line(at(row.points_ci95[0]), y, at(row.points_ci95[1]), y, COLOURS[n], 3)
        drawn.dot(at(row.points), y, COLOURS[n])
        drawn.text(at(row.points), y - 11, f"{row.points:.2f}", 13, "middle", COLOURS[n])
        drawn.text(start + width + 16, y + 5, f"{words['rank']} {rank}", 13)
    drawn.text(936, 428, words["synthetic"], 11, "end", "#666")
    return str(drawn)


def more_votes(fits: list[Ratings], language: str) -> str:
    """How the intervals of the points narrow as more citizens vote."""
    words, teams = WORDS[language], TEAMS[language]
    drawn = Svg(960, 440, words["funnel"])
    drawn.text(24, 34, words["funnel"], 16)
    left, right, top, bottom, low, high = 60, 820, 60, 370, 5.0, 20.0

    def x(voters: int) -> float:
        return left + (right - left) * float(np.log(voters / VOTERS[0]) / np.log(VOTERS[-1] / VOTERS[0]))

    def y(points: float) -> float:
        return bottom - (bottom - top) * (points - low) / (high - low)

    for tick in range(5, 21, 5):
        drawn.line(left, y(tick), right, y(tick))
        drawn.text(left - 8, y(tick) + 5, str(tick), 12, "end", "#555")
    for voters in VOTERS:
        drawn.text(x(voters), bottom + 20, f"{voters:,}", 12, "middle", "#555")
    drawn.text((left + right) / 2, bottom + 42, words["voters"], 13, "middle", "#555")
    for n in range(len(STRENGTHS)):
        rows = [(x(v), fit.rows[n]) for v, fit in zip(VOTERS, fits, strict=True)]
        ends = [(at, row.points_ci95) for at, row in rows if row.points_ci95 is not None]
        outline = [(at, y(e[1])) for at, e in ends] + [(at, y(e[0])) for at, e in reversed(ends)]
        drawn.band(outline, COLOURS[n], 0.18)
    for n, team in enumerate(teams):
        rows = [(x(v), fit.rows[n].points) for v, fit in zip(VOTERS, fits, strict=True)]
        line = [(at, y(points)) for at, points in rows if points is not None]
        drawn.trace(line, COLOURS[n])
        drawn.text(right + 10, line[-1][1] + 5, team, 13, colour=COLOURS[n])
    drawn.text(936, 430, words["synthetic_funnel"], 11, "end", "#666")
    return str(drawn)


def pictures() -> dict[str, str]:
    """File name → SVG."""
    fits = [rate(stage(voters)) for voters in VOTERS]
    shown = fits[VOTERS.index(SHOWN)]
    drawn = {}
    for language in TEAMS:
        drawn[f"votes-to-points.{language}.svg"] = votes_to_points(shown, language)
        drawn[f"more-votes.{language}.svg"] = more_votes(fits, language)
    return drawn


def main() -> None:
    """Writes the pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name, svg in pictures().items():
        (FOLDER / name).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
