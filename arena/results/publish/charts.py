"""Plots as inline SVG, for paper and for the page: safe for the colour-blind, no script, and never the only place of a number.

On paper colours and sizes are fixed; on the page (`on_scale`, `rank_ribbons`) they are the style sheet's, and letters keep their size on a phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from markupsafe import Markup

WIDTH, LABEL, RIGHT = 520.0, 92.0, 74.0
COLOURS = ("#0072B2", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00")
"""Okabe and Ito's, which the colour-blind tell apart."""
DARK = frozenset({"#0072B2", "#009E73", "#D55E00"})
_SCALE, _ROW, _CLOSE = (2.0, 98.0), 62, 40
"""Where the scale of a page's plot begins and ends, in percent of its width; a row's height in pixels, also where rows stand close."""
INK, LINE, ALERT, EMPTY = (
    "var(--ink, #1b2330)",
    "var(--line, #cbd5e1)",
    "var(--alert, #9a3412)",
    "var(--line, #cbd5e1)",
)
"""The style sheet's, so that they are light where the page is dark."""
_ON_COLOUR = "#1b2330"
_NUMBERED, _CELL = 12, 13.0
"""Beyond so many names a square has no numbers in its cells, which are then this wide, and its columns are numbered."""
_LONG = 10
"""A longer name before a row of a square is smaller."""
_RIBBONS = 20
"""Beyond so many places a ribbon is one piece, and only some places are numbered."""


