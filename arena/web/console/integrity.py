"""The integrity tab: votes that stand out, with the evidence; what leaving them out would do; what has been left out and by whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from arena.domain.stage import Stage, StageStatus
from arena.results.integrity.proposals import FEWEST_VOTES, Proposal
from arena.results.live.access_log import Viewer
from arena.results.live.variants import Variant
from arena.results.votes.exclusions import Exclusion, ExclusionReason
from arena.web.console.grounds import TESTS, grounds
from arena.web.console.section import Section, Table, Tile, clock, listed, many, number, span
from arena.web.words import Words

REASONS = {
    ExclusionReason.SIDE: ("답이 아니라 자리를 고름", "Chose the side, not the answer"),
    ExclusionReason.RANDOM: ("판단 없이 고름", "Chose without judging"),
    ExclusionReason.TARGET: ("한 팀만 밀거나 깎음", "For or against one team"),
    ExclusionReason.CAMPAIGN: ("여럿이 한 몸처럼 움직임", "Many acting as one"),
    ExclusionReason.SPEED: ("읽을 수 없이 빠름", "Too fast to have read"),
    ExclusionReason.DUPLICATE: ("같은 질문 되풀이", "The same question again and again"),
    ExclusionReason.OPERATOR: ("팀·운영자·시험의 투표", "Votes of teams, operators or tests"),
}
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Effect:
    """What leaving one proposal's votes out would do to the order."""

    moved: tuple[tuple[str, int | None, int | None], ...]
    """Each entrant whose rank changes, with its rank before and after."""
    most: float
    """The largest change of a rating."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What this tab is made from."""

    t: Words
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
        """The name."""
        return next((self.t.pick(e.team) for e in self.stage.entrants if e.id == entrant), entrant)


def key_of(proposal: Proposal) -> str:
    """Names exactly these votes for this reason: an act on it cannot hit others."""
    return sha256("\n".join((proposal.reason, *sorted(proposal.battles))).encode()).hexdigest()[:24]


def tiles(seen: Seen) -> tuple[Tile, ...]:
    """How much stands out, how much is left out."""
    say = seen.t.say
    battles = {battle for proposal in seen.proposals for battle in proposal.battles}
    return (
        Tile(
            say("살펴볼 제안", "Proposals to look at"),
            number(len(seen.proposals)),
            say(f"{number(len(battles))}표", many(len(battles), "vote")),
            "warn" if seen.proposals else "good",
        ),
        Tile(
            say("제외된 투표", "Votes left out"),
            number(len(seen.active)),
            say(f"결정 {number(len(seen.history))}건", many(len(seen.history), "decision")),
        ),
        Tile(say("실시간 결과를 본 계정", "Accounts that saw live results"), number(len(seen.viewers))),
    )


def sections(seen: Seen) -> tuple[Section, ...]:
    """All of them."""
    return (proposals(seen), ranking(seen), history(seen), viewers(seen))


def proposals(seen: Seen) -> Section:
    """Voters and groups that stand out, the most striking first, each with its evidence and an act."""
    say = seen.t.say
    rows, acts = [], []
    for n, proposal in enumerate(seen.proposals[:SHOWN]):
        tests = sorted(proposal.p.items(), key=lambda item: item[1])[:3]
        evidence = listed([f"{say(*TESTS[test])} p = {p:.1g}" for test, p in tests]) or grounds(
            proposal.rule, seen.t, seen.team
        )
        who = (
            f"{proposal.voters[0][:8]}…"
            if len(proposal.voters) == 1
            else say(f"{len(proposal.voters)}명", many(len(proposal.voters), "person"))
        )
        rows.append(
            (
                say(*REASONS[proposal.reason]),
                who,
                len(proposal.battles),
                f"{proposal.q:.2g}",
                seen.team(proposal.entrant) if proposal.entrant else "–",
                evidence,
                _effect(seen, seen.effects.get(key_of(proposal))),
            )
        )
        if seen.status is not StageStatus.PUBLISHED:
            acts.append(
                {
                    "row": n,
                    "act": "exclude",
                    "label": say("제외", "Leave out"),
                    "body": {"proposal": key_of(proposal)},
                    "ask": say(
                        f"{len(proposal.battles):,}표를 평가에서 뺍니다. 근거와 함께 기록되고 공개되며, 되돌릴 수 있습니다. 제외할까요?",
                        f"{many(len(proposal.battles), 'vote')} will be left out of the evaluation. It is recorded and published with its grounds, and can be taken back. Leave them out?",
                    ),
                }
            )
    if seen.votes < FEWEST_VOTES:
        says = say(
            f"투표가 {FEWEST_VOTES}표보다 적어 아직 견줄 사람들이 없습니다.",
            f"Fewer than {FEWEST_VOTES} votes: there is no crowd yet to hold anybody against.",
        )
    elif rows:
        n_proposals = len(seen.proposals)
        says = say(
            f"{n_proposals}건이 눈에 띕니다. 검정은 제안할 뿐이고, 결정은 사람이 합니다.",
            f"{many(n_proposals, 'proposal')} to look at. The tests only propose; people decide.",
        )
    else:
        says = say("눈에 띄는 투표자나 집단이 없습니다.", "No voter and no group stands out.")
    return Section(
        "proposals",
        say("살펴볼 투표", "Votes to look at"),
        says,
        Table(
            (
                say("까닭", "Reason"),
                say("투표자", "Voter"),
                say("투표", "Votes"),
                say("q값", "q-value"),
                say("관련 팀", "Team"),
                say("근거", "Grounds"),
                say("제외하면", "If left out"),
            ),
            tuple(rows),
        ),
        note=say(
            "q값은 정직한 투표자를 잘못 지목할 비율의 상한입니다(개인 5%, 집단 1%). 개인의 취향 차이는 의심하지 않도록 보정했습니다.",
            "The q-value bounds the share of honest voters among those named (5% for persons, 1% for groups). The tests allow for personal taste.",
        ),
        wide=True,
        acts=tuple(acts),
    )


