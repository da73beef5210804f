"""The acts that the operations tab offers, each with what will happen spelled out."""

from collections.abc import Mapping, Sequence
from typing import Any

from arena.domain.stage import StageStatus
from arena.i18n import facts
from arena.web.console.document import clock
from arena.web.console.tabs.operations import OperationFacts


def forms(seen: OperationFacts) -> tuple[Mapping[str, Any], ...]:
    """Offer what can be done now, with what will happen spelled out, and the word to be typed where there is no way back."""
    status, made = seen.record.status, []
    if status is StageStatus.OPEN:
        made.append(_pausing(seen))
        left = [e for e in seen.stage.entrants if e.id not in {r.entrant for r in seen.removed}]
        if len(left) > 2:
            made.append(_removing(seen, [(e.id, seen.t.pick(e.team)) for e in left]))
    if move := _moving(seen):
        made.append(move)
    if seen.evidence_keys:
        made.append(_rotating(seen))
    return tuple(made)


def _pausing(seen: OperationFacts) -> Mapping[str, Any]:
    t = seen.t
    if seen.record.paused_at is not None:
        return {
            "id": "resume",
            "title": t("operations_resume_title"),
            "says": [t("operations_resume_since", at=clock(seen.record.paused_at)), t("operations_resume_at_once")],
            "fields": [],
            "act": "resume",
            "button": t("operations_resume_title"),
        }
    return {
        "id": "pause",
        "title": t("operations_pause_title"),
        "says": [t("operations_pause_draws"), t("operations_pause_running"), t("operations_pause_citizens")],
        "fields": [{"name": "reason", "label": t("operations_pause_reason"), "type": "text"}],
        "act": "pause",
        "button": t("operations_pause_title"),
    }


def _removing(seen: OperationFacts, left: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    t = seen.t
    return {
        "id": "remove",
        "title": t("operations_remove_title"),
        "says": [t("operations_remove_votes"), t("operations_remove_published"), t("console_for_good")],
        "fields": [
            {
                "name": "entrant",
                "label": t("operations_remove_team"),
                "type": "select",
                "options": [list(pair) for pair in left],
            },
            {"name": "reason", "label": t("operations_remove_reason"), "type": "text"},
        ],
        "act": "remove",
        "button": t("operations_remove_button"),
        "danger": True,
        "confirm": {"label": t("operations_remove_confirm")},
    }


def _rotating(seen: OperationFacts) -> Mapping[str, Any]:
    t = seen.t
    return {
        "id": "rotate",
        "title": t("operations_rotate_title"),
        "says": [t("operations_rotate_ends"), t("operations_rotate_published")],
        "fields": [
            {
                "name": "entrant",
                "label": t("operations_rotate_team"),
                "type": "select",
                "options": [[entrant.id, t.pick(entrant.team)] for entrant in seen.stage.entrants],
            },
            {"name": "reason", "label": t("operations_rotate_reason"), "type": "text"},
        ],
        "act": "rotate",
        "button": t("operations_rotate_title"),
    }


def _closing(seen: OperationFacts) -> str:
    """Say what the stage file has end it, and what becomes of the intervals otherwise."""
    rule = facts.closing(seen.stage, seen.t)
    return f"{rule} {seen.t('operations_freeze_rule')}" if rule else seen.t("operations_freeze_no_rule")


def _moving(seen: OperationFacts) -> Mapping[str, Any] | None:
    stage, t = seen.stage, seen.t
    title = t.pick(stage.title)
    teams = [t.pick(entrant.team) for entrant in stage.entrants]
    word = {"label": t("operations_move_confirm", stage=stage.id)}
    common = {"fields": [], "act": "move", "danger": True, "confirm": word}
    match seen.record.status:
        case StageStatus.DRAFT:
            return common | {
                "id": "open",
                "title": t("operations_open_title"),
                "says": [
                    t("operations_open_entrants", stage=title, count=len(teams), teams=teams),
                    t("operations_open_sealed"),
                    t("operations_open_citizens"),
                ],
                "body": {"to": "open"},
                "button": t("operations_open_title"),
            }
        case StageStatus.OPEN:
            return common | {
                "id": "freeze",
                "title": t("operations_freeze_title"),
                "says": [
                    t("operations_freeze_votes", votes=seen.votes),
                    t("operations_freeze_running", battles=seen.running),
                    t("operations_freeze_signed"),
                    t("operations_freeze_for_good"),
                    _closing(seen),
                ],
                "fields": [
                    {"name": "reason", "label": t("operations_freeze_reason"), "type": "text", "optional": True}
                ],
                "body": {"to": "frozen"},
                "button": t("operations_freeze_title"),
            }
        case StageStatus.FROZEN:
            return common | {
                "id": "publish",
                "title": t("operations_publish_title"),
                "says": [
                    t("operations_publish_checked"),
                    t("operations_publish_told", stage=title),
                    t("console_for_good"),
                ],
                "body": {"to": "published"},
                "button": t("operations_publish_title"),
            }
    return None
