"""Facts as sentences: what the record keeps as codes and figures, told in the language of whoever reads it, or as it is published."""

from collections.abc import Callable
from datetime import datetime

from arena.domain.grounds import Grounds, HoursGrounds, NetworkGrounds, VoterGrounds, WrittenGrounds
from arena.domain.outage import Cause
from arena.domain.stage import Stage
from arena.i18n.catalogue import Messages, messages


def grounds(found: Grounds, t: Messages, team: Callable[[str], str]) -> str:
    """Tell why votes were left out or taken back; what a person wrote stays as it is."""
    return _grounds(found, t, test=lambda code: named("test", code, t), team=team, when=t.when)


def published_grounds(found: Grounds) -> str:
    """Write the same for an export: in English, with codes for names and ISO 8601 for times."""
    return _grounds(found, messages("en"), test=str, team=str, when=lambda at: at.isoformat(timespec="minutes"))


def outage(cause: Cause, t: Messages) -> str:
    """Tell why an entrant left the draw, stays out of it, or is back."""
    return _outage(cause, t, lambda kind: named("failure", kind, t))


def published_outage(cause: Cause) -> str:
    """Write the same for a report: in English, with codes for names."""
    return _outage(cause, messages("en"), str)


def closing(stage: Stage, t: Messages) -> str | None:
    """Tell what ends a stage by its file; None where that says nothing."""
    rule = stage.closing_rule
    if rule is None:
        return None
    match rule.rule:
        case "time":
            return t("closing_time", closes="–" if stage.closes is None else t.when(stage.closes))
        case "votes":
            return t("closing_votes", number=rule.number)
        case "panelists":
            return t("closing_panelists", number=rule.number)
        case "separation":
            return t("closing_separation", places=stage.planned_advance)


def mismatch(kind: str, setting: str, t: Messages) -> str:
    """Tell how what came contradicts this ARENA_TRUSTED_PROXIES, and what to do; `kind` is the event's."""
    return t(f"proxies_{kind.partition('.')[2]}", setting=setting)


def named(family: str, code: str, t: Messages) -> str:
    """Give the name of a code, such as `failure`'s `timeout`; of one that this version does not know, the code itself."""
    key = f"{family}_{code}"
    return t(key) if key in t else code


def _outage(cause: Cause, t: Messages, failure: Callable[[str], str]) -> str:
    if cause.text is not None:
        return cause.text
    figures = cause.model_dump(exclude={"kind", "text"})
    if cause.failure is not None:
        figures["failure"] = failure(cause.failure)
    key = f"outage_{cause.kind}"
    return t(key, **figures) if key in t else cause.kind


def _grounds(
    found: Grounds,
    t: Messages,
    *,
    test: Callable[[str], str],
    team: Callable[[str], str],
    when: Callable[[datetime], str],
) -> str:
    match found:
        case WrittenGrounds():
            return found.text
        case VoterGrounds():
            values = found.model_dump() | {"test": test(found.test)}
        case NetworkGrounds() | HoursGrounds():
            values = found.model_dump() | {"entrant": team(found.entrant), "percent": 100 * found.share}
            if isinstance(found, HoursGrounds):
                values["since"] = when(found.since)
    return t(f"grounds_{found.kind}", **values)
