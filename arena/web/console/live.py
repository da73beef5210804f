"""What follows every vote: the stage at a glance, and how its entrants stand: ratings, points, ranks."""

from collections.abc import Sequence
from itertools import pairwise

from arena.domain.stage import StageStatus
from arena.results.live.leaderboard import Snapshot
from arena.web.console import palette
from arena.web.console.section import Section, Table, Tile, listed, many, number, particle, percent, span
from arena.web.words import Words
from ratings.result import EntrantRating

EMPTY = ("아직 집계된 투표가 없습니다.", "No vote has been counted yet.")


def tiles(seen: Snapshot, status: StageStatus, *, paused: bool, t: Words) -> tuple[Tile, ...]:
    """The stage at a glance."""
    say = t.say
    excluded = sum(seen.left_out.values())
    bad = seen.winners["both_bad"]
    states = {
        "draft": say("준비", "Draft"),
        "open": say("진행 중", "Open"),
        "frozen": say("마감", "Frozen"),
        "published": say("공개됨", "Published"),
    }
    state = say("추첨 멈춤", "Draws paused") if paused and status is StageStatus.OPEN else states[status]
    each = number(seen.n_votes_raw / max(seen.n_voters, 1), 1)
    mood = "warn" if paused else "good" if status is StageStatus.OPEN else ""
    return (
        Tile(say("단계", "Stage"), state, t.pick(seen.title), mood),
        Tile(
            say("투표", "Votes"),
            number(seen.n_votes_raw),
            say(f"집계 {number(seen.n_votes_counted)}", f"{number(seen.n_votes_counted)} counted"),
        ),
        Tile(say("참여자", "Voters"), number(seen.n_voters), say(f"1인당 {each}표", f"{each} votes each")),
        Tile(say("제외", "Left out"), number(excluded), percent(excluded / max(seen.n_votes_raw, 1))),
        Tile(
            say("둘 다 별로", "Both bad"),
            percent(bad / max(seen.n_votes_raw, 1)),
            say(f"{number(bad)}표", many(bad, "vote")),
        ),
    )


def sections(seen: Snapshot, component_max: float, planned_advance: int, t: Words) -> tuple[Section, ...]:
    """How the entrants stand."""
    return (
        ratings(seen, planned_advance, t),
        points(seen, component_max, t),
        ranks(seen, t),
    )


def ratings(seen: Snapshot, planned_advance: int, t: Words) -> Section:
    """Ratings with their intervals, and everything about an entrant in one table."""
    say = t.say
    rows = rated(seen)
    columns = (
        say("순위", "Rank"),
        say("순위 95% 구간", "Rank, 95% interval"),
        say("팀", "Team"),
        say("레이팅", "Rating"),
        say("레이팅 95% 구간", "Rating, 95% interval"),
        say("점수", "Points"),
        say("점수 95% 구간", "Points, 95% interval"),
        say("평균 승률", "Mean win rate"),
        say("투표", "Votes"),
        say("비고", "Remark"),
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
            row.n_votes,
            say("잠정", "provisional") if row.provisional else "",
        )
        for row in (seen.ratings.by_rank() if seen.ratings else ())
    ] or [
        ("–", "–", t.pick(team), "–", "–", "–", "–", "–", 0, say("투표 없음", "no vote"))
        for team in seen.entrants.values()
    ]
    notices = [t.pick(notice) for notice in seen.ratings.notices] if seen.ratings else []
    for entrant, team in seen.entrants.items():
        notices = [notice.replace(entrant, t.pick(team)) for notice in notices]
    return Section(
        "ratings",
        say("레이팅", "Ratings"),
        _verdict(seen, rows, planned_advance, t),
        Table(columns, tuple(told)),
        palette.intervals(
            [team_of(seen, row.model, t) for row in rows],
            [row.rating or 0 for row in rows],
            [row.rating_ci95 or (0, 0) for row in rows],
            title=say("레이팅 (막대: 95% 구간)", "Rating (bar: 95% interval)"),
            form="{:.0f}",
        )
        if rows
        else None,
        note=" ".join(
            [
                say(
                    "평균이 1000이고, 400점 차이는 열한 번에 열 번 이기는 차이입니다. 구간이 겹쳐도 차이가 뚜렷할 수 있으니 아래 순위 구간과 맞대결의 ‘구분됨’을 보세요.",
                    "The mean is 1000, and a lead of 400 wins ten times out of eleven. A difference can be clear although the intervals overlap: see the rank intervals and ‘told apart’ below.",
                ),
                *notices,
            ]
        ),
        wide=True,
    )


