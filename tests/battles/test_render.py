"""Answers become safe HTML, block by block, whatever a model writes."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.battles.render import BlockRenderer, render

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


def test_everything_a_chat_answer_uses_is_rendered() -> None:
    """Headings (below the page's own), lists, tables, highlighted code and mathematics as MathML."""
    html = render(RICH)
    for piece in (
        "<h3>제목",
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
    _, streamed = renderer.feed(hostile + "\n\n끝")
    _, rest = renderer.feed("", end=True)
    for html in (render(hostile), (streamed or "") + (rest or "")):
        tags = set(re.findall(r"<\s*([a-z0-9]+)", html))
        assert not tags & {"script", "img", "iframe", "style", "form", "input", "video", "object", "svg"}
        assert not re.search(r"<[^>]*\s(on\w+|style|src)\s*=", html)
        assert not re.search(r'href="(?!https?://)', html)


def test_links_open_apart_and_lend_no_weight() -> None:
    """A link leads away in a tab of its own, without referrer or endorsement."""
    assert 'target="_blank" rel="noopener noreferrer nofollow"' in render("[위키](https://example.org/)")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_streaming_ends_where_the_whole_answer_does(cuts: list[int]) -> None:
    """However the text is cut on its way, the finished blocks are those of the whole answer."""
    renderer, html, position = BlockRenderer(), "", 0
    for cut in [*cuts, len(RICH)]:
        _, block = renderer.feed(RICH[position : position + cut])
        html += block or ""
        position += cut
    _, last = renderer.feed("", end=True)
    assert html + (last or "") == render(RICH)


def test_a_finished_block_is_sent_once() -> None:
    """Without html the text follows what is pending; with html it is all that is pending."""
    renderer = BlockRenderer()
    assert renderer.feed("첫 문단") == ("첫 문단", None)
    assert renderer.feed("입니다.\n\n둘째") == ("둘째", "<p>첫 문단입니다.</p>\n")
    assert renderer.feed(" 문단") == (" 문단", None)
    assert renderer.feed("", end=True) == ("", "<p>둘째 문단</p>\n")


def test_line_separators_of_unicode_are_no_line_ends() -> None:
    """U+2028 inside a line does not shift where a block begins."""
    renderer = BlockRenderer()
    _, first = renderer.feed("가\u2028나\n\n다")
    _, last = renderer.feed("", end=True)
    assert (first or "").count("<p>") == 1
    assert last == "<p>다</p>\n"
