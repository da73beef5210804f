"""The results page: when and what there will be, the live board where a stage has one, and from publication on the result as it is disclosed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, HTMLResponse
from markupsafe import Markup

from arena.domain.declared import Bilingual
from arena.domain.stage import Stage
from arena.i18n.catalogue import InBoth, Messages, messages
from arena.results.export.group_words import named, said, titled
from arena.results.export.schema import UserScore
from arena.results.export.vote_findings import findings
from arena.results.live.leaderboard import Leaderboard, Snapshot
from arena.results.live.public_board import votes_missing
from arena.results.publish.charts import Mark, on_scale, rank_ribbons
from arena.results.publish.publications import Publications, Published
from arena.web.core.dependencies import Here, Services
from arena.web.core.negotiation import language_of
from arena.web.core.standing import TAKES_VOTES
from arena.web.pages.layout import Layout
from ratings.voices import Voice

StageId = Annotated[str, PathParameter(max_length=64)]
MANY: Final = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One team, as pictures and table show it; nothing but its name and its votes where it has no result yet."""

    team: InBoth
    votes: int
    points: Mark | None = None
    ranks: tuple[int, int] | None = None
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """Rows with their pictures."""

    rows: Sequence[Row]
    points: Markup
    ranks: Markup | None
    voice: Voice
    """What the points average."""
    anytime: bool
    """Intervals hold at every look."""

    @property
    def leaders(self) -> list[Row]:
        """Whoever may be first; one alone is first beyond chance."""
        return [row for row in self.rows if row.ranks is not None and row.ranks[0] == 1]


@dataclass(frozen=True, slots=True)
class ByGroup:
    """The result by one variable's groups."""

    title: str
    says: str
    picture: Markup


def routes(layout: Layout, stage: Stage, leaderboard: Leaderboard, publications: Publications) -> APIRouter:
    """Build the routes of this page, and of what is published beside it."""
    router = APIRouter(include_in_schema=False)

    @router.get("/results")
    def current(request: Request, here: Here) -> Response:
        standing = layout.standing()
        if standing is not None and standing.state == "published":
            return shown(request, here, stage.id)
        live: dict[str, Any] = {"board": None, "missing": 0, "seen": None}
        if stage.protocol.public_leaderboard and standing is not None and standing.state in TAKES_VOTES:
            seen = leaderboard.snapshot()
            missing = votes_missing(seen, stage)
            t = messages(language_of(request))
            live = {
                "board": None if missing else _board(_live_rows(seen), stage.voice, t, anytime=True),
                "missing": missing,
                "seen": seen,
            }
        return layout.page_at(
            standing, request, "results_soon.html", title="title_results", earlier=publications.stages(), **live
        )

    @router.get("/results/{stage_id}")
    def published(request: Request, here: Here, stage_id: StageId) -> Response:
        return shown(request, here, stage_id)

    def shown(request: Request, here: Services, stage_id: str) -> Response:
        found = publications.result(stage_id)
        citizen = here.citizen(request)
        own = here.arena.store.votes.of_citizen(citizen.id) if citizen else []
        t = messages(language_of(request))
        others = {each: title for each, title in publications.stages().items() if each != stage_id}
        response = layout.page(
            request,
            "results.html",
            title="title_results",
            found=found,
            board=None if found.score is None else _final_board(found, found.score, t),
            warnings=[] if found.score is None else [_by_name(t.pick(each), found, t) for each in found.score.warnings],
            says=[] if found.score is None else _votes_say(found, found.score, t),
            groups=[] if found.score is None else _by_group(found, found.score, t),
            named=lambda rows: [t.pick(row.team) for row in rows],
            among=None if found.score is None else _among(found, found.score, t),
            own=sum(each.stage_id == stage_id for each in own),
            earlier=others,
        )
        response.headers["cache-control"] = "private, no-cache"
        return response

    @router.get("/results/{stage_id}/report")
    def report(stage_id: StageId) -> Response:
        return HTMLResponse(publications.report(stage_id, datetime.now(UTC)), headers={"cache-control": "no-cache"})

    @router.get("/results/{stage_id}/dataset")
    def dataset(stage_id: StageId) -> Response:
        path = publications.dataset(stage_id, datetime.now(UTC))
        return FileResponse(path, filename=f"{stage_id}-dataset.zip", headers={"cache-control": "no-cache"})

    return router


def _live_rows(seen: Snapshot) -> list[Row]:
    if seen.ratings is None:
        return [Row(team, 0) for team in seen.entrants.values()]
    return [
        _row(
            seen.entrants[row.model],
            row.n_votes,
            row.points,
            row.points_ci95,
            # While votes come in, what is provisional is no rank.
            None if row.provisional else row.rank_ci95,
            row.provisional,
        )
        for row in seen.ratings.by_rank()
    ]


