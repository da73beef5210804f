"""The integrity tab: votes that stand out, with the evidence; what leaving them out would do; what has been left out and by whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arena.domain.stage import Stage, StageStatus
from arena.i18n import facts
from arena.i18n.catalogue import Messages
from arena.results.integrity.proposals import FEWEST_VOTES, Proposal
from arena.results.integrity.review import DECIDED, LOOKED, Decision, Look, Proposed
from arena.results.live.access_log import SEEN, Viewer
from arena.results.live.variants import Variant
from arena.results.votes.exclusions import ADD, REMOVE, Exclusion, ExclusionReason
from arena.web.console.document import Section, Table, Tile, clock, number, span

SHOWN = 100
TOLD = (ADD, REMOVE, DECIDED, LOOKED, SEEN)
"""The events that this tab tells of."""


@dataclass(frozen=True, slots=True)
class IntegrityFacts:
    """What this tab is made from."""

    t: Messages
    """Of the language that this is told in."""
    stage: Stage
    status: StageStatus
    votes: int
    proposals: Sequence[Proposal] | Sequence[Proposed]
    """While the stage is open, what the tests would propose now; afterwards what they did at the freeze."""
    decided: Mapping[str, Decision]
    """By proposal."""
    variants: Sequence[Variant]
    """`raw`, `declared` and `cleaned`; none before publication, so that nobody decides with the ranking in sight."""
    history: Sequence[Exclusion]
    active: Mapping[str, ExclusionReason]
    looks: Sequence[Look]
    viewers: Sequence[Viewer]

    def team(self, entrant: str) -> str:
        """Look up the name; until the result is published nobody is told whom votes are for or against."""
        if self.status is not StageStatus.PUBLISHED:
            return self.t("integrity_one_team")
        return next((self.t.pick(e.team) for e in self.stage.entrants if e.id == entrant), entrant)


def tiles(seen: IntegrityFacts) -> tuple[Tile, ...]:
    """How much stands out, how much is left out."""
    t = seen.t
    battles = {battle for proposal in seen.proposals for battle in proposal.battles}
    undecided = sum(proposal.key not in seen.decided for proposal in seen.proposals)
    return (
        Tile(
            t("integrity_proposals"),
            number(undecided),
            t("integrity_proposals_votes", votes=len(battles)),
            "warn" if undecided else "good",
        ),
        Tile(
            t("integrity_left_out"),
            number(len(seen.active)),
            t("integrity_decisions", decisions=len(seen.history)),
        ),
        Tile(t("integrity_looks"), number(len(seen.looks)), t("integrity_looks_published")),
        Tile(t("integrity_viewers"), number(len(seen.viewers))),
    )


def sections(seen: IntegrityFacts) -> tuple[Section, ...]:
    """All of them; what the review did to the ranking only once the result is published."""
    after = (ranking(seen),) if seen.status is StageStatus.PUBLISHED else ()
    return (proposals(seen), *after, history(seen), viewers(seen))


def forms(seen: IntegrityFacts) -> tuple[Mapping[str, object], ...]:
    """Offer what can be done besides deciding on one proposal, while the stage is under review."""
    if seen.status is not StageStatus.FROZEN:
        return ()
    t, made = seen.t, []
    if any(proposal.key not in seen.decided for proposal in seen.proposals):
        made.append(
            {
                "id": "follow-all",
                "title": t("integrity_follow_all_title"),
                "says": [t("integrity_follow_all_says")],
                "fields": [],
                "act": "follow-all",
                "button": t("integrity_follow_all_title"),
            }
        )
    made.append(
        {
            "id": "leave-out",
            "title": t("integrity_leave_out_title"),
            "says": [t("integrity_leave_out_says")],
            "fields": [
                {"name": "receipts", "label": t("integrity_leave_out_receipts"), "type": "text"},
                {"name": "grounds", "label": t("integrity_grounds"), "type": "text"},
            ],
            "act": "leave-out",
            "button": t("integrity_leave_out"),
        }
    )
    return tuple(made)


def proposals(seen: IntegrityFacts) -> Section:
    """Voters and groups that stand out, the most striking first, each with its evidence and the acts."""
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
                t.listed(evidence) if evidence else facts.grounds(proposal.grounds, t, seen.team),
                _became(seen, seen.decided.get(proposal.key)),
            )
        )
        acts += _acts(seen, n, proposal)
    if seen.votes < FEWEST_VOTES:
        says = t("integrity_too_few_votes", fewest=FEWEST_VOTES)
    elif not rows:
        says = t("integrity_proposals_none")
    elif seen.status in (StageStatus.DRAFT, StageStatus.OPEN):
        says = t("integrity_proposals_open", proposals=len(seen.proposals))
    else:
        says = t("integrity_proposals_found", proposals=len(seen.proposals))
    review = seen.stage.review
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
                t("integrity_grounds"),
                t("integrity_decision"),
            ),
            tuple(rows),
        ),
        note=t(
            "integrity_proposals_note",
            voters=100 * review.voter_rate,
            groups=100 * review.campaign_rate,
            decides=t.pick(review.decides),
            hours=review.hours,
        ),
        wide=True,
        acts=tuple(acts),
    )


def _acts(seen: IntegrityFacts, row: int, proposal: Proposal | Proposed) -> list[dict[str, object]]:
    """Offer to follow and to decline; where the stage seals that whatever is proposed is followed, one act follows all."""
    t, decision = seen.t, seen.decided.get(proposal.key)
    if seen.status is not StageStatus.FROZEN or seen.stage.review.rule == "follow_all":
        return []
    acts: list[dict[str, object]] = []
    if decision is None or not decision.followed:
        acts.append(
            {
                "row": row,
                "act": "follow",
                "label": t("integrity_leave_out"),
                "body": {"proposal": proposal.key},
                "ask": t("integrity_leave_out_ask", votes=len(proposal.battles)),
            }
        )
    if decision is None or decision.followed:
        acts.append(
            {
                "row": row,
                "act": "decline",
                "label": t("integrity_decline"),
                "body": {"proposal": proposal.key},
                "ask": t("integrity_decline_ask", votes=len(proposal.battles)),
                "field": "reason",
            }
        )
    return acts


def _became(seen: IntegrityFacts, decision: Decision | None) -> str:
    t = seen.t
    if decision is None:
        return "–"
    return t("integrity_followed") if decision.followed else t("integrity_declined", why=decision.why or "")


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
        if act.reason is not None and act.proposal is None and held and seen.status is StageStatus.FROZEN:
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