def ranking(seen: Seen) -> Section:
    """The order before and after exclusions."""
    say = seen.t.say
    names = {
        "raw": say("제외 전", "Nothing left out"),
        "declared": say("지금 (결정된 제외 반영)", "Now (as decided)"),
        "cleaned": say("제안까지 모두 제외", "All proposals left out too"),
    }
    by_name = {v.name: {s.entrant: s for s in v.standings} for v in seen.variants}
    rows = []
    for entrant in seen.stage.entrant_ids:
        cells = [seen.team(entrant)]
        for name in names:
            held = by_name.get(name, {}).get(entrant)
            cells.append(
                "–"
                if held is None
                else f"{held.rank}{say('위', '')} · {number(held.rating)} ({span(held.low, held.high)})"
            )
        rows.append(tuple(cells))
    now = by_name.get("declared", {})
    rows.sort(key=lambda row: next((s.rank for e, s in now.items() if seen.team(e) == row[0]), 99))
    orders = {name: [e for e, s in sorted(by.items(), key=lambda item: item[1].rank)] for name, by in by_name.items()}
    says = say("아직 집계된 투표가 없습니다.", "No vote has been counted yet.")
    if orders.get("raw"):
        same = orders.get("raw") == orders.get("declared") == orders.get("cleaned")
        says = (
            say("제외하기 전과 후의 순서가 같습니다.", "The order is the same before and after.")
            if same
            else say("제외에 따라 순서가 달라집니다.", "The order depends on what is left out.")
        )
    return Section(
        "ranking",
        say("제외 전과 후", "Before and after"),
        says,
        Table((say("팀", "Team"), *names.values()), tuple(rows)),
        note=say("순위 · 레이팅 (95% 구간)", "Rank · rating (95% interval)"),
        wide=True,
    )


def history(seen: Seen) -> Section:
    """Every decision, the newest first, with a way back."""
    say = seen.t.say
    rows, acts = [], []
    for n, act in reversed(list(enumerate(seen.history))):
        held = [battle for battle in act.battles if battle in seen.active]
        if act.reason is not None and held and seen.status is not StageStatus.PUBLISHED:
            acts.append(
                {
                    "row": len(rows),
                    "act": "restore",
                    "label": say("되돌리기", "Take back"),
                    "body": {"decision": n},
                    "ask": say(
                        f"{len(held):,}표를 다시 평가에 넣습니다. 되돌리는 까닭을 적어 주세요.",
                        f"{many(len(held), 'vote')} will count again. Please write why.",
                    ),
                    "field": "reason",
                }
            )
        rows.append(
            (
                clock(act.at),
                act.organizer,
                say("되돌림", "Taken back")
                if act.reason is None
                else f"{say('제외', 'Left out')}: {say(*REASONS[act.reason])}",
                len(act.battles),
                grounds(act.rule, seen.t, seen.team),
            )
        )
    says = say("아직 제외한 투표가 없습니다.", "No vote has been left out.")
    if rows:
        says = say(
            f"결정 {len(rows)}건이 결과와 함께 공개됩니다.",
            f"{many(len(rows), 'decision')}, published with the result.",
        )
    return Section(
        "history",
        say("제외와 되돌림의 기록", "What has been left out and taken back"),
        says,
        Table(
            (
                say("언제 (KST)", "When (KST)"),
                say("누가", "Who"),
                say("결정", "Decision"),
                say("투표", "Votes"),
                say("근거", "Grounds"),
            ),
            tuple(rows),
        ),
        wide=True,
        acts=tuple(acts),
    )


def viewers(seen: Seen) -> Section:
    """Who has seen live ratings while votes were coming in."""
    say = seen.t.say
    rows = tuple((v.organizer, clock(v.first), clock(v.last), v.hours) for v in seen.viewers)
    return Section(
        "viewers",
        say("실시간 결과 열람", "Who has seen live results"),
        say(
            "투표가 진행되는 동안 결과를 본 계정은 모두 기록되고, 결과와 함께 공개됩니다.",
            "Every account that sees results while votes come in is recorded, and published with the result.",
        ),
        Table(
            (say("계정", "Account"), say("처음", "First"), say("마지막", "Last"), say("본 시간 수", "Hours")),
            rows,
        ),
    )


def _effect(seen: Seen, effect: Effect | None) -> str:
    say = seen.t.say
    if effect is None:
        return "–"
    if effect.moved:
        return listed([f"{seen.team(e)} {was}→{now}{say('위', '')}" for e, was, now in effect.moved])
    return say(
        f"순서 그대로 (레이팅 최대 {effect.most:.1f})", f"same order (ratings move by {effect.most:.1f} at most)"
    )