class Words(Protocol):
    """A name in two languages: the stage file's, or a document's."""

    @property
    def ko(self) -> str: ...  # noqa: D102

    @property
    def en(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Mark:
    """A value with its interval, in one row of a plot."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A sum of parts, with its interval."""

    name: Words
    parts: Sequence[float]
    total: float
    low: float
    high: float


def stacked(components: Sequence[tuple[Words, float]], bars: Sequence[Bar], places: int) -> Markup:
    """Draw a decision's totals: a bar for each team, a part for each component, the interval of the total, the line of the cut.

    Args:
        components: what the parts are, each with its maximum.
        bars: best total first.
        places: how many of them are above the cut.
    """
    whole = sum(most for _, most in components)
    scale = (WIDTH - LABEL - RIGHT) / whole
    top, step = 34.0, 34.0
    out = [_legend([title for title, _ in components])]
    for n, bar in enumerate(bars):
        y, x = top + n * step, LABEL
        out.append(_name(bar.name, LABEL - 8, y + 15))
        for i, score in enumerate(bar.parts):
            colour = COLOURS[i % len(COLOURS)]
            out.append(_rect(x, y, score * scale, 20, colour))
            if score * scale > 30:
                fill = "#fff" if colour in DARK else _ON_COLOUR
                out.append(_text(x + score * scale / 2, y + 14, f"{score:g}", size=10, anchor="middle", fill=fill))
            x += score * scale
        out.append(_whisker(LABEL + bar.low * scale, LABEL + bar.high * scale, y + 24))
        out.append(_text(WIDTH - 2, y + 15, f"{bar.total:.2f}", size=13, anchor="end", bold=True))
        if n + 1 == places and n + 1 < len(bars):
            out.append(_line(0, y + 30.5, WIDTH, y + 30.5, ALERT, 1.6, dashes="5 4"))
    return _svg(top + len(bars) * step, out)


def ranges(rows: Sequence[tuple[Words, Sequence[Mark]]], series: Sequence[Words]) -> Markup:
    """Draw values with intervals, row by row; several series side by side in each, such as before and after.

    Args:
        rows: a name in two languages, and a mark for each series.
        series: the names of the series; one alone needs none.
    """
    ends = [end for _, marks in rows for mark in marks for end in (mark.value, mark.low, mark.high) if end is not None]
    if not ends:
        return Markup("")
    low, high = min(ends), max(ends)
    pad = (high - low or 1) * 0.06
    low, high = low - pad, high + pad
    at = lambda value: LABEL + (value - low) / (high - low) * (WIDTH - LABEL - 20)  # noqa: E731
    several = len(series) > 1
    top, step = (34.0 if several else 10.0), 14.0 + 12.0 * len(series)
    bottom = top + len(rows) * step
    out = [_legend(series)] if several else []
    for tick in _ticks(low, high):
        out.append(_line(at(tick), top - 4, at(tick), bottom, LINE, 1))
        out.append(_text(at(tick), bottom + 14, f"{tick:g}", size=10, anchor="middle"))
    for n, (name, marks) in enumerate(rows):
        y = top + n * step
        out.append(_name(name, LABEL - 8, y + step / 2))
        for i, mark in enumerate(marks):
            if mark.value is None:
                continue
            line, colour = y + 8 + 12 * i, COLOURS[i % len(COLOURS)]
            if mark.low is not None and mark.high is not None:
                out.append(_line(at(mark.low), line, at(mark.high), line, colour, 2.4))
            out.append(
                _dot(at(mark.value), line, colour) if i == 0 else _rect(at(mark.value) - 4, line - 4, 8, 8, colour)
            )
    return _svg(bottom + 20, out)


def on_scale(rows: Sequence[tuple[str, str, Mark]], *, label: str, close: bool = False) -> Markup:
    """Draw values with their intervals on one scale, as wide as its place on the page; every name has a line of its own above its interval.

    Args:
        rows: a name and its value in words, in the reader's language, with its mark; the first one on top.
        label: what a screen reader says of the picture.
        close: rows stand close together, for many of them.
    """
    ends = [end for _, _, mark in rows for end in (mark.value, mark.low, mark.high) if end is not None]
    low, high = min(ends), max(ends)
    pad = (high - low or 1) * 0.04
    low, high = low - pad, high + pad
    at = lambda value: f"{_SCALE[0] + (_SCALE[1] - _SCALE[0]) * (value - low) / (high - low):.2f}%"  # noqa: E731
    row, above, below = (_CLOSE, 14, 10) if close else (_ROW, 18, 18)
    bottom = row * len(rows)
    ticks = [(at(tick), tick) for tick in _ticks(low, high)]
    out = [
        Markup('<text x="{}" y="{}" text-anchor="middle">{:g}</text>').format(x, bottom + 22, tick) for x, tick in ticks
    ]
    grid = Markup('<line x1="{0}" x2="{0}" y1="{1}" y2="{2}" class="arena-grid"/>')
    for n, (name, told, mark) in enumerate(rows):
        y = row * (n + 1) - below
        out.append(_headed(name, told, y - above))
        out.extend(grid.format(x, y - 11 + 3 * close, y + 11 - 3 * close) for x, _ in ticks)  # not through the names
        if mark.low is not None and mark.high is not None:
            out.append(
                Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" class="arena-interval"/>').format(
                    at(mark.low), at(mark.high), y, y
                )
            )
        if mark.value is not None:
            out.append(Markup('<circle cx="{}" cy="{}" r="6"/>').format(at(mark.value), y))
    return _on_page(label, bottom + 32, out)


def rank_ribbons(rows: Sequence[tuple[str | Words, str, tuple[int, int]]], *, label: str) -> Markup:
    """Draw which ranks are possible: a ribbon over as many places, and no point in it, for within it nothing is decided.

    Args:
        rows: a name, in the reader's language or in both, and its ranks in words, with the first and the last rank that is possible.
        label: what a screen reader says of the picture.
    """
    places = max(last for _, _, (_, last) in rows)
    if places > _RIBBONS:
        return _long_ribbons(rows, places, label)
    width = (_SCALE[1] - _SCALE[0]) / places
    out = []
    for n, (name, told, (first, last)) in enumerate(rows):
        y = _ROW * n + 36
        out.append(_headed(name, told, y - 10))
        for place in range(1, places + 1):
            kind = "arena-rank" if first <= place <= last else "arena-rank-none"
            x = f"{_SCALE[0] + width * (place - 1):.2f}%"
            out.append(
                Markup('<rect x="{}" y="{}" width="{:.2f}%" height="16" class="{}"/>').format(x, y, width - 0.6, kind)
            )
    bottom = _ROW * len(rows)
    for place in range(1, places + 1):
        middle = f"{_SCALE[0] + width * (place - 0.5):.2f}%"
        out.append(Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(middle, bottom + 20, place))
    return _on_page(label, bottom + 30, out)


