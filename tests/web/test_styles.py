"""What the style sheets promise: two sides as strong as each other, colours that can be read in both schemes, and one font by one name."""

import re
from collections.abc import Iterator

import pytest

from arena.settings import ROOT
from arena.web.pages.citizen import FONTS

ASSETS = ROOT / "arena" / "web" / "assets"
BASE = (ASSETS / "css" / "base.css").read_text("utf-8")
GROUNDS = ("paper", "shade", "wash")
TEXT, EDGE = 4.5, 3.0
"""WCAG 2.2, 1.4.3 and 1.4.11."""


def tokens(scheme: str) -> dict[str, str]:
    """The colours of a scheme, by name; the dark one says only what differs."""
    light, dark, *_ = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", BASE, re.DOTALL)
    )
    return light if scheme == "light" else light | dark


def luminance(colour: str) -> float:
    """As WCAG defines it."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """As WCAG defines it, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def pairs(seen: dict[str, str]) -> Iterator[tuple[str, str, float]]:
    """Which colour stands on which, and what contrast it needs."""
    for ground in (*GROUNDS, "mark", "a-wash", "b-wash", "alert-wash"):
        yield "ink", ground, TEXT
    for text in ("soft", "blue", "blue-deep", "a", "b", "alert", "amber", "good"):
        yield from ((text, ground, TEXT) for ground in GROUNDS)
    for own in ("a", "b", "alert", "amber"):
        yield own, f"{own}-wash", TEXT
    yield from (("on-blue", "blue", TEXT), ("on-blue", "blue-deep", TEXT), ("paper", "ink", TEXT))
    # White on a side's colour, or on a status: the brand's letters, a chosen button, a tick.
    yield from (("paper", filled, TEXT) for filled in ("a", "b", "alert", "good", "soft"))
    for edge in ("edge", "blue", "a", "b"):
        yield from ((edge, ground, EDGE) for ground in GROUNDS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_neither_side_is_stronger_and_neither_is_the_arenas(scheme: str) -> None:
    """A and B differ by less than a twentieth in contrast on every ground and as a ground, and neither has the colour of a button or a link."""
    seen = tokens(scheme)
    for one, other in [
        *((contrast(seen["a"], seen[ground]), contrast(seen["b"], seen[ground])) for ground in GROUNDS),
        (contrast(seen["a"], seen["a-wash"]), contrast(seen["b"], seen["b-wash"])),
        (contrast(seen["ink"], seen["a-wash"]), contrast(seen["ink"], seen["b-wash"])),
    ]:
        assert abs(one - other) / min(one, other) < 0.05
    assert len({seen[name] for name in ("a", "b", "blue", "blue-deep", "alert", "amber", "good")}) == 7


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_and_every_edge_can_be_seen(scheme: str) -> None:
    """Text has 4.5 : 1 on whatever it stands on, the edge of a field and a focus ring 3 : 1."""
    seen = tokens(scheme)
    found = {(colour, ground): round(contrast(seen[colour], seen[ground]), 2) for colour, ground, _ in pairs(seen)}
    assert {
        pair: found[pair]
        for pair in found
        if pair in {(c, g) for c, g, least in pairs(seen) if contrast(seen[c], seen[g]) < least}
    } == {}


def test_one_font_by_one_name() -> None:
    """The pages, Gradio's part, the console and the picture ask for the family that is served, with the same fonts behind it."""
    served = set(re.findall(r'font-family:"([^"]+)"', (ASSETS / "fonts" / "fonts.css").read_text("utf-8")))
    assert served == {FONTS[0]}
    asked = re.compile(r'(?:--font|font-family):\s+("[^;]+);')
    sheets = [found for path in sorted(ASSETS.glob("css/*.css")) for found in asked.findall(path.read_text("utf-8"))]
    assert len(sheets) == 2
    assert [[name.strip(' "') for name in sheet.split(",")] for sheet in sheets] == [FONTS, FONTS]


def test_text_is_sized_in_what_a_reader_chose() -> None:
    """No style sheet of the citizens' pages sizes a text, or asks for a narrow page, in pixels: both follow the browser's own font size."""
    for name in ("base", "battle", "pages", "welcome"):
        sheet = (ASSETS / "css" / f"{name}.css").read_text("utf-8")
        assert re.findall(r"font(?:-size)?: [^;]*\dpx", sheet) == [], name
        assert re.findall(r"@media \([^)]*px\)", sheet) == [], name


def test_a_first_visit_needs_one_file_of_the_font() -> None:
    """Every letter of the front page's words, starters and stages of ours is in the font's first slice; `docs/font.py` makes it anew when one is not."""
    css = (ASSETS / "fonts" / "fonts.css").read_text("utf-8")
    (ranges,) = re.findall(r"/ours\.[^}]*?unicode-range:([^;}]+)", css)
    spans = [part.strip()[2:].partition("-")[::2] for part in ranges.split(",")]
    held = {chr(code) for first, last in spans for code in range(int(first, 16), int(last or first, 16) + 1)}
    patterns = ("arena/i18n/ko/page.json", "arena/i18n/ko/site.json", "arena/domain/starters.toml", "stages/*.toml")
    said = {
        c for pattern in patterns for path in ROOT.glob(pattern) for c in path.read_text("utf-8") if not c.isspace()
    }
    assert len(said) > 400
    assert said - held == set()
