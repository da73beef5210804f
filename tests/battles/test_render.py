"""Answers become safe HTML, block by block, whatever a model writes."""

import html
import re
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.battles.growth import BlockRenderer, Growth
from arena.battles.render import render
from tests.support.serving import grown

RICH = """# 제목

문단 **굵게** 그리고 `코드`와 $x^2$.

- 하나
- 둘
  - 셋

| 가 | 나 |
|:-:|---|
| 1 | 2 |

```python
def f(x): return "1"
```

$$\\frac{a}{b}$$

> 인용

끝."""
EVERYDAY = """## 연말정산에서 **놓치기 쉬운** 것

먼저 **월세 세액공제(연 1,000만 원까지)**를 살펴보세요. `간소화 서비스`에 *나오지 않는* 것도 있습니다.

1. **1월 15일**: 자료를 내려받습니다.
2. [홈택스](https://www.hometax.go.kr/)에서 ~~종이~~ 서류를 확인합니다.
   - 기부금
   - 안경 구입비

| 공제 | 한도 |
|---|---:|
| 월세 | 1,000만 원 |
| 연금 | 900만 원 |

> 기한을 넘기면 5월에 신고합니다.

```python
total = sum(x * 2 for x in [1, 2])
```

세율은 $r = \\frac{a}{b}$로 계산합니다.
"""


def test_everything_a_chat_answer_uses_is_rendered() -> None:
    """Headings (below the page's own), lists, tables, highlighted code and mathematics as MathML."""
    html = render(RICH)
    for piece in (
        "<h4>제목",
        "<strong>굵게",
        "<li>둘",
        '<th class="align-center">가',
        'class="hl-k">def',
        "<mfrac>",
        "<blockquote>",
    ):
        assert piece in html


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[눌러](javascript:alert(1))",
        "[눌러](data:text/html,x)",
        "![그림](https://elsewhere.example/pixel.png)",
        "<iframe src=https://elsewhere.example></iframe>",
        "<div style='position:fixed;inset:0'>가짜 로그인</div>",
        "`<b>`${7*7}{{7*7}}",
        "$\\href{javascript:alert(1)}{x}$",
        '```"><script>alert(1)</script>\n코드\n```',
    ],
)
def test_nothing_a_model_writes_becomes_active(hostile: str) -> None:
    """No script, handler, frame, image, style or foreign scheme survives, in a whole answer or a streamed one."""
    renderer = BlockRenderer()
    growing = renderer.feed(hostile).tail
    streamed = renderer.feed("\n\n끝").html + renderer.feed("", end=True).html
    for written in (render(hostile), growing, streamed):
        tags = set(re.findall(r"<\s*([a-z0-9]+)", written))
        assert not tags & {"script", "img", "iframe", "style", "form", "input", "video", "object", "svg"}
        assert not re.search(r"<[^>]*\s(on\w+|style|src)\s*=", written)
        assert not re.search(r'href="(?!https?://)', written)


def test_links_open_apart_and_lend_no_weight() -> None:
    """A link leads away in a tab of its own, without referrer or endorsement."""
    assert 'target="_blank" rel="noopener noreferrer nofollow"' in render("[위키](https://example.org/)")


def streamed(text: str, cuts: Iterable[int]) -> Iterator[tuple[str, str]]:
    """What stands on the page after each piece: `(finished blocks, the open block)`."""
    renderer, finished, growing, position = BlockRenderer(), "", "", 0
    for cut in [*cuts, len(text)]:
        piece = renderer.feed(text[position : position + cut])
        position += cut
        finished += piece.html
        growing = grown("" if piece.html else growing, piece.keep, piece.tail)
        yield finished, growing
    last = renderer.feed("", end=True)
    assert (last.keep, last.tail) == (0, "")
    yield finished + last.html, ""