def points(seen: Snapshot, component_max: float, t: Words) -> Section:
    """The user score: points out of the component's maximum."""
    say = t.say
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
            title=say(f"점수 / {component_max:g} (막대: 95% 구간)", f"Points / {component_max:g} (bar: 95% interval)"),
            form="{:.2f}",
            range=[0, component_max],
        )
    best = rows[0] if rows else None
    says = say(*EMPTY)
    if best is not None:
        team, most = team_of(seen, best.model, t), number(best.points, 2)
        ends = span(*(best.points_ci95 or (None, None)), 2)
        says = say(
            f"가장 높은 점수는 {team}의 {most}점입니다(만점 {component_max:g}점, 95% 구간 {ends}).",
            f"The highest score is {team}'s: {most} of {component_max:g} points (95% interval {ends}).",
        )
    columns = (say("팀", "Team"), say("점수", "Points"), say("95% 구간", "95% interval"), say("만점", "Maximum"))
    return Section("points", say("사용자 평가 점수", "User score"), says, Table(columns, tuple(told)), figure)


def ranks(seen: Snapshot, t: Words) -> Section:
    """Which ranks cannot be ruled out."""
    say = t.say
    rows = rated(seen)
    told = [(team_of(seen, r.model, t), r.rank, *(r.rank_ci95 or ("–", "–"))) for r in rows]
    figure = None
    if rows:
        figure = palette.intervals(
            [team_of(seen, row.model, t) for row in rows],
            [row.rank or 0 for row in rows],
            [row.rank_ci95 or (0, 0) for row in rows],
            title=say("순위 (막대: 가능한 순위)", "Rank (bar: possible ranks)"),
            form=say("{:.0f}위", "{:.0f}"),
            range=[0.5, len(seen.entrants) + 0.5],
            dtick=1,
        )
    sure = [team_of(seen, r.model, t) for r in rows if r.rank_ci95 and r.rank_ci95[0] == r.rank_ci95[1]]
    told_sure = listed(sure) or say("없음", "none")
    says = (
        say(f"순위가 하나로 정해진 팀: {told_sure}.", f"Teams with only one possible rank: {told_sure}.")
        if rows
        else say(*EMPTY)
    )
    return Section(
        "ranks",
        say("순위 구간", "Rank intervals"),
        says,
        Table(
            (
                say("팀", "Team"),
                say("순위", "Rank"),
                say("가장 높은 순위", "Best rank"),
                say("가장 낮은 순위", "Worst rank"),
            ),
            tuple(told),
        ),
        figure,
        note=say(
            "모든 팀에 대해 동시에 95%로 성립하는 구간입니다. 구간이 겹치는 팀 사이의 순위는 아직 정해지지 않았습니다.",
            "The intervals hold at 95% for all teams together. Teams whose intervals overlap are not ranked against each other yet.",
        ),
    )


def rated(seen: Snapshot) -> Sequence[EntrantRating]:
    """Every entrant that has a rating, by rank."""
    return [row for row in seen.ratings.by_rank() if row.rating is not None] if seen.ratings else []


def _verdict(seen: Snapshot, rows: Sequence[EntrantRating], planned_advance: int, t: Words) -> str:
    """Who leads, and whether the cut is decided; never more than the intervals allow."""
    say = t.say
    if not rows:
        return say(*EMPTY)
    apart = {frozenset((p.a, p.b)) for p in (seen.ratings.pairwise if seen.ratings else ()) if p.separated}
    first = rows[0]
    level = [team_of(seen, r.model, t) for r in rows[1:] if frozenset((first.model, r.model)) not in apart]
    team, others = team_of(seen, first.model, t), listed(level)
    if level:
        lead = say(
            f"{team}의 레이팅이 가장 높습니다({particle(others, '과는', '와는')} 아직 구분되지 않습니다).",
            f"{team} has the highest rating (not yet told apart from {others}).",
        )
    else:
        lead = say(
            f"{team}의 레이팅이 가장 높습니다(다른 모든 팀과 구분됩니다).",
            f"{team} has the highest rating (told apart from every other team).",
        )
    if not 0 < planned_advance < len(rows):
        return lead
    above, below = next(pair for n, pair in enumerate(pairwise(rows), start=1) if n == planned_advance)
    decided = frozenset((above.model, below.model)) in apart
    upper, lower = planned_advance, planned_advance + 1
    if decided:
        return say(f"{lead} {upper}위와 {lower}위는 구분됩니다.", f"{lead} Ranks {upper} and {lower} are told apart.")
    return say(
        f"{lead} {upper}위와 {lower}위는 아직 구분되지 않습니다.",
        f"{lead} Ranks {upper} and {lower} are not told apart yet.",
    )


def team_of(seen: Snapshot, entrant: str, t: Words) -> str:
    """An entrant's name."""
    team = seen.entrants.get(entrant)
    return entrant if team is None else t.pick(team)


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
