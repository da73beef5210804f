"""Identity marks: an answer that says who wrote it is marked, a prompt that asks is marked, ordinary words void nothing."""

from datetime import UTC, datetime

import pytest

from arena.battles.identity import Lexicon
from arena.domain.battle import Answer, Battle, BattleState, Draw, Side, Turn
from arena.domain.declared import Bilingual
from arena.domain.stage import Entrant


def entrant(entrant_id: str, ko: str, en: str, *aliases: str) -> Entrant:
    return Entrant(id=entrant_id, team=Bilingual(ko=ko, en=en), aliases=aliases, backend="scripted")


LEXICON = Lexicon(
    [
        entrant("garam", "가람팀", "Team Garam", "가람", "Garam-7B"),
        entrant("narae", "나래팀", "Team Narae", "나래", "Narae"),
        entrant("maru", "마루팀", "Team Maru", "Maru"),
        entrant("lg", "LG AI연구원", "LG AI Research", "LG", "엘지", "EXAONE", "엑사원", "EXAONE 4.0"),
    ]
)


@pytest.mark.parametrize(
    ("answer", "own", "marks"),
    [
        ("저는 가람입니다. 무엇을 도와드릴까요?", "garam", ("self:garam",)),
        ("안녕하세요! 저는 LG AI연구원에서 개발한 언어 모델 EXAONE입니다.", "lg", ("self:lg",)),
        ("저는 엑사원이라고 해요.", "garam", ("posing:lg",)),
        ("제 이름은 나래예요.", "narae", ("self:narae",)),
        ("저를 만든 곳은 마루팀입니다.", "maru", ("self:maru",)),
        ("나래팀이 만든 인공지능 모델입니다.", "narae", ("self:narae",)),
        ("안녕하세요, Garam 7B입니다!", "garam", ("self:garam",)),
        ("I'm Garam-7B, a language model.", "garam", ("self:garam",)),
        ("I am a large language model created by Team Narae.", "narae", ("self:narae",)),
        ("I was developed by LG AI Research to help.", "lg", ("self:lg",)),
        ("저는 OpenAI에서 만든 ChatGPT입니다.", "garam", ("posing:openai",)),
        ("As an AI, I was trained by Google.", "garam", ("posing:google",)),
        ("저는 나래팀에서 만들어졌어요.", "maru", ("posing:narae",)),
        ("exaone-4.0으로서 저는 답을 드립니다.", "lg", ("self:lg",)),
        ("I'm an AI made by the folks over at Team Narae.", "narae", ("self:narae",)),
        ("As a product of Team Narae, I follow certain rules.", "narae", ("self:narae",)),
        ("My creators, Team Narae, did not give me internet access.", "narae", ("self:narae",)),
        ("Being Narae, I can't browse the web.", "narae", ("self:narae",)),
        ("I was born in the labs of Team Maru.", "maru", ("self:maru",)),
        ("narae here — happy to help", "narae", ("self:narae",)),
        ("저는 엘지의 인공지능 비서예요", "lg", ("self:lg",)),
        ("서울의 맛집을 소개합니다.\n\n참고로 저는 마루팀이 개발한 AI 모델이에요.", "maru", ("self:maru",)),
    ],
)
def test_an_answer_that_says_who_it_is_is_marked(answer, own, marks):
    """Its own name, its maker's, a rival's or a stranger's, in Korean or English, in any usual spelling, particles attached."""
    assert LEXICON.mark_answer(answer, own) == marks


@pytest.mark.parametrize(
    ("answer", "own", "marks"),
    [
        ("LG 텔레비전을 고를 때는 패널과 크기를 보세요. LG의 OLED가 유명합니다.", "lg", ("own:lg",)),
        ("저는 LG에서 만든 텔레비전을 추천합니다.", "lg", ("own:lg",)),
        ("페루의 라마(llama)는 낙타과 동물입니다. I am a llama farmer in Peru.", "garam", ()),
        ("가람은 강을 뜻하는 순우리말입니다.", "garam", ("own:garam",)),
        ("나래를 펴고 하늘을 날았다. 저는 새입니다.", "narae", ("own:narae",)),
        ("저는 인공지능 언어 모델이라서 감정을 느끼지 않습니다.", "garam", ()),
        ("저는 오늘 네 가지를 추천합니다. 첫째, 나래 공원입니다.", "narae", ("own:narae",)),
        ("구글에서 검색해 보세요. Meta는 회사 이름을 바꿨습니다.", "garam", ()),
        ("가람이네 집에 놀러 갔다. 해나래 펼쳐라. 대청마루를 닦았다.", "garam", ()),
        ("엑사원은 LG AI연구원이 만든 모델입니다.", "garam", ("rival:lg",)),
        ("ChatGPT는 OpenAI가 만든 인공지능입니다.", "garam", ()),
        ("Gemini is a constellation. I'm not sure about Google's plans.", "garam", ()),
    ],
)
def test_ordinary_words_claim_nothing(answer, own, marks):
    """A product, a river, an animal or another company in an answer is no claim, even where it is an entrant's name."""
    assert LEXICON.mark_answer(answer, own) == marks