def test_headings_follow_each_other() -> None:
    """The first heading of an answer comes right below the page's own, whatever level a model begins with, and none is skipped down from there."""
    for first in ("#", "##", "###"):
        text = f"{first} 하나\n\n글\n\n{first}# 둘\n\n{first} 셋\n"
        levels = re.findall(r"<h(\d)>", render(text))
        assert levels == ["4", "5", "4"]
        *_, (grown_so_far, _) = streamed(text, [5] * 3)
        assert grown_so_far == render(text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_streaming_ends_where_the_whole_answer_does(cuts: list[int]) -> None:
    """However the text is cut on its way, the finished blocks are those of the whole answer."""
    *_, (html, _) = streamed(RICH, cuts)
    assert html == render(RICH)


@pytest.mark.parametrize("block", EVERYDAY.split("\n\n"))
@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_growing_block_looks_as_if_it_were_drawn_anew(block: str, cut: int) -> None:
    """However it came, what is shown of the open block depends on its text alone; of a long one it may be a twenty-fourth behind."""
    for n, (_, growing) in enumerate([*streamed(block, [cut] * (len(block) // cut))][:-1]):
        length = min(len(block), (n + 1) * cut)
        lately = range(length - length // 24 - 1, length + 1)
        assert growing in {BlockRenderer().feed(block[:end]).tail for end in lately}


@pytest.mark.parametrize("cut", [1, 3, 7])
def test_no_mark_of_markdown_is_ever_seen(cut: int) -> None:
    """Letter by letter, a reader sees words and never `**`, `#`, `|`, a fence or half a link: what is open is closed or held back."""
    for _, growing in streamed(EVERYDAY, [cut] * (len(EVERYDAY) // cut)):
        seen = html.unescape(re.sub(r"<pre>.*</pre>|<[^>]+>", "", growing, flags=re.DOTALL))
        assert not re.search(r"[*#|`$\[\]~]|\(http|^\s*[-+>]|^\s*\d+[.)]?\s*$", seen), seen
        assert growing.count("<strong>") == growing.count("</strong>")


def test_what_stands_already_is_not_sent_again() -> None:
    """A growing paragraph costs its new words and its closing tags, not itself; a finished block is sent once."""
    renderer = BlockRenderer()
    assert renderer.feed("첫 **문단") == Growth("", 0, "<p>첫 <strong>문단</strong></p>\n")
    assert renderer.feed("입니") == Growth("", len("<p>첫 <strong>문단"), "입니</strong></p>\n")
    assert renderer.feed("다**.\n\n둘째") == Growth("<p>첫 <strong>문단입니다</strong>.</p>\n", 0, "<p>둘째</p>\n")
    assert renderer.feed(" 문단") == Growth("", len("<p>둘째"), " 문단</p>\n")
    assert renderer.feed("", end=True) == Growth("<p>둘째 문단</p>\n", 0, "")


def test_what_stands_is_counted_as_a_browser_counts() -> None:
    """An emoji is two units of UTF-16: the page cuts where the server meant."""
    *_, (_, growing), _ = streamed("🙂 좋은 🇰🇷 하루", [1] * 9)
    assert growing == "<p>🙂 좋은 🇰🇷 하루</p>\n"


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("| 도시 | 인", ""),
        ("| 도시 | 인구 |\n|---|--", ""),
        ("| 도시 | 인구 |\n|---|---|\n| 서울 | 9", "도시 인구"),
        ("| 도시 | 인구 |\n|---|---|\n| 서울 | 940만 |\n| 부", "도시 인구 서울 940만"),
    ],
)
def test_a_table_grows_row_by_row(written: str, seen: str) -> None:
    """Its head waits until it is one, and a row until it is whole: nothing flips from text into a table."""
    assert " ".join(re.sub(r"<[^>]+>", " ", BlockRenderer().feed(written).tail).split()) == seen


@pytest.mark.parametrize(
    "bold",
    ["**신청 기간(4월)**은 짧습니다", "**“인용”**이라고 합니다", "이것은 **‘강조’**예요", "**100%**가 됩니다"],
)
def test_bold_ends_before_a_particle(bold: str) -> None:
    """Korean writes a particle right behind what is bold, even behind a bracket or a quotation mark."""
    assert "*" not in render(bold)
    assert "</strong>" in render(bold)


def test_line_separators_of_unicode_are_no_line_ends() -> None:
    """U+2028 inside a line does not shift where a block begins."""
    renderer = BlockRenderer()
    assert renderer.feed("가\u2028나\n\n다").html.count("<p>") == 1
    assert renderer.feed("", end=True).html == "<p>다</p>\n"
