"""What the record keeps as one sentence of ours, in the language of whoever reads it: grounds of an exclusion, reasons of an outage."""

import re
from collections.abc import Callable
from typing import Final

from arena.web.words import Words

TESTS: Final = {
    "side": ("자리", "side"),
    "outcome": ("선택 쏠림", "same choice"),
    "consensus": ("다른 사람들과 어긋남", "against the others"),
    "target": ("한 팀 쏠림", "one team"),
    "absence": ("안 한 투표", "votes not cast"),
    "check": ("확인 문제", "check questions"),
    "speed": ("속도", "speed"),
    "burst": ("몰아치기", "bursts"),
    "repeat": ("되풀이", "repetition"),
}
KINDS: Final = {
    "timeout": ("시간 초과", "timeout"),
    "empty": ("빈 답변", "empty answer"),
    "protocol": ("규격 오류", "not to the protocol"),
    "refused": ("거절", "refused"),
    "rejected": ("질문을 받지 않음", "question not taken"),
    "too_long": ("질문이 너무 긺", "question too long"),
    "filtered": ("팀의 필터가 막음", "cut by the team's filter"),
    "aborted": ("답변을 포기함", "answer given up"),
    "unfinished": ("끝맺지 않음", "answer not finished"),
    "leaked": ("생각이 드러남", "reasoning shown"),
    "connect": ("연결 실패", "no connection"),
    "upstream": ("모델 서버 오류", "error of the model's server"),
    "unknown": ("알 수 없음", "unknown"),
    "busy": ("과부하", "overload"),
    "crashed": ("서버 중단", "server down"),
    "fault": ("알 수 없음", "unknown"),
}
_OUTAGES: Final = (
    ("answers failed, the last one", "답변이 거듭 실패함"),
    ("still failing", "아직 실패함"),
    ("our own question failed too", "우리가 낸 질문에도 답하지 못함"),
    ("no answer at the start", "켤 때 답하지 않음"),
    ("asking it again", "다시 물어보는 중"),
    ("it answers again", "다시 답함"),
    ("the worker process serves again", "모델 프로세스가 다시 일함"),
)
_WORKER: Final = (
    (re.compile(r"the worker process died \((.*)\)"), "모델 프로세스가 멈춤({})"),
    (re.compile(r"the worker process has said nothing for (\d+) s"), "모델 프로세스가 {}초 동안 응답하지 않음"),
)
_VOTER: Final = re.compile(r"voter test (\w+): p = (\S+), q = (\S+) <= ([\d.]+)")
_CAMPAIGN: Final = re.compile(
    r"campaign test, (?:network (?P<network>\w+)|(?P<hours>\d+) hours from (?P<start>\S+)): (?P<votes>\d+) votes, "
    r"(?P<excess>\S+) wins for (?P<entrant>\S+) beyond the others' consensus, q = (?P<q>\S+) <= (?P<rate>[\d.]+)"
)


def grounds(rule: str, t: Words, team: Callable[[str], str]) -> str:
    """The rule that an exclusion follows. What the tests wrote is told again in Korean; what a person wrote stays as it is."""
    if t.language == "en":
        return rule
    if found := _VOTER.match(rule):
        test, p, q, rate = found.groups()
        return f"개인 검정 {TESTS[test][0] if test in TESTS else test}: p = {p}, q = {q} ≤ {rate}"
    if found := _CAMPAIGN.match(rule):
        where = f"네트워크 {found['network']}" if found["network"] else f"{found['start']}부터 {found['hours']}시간"
        return (
            f"집단 검정, {where}: 투표 {found['votes']}건, 다른 사람들의 판단보다 {team(found['entrant'])} 승 "
            f"{found['excess']}, q = {found['q']} ≤ {found['rate']}"
        )
    return rule


def kind_of(kind: str, t: Words) -> str:
    """A kind of failed answer."""
    return t.say(*KINDS.get(kind, (kind, kind)))


def outage(reason: str, t: Words) -> str:
    """Why a model left the draw."""
    for en, ko in _OUTAGES:
        if reason == en or reason.startswith(f"{en}: "):
            kind = reason[len(en) + 2 :]
            return t.say(ko, en) + (f": {kind_of(kind, t)}" if kind else "")
    for pattern, ko in _WORKER:
        if found := pattern.fullmatch(reason):
            return t.say(ko.format(found[1]), reason)
    return reason
