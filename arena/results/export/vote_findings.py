"""What the tests beside the fit say in plain words: one sentence or two each, as codes that console, report and results page tell in their language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from arena.domain.coded import Coded
from arena.domain.declared import Bilingual
from arena.i18n.catalogue import LANGUAGES, InBoth, Messages, messages
from arena.results.export.schema import SideBiasPart
from arena.results.export.vote_tests_schema import AgreementTest, DriftTest, MisfitTest, Retest, ShareTest, VoteTests

REMARKABLE = 0.01
"""A p-value below it, corrected within its family, is told as a finding."""

TestName = Literal["side", "both_bad", "unvoted", "misfit", "drift", "retest", "agreement"]
_OF_SHARES = ("more", "less", "hint", "none", "never")
SENTENCES = (
    *("untold", "side", "side_none"),
    *(f"{test}_{what}" for test in ("both_bad", "unvoted") for what in _OF_SHARES),
    *("misfit", "misfit_most", "misfit_none", "misfit_untold"),
    *("drift", "drift_of", "drift_none", "drift_version"),
    *("retest", "retest_untold"),
    *("agreement", "agreement_about", "agreement_untold"),
)
"""The codes of everything that may be said."""


class Sentence(Coded):
    """One sentence; entrants in `teams`, `a` and `b` are told by their names."""

    kind = "votes_say"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one test has found."""

    test: TestName
    p: float | None
    """The smallest of the test, corrected within its family; None where it cannot be told."""
    says: tuple[Sentence, ...]

    @property
    def remarkable(self) -> bool:
        """Whether chance hardly explains it."""
        return self.p is not None and self.p < REMARKABLE

    def words(self, t: Messages, names: Mapping[str, InBoth]) -> str:
        """Say it, with the entrants' names."""
        return " ".join(t(each.key, **_named(each.params, t, names)) for each in self.says)

    def in_both(self, names: Mapping[str, InBoth]) -> Bilingual:
        """Say it in both languages."""
        return Bilingual(**{language: self.words(messages(language), names) for language in LANGUAGES})


def findings(tests: VoteTests, side: SideBiasPart) -> tuple[Finding, ...]:
    """Tell all of them, in the order of the export."""
    return (
        _side(tests, side),
        _shares("both_bad", tests.both_bad),
        _shares("unvoted", tests.unvoted),
        _misfit(tests.misfit),
        _drift(tests.drift),
        _retest(tests.retest),
        _agreement(tests.agreement),
    )


def _side(tests: VoteTests, side: SideBiasPart) -> Finding:
    p = tests.side.p
    if p is None or side.share_a is None or side.share_a_ci95 is None:
        return Finding("side", None, (Sentence("untold"),))
    code = "side" if p < REMARKABLE else "side_none"
    low, high = side.share_a_ci95
    return Finding("side", p, (Sentence(code, share=side.share_a, low=low, high=high),))


def _shares(test: Literal["both_bad", "unvoted"], rows: Sequence[ShareTest]) -> Finding:
    told = [(row.p_holm, row) for row in rows if row.p_holm is not None]
    if not told:
        never = any(row.of for row in rows) and not any(row.times for row in rows)
        return Finding(test, None, (Sentence(f"{test}_never" if never else "untold"),))
    apart = [row for p, row in told if p < REMARKABLE and row.share is not None and row.others is not None]
    says: list[Sentence] = []
    for code, sign in (("more", 1), ("less", -1)):
        teams = [row.team_id for row in apart if sign * ((row.share or 0) - (row.others or 0)) > 0]
        if teams:
            says.append(Sentence(f"{test}_{code}", teams=list(dict.fromkeys(teams))))
    says.append(Sentence(f"{test}_hint" if says else f"{test}_none"))
    return Finding(test, min(p for p, _ in told), tuple(says))


def _misfit(found: MisfitTest | None) -> Finding:
    if found is None:
        return Finding("misfit", None, (Sentence("misfit_untold"),))
    told = [(pair.p_holm, abs(pair.z or 0), pair) for pair in found.pairs if pair.p_holm is not None]
    p = min([found.overall.p, *(each for each, _, _ in told)])
    if p >= REMARKABLE:
        return Finding("misfit", p, (Sentence("misfit_none"),))
    says = [Sentence("misfit")]
    if told:
        _, _, pair = max(told, key=lambda each: each[1])
        says.append(
            Sentence("misfit_most", a=pair.a, b=pair.b, wins=pair.observed, expected=pair.expected, votes=pair.votes)
        )
    return Finding("misfit", p, tuple(says))


def _drift(found: DriftTest | None) -> Finding:
    if found is None:
        return Finding("drift", None, (Sentence("untold"),))
    each = [(row.p_holm, row.team_id) for row in found.entrants if row.p_holm is not None]
    changed = [(row.p_holm, row.team_id) for row in found.versions if row.p_holm is not None]
    p = min([found.overall.p, *(p for p, _ in each)])
    teams = [team for p, team in each if p < REMARKABLE]
    if p >= REMARKABLE:
        says = [Sentence("drift_none", periods=len(found.periods))]
    else:
        says = [Sentence("drift_of", teams=teams) if teams else Sentence("drift")]
    if apart := [team for p, team in changed if p < REMARKABLE]:
        says.append(Sentence("drift_version", teams=apart))
    return Finding("drift", min([p, *(p for p, _ in changed)]), tuple(says))


def _retest(found: Retest | None) -> Finding:
    if found is None or found.exact.share_ci95 is None:
        return Finding("retest", None, (Sentence("retest_untold"),))
    exact, (low, high) = found.exact, found.exact.share_ci95
    told = {"pairs": exact.of, "same": exact.share, "low": low, "high": high, "chance": exact.chance}
    return Finding("retest", None, (Sentence("retest", **told),))


def _agreement(tests: AgreementTest) -> Finding:
    found = tests.ordinal
    if found is None:
        return Finding("agreement", None, (Sentence("agreement_untold"),))
    if found.alpha_ci95 is None:
        return Finding("agreement", None, (Sentence("agreement_about", alpha=found.alpha, units=found.units),))
    low, high = found.alpha_ci95
    says = Sentence("agreement", alpha=found.alpha, low=low, high=high, units=found.units)
    return Finding("agreement", None, (says,))


def _named(params: Mapping[str, Any], t: Messages, names: Mapping[str, InBoth]) -> dict[str, Any]:
    """Put names in the place of entrants' identifiers."""

    def name(value: Any) -> Any:
        if isinstance(value, list):
            return [name(each) for each in value]
        return t.pick(names[value]) if isinstance(value, str) else value

    return {key: name(value) for key, value in params.items()}