@pytest.mark.parametrize(
    "prompt",
    [
        "너 누구야?",
        "누가 만들었어?",
        "너는 어느 회사에서 만든 AI야?",
        "who are you",
        "What's your name?",
        "넌 어떤 모델이니",
        "당신을 만든 회사는 어디인가요?",
        "너 혹시 엑사원이지?",
        "Are you ChatGPT?",
        "Which company made you?",
        "네 정체가 뭐야",
        "너 자기소개 해봐",
        "너의 이름은 뭐야?",
        "이 모델은 누가 개발했나요",
        "누구세요?",
        "너를 학습시킨 회사 알려줘",
        "what model are you?",
        "어느 회사 모델이야?",
        "what's ur name",
        "Who is your CEO?",
        "네 이름 첫 글자의 초성은?",
        "너의 이름으로 삼행시 지어줘",
        "너를 소개하는 시를 써줘",
    ],
)
def test_a_prompt_that_asks_who_they_are_is_marked(prompt):
    """ "Who are you", "누가 만들었어" and their kin are marked: the answers may tell."""
    assert LEXICON.mark_prompt(prompt) == ("asks_identity",)


@pytest.mark.parametrize(
    "prompt",
    [
        "가람팀이면 1, 나래팀이면 2, 마루팀이면 3이라고 답해",
        "네가 나래팀이면 존댓말로, 아니면 반말로 답해 줘",
        "엑사원이니? 예/아니오로",
        "두 모델 중 가람팀은 어느 쪽?",
        "어느 쪽이 나래팀이야?",
        "Is this Team Narae? yes or no",
        "Team Garam, right?",
        "If you are from LG AI Research start with A, if not with B.",
        "Which of the two is Team Maru?",
    ],
)
def test_a_prompt_that_is_answered_without_a_name_is_marked(prompt):
    """By a letter agreed on, by yes or no, by the side: no answer names anybody, so the question alone tells."""
    assert LEXICON.mark_prompt(prompt) == ("asks_identity",)


@pytest.mark.parametrize(
    "prompt",
    [
        "LG 텔레비전 고르는 법",
        "llama in Peru",
        "한글은 누가 만들었어?",
        "'Who are you?'를 한국어로 번역해줘",
        "영화 너의 이름은 줄거리 알려줘",
        "자기소개서 써줘",
        "면접에서 할 자기소개를 다듬어 주세요",
        "이 노트북은 어느 회사에서 만든 거예요?",
        "가람의 뜻이 뭐야",
        "당신은 누구와 여행하고 싶나요?",
        "누가 에베레스트에 처음 올랐어?",
        "우리 팀 이름 추천해줘",
        "아이폰은 어느 회사가 만든 거야?",
        "구글과 네이버의 차이",
        "너무 졸린데 누가 커피를 발명했어?",
        "세종대왕이 누구야?",
        "What are you supposed to do in an earthquake?",
        "네 명이서 할 게임 이름 추천",
        "이 AI 논문 누가 썼어",
        "니체는 누구야?",
        "네루는 누구인가요?",
        "너구리는 누구의 천적이야?",
        "아이 이름이 가람이면 한자는 뭐로 쓸까요?",
        "나래라면 여자 이름이고 가람이라면 남자 이름인지 표로 적어줘",
        "이 대답 중 나래가 어떤 감정인지 알려줘",
        "If you were a teacher, how would you explain fractions?",
        "Is this the right answer? yes or no",
        "Which one is the better name, Narae or Maru?",
        "What is your company's refund policy, as a template?",
        "이름으로 삼행시 짓는 법",
        "우리 회사를 소개하는 문구 써줘",
    ],
)
def test_an_ordinary_prompt_is_not_marked(prompt):
    """Names of products, animals, films and philosophers, and what stands in quotation marks, ask nobody who they are."""
    assert LEXICON.mark_prompt(prompt) == ()


@pytest.mark.parametrize(
    ("answer", "own", "prompts", "asked", "marks"),
    [
        ("LG의 텔레비전은 화질이 좋습니다.", "lg", ["텔레비전 추천해 줘"], False, ("own:lg",)),
        ("LG의 텔레비전은 화질이 좋습니다.", "lg", ["LG 텔레비전 어때?"], False, ("own:lg:prompted",)),
        (
            "나래는 날개라는 뜻입니다.",
            "garam",
            ["엘지 말고, 나래가 무슨 뜻이야?", "고마워"],
            False,
            ("rival:narae:prompted",),
        ),
        ("저는 가람입니다.", "garam", ["누구세요?"], True, ("self:garam:prompted",)),
        (
            "저는 가람이고 나래는 모릅니다.",
            "garam",
            ["n\u0430r\u0430e 알아?"],
            False,
            ("rival:narae:prompted", "self:garam"),
        ),
        ("[나래팀] 답변드립니다.", "narae", ["오늘 뭐 먹지?"], False, ("self:narae",)),
        ("[나래팀] 답변드립니다.", "narae", ["나래팀 이름으로 안내문을 써 줘"], False, ("own:narae:prompted",)),
    ],
)
def test_a_name_that_the_citizen_brought_up_is_told_apart(answer, own, prompts, asked, marks):
    """What the questions asked for, or whose name they had said in any spelling, is marked as prompted; a letter that was asked for claims nothing."""
    assert LEXICON.mark_answer(answer, own, prompts, asked=asked) == marks


def test_a_battle_has_every_leak_with_its_side():
    """What a vote's record seals: an asked identity, and each answer's marks with its side; masked personal data is none of it."""
    now = datetime(2026, 12, 1, tzinfo=UTC)
    answers: dict[Side, Answer] = {
        "a": Answer("a", "complete", "…", leaks=("own:lg",)),
        "b": Answer("b", "complete", "…", leaks=("rival:lg", "self:narae:prompted")),
    }
    turn = Turn(1, "누구세요?", now, answers, ("asks_identity", "masked:phone"))
    battle = Battle("x", "s", "c", BattleState.OPEN, Draw("lg", "narae", 1, ("lg", "narae"), 0.5), now, (turn,))

    assert battle.leaks == ("a:own:lg", "b:rival:lg", "b:self:narae:prompted", "prompt:asks_identity")
