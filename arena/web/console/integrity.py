"""The integrity tab: votes that stand out, with the evidence; what leaving them out would do; what has been left out and by whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from arena.domain.stage import Stage, StageStatus
from arena.results.access import Viewer
from arena.results.integrity import Exclusion, ExclusionReason
from arena.results.proposals import FEWEST_VOTES, Proposal
from arena.results.variants import Variant
from arena.web.console.section import Section, Table, Tile, clock, listed, number, span

REASONS = {
    ExclusionReason.SIDE: "답이 아니라 자리를 고름",
    ExclusionReason.RANDOM: "판단 없이 고름",
    ExclusionReason.TARGET: "한 팀만 밀거나 깎음",
    ExclusionReason.CAMPAIGN: "여럿이 한 몸처럼 움직임",
    ExclusionReason.SPEED: "읽을 수 없이 빠름",
    ExclusionReason.DUPLICATE: "같은 질문 되풀이",
    ExclusionReason.OPERATOR: "팀·운영자·시험의 투표",
}
TESTS = {
    "side": "자리",
    "outcome": "선택 쏠림",
    "consensus": "다른 사람들과 어긋남",
    "target": "한 팀 쏠림",
    "absence": "안 한 투표",
    "check": "확인 문제",
    "speed": "속도",
    "burst": "몰아치기",
    "repeat": "되풀이",
}
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Seen:
    """What this tab is made from."""

    stage: Stage
    status: StageStatus
    votes: int
    proposals: Sequence[Proposal]
    effects: Mapping[str, str]
    """What following one proposal would do to the order, by its key."""
    variants: Sequence[Variant]
    """`raw`, `declared` and `cleaned`."""
    history: Sequence[Exclusion]
    active: Mapping[str, ExclusionReason]
    viewers: Sequence[Viewer]

    def team(self, entrant: str) -> str:
        """The Korean name."""
        return next((e.team.ko for e in self.stage.entrants if e.id == entrant), entrant)


def key_of(proposal: Proposal) -> str:
    """Names exactly these votes for this reason: an act on it cannot hit others."""
    return sha256("\n".join((proposal.reason, *sorted(proposal.battles))).encode()).hexdigest()[:24]


def tiles(seen: Seen) -> tuple[Tile, ...]:
    """How much stands out, how much is left out."""
    battles = {battle for proposal in seen.proposals for battle in proposal.battles}
    return (
        Tile(
            "살펴볼 제안",
            number(len(seen.proposals)),
            f"{number(len(battles))}표",
            "warn" if seen.proposals else "good",
        ),
        Tile("제외된 투표", number(len(seen.active)), f"결정 {number(len(seen.history))}건"),
        Tile("실시간 결과를 본 계정", number(len(seen.viewers))),
    )


def sections(seen: Seen) -> tuple[Section, ...]:
    """All of them."""
    return (proposals(seen), ranking(seen), history(seen), viewers(seen))


def proposals(seen: Seen) -> Section:
    """Voters and groups that stand out, the most striking first, each with its evidence and an act."""
    rows, acts = [], []
    for n, proposal in enumerate(seen.proposals[:SHOWN]):
        tests = sorted(proposal.p.items(), key=lambda item: item[1])[:3]
        evidence = listed([f"{TESTS[test]} p = {p:.1g}" for test, p in tests]) or proposal.rule
        who = f"{proposal.voters[0][:8]}…" if len(proposal.voters) == 1 else f"{len(proposal.voters)}명"
        rows.append(
            (
                REASONS[proposal.reason],
                who,
                len(proposal.battles),
                f"{proposal.q:.2g}",
                seen.team(proposal.entrant) if proposal.entrant else "–",
                evidence,
                seen.effects.get(key_of(proposal), "–"),
            )
        )
        if seen.status is not StageStatus.PUBLISHED:
            acts.append(
                {
                    "row": n,
                    "act": "exclude",
                    "label": "제외",
                    "body": {"proposal": key_of(proposal)},
                    "ask": f"{len(proposal.battles):,}표를 평가에서 뺍니다. 근거와 함께 기록되고 공개되며, 되돌릴 수 있습니다. 제외할까요?",
                }
            )
    if seen.votes < FEWEST_VOTES:
        says = f"투표가 {FEWEST_VOTES}표보다 적어 아직 견줄 사람들이 없습니다."
    elif rows:
        says = f"{len(seen.proposals)}건이 눈에 띕니다. 검정은 제안할 뿐이고, 결정은 사람이 합니다."
    else:
        says = "눈에 띄는 투표자나 집단이 없습니다."
    return Section(
        "proposals",
        "살펴볼 투표",
        says,
        Table(("까닭", "투표자", "투표", "q값", "관련 팀", "근거", "제외하면"), tuple(rows)),
        note="q값은 정직한 투표자를 잘못 지목할 비율의 상한입니다(개인 5%, 집단 1%). 개인의 취향 차이는 의심하지 않도록 보정했습니다.",
        wide=True,
        acts=tuple(acts),
    )


def ranking(seen: Seen) -> Section:
    """The order before and after exclusions."""
    names = {"raw": "제외 전", "declared": "지금 (결정된 제외 반영)", "cleaned": "제안까지 모두 제외"}
    by_name = {v.name: {s.entrant: s for s in v.standings} for v in seen.variants}
    rows = []
    for entrant in seen.stage.entrant_ids:
        cells = [seen.team(entrant)]
        for name in names:
            held = by_name.get(name, {}).get(entrant)
            cells.append(
                "–" if held is None else f"{held.rank}위 · {number(held.rating)} ({span(held.low, held.high)})"
            )
        rows.append(tuple(cells))
    now = by_name.get("declared", {})
    rows.sort(key=lambda row: next((s.rank for e, s in now.items() if seen.team(e) == row[0]), 99))
    orders = {name: [e for e, s in sorted(by.items(), key=lambda item: item[1].rank)] for name, by in by_name.items()}
    says = "아직 집계된 투표가 없습니다."
    if orders.get("raw"):
        same = orders.get("raw") == orders.get("declared") == orders.get("cleaned")
        says = "제외하기 전과 후의 순서가 같습니다." if same else "제외에 따라 순서가 달라집니다."
    note = "순위 · 레이팅 (95% 구간)"
    return Section("ranking", "제외 전과 후", says, Table(("팀", *names.values()), tuple(rows)), note=note, wide=True)


def history(seen: Seen) -> Section:
    """Every decision, the newest first, with a way back."""
    rows, acts = [], []
    for n, act in reversed(list(enumerate(seen.history))):
        held = [battle for battle in act.battles if battle in seen.active]
        if act.reason is not None and held and seen.status is not StageStatus.PUBLISHED:
            acts.append(
                {
                    "row": len(rows),
                    "act": "restore",
                    "label": "되돌리기",
                    "body": {"decision": n},
                    "ask": f"{len(held):,}표를 다시 평가에 넣습니다. 되돌리는 까닭을 적어 주세요.",
                    "field": "reason",
                }
            )
        rows.append(
            (
                clock(act.at),
                act.organizer,
                "되돌림" if act.reason is None else f"제외: {REASONS[act.reason]}",
                len(act.battles),
                act.rule,
            )
        )
    says = "아직 제외한 투표가 없습니다." if not rows else f"결정 {len(rows)}건이 결과와 함께 공개됩니다."
    return Section(
        "history",
        "제외와 되돌림의 기록",
        says,
        Table(("언제 (KST)", "누가", "결정", "투표", "근거"), tuple(rows)),
        wide=True,
        acts=tuple(acts),
    )


def viewers(seen: Seen) -> Section:
    """Who has seen live ratings while votes were coming in."""
    rows = tuple((v.organizer, clock(v.first), clock(v.last), v.hours) for v in seen.viewers)
    return Section(
        "viewers",
        "실시간 결과 열람",
        "투표가 진행되는 동안 결과를 본 계정은 모두 기록되고, 결과와 함께 공개됩니다.",
        Table(("계정", "처음", "마지막", "본 시간 수"), rows),
    )
