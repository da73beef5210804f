"""The acts that the operations tab offers, each with what will happen spelled out."""

from collections.abc import Mapping, Sequence
from typing import Any

from arena.domain.stage import StageStatus
from arena.web.console.operations import Seen
from arena.web.console.section import clock, listed, many, number, particle


def forms(seen: Seen) -> tuple[Mapping[str, Any], ...]:
    """What can be done now, with what will happen spelled out, and the word to be typed where there is no way back."""
    status, made = seen.record.status, []
    if status is StageStatus.OPEN:
        made.append(_pausing(seen))
        left = [e for e in seen.stage.entrants if e.id not in {r.entrant for r in seen.removed}]
        if len(left) > 2:
            made.append(_removing(seen, [(e.id, seen.t.pick(e.team)) for e in left]))
    if move := _moving(seen):
        made.append(move)
    return tuple(made)


def _pausing(seen: Seen) -> Mapping[str, Any]:
    say = seen.t.say
    if seen.record.paused_at is not None:
        return {
            "id": "resume",
            "title": say("추첨 다시 시작", "Resume the draws"),
            "says": [
                say(
                    f"{clock(seen.record.paused_at)}부터 새 대결을 멈췄습니다.",
                    f"No new battle since {clock(seen.record.paused_at)} (KST).",
                ),
                say(
                    "누르면 모든 서버에서 곧바로 새 대결을 추첨합니다.",
                    "Every server draws new battles again at once.",
                ),
            ],
            "fields": [],
            "act": "resume",
            "button": say("추첨 다시 시작", "Resume the draws"),
        }
    return {
        "id": "pause",
        "title": say("추첨 멈추기", "Pause the draws"),
        "says": [
            say("모든 서버에서 새 대결을 추첨하지 않습니다.", "No server draws a new battle."),
            say(
                "진행 중인 대결은 끝까지 이어지고, 투표도 받습니다.",
                "Running battles go on to their end, and their votes are taken.",
            ),
            say(
                "시민에게는 ‘잠시 쉬고 있다’는 안내가 보입니다. 언제든 다시 시작할 수 있습니다.",
                "Citizens read that the arena takes a short break. You can resume at any time.",
            ),
        ],
        "fields": [
            {
                "name": "reason",
                "label": say("까닭 (감사 기록에 남습니다)", "Reason (kept in the audit log)"),
                "type": "text",
            }
        ],
        "act": "pause",
        "button": say("추첨 멈추기", "Pause the draws"),
    }


def _removing(seen: Seen, left: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    say = seen.t.say
    return {
        "id": "remove",
        "title": say("참가팀 제외", "Remove a team"),
        "says": [
            say(
                "그 팀은 더 이상 추첨되지 않고, 지금까지의 투표도 평가에서 빠집니다. 투표 기록은 지워지지 않습니다.",
                "The team is not drawn again, and its votes so far leave the evaluation. The votes stay on record.",
            ),
            say("사유와 시각이 결과와 함께 공개됩니다.", "Reason and time are published with the result."),
            say("되돌릴 수 없습니다.", "It cannot be undone."),
        ],
        "fields": [
            {
                "name": "entrant",
                "label": say("제외할 팀", "Team to remove"),
                "type": "select",
                "options": [list(pair) for pair in left],
            },
            {"name": "reason", "label": say("사유 (공개됩니다)", "Reason (it is published)"), "type": "text"},
        ],
        "act": "remove",
        "button": say("참가팀 제외", "Remove the team"),
        "danger": True,
        "confirm": {
            "label": say(
                "확인을 위해 팀 이름을 그대로 적어 주세요", "To confirm, type the team's name as it stands above"
            )
        },
    }


def _moving(seen: Seen) -> Mapping[str, Any] | None:
    stage, say = seen.stage, seen.t.say
    title = seen.t.pick(stage.title)
    word = {
        "label": say(
            f"확인을 위해 단계 이름을 그대로 적어 주세요: {stage.id}", f"To confirm, type the stage's name: {stage.id}"
        )
    }
    teams = listed([seen.t.pick(e.team) for e in stage.entrants])
    common = {"fields": [], "act": "move", "danger": True, "confirm": word}
    match seen.record.status:
        case StageStatus.DRAFT:
            return common | {
                "id": "open",
                "title": say("단계 시작", "Open the stage"),
                "says": [
                    say(
                        f"{title}: 참가팀 {len(stage.entrants)}팀({teams}).",
                        f"{title}: {many(len(stage.entrants), 'team')} ({teams}).",
                    ),
                    say(
                        "단계 파일, 참가 모델의 해시, 점수 산식이 확정되어 더는 바꿀 수 없습니다.",
                        "Stage file, hashes of the models and scoring formula are sealed and cannot be changed any more.",
                    ),
                    say(
                        "시민이 곧바로 대결을 시작할 수 있습니다. 되돌릴 수 없습니다.",
                        "Citizens can start battles at once. It cannot be undone.",
                    ),
                ],
                "body": {"to": "open"},
                "button": say("단계 시작", "Open the stage"),
            }
        case StageStatus.OPEN:
            return common | {
                "id": "freeze",
                "title": say("단계 마감", "Freeze the stage"),
                "says": [
                    say(
                        f"지금까지의 투표 {number(seen.votes)}건이 확정되고, 그 뒤의 투표는 받지 않습니다.",
                        f"The votes so far ({number(seen.votes)}) become final, and none is taken afterwards.",
                    ),
                    say(
                        f"답변이 진행 중인 대결 {number(seen.running)}건은 투표할 수 없게 됩니다.",
                        f"Battles still being answered can no longer be voted on: {number(seen.running)}.",
                    ),
                    say(
                        "마지막 체크포인트에 서명하고, 추첨의 시드를 내보내기에 공개합니다.",
                        "The last checkpoint is signed, and exports disclose the seed of the draws.",
                    ),
                    say("다시 열 수 없습니다.", "It cannot be opened again."),
                ],
                "body": {"to": "frozen"},
                "button": say("단계 마감", "Freeze the stage"),
            }
        case StageStatus.FROZEN:
            return common | {
                "id": "publish",
                "title": say("결과 공개", "Publish the result"),
                "says": [
                    say(
                        "서명한 결과를 새로 만들어 파일만으로 모든 수를 다시 계산해 보고, 맞을 때만 공개합니다.",
                        "Makes a new signed result, computes every figure again from its files, and publishes only if they agree.",
                    ),
                    say(
                        f"{particle(title, '은', '는')} ‘공개됨’이 되고, 등록된 취합 기관에 알립니다.",
                        f"{title} becomes ‘published’, and the registered aggregators are told.",
                    ),
                    say("되돌릴 수 없습니다.", "It cannot be undone."),
                ],
                "body": {"to": "published"},
                "button": say("결과 공개", "Publish the result"),
            }
    return None
