"""The pages people read: one self-contained file each, Korean and English, without script and without any other host."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from arena.results import plots
from arena.results.document import KST

TEMPLATES = Path(__file__).resolve().parent / "templates"


def total_page(document: Mapping[str, Any]) -> str:
    """The decision of a round (`kai.total/1`) on one page."""
    return _page("total.html", d=document, plot=plots.stacked(document))


def t(ko: str, en: str) -> Markup:
    """The same words twice; the page's switch shows one of them."""
    return Markup('<span class="ko" lang="ko">{}</span><span class="en" lang="en">{}</span>').format(ko, en)


def both(words: Mapping[str, str]) -> Markup:
    """The same for words that come as `{ko, en}`."""
    return t(words["ko"], words["en"])


def number(value: float | None) -> str:
    """As few decimals as the number has."""
    return "–" if value is None else f"{value:,.10g}"


def fixed(value: float | None, decimals: int) -> str:
    """So many decimals; a real minus."""
    return "–" if value is None else f"{value:,.{decimals}f}".replace("-", "−")


def percent(share: float | None, decimals: int = 0) -> str:
    """A share in per cent."""
    return "–" if share is None else f"{100 * share:.{decimals}f} %"


def chance(share: float | None) -> str:
    """A probability that was found by drawing: never quite 0 or 100 %."""
    if share is None:
        return "–"
    return "< 0.1 %" if share < 0.001 else "> 99.9 %" if share > 0.999 else f"{100 * share:.1f} %"


def kst(moment: str | datetime) -> str:
    """A moment in Korean time, to the minute."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{at.astimezone(KST):%Y-%m-%d %H:%M} (KST)"


def _page(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"t": t, "both": both}
    made.filters |= {"number": number, "fixed": fixed, "percent": percent, "chance": chance, "kst": kst}
    return made
