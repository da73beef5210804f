"""The pages people read: one self-contained file each, Korean and English, without script and without any other host."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from arena.results.export.document import KST
from arena.results.publish import charts

TEMPLATES = Path(__file__).resolve().parent / "templates"


def total_page(document: Mapping[str, Any]) -> str:
    """The decision of a round (`kai.total/1`) on one page."""
    return _page("total.html", d=document, plot=charts.stacked(document))


def report_page(told: Mapping[str, Any]) -> str:
    """The transparency report of a stage, from `arena.results.report`."""
    return _page("report.html", **told, reasons=REASONS, covariates=COVARIATES)


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


REASONS = {
    "side": t("한쪽만 고름", "voted for a side"),
    "random": t("판단이 담기지 않음", "carries no judgement"),
    "target": t("한 팀만 고름", "for or against one team, whatever was said"),
    "campaign": t("여럿이 한 사람처럼 투표", "many acted as one"),
    "speed": t("읽을 수 없이 빠름", "faster than anybody reads"),
    "duplicate": t("같은 질문 반복", "the same prompt again and again"),
    "operator": t("관계자의 투표", "cast by a team, an organizer or a test"),
    "marked": t("누구의 답인지 드러남", "the battle may not have been blind"),
    "check": t("점검용 대결", "a check against a control"),
    "removed": t("빠진 팀과의 대결", "against a team that was removed"),
}
COVARIATES = {
    "length": t("길이", "length"),
    "headers": t("제목", "headers"),
    "bold": t("굵은 글씨", "bold"),
    "lists": t("목록", "lists"),
    "side_a": t("A 쪽", "side A"),
}


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
