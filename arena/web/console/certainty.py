"""How far the order can be trusted: how many more votes, how few turn it, who took part, whether the draws followed the rule."""

from arena.web.console.section import Section, Table, many, number, particle, percent
from arena.web.console.trend_figures import shares
from arena.web.console.trends import EMPTY, Seen
from arena.web.words import Words


def sections(seen: Seen) -> tuple[Section, ...]:
    """All of them."""
    return (needed(seen), robustness(seen), coverage(seen), draws(seen))


def needed(seen: Seen) -> Section:
    """How many more votes until neighbours are told apart."""
    say = seen.t.say
    rows = [
        (
            seen.team(upper),
            seen.team(lower),
            *(
                (say("정확히 같음", "exactly level"),) * 2
                if found is None
                else (_votes(found.uniform, seen.t), _votes(found.adaptive, seen.t))
            ),
        )
        for upper, lower, found in seen.needed
    ]
    says = say(*EMPTY)
    if seen.needed_all is not None:
        more = seen.needed_all.uniform
        if more == 0:
            says = say("이웃한 순위의 모든 팀이 이미 구분됩니다.", "All neighbours in rank are told apart already.")
        elif more is None:
            says = say(
                "이웃한 순위를 모두 구분하려면 천만 표보다 더 필요합니다.",
                "To tell all neighbours in rank apart takes more than ten million votes.",
            )
        else:
            says = say(
                f"이웃한 순위의 모든 팀을 구분하려면 균등 추첨으로 약 {number(more)}표가 더 필요합니다.",
                f"To tell all neighbours in rank apart takes about {many(more, 'more vote')}, drawn evenly.",
            )
    return Section(
        "needed",
        say("구분될 때까지 남은 투표", "Votes until told apart"),
        says,
        Table(
            (
                say("앞선 팀", "Ahead"),
                say("뒤의 팀", "Behind"),
                say("더 필요한 투표 (균등 추첨)", "More votes (even draws)"),
                say("더 필요한 투표 (적응 추첨)", "More votes (adaptive draws)"),
            ),
            tuple(rows),
        ),
        note=say(
            "지금의 추정이 참이고 사람들이 지금처럼 투표한다고 보고 계산한 값입니다. 투표가 더 들어오면 달라집니다.",
            "Worked out as if today's estimates were true and people went on voting as they do. More votes will change it.",
        ),
    )


def robustness(seen: Seen) -> Section:
    """How few votes decide the order."""
    say = seen.t.say
    rows = [(seen.team(f.upper), seen.team(f.lower), f.votes, percent(f.vote_share), f.voters) for f in seen.fragile]
    weakest = min((f for f in seen.fragile if f.votes is not None), key=lambda f: f.votes or 0, default=None)
    says = say(*EMPTY)
    if weakest is not None:
        upper, lower = seen.team(weakest.upper), seen.team(weakest.lower)
        says = say(
            f"가장 약한 곳은 {particle(upper, '과', '와')} {lower} 사이입니다. {number(weakest.votes)}표를 빼면 순서가 바뀝니다.",
            f"Weakest between {upper} and {lower}: without {many(weakest.votes or 0, 'vote')} the order turns.",
        )
    return Section(
        "robustness",
        say("순서가 얼마나 단단한가", "How firm is the order?"),
        says,
        Table(
            (
                say("앞선 팀", "Ahead"),
                say("뒤의 팀", "Behind"),
                say("순서를 바꾸는 투표", "Votes that turn it"),
                say("비율", "Share"),
                say("순서를 바꾸는 사람", "People who turn it"),
            ),
            tuple(rows),
        ),
        note=say(
            "골라서 뺐을 때 이웃한 두 팀의 순서를 바꾸는, 찾아낸 가장 적은 수입니다.",
            "The fewest found that, picked and left out, turn the order of two neighbours.",
        ),
    )


def coverage(seen: Seen) -> Section:
    """Who voted, against who was meant to."""
    say = seen.t.say
    titles = {s.id: seen.t.pick(s.title) for s in seen.stage.population.strata}
    names = {(s.id, c.id): seen.t.pick(c.title) for s in seen.stage.population.strata for c in s.categories}
    rows = []
    for row in seen.strata:
        stratum, category = str(row["stratum"]), str(row["category"])
        held, target, weighted = row["voters"], row["target"], row["weighted_share"]
        rows.append(
            (
                titles.get(stratum, stratum),
                names.get((stratum, category), say("답하지 않음", "not answered")),
                None if not isinstance(target, float) else percent(target),
                say("10명 미만", "fewer than 10") if not isinstance(held, int) else held,
                None if not isinstance(weighted, float) else percent(weighted),
            )
        )
    planned = seen.stage.population.planned_voters
    says = say("이 단계는 참여자 특성을 묻지 않습니다.", "This stage does not ask who the voters are.")
    if seen.strata:
        says = say(
            "참여자 특성은 스스로 동의하고 답한 것만 셉니다.",
            "Counted is only what voters agreed to say and said themselves.",
        )
        if planned:
            says += say(f" 목표 인원은 {number(planned)}명입니다.", f" Planned: {many(planned, 'voter')}.")
    return Section(
        "coverage",
        say("모집단 층별 참여", "Who took part"),
        says,
        Table(
            (
                say("구분", "Trait"),
                say("층", "Group"),
                say("목표", "Target"),
                say("참여자", "Voters"),
                say("가중 뒤 비율", "Share after weighting"),
            ),
            tuple(rows),
        ),
        shares(seen.strata, names, seen.t) if seen.strata else None,
        note=say("10명보다 적은 집단은 보이지 않습니다.", "Groups of fewer than 10 are not shown.")
        if seen.strata
        else "",
    )


def draws(seen: Seen) -> Section:
    """The test that the draws followed the rule."""
    say = seen.t.say
    found = seen.draws
    title = say("추첨 규칙 검정", "Did the draws follow the rule?")
    columns = (
        say("왼쪽(A)", "Left (A)"),
        say("오른쪽(B)", "Right (B)"),
        say("추첨", "Drawn"),
        say("규칙의 기대값", "Expected by the rule"),
    )
    if found is None or not found.draws:
        return Section(
            "draws", title, say("아직 추첨된 대결이 없습니다.", "No battle has been drawn yet."), Table(columns, ())
        )
    rows = tuple((_name(seen, c.a), _name(seen, c.b), c.drawn, round(c.expected, 1)) for c in found.cells)
    p = min(found.pairs.p, found.sides.p)
    verdict = (
        say("추첨은 선언된 규칙과 어긋나지 않습니다", "The draws agree with the declared rule ")
        if p >= 0.01
        else say("추첨이 선언된 규칙과 어긋나 보입니다", "The draws do not look like the declared rule ")
    )
    return Section(
        "draws",
        title,
        f"{verdict}({say('짝', 'pairs')} p = {found.pairs.p:.3f}, {say('자리', 'sides')} p = {found.sides.p:.3f}).",
        Table(columns, rows),
        note=say(
            "카이제곱 검정입니다. 한 번의 작은 p값은 우연일 수 있고, 마감 뒤에는 시드로 모든 추첨을 다시 해 볼 수 있습니다.",
            "A chi-squared test. One small p-value may be chance; after the freeze every draw can be made again from the seed.",
        ),
    )


def _name(seen: Seen, entrant: str) -> str:
    return seen.team(entrant) if entrant in seen.stage.entrant_ids else entrant


def _votes(count: int | None, t: Words) -> str:
    if count is None:
        return t.say("천만 표 넘게", "over ten million")
    return t.say("구분됨", "told apart") if count == 0 else number(count)
