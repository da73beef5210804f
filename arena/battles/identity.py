"""What gives an entrant away: an answer that names its author, a prompt that asks for it. Marked in the record; nothing is stopped or changed.

A name alone proves nothing ("LG 텔레비전 고르는 법", a river called 가람): it is a `mention` and counts for nothing. Only a sentence in which the answer says who
it is counts: `self` (its own team), `rival` (another entrant), `outsider` (a well-known model of others).
"""

import re
from collections.abc import Iterable, Sequence

from arena.domain.battle import ASKS_IDENTITY, MENTION
from arena.domain.stage import Entrant
from models.text import plain

# Assistants that models trained on their output tend to take themselves for. Case matters: a llama is not a Llama.
OUTSIDERS = {
    "openai": ("OpenAI", "Open AI", "오픈AI", "오픈에이아이", "ChatGPT", "Chat GPT", "챗GPT", "챗지피티", "GPT-4", "GPT-4o", "GPT-5", "GPT"),
    "anthropic": ("Anthropic", "앤트로픽", "앤스로픽", "Claude", "클로드"),
    "google": ("Google", "구글", "Gemini", "제미나이", "Gemma", "젬마", "Bard"),
    "meta": ("Meta AI", "Meta", "메타", "Llama", "LLaMA"),
    "alibaba": ("Alibaba", "알리바바", "Qwen", "큐원", "Tongyi"),
    "deepseek": ("DeepSeek", "딥시크"),
    "mistral": ("Mistral", "미스트랄"),
    "xai": ("xAI", "Grok"),
}  # fmt: skip

# After a Hangul name: nothing, or a particle and then nothing.
_PARTICLES = (
    r"은|는|이|가|을|를|의|에|에서|에서는|에서도|에게|와|과|로|으로|로서|으로서|도|만|까지|부터|처럼|보다|이나|나|랑|이랑|이란|란|이라는|라는|이라고|라고|이며|며|이고|고|"
    r"이다|다|입니다|이에요|예요|에요|이야|야|인|였|이었|인데|이지|지|인가요|인가|이니|니|이냐|냐|이죠|죠|측|사|팀|팀은|팀의|팀이|팀에서|팀에서는|팀입니다|팀이에요"
)
_AFTER_HANGUL = rf"(?=(?:{_PARTICLES})?(?![가-힣A-Za-z0-9]))"
_COPULA = r"(?:팀)?(?:입니다|이에요|예요|에요|이라고|라고|이고|이며|이야|야|이랍니다|랍니다|이죠|죠)"
_MODEL = r"(?:인공지능|AI|언어 ?모델|모델|챗봇|어시스턴트|비서|도우미|assistant|model)"
_FIRST = r"(?:저는|전|나는|난|제가|저희는|저희|본 모델은|이 모델은|저)"
_MADE = (
    r"(?:(?:개발|제작|훈련|학습)(?:되었|됐|되어|돼|했|하였|해 ?주|시켰)|만들(?:었|어졌|어 ?주)"
    rf"|(?:개발한|만든|제작한|훈련한|학습시킨|개발된|제작된|훈련된|학습된|제공하는|운영하는)[^.!?\n]{{0,15}}?{_MODEL})"
)
_FILLER = (
    r"(?:[\s,]+(?:an?|the|called|named|your|ai|artificial|intelligence|assistant|language|model|models|chatbot|large|helpful|from|by|of|and|"
    r"developed|created|made|trained|built|powered|based|on|at|team)){0,10}"
)
_REACH = 120
"""Characters around a name within which every claim about it ends."""
_JOINTS = re.compile(r"[\s._-]+")
_QUOTED = re.compile(
    r"'[^'\n]{0,200}'|\"[^\"\n]{0,200}\"|‘[^’\n]{0,200}’|“[^”\n]{0,200}”|「[^」\n]{0,200}」|`[^`\n]{0,200}`"
)


