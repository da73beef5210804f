"""What follows every vote: the stage at a glance, and how its entrants stand: ratings, points, ranks."""

from collections.abc import Sequence

from arena.domain.stage import StageStatus
from arena.i18n.catalogue import Messages
from arena.results.live.leaderboard import Snapshot
from arena.web.console import charts as palette
from arena.web.console.document import Section, Table, Tile, number, percent, span
from ratings.first import FirstK, InFirst, first
from ratings.result import EntrantRating

AMONG = {"surely": "live_ratings_first_surely", "maybe": "live_ratings_first_maybe", "no": "live_ratings_first_no"}
"""How it is told whether one is among the first."""


def tiles(seen: Snapshot, status: StageStatus, *, paused: bool, t: Messages) -> tuple[Tile, ...]:
    """Show the stage at a glance."""
    excluded = sum(seen.left_out.values())
    bad = seen.winners["both_bad"]
    state = t("live_stage_paused") if paused and status is StageStatus.OPEN else t(f"live_stage_{status.value}")
    mood = "warn" if paused else "good" if status is StageStatus.OPEN else ""
    return (
        Tile(t("live_stage"), state, t.pick(seen.title), mood),
        Tile(t("console_votes"), number(seen.n_votes_raw), t("live_votes_counted", votes=seen.n_votes_counted)),
        Tile(
            t("console_voters"),
            number(seen.n_voters),
            t("live_votes_each", votes=seen.n_votes_raw / max(seen.n_voters, 1)),
        ),
        Tile(t("live_left_out"), number(excluded), percent(excluded / max(seen.n_votes_raw, 1))),
        Tile(t("console_both_bad"), percent(bad / max(seen.n_votes_raw, 1)), t("live_both_bad_votes", votes=bad)),
    )


def sections(seen: Snapshot, component_max: float, planned_advance: int, t: Messages) -> tuple[Section, ...]:
    """How the entrants stand."""
    return (
        ratings(seen, planned_advance, t),
        points(seen, component_max, t),
        ranks(seen, t),
    )


def ratings(seen: Snapshot, planned_advance: int, t: Messages) -> Section:
    """Ratings with their intervals, and everything about an entrant in one table."""
    rows = rated(seen)
    among = first(seen.ratings, planned_advance) if seen.ratings else None
    standing = dict(zip(seen.ratings.models, among.to_dicts(), strict=True)) if seen.ratings and among else {}
    columns = (
        t("console_rank"),
        t("live_ratings_rank_interval"),
        t("console_team"),
        t("console_rating"),
        t("live_ratings_rating_interval"),
        t("console_points"),
        t("live_ratings_points_interval"),
        t("live_ratings_win_rate"),
        t("live_ratings_first", k=planned_advance),
        t("console_votes"),
        t("console_remark"),
    )
    told = [
        (
            row.rank,
            span(*(row.rank_ci95 or (None, None))),
            team_of(seen, row.model, t),
            _round(row.rating, 1),
            span(*(row.rating_ci95 or (None, None)), 0),
            _round(row.points, 2),
            span(*(row.points_ci95 or (None, None)), 2),
            percent(row.win_probability),
            _standing(**standing[row.model], t=t),
            row.n_votes,
            t("live_ratings_provisional") if row.provisional else "",
        )
        for row in (seen.ratings.by_rank() if seen.ratings else ())
    ] or [
        ("–", "–", t.pick(team), "–", "–", "–", "–", "–", "–", 0, t("console_no_vote"))
        for team in seen.entrants.values()
    ]
    notices = [
        t(notice.key, **{name: _named(seen, value, t) for name, value in notice.params.items()})
        for notice in (seen.ratings.notices if seen.ratings else ())
    ]
    return Section(
        "ratings",
        t("live_ratings_title"),
        _verdict(seen, rows, among, t),
        Table(columns, tuple(told)),
        palette.intervals(
            [team_of(seen, row.model, t) for row in rows],
            [row.rating or 0 for row in rows],
            [row.rating_ci95 or (0, 0) for row in rows],
            title=t("live_ratings_axis"),
            form="{:.0f}".format,
        )
        if rows
        else None,
        note=" ".join(
            [
                t("live_ratings_note"),
                *([t("live_ratings_anytime")] if seen.ratings and seen.ratings.looks else []),
                *notices,
            ]
        ),
        wide=True,
    )