def _long_ribbons(rows: Sequence[tuple[str | Words, str, tuple[int, int]]], places: int, label: str) -> Markup:
    """Draw ribbons of one piece each."""
    width, step = (_SCALE[1] - _SCALE[0]) / places, _CLOSE
    piece = Markup('<rect x="{:.2f}%" y="{}" width="{:.2f}%" height="8" class="{}"/>')
    out = []
    for n, (name, told, (first, last)) in enumerate(rows):
        y = step * n + 20
        out.append(_headed(name, told, y - 6))
        out.append(piece.format(_SCALE[0], y, _SCALE[1] - _SCALE[0], "arena-rank-none"))
        out.append(piece.format(_SCALE[0] + width * (first - 1), y, width * (last - first + 1), "arena-rank"))
    bottom = step * len(rows)
    for place in (1, *(int(tick) for tick in _ticks(1.5, places) if tick == int(tick))):
        middle = f"{_SCALE[0] + width * (place - 0.5):.2f}%"
        out.append(Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(middle, bottom + 14, place))
    return _on_page(label, bottom + 24, out)


def matrix(
    names: Sequence[Words],
    cells: Sequence[Sequence[float | None]],
    *,
    middle: float,
    reach: float,
    form: str,
) -> Markup:
    """Draw a square of numbers, row against column; blue above `middle`, orange below, at full colour `reach` away.

    Args:
        names: of rows and columns.
        cells: row by row; None on the diagonal or where there is nothing.
        middle: where a cell is white.
        reach: how far from it the colour is full.
        form: how a number is written, such as `{:.0%}`.
    """
    if len(names) > _NUMBERED:
        return _dense(names, cells, middle, reach, form)
    size = min(70.0, (WIDTH - LABEL) / max(1, len(names)))
    top = 26.0
    out = []
    for i, name in enumerate(names):
        out.append(_name(name, LABEL + size * (i + 0.5), top - 8, anchor="middle", size=10))
        longest = max(len(name.ko), len(name.en))
        out.append(_name(name, LABEL - 8, top + 34 * i + 21, size=10 if longest > _LONG else 12))
        for j, value in enumerate(cells[i]):
            x, y = LABEL + size * j, top + 34 * i
            if value is None:
                out.append(_rect(x + 1, y + 1, size - 2, 32, EMPTY))
                continue
            fill = "#fff" if value - middle > 0.75 * reach else _ON_COLOUR
            out.append(_rect(x + 1, y + 1, size - 2, 32, _shade(value, middle, reach)))
            out.append(
                _text(x + size / 2, y + 21, form.format(value).replace("-", "−"), size=11, anchor="middle", fill=fill)
            )
    return _svg(top + 34 * len(names) + 2, out)


def _dense(
    names: Sequence[Words], cells: Sequence[Sequence[float | None]], middle: float, reach: float, form: str
) -> Markup:
    """Draw a large square: a number for each column, and a cell's own when one points at it."""
    out, label, top = [], LABEL + 34, 18.0
    for i, name in enumerate(names):
        y = top + _CELL * i
        out.append(_name(name, label - 28, y + 10, size=10, most=16))
        out.append(_text(label - 6, y + 10, f"{i + 1}", size=9, anchor="end"))
        if (i + 1) % 5 == 0 or i == 0:
            out.append(_text(label + _CELL * (i + 0.5), top - 6, f"{i + 1}", size=9, anchor="middle"))
        for j, value in enumerate(cells[i]):
            fill = EMPTY if value is None else _shade(value, middle, reach)
            cell = _rect(label + _CELL * j, y, _CELL - 1, _CELL - 1, fill)
            if value is not None:
                told = f"{name.en} – {names[j].en}: {form.format(value)}".replace("-", "−")
                cell = Markup("<g><title>{}</title>{}</g>").format(told, cell)
            out.append(cell)
    side = _CELL * len(names)
    return _svg(top + side + 2, out, width=max(WIDTH, label + side), whole=True)


