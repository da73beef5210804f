"""The integrity tab: votes that stand out, with the evidence; what leaving them out would do; what has been left out and by whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arena.domain.stage import Stage, StageStatus
from arena.i18n import facts
from arena.i18n.catalogue import Messages
from arena.results.integrity.proposals import FEWEST_VOTES, Proposal
from arena.results.live.access_log import Viewer
from arena.results.live.variants import Variant
from arena.results.votes.exclusions import Exclusion, ExclusionReason
from arena.web.console.document import Section, Table, Tile, clock, number, span

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Effect:
    """What leaving one proposal's votes out would do to the order."""

    moved: tuple[tuple[str, int | None, int | None], ...]
    """Each entrant whose rank changes, with its rank before and after."""
    most: float
    """The largest change of a rating."""


@dataclass(frozen=True, slots=True)
class IntegrityFacts:
    """What this tab is made from."""

    t: Messages
    """Of the language that this is told in."""
    stage: Stage
    status: StageStatus
    votes: int
    proposals: Sequence[Proposal]
    effects: Mapping[str, Effect]
    """What following one proposal would do to the order, by its key."""
    variants: Sequence[Variant]
    """`raw`, `declared` and `cleaned`."""
    history: Sequence[Exclusion]
    active: Mapping[str, ExclusionReason]
    viewers: Sequence[Viewer]

    def team(self, entrant: str) -> str:
        """Look up the name."""
        return next((self.t.pick(e.team) for e in self.stage.entrants if e.id == entrant), entrant)


def tiles(seen: IntegrityFacts) -> tuple[Tile, ...]:
    """How much stands out, how much is left out."""
    t = seen.t
    battles = {battle for proposal in seen.proposals for battle in proposal.battles}
    return (
        Tile(
            t("integrity_proposals"),
            number(len(seen.proposals)),
            t("integrity_proposals_votes", votes=len(battles)),
            "warn" if seen.proposals else "good",
        ),
        Tile(
            t("integrity_left_out"),
            number(len(seen.active)),
            t("integrity_decisions", decisions=len(seen.history)),
        ),
        Tile(t("integrity_viewers"), number(len(seen.viewers))),
    )


def sections(seen: IntegrityFacts) -> tuple[Section, ...]:
    """All of them."""
    return (proposals(seen), ranking(seen), history(seen), viewers(seen))


def proposals(seen: IntegrityFacts) -> Section:
    """Voters and groups that stand out, the most striking first, each with its evidence and an act."""
    t = seen.t
    rows, acts = [], []
    for n, proposal in enumerate(seen.proposals[:SHOWN]):
        tests = sorted(proposal.p.items(), key=lambda item: item[1])[:3]
        evidence = [t("integrity_test_p", test=t(f"test_{test}"), p=p) for test, p in tests]
        who = (
            f"{proposal.voters[0][:8]}…"
            if len(proposal.voters) == 1
            else t("integrity_people", people=len(proposal.voters))
        )
        rows.append(
            (
                t(f"exclusion_{proposal.reason}"),
                who,
                len(proposal.battles),
                f"{proposal.q:.2g}",
                seen.team(proposal.entrant) if proposal.entrant else "–",
                t.listed(evidence) if evidence else facts.grounds(proposal.grounds, t, seen.team),
                _effect(seen, seen.effects.get(proposal.key)),
            )
        )
        if seen.status is not StageStatus.PUBLISHED:
            acts.append(
                {
                    "row": n,
                    "act": "exclude",
                    "label": t("integrity_leave_out"),
                    "body": {"proposal": proposal.key},
                    "ask": t("integrity_leave_out_ask", votes=len(proposal.battles)),
                }
            )
    if seen.votes < FEWEST_VOTES:
        says = t("integrity_too_few_votes", fewest=FEWEST_VOTES)
    elif rows:
        says = t("integrity_proposals_found", proposals=len(seen.proposals))
    else:
        says = t("integrity_proposals_none")
    return Section(
        "proposals",
        t("integrity_proposals_title"),
        says,
        Table(
            (
                t("console_reason"),
                t("integrity_voter"),
                t("console_votes"),
                t("integrity_q"),
                t("integrity_team"),
                t("integrity_grounds"),
                t("integrity_if_left_out"),
            ),
            tuple(rows),
        ),
        note=t("integrity_proposals_note"),
        wide=True,
        acts=tuple(acts),
    )


