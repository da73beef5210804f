"""The pages people read: one self-contained file each, Korean and English, without script and without any other host."""

from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from arena.domain.clock import KST
from arena.domain.declared import Bilingual
from arena.i18n.catalogue import LANGUAGES, InBoth, Language, messages
from arena.i18n.facts import published_outage
from arena.results.export.signed import TwoLanguages
from arena.results.programme.schema import Total
from arena.results.publish import charts
from arena.results.publish.charts import Bar

TEMPLATES = Path(__file__).resolve().parent / "templates"


def total_page(total: Total) -> str:
    """Show the decision of a round on one page."""
    bars = [
        Bar(team.team, [team.components[part.id] for part in total.components], team.total, *team.total_ci95)
        for team in total.teams
    ]
    teams = {team.team_id: team.team for team in total.teams}
    titles = {component.id: component.title for component in total.components}
    return rendered(
        "total.html",
        d=total,
        plot=charts.stacked([(part.title, part.max) for part in total.components], bars, total.rule.places),
        named=lambda ids: [teams[each] for each in ids],
        open=[team.team_id for team in total.teams if team.in_first_k == "maybe"],
        titled=lambda ids: [titles[each] for each in ids],
    )


def t(key: str, **values: Any) -> Markup:
    """Say it in both languages; the page's switch shows one of them. A value may be a text in both, or a list of such."""
    ko, en = (
        messages(language)(key, **{name: _in(language, value) for name, value in values.items()})
        for language in LANGUAGES
    )
    return both(Bilingual(ko=ko, en=en))


def both(words: InBoth) -> Markup:
    """Write a text that comes in both languages twice."""
    twice = Markup('<span class="ko" lang="ko">{}</span><span class="en" lang="en">{}</span>')
    return twice.format(words.ko, words.en)


def _in(language: Language, value: Any) -> Any:
    """Choose this language's of a value."""
    if isinstance(value, list):
        return [_in(language, each) for each in value]
    return messages(language).pick(value) if isinstance(value, Bilingual | TwoLanguages) else value


def number(value: float | None) -> str:
    """As few decimals as the number has."""
    return "–" if value is None else f"{value:,.10g}"


def fixed(value: float | None, decimals: int) -> str:
    """So many decimals; a real minus."""
    return "–" if value is None else f"{value:,.{decimals}f}".replace("-", "−")


def percent(share: float | None, decimals: int = 0) -> str:
    """Write a share in per cent."""
    return "–" if share is None else f"{100 * share:.{decimals}f} %"


def chance(share: float | None) -> str:
    """Write a probability that was found by drawing: never quite 0 or 100 %."""
    if share is None:
        return "–"
    return "< 0.1 %" if share < 0.001 else "> 99.9 %" if share > 0.999 else f"{100 * share:.1f} %"


def kst(moment: str | datetime) -> str:
    """Write a moment in Korean time, to the minute."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{at.astimezone(KST):%Y-%m-%d %H:%M} (KST)"


def environment(folder: Path) -> Environment:
    """Make the one kind of template engine that pages are written with, over the templates of this folder."""
    # StrictUndefined: a misspelt word is an error, never an empty place.
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def rendered(template: str, **values: Any) -> str:
    """Fill in one of the templates of this room."""
    made = environment(TEMPLATES)
    made.globals |= {"t": t, "both": both, "ko": messages("ko"), "en": messages("en")}
    made.filters |= {"number": number, "fixed": fixed, "percent": percent, "chance": chance, "kst": kst}
    made.filters["outage"] = published_outage
    return made.get_template(template).render(**values)