def points(seen: Snapshot, component_max: float, t: Messages) -> Section:
    """Show the user score: points out of the component's maximum."""
    rows = rated(seen)
    told = [
        (team_of(seen, row.model, t), _round(row.points, 2), span(*(row.points_ci95 or (None, None)), 2), component_max)
        for row in rows
    ]
    figure = None
    if rows:
        figure = palette.intervals(
            [team_of(seen, row.model, t) for row in rows],
            [row.points or 0 for row in rows],
            [row.points_ci95 or (0, 0) for row in rows],
            title=t("live_points_axis", most=component_max),
            form="{:.2f}".format,
            range=[0, component_max],
        )
    best = rows[0] if rows else None
    says = t("console_nothing_counted")
    if best is not None:
        says = t(
            "live_points_highest",
            team=team_of(seen, best.model, t),
            points=best.points,
            most=component_max,
            interval=span(*(best.points_ci95 or (None, None)), 2),
        )
    columns = (t("console_team"), t("console_points"), t("console_interval"), t("live_points_most"))
    return Section("points", t("live_points_title"), says, Table(columns, tuple(told)), figure)


def ranks(seen: Snapshot, t: Messages) -> Section:
    """Which ranks cannot be ruled out."""
    rows = rated(seen)
    told = [(team_of(seen, r.model, t), r.rank, *(r.rank_ci95 or ("–", "–"))) for r in rows]
    figure = None
    if rows:
        figure = palette.intervals(
            [team_of(seen, row.model, t) for row in rows],
            [row.rank or 0 for row in rows],
            [row.rank_ci95 or (0, 0) for row in rows],
            title=t("live_ranks_axis"),
            form=lambda rank: t("live_ranks_rank", rank=rank),
            range=[0.5, len(seen.entrants) + 0.5],
            dtick=1,
        )
    sure = [team_of(seen, r.model, t) for r in rows if r.rank_ci95 and r.rank_ci95[0] == r.rank_ci95[1]]
    return Section(
        "ranks",
        t("live_ranks_title"),
        t("live_ranks_sure", teams=sure) if rows else t("console_nothing_counted"),
        Table((t("console_team"), t("console_rank"), t("live_ranks_best"), t("live_ranks_worst")), tuple(told)),
        figure,
        note=t("live_ranks_note"),
    )


def rated(seen: Snapshot) -> Sequence[EntrantRating]:
    """Every entrant that has a rating, by rank."""
    return [row for row in seen.ratings.by_rank() if row.rating is not None] if seen.ratings else []


def _verdict(seen: Snapshot, rows: Sequence[EntrantRating], among: FirstK | None, t: Messages) -> str:
    """Who leads, and whether the cut is decided; never more than the intervals allow."""
    if not rows or among is None or seen.ratings is None:
        return t("console_nothing_counted")
    apart = {frozenset((p.a, p.b)) for p in seen.ratings.pairwise if p.separated}
    best = rows[0]
    level = [team_of(seen, r.model, t) for r in rows[1:] if frozenset((best.model, r.model)) not in apart]
    team = team_of(seen, best.model, t)
    lead = t("live_ratings_leads_not_apart", team=team, others=level) if level else t("live_ratings_leads", team=team)
    if among.cut is None:
        return lead
    upper, lower = among.k, among.k + 1
    cut = t("live_ratings_cut_apart" if among.cut.separated else "live_ratings_cut_not_apart", upper=upper, lower=lower)
    told = {
        where: [
            team_of(seen, model, t)
            for model, at in zip(seen.ratings.models, among.in_first, strict=True)
            if at == where
        ]
        for where in ("surely", "maybe")
    }
    if not told["maybe"]:
        return f"{lead} {cut} {t('live_ratings_first_sure', k=among.k, teams=told['surely'])}"
    return f"{lead} {cut} {t('live_ratings_first_open', k=among.k, maybe=told['maybe'], n=len(told['surely']))}"


def _standing(in_first_k: InFirst | None, p_first_k: float | None, t: Messages) -> str:
    """Say whether one is among the first, and how likely where that is open."""
    if in_first_k is None:
        return "–"
    word = t(AMONG[in_first_k])
    return word if p_first_k is None or in_first_k != "maybe" else f"{word} ({percent(p_first_k)})"


def team_of(seen: Snapshot, entrant: str, t: Messages) -> str:
    """Look up an entrant's name."""
    team = seen.entrants.get(entrant)
    return entrant if team is None else t.pick(team)


def _named(seen: Snapshot, value: object, t: Messages) -> object:
    """Put a team's name in the place of its id, in lists and lists of lists too; leave figures as they are."""
    if isinstance(value, tuple):
        return [_named(seen, each, t) for each in value]
    return team_of(seen, value, t) if isinstance(value, str) else value


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