class Lexicon:
    """The names of a stage's entrants, and the sentences in which a name is a confession."""

    def __init__(self, entrants: Sequence[Entrant]) -> None:
        """Compiles the stage's names: teams and aliases, in Korean and English, in the spellings people use."""
        self._entrants = {e.id: _Named(_spellings(e), re.IGNORECASE) for e in entrants}
        self._outsiders = {who: _Named(names, re.NOFLAG) for who, names in OUTSIDERS.items()}
        known = [*(s for e in entrants for s in _spellings(e)), *(n for names in OUTSIDERS.values() for n in names)]
        anyone = _alternatives(known)
        self._asked = (*_ASKED, *(re.compile(p.replace("NAME", anyone), re.IGNORECASE) for p in _ASKED_BY_NAME))

    def mark_answer(self, text: str, own: str) -> tuple[str, ...]:
        """What an answer by the entrant `own` gives away: `self:id`, `rival:id`, `outsider:who`, `mention:id`; sorted."""
        squeezed = _squeezed(text)
        marks: set[str] = set()
        for entrant, named in self._entrants.items():
            passages = named.passages(text, squeezed)
            if named.claimed(text, passages):
                marks.add(f"{'self' if entrant == own else 'rival'}:{entrant}")
            elif passages:
                marks.add(f"{MENTION}{entrant}")
        for who, named in self._outsiders.items():
            if named.claimed(text, named.passages(text, squeezed)):
                marks.add(f"outsider:{who}")
        return tuple(sorted(marks))

    def mark_prompt(self, text: str) -> tuple[str, ...]:
        """`asks_identity` when the citizen asks the models who they are; what stands in quotation marks is not asked."""
        asked = _QUOTED.sub(" ", text)
        return (ASKS_IDENTITY,) if any(pattern.search(asked) for pattern in self._asked) else ()


class _Named:
    """One bearer of names: where a text names them, and whether it says there that it is them."""

    def __init__(self, names: Sequence[str], flags: re.RegexFlag) -> None:
        self._keys = tuple({_squeezed(name) for name in names})
        self._name = re.compile(_alternatives(names), flags)
        self._claims = _claims(_alternatives(names), flags)

    def passages(self, text: str, squeezed: str) -> list[tuple[int, int]]:
        """The stretches around every name; most answers hold none, and a plain search says so fast."""
        if not any(key in squeezed for key in self._keys):
            return []
        stretches: list[tuple[int, int]] = []
        for m in self._name.finditer(text):
            start, end = max(0, m.start() - _REACH), min(len(text), m.end() + _REACH)
            if stretches and start <= stretches[-1][1]:
                start = stretches.pop()[0]
            stretches.append((start, end))
        return stretches

    def claimed(self, text: str, passages: Sequence[tuple[int, int]]) -> bool:
        """Whether one of these stretches says who is speaking."""
        return any(claim.search(text, *passage) for passage in passages for claim in self._claims)


def _squeezed(text: str) -> str:
    return _JOINTS.sub("", text).casefold()


def _spellings(entrant: Entrant) -> list[str]:
    """Team and aliases, and each without "팀" or "Team", as long as something distinct is left."""
    names = {plain(name) for name in (entrant.team.ko, entrant.team.en, *entrant.aliases)}
    names |= {re.sub(r"\s*팀$|^팀\s*|^Team\s+|\s+Team$", "", name, flags=re.IGNORECASE) for name in names}
    return sorted((name.strip() for name in names if len(name.strip()) >= 2), key=lambda n: (-len(n), n))


def _alternatives(names: Iterable[str]) -> str:
    """One pattern for many names: spaces, hyphens and dots are optional, and a name ends where a word or its particle ends."""
    patterns = []
    for name in names:
        parts = re.findall(r"[가-힣]+|[A-Za-z]+|\d+|[^\sA-Za-z0-9가-힣._-]", name)
        body = r"[\s._-]?".join(map(re.escape, parts))
        after = _AFTER_HANGUL if re.match(r"[가-힣]", parts[-1][-1]) else r"(?![A-Za-z0-9])"
        patterns.append(rf"(?<![가-힣A-Za-z0-9]){body}{after}")
    return f"(?:{'|'.join(patterns)})"


def _claims(name: str, flags: re.RegexFlag) -> tuple[re.Pattern[str], ...]:
    near, some = r"[^.!?\n]{0,30}?", r"[^.!?\n]{0,25}?"
    return tuple(
        re.compile(pattern, flags)
        for pattern in (
            rf"(?<![가-힣]){_FIRST}\s{near}{name}{_COPULA}",
            rf"(?<![가-힣]){_FIRST}\s{near}{name}{some}{_MODEL}\s?\w{{0,12}}?{_COPULA}",
            rf"(?<![가-힣]){_FIRST}\s{near}{name}[^.!?\n]{{0,12}}?{_MADE}",
            rf"(?<![가-힣])(?:제|저의|내|나의) ?(?:이름|모델명|정체|개발사|제작사)(?:은|는|이|가)?[^.!?\n]{{0,8}}?{name}",
            rf"(?:저를|나를|절|날) ?(?:만든|개발한|학습시킨|만들어 준)[^.!?\n]{{0,15}}?{name}",
            rf"(?:^|안녕하세요|반갑습니다)[\s,.!]{{0,3}}{name}(?!은|는|이란|란)[^.!?\n]{{0,12}}?{_MADE}\s?\w{{0,20}}?{_COPULA}",
            rf"(?:^|안녕하세요|반갑습니다)[\s,.!]{{0,3}}{name}{_COPULA}",
            rf"{name}(?:로서|으로서| 모델로서),? (?:저는|제가)",
            rf"(?i:\b(?:I am|I'm|I’m|my name is|call me){_FILLER})[\s,]+(?<!\ba )(?<!\ban ){name}",
            rf"(?i:\bI (?:was|am|have been) (?:made|developed|created|trained|built|designed) by{_FILLER})[\s,]+{name}",
            rf"(?i:\bmy (?:creators?|developers?|makers?) (?:is|are){_FILLER})[\s,]+{name}",
        )
    )