def _shade(value: float, middle: float, reach: float) -> str:
    """Blue above the middle, orange below."""
    strength = max(-1.0, min(1.0, (value - middle) / reach))
    colour = (0, 114, 178) if strength >= 0 else (230, 159, 0)
    return "#" + "".join(f"{round(255 + (part - 255) * abs(strength) * 0.8):02x}" for part in colour)


# --- pieces -----------------------------------------------------------------------------------------------------------


def _on_page(label: str, height: float, pieces: Sequence[Markup]) -> Markup:
    return Markup('<svg class="arena-plot" role="img" aria-label="{}" width="100%" height="{:.0f}">{}</svg>').format(
        label, height, Markup("").join(pieces)
    )


def _headed(name: str | Words, told: str, y: float) -> Markup:
    named = Markup('<text x="{}%" y="{}" class="arena-plot-team">{}</text>')
    if not isinstance(name, str):
        named = Markup('<text x="{}%" y="{}" class="arena-plot-team {}" lang="{}">{}</text>')
        heads = [named.format(_SCALE[0], y, lang, lang, words) for lang, words in (("ko", name.ko), ("en", name.en))]
    else:
        heads = [named.format(_SCALE[0], y, name)]
    told = Markup('<text x="{}%" y="{}" text-anchor="end">{}</text>').format(_SCALE[1], y, told)
    return Markup("").join([*heads, told])


def _svg(height: float, pieces: Sequence[Markup], *, width: float = WIDTH, whole: bool = False) -> Markup:
    """`whole` keeps its size: what is too wide for the page is scrolled there."""
    # Hidden from screen readers: the table beside the plot says the same.
    kept = Markup(' class="whole" width="{:.0f}"').format(width) if whole else Markup("")
    return Markup('<svg viewBox="0 0 {:.0f} {:.0f}"{} aria-hidden="true">{}</svg>').format(
        width, height, kept, Markup("").join(pieces)
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: float = 12,
    anchor: str = "start",
    fill: str = INK,
    bold: bool = False,
    language: str = "",
) -> Markup:
    spoken = Markup(' class="{0}" lang="{0}"').format(language) if language else Markup("")
    weight = Markup(' font-weight="700"') if bold else Markup("")
    return Markup('<text x="{:.1f}" y="{:.1f}" font-size="{}" text-anchor="{}" style="fill:{}"{}{}>{}</text>').format(
        x, y, size, anchor, fill, spoken, weight, text
    )


def _name(name: Words, x: float, y: float, *, anchor: str = "end", size: float = 12, most: int = 14) -> Markup:
    return Markup("").join(
        _text(x, y, _short(words, most), size=size, anchor=anchor, language=language)
        for language, words in (("ko", name.ko), ("en", name.en))
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _rect(x: float, y: float, width: float, height: float, fill: str) -> Markup:
    return Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" style="fill:{}"/>').format(
        x, y, max(0, width), height, fill
    )


def _dot(x: float, y: float, fill: str) -> Markup:
    return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="4.5" style="fill:{}"/>').format(x, y, fill)


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str, width: float, dashes: str = "") -> Markup:
    broken = Markup(' stroke-dasharray="{}"').format(dashes) if dashes else Markup("")
    return Markup(
        '<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke-width="{}" style="stroke:{}"{}/>'
    ).format(x1, y1, x2, y2, width, stroke, broken)


def _whisker(low: float, high: float, y: float) -> Markup:
    ends = [_line(x, y - 3, x, y + 3, INK, 1.4) for x in (low, high)]
    return Markup("").join([_line(low, y, high, y, INK, 1.4), *ends])


def _legend(series: Sequence[Words]) -> Markup:
    room = WIDTH / len(series)
    out = []
    for n, name in enumerate(series):
        out.append(_rect(n * room, 6, 12, 12, COLOURS[n % len(COLOURS)]))
        out.append(_name(name, n * room + 17, 16, anchor="start", size=11, most=int((room - 20) / 7)))
    return Markup("").join(out)


def _ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers between the ends."""
    span = high - low
    step = next(s * 10.0**power for power in range(-6, 9) for s in (1, 2, 5) if span / (s * 10.0**power) <= 7)
    first = -(-low // step)
    return [round((first + n) * step, 9) for n in range(int((high - first * step) // step) + 1)]
