"""The public standings: points with their intervals and ranges of ranks, as a picture and as the same table. Only when the stage says so."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from arena.domain.stage import Bilingual, Stage
from arena.results.live.leaderboard import Leaderboard, Snapshot
from arena.web.layout import Layout

LEFT, RIGHT = 8.0, 98.0
"""Where the axis begins and ends, in percent of the picture's width."""


@dataclass(frozen=True, slots=True)
class Row:
    """One team, as the picture and the table show it."""

    team: Bilingual
    points: float
    low: float
    high: float
    ranks: tuple[int, int]
    votes: int
    provisional: bool
    y: int
    x: float
    x_low: float
    x_high: float


def rows(seen: Snapshot, component_max: float) -> list[Row]:
    """The ranked teams, the best first, with their places in the picture."""
    if seen.ratings is None:
        return []
    found: list[Row] = []
    for row in seen.ratings.by_rank():
        if row.points is None or row.points_ci95 is None or row.rank_ci95 is None:
            continue
        low, high = row.points_ci95
        x, x_low, x_high = (
            round(LEFT + (RIGHT - LEFT) * value / component_max, 2) for value in (row.points, low, high)
        )
        team = seen.entrants[row.model]
        y = 44 * len(found) + 34
        found.append(
            Row(team, row.points, low, high, row.rank_ci95, int(row.n_votes), row.provisional, y, x, x_low, x_high)
        )
    return found


def routes(layout: Layout, stage: Stage, leaderboard: Leaderboard) -> APIRouter:
    """The route of this page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/leaderboard")
    def standings(request: Request) -> Response:
        if not stage.protocol.public_leaderboard:
            return layout.page(request, "leaderboard.html", title="title_leaderboard", status=403, seen=None, rows=[])
        seen = leaderboard.snapshot()
        ticks = [stage.component_max * n / 5 for n in range(6)]
        axis = [(f"{tick:g}", round(LEFT + (RIGHT - LEFT) * tick / stage.component_max, 2)) for tick in ticks]
        found = rows(seen, stage.component_max)
        return layout.page(request, "leaderboard.html", title="title_leaderboard", seen=seen, rows=found, axis=axis)

    return router