_YOU = (
    r"(?:(?<![가-힣])(?:(?:너|네|니|당신|그대|자네|너희)(?:는|가|의|도|은)?(?![가-힣])|넌(?![가-힣])|(?:너|넌|당신|네)(?=누구|이름|정체))"
    r"|이 ?모델|이 ?(?:AI|에이아이|인공지능|챗봇)|두 ?모델)"
)
_WHO = r"누구(?:야|니|냐|세요|신가요|시죠|십니까|인가요|입니까|예요|에요|인지|임|게|지)?\s*(?:[?？.!~]|$|말해|알려|밝)"
_ASKED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_YOU}[^.?!\n]{{0,12}}?{_WHO}",
        rf"^\W*{_WHO}",
        rf"{_YOU}[^.?!\n]{{0,12}}?(?:정체|모델 ?명|개발사|제작사|모델 ?이름|버전)[은는이가를을]?[^.?!\n]{{0,8}}?(?:뭐|무엇|뭔|어떻게|알려|밝혀|말해|어디|몇|[?？]|$)",
        rf"{_YOU} ?의? ?이름[은는이가]?\s*(?:뭐|무엇|뭔|어떻게|알려|말해|[?？]|$)",
        rf"{_YOU}[^.?!\n]{{0,12}}?(?:무슨|어떤|어느) ?(?:회사|기업|팀|기관|곳|모델|AI|인공지능|LLM|언어 ?모델)[^.?!\n]{{0,12}}?(?:만든|만들|개발|소속|출신|이야|이니|이냐|인가요|이에요|예요|야|니|입니까|[?？]|$)",
        rf"{_YOU}[^.?!\n]{{0,12}}?(?:누가|어디서|어디에서) ?(?:만들|만든|개발|학습|훈련)",
        r"누가 ?(?:너|널|너를|당신을|당신|이 ?모델을|이 ?AI를) ?(?:만들|개발|학습|훈련)",
        r"(?:너|널|너를|당신|당신을) ?(?:만든|개발한|학습시킨) ?(?:사람|회사|곳|팀|기업|기관|데|게)[^.?!\n]{0,8}?(?:누구|어디|뭐|알려|말해|[?？]|$)",
        r"^\W*누가 ?(?:만들었|만든|개발했|개발한)(?:어|니|나|냐|는지|어요|습니까|거야|건가요|나요)*\s*[?？.!~]*\s*$",
        r"^\W*(?:어느|무슨|어떤) ?(?:회사|기업|팀|모델)(?: ?모델)? ?(?:에서|가|이)? ?(?:만든|만들었|개발한|개발했)?\s*(?:거|것|어|니|야|이야|이니|나|나요|거야|거니|인가요|이에요|예요|건가요|거예요)*\s*[?？.!~]*\s*$",
        r"(?:너|네|니|당신|본인)[^.?!\n]{0,6}?(?:자기 ?소개|소개)(?!서)[^.?!\n]{0,4}?(?:해|부탁|좀)",
        r"^\W*자기 ?소개(?:를|좀)? ?(?:해|부탁)\w{0,6}\W*$",
        r"\bwho (?:are|r) (?:you|u)\b|\bwhat are you\s*(?:[?.!]|$)|\bwhat(?:'s|’s| is) your (?:name|model|version)\b",
        r"\b(?:which|what) (?:ai|llm|language model|model|company|team)[^.?!\n]{0,20}? (?:are you|made you|built you|trained you|created you|developed you)\b",
        r"\bwho (?:made|created|built|trained|developed|designed|owns) you\b|\byour (?:creators?|developers?|makers?)\b",
    )
)
_ASKED_BY_NAME = (
    r"(?<![가-힣])(?:너|넌|너는|니가|네가|당신은|당신)\s?(?:혹시|설마|진짜|사실)?\s?NAME(?:이|가)?\s?(?:팀)?(?:야|니|냐|지|죠|이야|이니|이지|이죠|이냐|인가요|예요|이에요|맞|입니까|아니|아냐)",
    r"\bare you (?:really |actually |an? )?NAME",
)
