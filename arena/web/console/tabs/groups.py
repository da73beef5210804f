"""Results by group: what people of one kind, or votes of one kind, prefer, beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from arena.domain.stage import Stage
from arena.i18n.catalogue import Messages
from arena.results.export.group_words import named, said, titled
from arena.results.export.groups_schema import Group, Grouping
from arena.results.live.variants import Standing
from arena.results.votes.weighting import SMALL
from arena.web.console.document import Cell, Section, Table
from arena.web.console.tabs.trend_figures import dots


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What these sections are made from; computed once, away from the event loop."""

    t: Messages
    """Of the language that this is told in."""
    stage: Stage
    groupings: Sequence[Grouping]

    def team(self, entrant: str) -> str:
        """Look up the name."""
        return self.t.pick(self.stage.entrant(entrant).team)

    def called(self, grouping: Grouping, group: Group) -> str:
        """Look up a group's name."""
        return self.t.pick(named(grouping.kind, grouping.variable, group.name, self.stage))


def sections(seen: GroupFacts) -> tuple[Section, ...]:
    """One for each variable; where there is none, one that says so."""
    if seen.groupings:
        return tuple(by_group(seen, grouping) for grouping in seen.groupings)
    t = seen.t
    return (Section("none", t("groups_title"), t("groups_none"), Table((t("groups_group"),), ())),)


def by_group(seen: GroupFacts, grouping: Grouping) -> Section:
    """Show one variable's groups."""
    t, told = seen.t, [group for group in grouping.groups if group.scores]
    rows: list[tuple[Cell, ...]] = [
        (
            seen.called(grouping, group),
            group.voters,
            group.votes,
            seen.team(row.team_id),
            row.rating,
            *row.rating_ci95,
            row.points,
            *row.points_ci95,
        )
        for group in told
        for row in sorted(group.scores, key=lambda row: -row.rating)
    ]
    rows += [
        (seen.called(grouping, group), None, None, t("groups_untold", fewest=SMALL), *(None,) * 6)
        for group in grouping.groups
        if not group.scores
    ]
    of_team = (
        {row.team_id: [s.rating for g in told for s in g.scores if s.team_id == row.team_id] for row in told[0].scores}
        if told
        else {}
    )
    order = sorted(of_team, key=lambda team: -sum(of_team[team]))
    figure = dots(seen.team, order, [(seen.called(grouping, group), _standings(group)) for group in told], t)
    warnings = " ".join(t.pick(each) for each in grouping.warnings)
    return Section(
        f"by-{grouping.kind}-{grouping.variable}",
        t("groups_by", variable=t.pick(titled(grouping, seen.stage))),
        said(grouping, t),
        Table(
            (
                t("groups_group"),
                t("groups_people"),
                t("console_votes"),
                t("console_team"),
                t("console_rating"),
                t("console_low"),
                t("console_high"),
                t("groups_points"),
                t("console_low"),
                t("console_high"),
            ),
            tuple(rows),
        ),
        figure if told else None,
        note=" ".join(filter(None, (t("groups_note", fewest=SMALL), warnings))),
        wide=True,
    )


def _standings(group: Group) -> list[Standing]:
    ranked = sorted(group.scores, key=lambda row: -row.rating)
    return [
        Standing(row.team_id, row.rating, row.rating_ci95[0], row.rating_ci95[1], n) for n, row in enumerate(ranked, 1)
    ]
