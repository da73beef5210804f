"""How far the order can be trusted: how many more votes, how few turn it, who took part, whether the draws followed the rule, what else the votes say."""

from arena.i18n.catalogue import Messages
from arena.results.votes.weighting import SMALL
from arena.web.console.document import Section, Table, number, percent
from arena.web.console.tabs.trend_figures import shares
from arena.web.console.tabs.trends import TrendFacts
from ratings.planning import POWERS


def sections(seen: TrendFacts) -> tuple[Section, ...]:
    """All of them."""
    return (needed(seen), robustness(seen), coverage(seen), draws(seen), votes_say(seen))


def needed(seen: TrendFacts) -> Section:
    """How many more votes until neighbours are told apart."""
    t = seen.t
    rows = [
        (
            seen.team(upper),
            seen.team(lower),
            *(
                (t("trends_needed_level"),) * len(POWERS)
                if found is None
                else (_votes(found.votes[power], t) for power in POWERS)
            ),
        )
        for upper, lower, found in seen.needed
    ]
    says = t("console_nothing_counted")
    if seen.needed_all is not None:
        more = seen.needed_all.votes[80]
        if more == 0:
            says = t("trends_needed_none")
        elif more is None:
            says = t("trends_needed_too_many")
        else:
            says = t("trends_needed_more", votes=more)
    return Section(
        "needed",
        t("trends_needed_title"),
        says,
        Table(
            (
                t("console_ahead"),
                t("console_behind"),
                *(t("trends_needed_chance", chance=power) for power in POWERS),
            ),
            tuple(rows),
        ),
        note=t("trends_needed_note"),
    )


def robustness(seen: TrendFacts) -> Section:
    """How few votes decide the order."""
    t = seen.t
    rows = [(seen.team(f.upper), seen.team(f.lower), f.votes, percent(f.vote_share), f.voters) for f in seen.fragile]
    weakest = min((f for f in seen.fragile if f.votes is not None), key=lambda f: f.votes or 0, default=None)
    says = t("console_nothing_counted")
    if weakest is not None:
        upper, lower = seen.team(weakest.upper), seen.team(weakest.lower)
        says = t("trends_robustness_weakest", upper=upper, lower=lower, votes=weakest.votes)
    return Section(
        "robustness",
        t("trends_robustness_title"),
        says,
        Table(
            (
                t("console_ahead"),
                t("console_behind"),
                t("trends_robustness_votes"),
                t("console_share"),
                t("trends_robustness_people"),
            ),
            tuple(rows),
        ),
        note=t("trends_robustness_note"),
    )


def coverage(seen: TrendFacts) -> Section:
    """Who voted, against who was meant to."""
    t = seen.t
    titles = {s.id: t.pick(s.title) for s in seen.stage.population.strata}
    names = {(s.id, c.id): t.pick(c.title) for s in seen.stage.population.strata for c in s.categories}
    rows = []
    for row in seen.strata:
        stratum, category = str(row["stratum"]), str(row["category"])
        held, target, weighted = row["voters"], row["target"], row["weighted_share"]
        rows.append(
            (
                titles.get(stratum, stratum),
                names.get((stratum, category), t("trends_coverage_unknown")),
                None if not isinstance(target, float) else percent(target),
                t("trends_coverage_few", fewest=SMALL) if not isinstance(held, int) else held,
                None if not isinstance(weighted, float) else percent(weighted),
            )
        )
    planned = seen.stage.population.planned_voters
    says = t("trends_coverage_not_asked")
    if seen.strata:
        says = t("trends_coverage_asked")
        if planned:
            says += f" {t('trends_coverage_planned', voters=planned)}"
    return Section(
        "coverage",
        t("trends_coverage_title"),
        says,
        Table(
            (
                t("trends_coverage_trait"),
                t("trends_coverage_group"),
                t("trends_coverage_target"),
                t("console_voters"),
                t("trends_coverage_weighted"),
            ),
            tuple(rows),
        ),
        shares(seen.strata, names, t) if seen.strata else None,
        note=t("trends_coverage_note", fewest=SMALL) if seen.strata else "",
    )


def draws(seen: TrendFacts) -> Section:
    """Show the test that the draws followed the rule."""
    t = seen.t
    found = seen.draws
    title = t("trends_draws_title")
    columns = (t("trends_draws_left"), t("trends_draws_right"), t("trends_draws_drawn"), t("trends_draws_expected"))
    if found is None or not found.draws:
        return Section("draws", title, t("console_nothing_drawn"), Table(columns, ()))
    rows = tuple((_name(seen, c.a), _name(seen, c.b), c.drawn, round(c.expected, 1)) for c in found.cells)
    pairs, sides = found.pairs.p, found.sides.p
    return Section(
        "draws",
        title,
        t("trends_draws_agree", pairs=pairs, sides=sides)
        if min(pairs, sides) >= 0.01
        else t("trends_draws_disagree", pairs=pairs, sides=sides),
        Table(columns, rows),
        note=t("trends_draws_note"),
    )


def _name(seen: TrendFacts, entrant: str) -> str:
    return seen.team(entrant) if entrant in seen.stage.entrant_ids else entrant


def _votes(count: int | None, t: Messages) -> str:
    if count is None:
        return t("trends_needed_over")
    return t("trends_needed_apart") if count == 0 else number(count)


def votes_say(seen: TrendFacts) -> Section:
    """Show the tests beside the fit: side, both_bad, battles left, pairs, time, agreement."""
    t = seen.t
    names = {entrant.id: entrant.team for entrant in seen.stage.entrants}
    rows = [
        (t(f"votes_say_of_{found.test}"), found.words(t, names), None if found.p is None else round(found.p, 4))
        for found in seen.findings
    ]
    apart = [t(f"votes_say_of_{found.test}") for found in seen.findings if found.remarkable]
    return Section(
        "votes-say",
        t("trends_votes_say_title"),
        t("trends_votes_say_found", tests=apart) if apart else t("trends_votes_say_none"),
        Table((t("trends_votes_say_what"), t("trends_votes_say_answer"), t("trends_votes_say_p")), tuple(rows)),
        note=t("trends_votes_say_note"),
        wide=True,
    )