def ranking(seen: IntegrityFacts) -> Section:
    """Show the order before and after exclusions."""
    t = seen.t
    names = {
        "raw": t("integrity_ranking_raw"),
        "declared": t("integrity_ranking_declared"),
        "cleaned": t("integrity_ranking_cleaned"),
    }
    by_name = {v.name: {s.entrant: s for s in v.standings} for v in seen.variants}
    rows = []
    for entrant in seen.stage.entrant_ids:
        cells = [seen.team(entrant)]
        for name in names:
            held = by_name.get(name, {}).get(entrant)
            if held is None:
                cells.append("–")
            else:
                rating, interval = number(held.rating), span(held.low, held.high)
                cells.append(t("integrity_ranking_cell", rank=held.rank, rating=rating, interval=interval))
        rows.append(tuple(cells))
    now = by_name.get("declared", {})
    rows.sort(key=lambda row: next((s.rank for e, s in now.items() if seen.team(e) == row[0]), 99))
    orders = {name: [e for e, s in sorted(by.items(), key=lambda item: item[1].rank)] for name, by in by_name.items()}
    says = t("console_nothing_counted")
    if orders.get("raw"):
        same = orders.get("raw") == orders.get("declared") == orders.get("cleaned")
        says = t("integrity_ranking_same") if same else t("integrity_ranking_differs")
    return Section(
        "ranking",
        t("integrity_ranking_title"),
        says,
        Table((t("console_team"), *names.values()), tuple(rows)),
        note=t("integrity_ranking_note"),
        wide=True,
    )


def history(seen: IntegrityFacts) -> Section:
    """Every decision, the newest first, with a way back."""
    t = seen.t
    rows, acts = [], []
    for n, act in reversed(list(enumerate(seen.history))):
        held = [battle for battle in act.battles if battle in seen.active]
        if act.reason is not None and held and seen.status is not StageStatus.PUBLISHED:
            acts.append(
                {
                    "row": len(rows),
                    "act": "restore",
                    "label": t("integrity_take_back"),
                    "body": {"decision": n},
                    "ask": t("integrity_take_back_ask", votes=len(held)),
                    "field": "reason",
                }
            )
        rows.append(
            (
                clock(act.at),
                act.organizer,
                t("integrity_history_taken_back")
                if act.reason is None
                else t("integrity_history_left_out", reason=t(f"exclusion_{act.reason}")),
                len(act.battles),
                facts.grounds(act.grounds, t, seen.team),
            )
        )
    says = t("integrity_history_decisions", decisions=len(rows)) if rows else t("integrity_history_none")
    return Section(
        "history",
        t("integrity_history_title"),
        says,
        Table(
            (
                t("console_when"),
                t("console_who"),
                t("integrity_decision"),
                t("console_votes"),
                t("integrity_grounds"),
            ),
            tuple(rows),
        ),
        wide=True,
        acts=tuple(acts),
    )


def viewers(seen: IntegrityFacts) -> Section:
    """Who has seen live ratings while votes were coming in."""
    t = seen.t
    rows = tuple((v.organizer, clock(v.first), clock(v.last), v.hours) for v in seen.viewers)
    return Section(
        "viewers",
        t("integrity_viewers_title"),
        t("integrity_viewers_recorded"),
        Table(
            (
                t("integrity_viewers_account"),
                t("integrity_viewers_first"),
                t("integrity_viewers_last"),
                t("integrity_viewers_hours"),
            ),
            rows,
        ),
    )


def _effect(seen: IntegrityFacts, effect: Effect | None) -> str:
    t = seen.t
    if effect is None:
        return "–"
    if effect.moved:
        return ", ".join(t("integrity_moved", team=seen.team(e), before=was, after=now) for e, was, now in effect.moved)
    return t("integrity_not_moved", most=effect.most)
