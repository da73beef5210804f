"""The pages of law: the privacy policy says what PIPA art. 30 asks for, and every fact in it is the stage's own."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from tests.support.serving import OPERATOR, TEAMS, serving, stage_toml

MORE = """
[retention]
texts_days = 217
unjudged_days = 13
teams_days = 29
"""
ASKING = """
[population]
identity = "anonymous"
[[population.strata]]
id = "age"
title = { ko = "연령대", en = "Age band" }
categories = [{ id = "young", title = { ko = "50세 미만", en = "Under 50" } }, { id = "old", title = { ko = "50세 이상", en = "50 and over" } }]
"""
ITEMS = {
    "purposes": "처리 목적",
    "items": "항목과 보유 기간",
    "children": "만 14세 미만",
    "provision": "제3자 제공",
    "processors": "위탁",
    "transfers": "국외 이전",
    "destruction": "파기 절차와 방법",
    "rights": "권리와 행사 방법",
    "safety": "안전성 확보조치",
    "cookies": "자동으로 수집하는 장치",
    "pseudonyms": "가명정보",
    "officer": "개인정보 보호책임자",
    "access": "열람청구",
    "remedies": "구제방법",
    "changes": "변경과 이력",
}
"""What the law wants said (PIPA art. 30(1), its decree art. 31), by the section that says it."""
OFFICES = {
    "개인정보분쟁조정위원회": "1833-6972",
    "개인정보침해신고센터": "118",
    "대검찰청": "1301",
    "경찰청": "182",
}


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stage whose operator says everything, with days of its own."""
    with serving(tmp_path_factory.mktemp("declared"), stage_toml(top=ASKING) + MORE + OPERATOR) as address:
        yield address


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A synthetic stage that says nothing of its operator."""
    with serving(tmp_path_factory.mktemp("invented"), stage_toml()) as address:
        yield address


def page(base: str, path: str, language: str = "ko") -> str:
    """A page's HTML."""
    return httpx.get(f"{base}{path}?lang={language}").raise_for_status().text