def _final_rows(found: Published, score: UserScore) -> list[Row]:
    teams: dict[str, Bilingual] = {entrant.id: entrant.team for entrant in found.stage.entrants}
    ranked = sorted(score.scores, key=lambda row: (row.group is None, row.group or 0, row.rank or 0))
    return [
        _row(teams[row.team_id], row.n_votes, row.points, row.points_ci95, row.rank_ci95, row.provisional)
        for row in ranked
    ]


def _among(found: Published, score: UserScore, t: Messages) -> str | None:
    """Say in one sentence who stands among those that the stage plans to advance; None where that leaves nobody out."""
    if score.cut is None:
        return None
    told = {
        where: [t.pick(found.stage.entrant(row.team_id).team) for row in score.scores if row.in_first_k == where]
        for where in ("surely", "maybe")
    }
    if not told["maybe"]:
        return t("results_among_sure", k=score.cut.k, teams=told["surely"])
    if not told["surely"]:
        return t("results_among_none", k=score.cut.k, maybe=told["maybe"])
    return t("results_among_open", k=score.cut.k, teams=told["surely"], maybe=told["maybe"])


def _votes_say(found: Published, score: UserScore, t: Messages) -> list[str]:
    """Say what else the votes say, one test after the other."""
    names = {entrant.id: entrant.team for entrant in found.stage.entrants}
    return [each.words(t, names) for each in findings(score.tests, score.side_bias)]


def _by_group(found: Published, score: UserScore, t: Messages) -> list[ByGroup]:
    """Draw the result of every variable that has groups to show, team by team."""
    shown = []
    for grouping in score.groups:
        told = [group for group in grouping.groups if group.scores]
        if not told:
            continue
        names = {g.name: t.pick(named(grouping.kind, grouping.variable, g.name, found.stage)) for g in told}
        rows = [(row, group) for group in told for row in group.scores]
        order = [row.team_id for row in sorted(score.scores, key=lambda row: -(row.points or 0))]
        marks = []
        for row, group in sorted(rows, key=lambda pair: order.index(pair[0].team_id)):
            mark = Mark(row.points, row.points_ci95[0], row.points_ci95[1])
            team = t.pick(found.stage.entrant(row.team_id).team)
            marks.append((t("results_groups_of", group=names[group.name], team=team), _points(mark, t), mark))
        title = t.pick(titled(grouping, found.stage))
        picture = on_scale(marks, label=t("results_groups_picture", variable=title), close=True)
        shown.append(ByGroup(title, said(grouping, t), picture))
    return shown


def _by_name(told: str, found: Published, t: Messages) -> str:
    """Say a sentence of the export, which knows entrants by their ids, with the teams' names."""
    for entrant in found.stage.entrants:
        told = re.sub(rf"(?<![\w-]){re.escape(entrant.id)}(?![\w-])", t.pick(entrant.team), told, flags=re.ASCII)
    return told


def _row(
    team: InBoth,
    votes: float,
    points: float | None,
    interval: Sequence[float] | None,
    ranks: Sequence[int] | None,
    provisional: bool,
) -> Row:
    mark = None if points is None or interval is None else Mark(points, interval[0], interval[1])
    return Row(team, int(votes), mark, None if ranks is None else (ranks[0], ranks[1]), provisional)


def _final_board(found: Published, score: UserScore, t: Messages) -> Board | None:
    return _board(_final_rows(found, score), found.stage.voice, t, anytime=score.closing.intervals == "anytime")


def _board(rows: Sequence[Row], voice: Voice, t: Messages, *, anytime: bool) -> Board | None:
    """Draw the rows; nothing where none has a result."""
    marks = [(t.pick(row.team), _points(row.points, t), row.points) for row in rows if row.points is not None]
    ranks = [(t.pick(row.team), _ranks(row.ranks, t), row.ranks) for row in rows if row.ranks is not None]
    if not marks:
        return None
    return Board(
        rows,
        on_scale(marks, label=t("results_picture_points")),
        rank_ribbons(ranks, label=t("results_picture_ranks")) if len(ranks) >= MANY else None,
        voice,
        anytime,
    )


def _points(mark: Mark, t: Messages) -> str:
    return t("results_points_of", points=mark.value, low=mark.low, high=mark.high)


def _ranks(ranks: tuple[int, int], t: Messages) -> str:
    first, last = ranks
    return t("results_rank", rank=first) if first == last else t("results_ranks", first=first, last=last)