def text(html: str) -> str:
    """What is read of it."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def sections(html: str) -> dict[str, str]:
    """The policy's sections by their ids, as text."""
    parts = re.split(r'<h2 id="(\w+)">', html.partition("<footer")[0])
    return {name: text(body) for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def test_every_item_of_the_law_has_its_section(declared: str) -> None:
    """Under the law's own name, each item in a section that the contents lead to, in both languages."""
    html = page(declared, "/privacy")
    found = sections(html)
    assert "<h1>개인정보 처리방침</h1>" in html
    for name, words in ITEMS.items():
        assert words in found[name], name
        assert f'<a href="#{name}">' in html
    assert sections(page(declared, "/privacy", "en")).keys() == found.keys()
    assert '<a href="/privacy" class="arena-policy">개인정보 처리방침</a>' in page(declared, "/how")


def test_the_days_are_those_of_the_stage_file(declared: str, invented: str) -> None:
    """Retention is what the file says, in the policy and in the consents; nothing says a year where it is not one."""
    found = sections(page(declared, "/privacy"))
    assert "평가 종료 후 217일. 투표하지 않은 대결은 마지막 이용 후 13일" in found["items"]
    assert "제공받은 날부터 29일 동안" in found["provision"]
    assert "평가 종료 후 217일까지" in found["consents"]
    english = sections(page(declared, "/privacy", "en"))
    assert "217 days after the evaluation; battles without a vote: 13 days" in english["items"]
    assert "for 29 days after they receive them" in english["provision"]
    assert not re.search(r"1년 동안|one year", text(page(declared, "/privacy").partition("제3자 제공 현황")[0]))
    assert "평가 종료 후 365일" in sections(page(invented, "/privacy"))["items"]
    assert "답변을 생성하는 동안에만" in sections(page(invented, "/privacy"))["provision"]


def test_every_recipient_is_named(declared: str) -> None:
    """Each entrant's team, in the file's order, and each recipient of the operator's: who, what for, which items, how long."""
    told = sections(page(declared, "/privacy"))["provision"]
    places = [told.index(f"{team} 대결 답변의 생성") for team, _ in TEAMS.values()]
    assert places == sorted(places)
    assert "가상집계원 총점 집계 가명처리한 투표 기록 집계 후 1년" in told
    english = sections(page(declared, "/privacy", "en"))["provision"]
    assert all(f"{team} Writing the answers" in english for _, team in TEAMS.values())
    assert "Invented Aggregator" in english


def test_the_consent_to_the_provision_is_one(declared: str) -> None:
    """It names recipients, purpose, items, time and the right to refuse with what follows (art. 17(2)), and the other recipients; what a withdrawal leaves made the consents to the service and to one's own answers third versions."""
    consents = {each["id"]: each for each in httpx.get(f"{declared}/api/v1/stage").json()["consents"]}
    provision = consents["teams"]
    assert {name: each["version"] for name, each in consents.items()} == dict.fromkeys(consents, 2) | {
        "service": 3,
        "strata": 3,
    }
    assert "가람팀, 나래팀, 다솜팀" in provision["text"]["ko"]
    assert "29일 동안" in provision["text"]["ko"]
    details = {each["term"]["ko"]: each["text"]["ko"] for each in provision["details"]}
    assert {"제공받는 자", "이용 목적", "제공 항목", "보유·이용 기간", "거부할 권리", "가상집계원"} == details.keys()
    assert details["제공받는 자"] == "가람팀, 나래팀, 다솜팀"
    assert "참여할 수 없으며" in details["거부할 권리"]
    assert details["가상집계원"] == "총점 집계. 제공 항목: 가명처리한 투표 기록. 보유·이용 기간: 집계 후 1년."
    for consent in consents.values():
        for told in (consent["title"], consent["text"], *(d[k] for d in consent["details"] for k in ("term", "text"))):
            assert not re.search(r"[{}]", told["ko"] + told["en"])


def test_who_answers_for_it_can_be_reached(declared: str) -> None:
    """The privacy officer, who takes requests, the operator's address and the public offices, with their numbers; version, date and history."""
    html = page(declared, "/privacy")
    found = sections(html)
    assert "부서: 정보보호담당관 성명: 홍길동 전화: 02-000-0001 전자우편: privacy@agency.example" in found["officer"]
    assert "가상시 가상로 1" in found["access"]
    for office, number in OFFICES.items():
        assert re.search(rf"{office}[^0-9]*: {number}", found["remedies"])
        assert f'href="tel:{number}"' in html
    assert "가상호스팅 서버 운영" in found["processors"]
    assert "국외로 이전하지 않습니다" in found["transfers"]
    assert "1.1(현행) 2026-12-01 1.0 2026-11-01" in found["changes"]
    assert "2026년 12월 1일 시행" in text(html)
    for path in ("/accessibility", "/how"):
        told = text(page(declared, path))
        assert "02-000-0000" in told
        assert "arena@agency.example" in told
    assert "연령대" in found["items"]


def test_an_invented_operator_is_said_to_be_one(invented: str) -> None:
    """A synthetic stage without contact says so wherever a contact would stand, and gives no telephone but the public offices'."""
    html = page(invented, "/privacy")
    for section in ("officer", "access"):
        assert "지어낸 것이며 실제 연락처가 없습니다" in sections(html)[section]
    assert set(re.findall(r'href="tel:([^"]+)"', html)) == {*OFFICES.values(), "110"}
    assert "실제 연락처가 없습니다" in text(page(invented, "/accessibility"))
    assert "made up for this demonstration" in text(page(invented, "/accessibility", "en"))


DESK = """
[operator.access_desk]
department = { ko = "민원실", en = "Public desk" }
telephone = "02-000-0002"
mail = "desk@agency.example"
"""


def test_transfers_abroad_and_a_desk_of_its_own_are_told_in_full(tmp_path: Path) -> None:
    """Where data leave Korea: to whom, where, what, why, how, for how long, and how to refuse (PIPA art. 28-8). Where another department than the
    officer's takes requests, it is that one."""
    parts = ("recipient", "country", "items", "purpose", "method", "retention", "refusal")
    one = ", ".join(f'{part} = {{ ko = "가-{part}", en = "x-{part}" }}' for part in parts)
    operator = OPERATOR.replace("transfers = []", f"transfers = [{{ {one} }}]") + DESK
    with serving(tmp_path, stage_toml() + operator) as base:
        desk = sections(page(base, "/privacy"))["access"]
        assert "부서: 민원실 전화: 02-000-0002 전자우편: desk@agency.example" in desk
        assert "02-000-0001" not in desk
        assert " ".join(f"가-{part}" for part in parts) in sections(page(base, "/privacy"))["transfers"]
        assert " ".join(f"x-{part}" for part in parts) in sections(page(base, "/privacy", "en"))["transfers"]


def test_generative_ai_is_told_of_on_every_page(declared: str) -> None:
    """AI Basic Act art. 31: the policy says it in a section, the footer of every page in a sentence, in both languages."""
    assert "제31조" in sections(page(declared, "/privacy"))["ai"]
    for path in ("/", "/how", "/rules", "/receipts", "/checkpoints", "/my", "/privacy", "/accessibility"):
        assert "이 서비스는 생성형 인공지능(AI)을 이용하며" in text(page(declared, path))
        assert "This service uses generative AI" in text(page(declared, path, "en"))
