"""The console's figures: Okabe–Ito colours that everybody can tell apart, never alone: a shape, a place or a word says the same."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
VERMILION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
SKY: Final = "#56B4E9"
GREY: Final = "#8A94A6"
SERIES: Final = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up", "cross", "x")
INK: Final = "#17202E"
DIVERGING: Final = [[0, "#F1A340"], [0.5, "#F7F7F7"], [1, "#67A9CF"]]
"""Orange to blue: told apart with every kind of colour vision, pale where there is nothing to see, and `INK` can be read on all of it."""


def colour(n: int) -> str:
    """Of the n-th series."""
    return SERIES[n % len(SERIES)]


def symbol(n: int) -> str:
    """Of the n-th series: another one for six more entrants of the same colour."""
    return SYMBOLS[(n + n // len(SERIES)) % len(SYMBOLS)]


def pattern(shape: str) -> dict[str, Any]:
    """Of a bar, so that its colour is not alone; none where `shape` is empty."""
    return {"shape": shape, "fillmode": "overlay", "fgcolor": "#FFFFFF", "fgopacity": 0.6, "size": 6}


def layout(*, height: int, legend: bool = False, **more: Any) -> dict[str, Any]:
    """Return what all figures share. Text and grid colours come from the page, so that they follow light and dark."""
    base: dict[str, Any] = {
        "height": height,
        "margin": {"l": 8, "r": 16, "t": 8, "b": 8},
        "showlegend": legend,
        "hovermode": "closest",
        "dragmode": False,
        "xaxis": {"automargin": True, "fixedrange": True, "zeroline": False},
        "yaxis": {"automargin": True, "fixedrange": True, "zeroline": False},
    }
    if legend:
        base["legend"] = {"orientation": "h", "traceorder": "normal", "x": 0, "y": -0.18, "yanchor": "top"}
    for axis in ("xaxis", "yaxis"):
        base[axis] |= more.pop(axis, {})
    return base | more


def intervals(
    names: Sequence[str],
    values: Sequence[float],
    ends: Sequence[tuple[float, float]],
    *,
    title: str,
    form: Callable[[float], str],
    height: int | None = None,
    **axis: Any,
) -> dict[str, Any]:
    """Points with their intervals, a row each, the first on top; `form` writes a value as people read it."""
    trace = {
        "type": "scatter",
        "mode": "markers+text",
        "x": list(values),
        "y": list(names),
        "text": [form(value).replace("-", "−") for value in values],
        "textposition": "top center",
        "hovertemplate": "%{y}<br>%{text} (%{customdata[0]} ~ %{customdata[1]})<extra></extra>",
        "customdata": [[form(low), form(high)] for low, high in ends],
        "marker": {"color": BLUE, "size": 11},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [high - value for value, (_, high) in zip(values, ends, strict=True)],
            "arrayminus": [value - low for value, (low, _) in zip(values, ends, strict=True)],
            "color": BLUE,
            "thickness": 2.5,
            "width": 6,
        },
        "cliponaxis": False,
    }
    return {
        "data": [trace],
        "layout": layout(
            height=height or 70 + 46 * max(len(names), 2),
            xaxis={"title": {"text": title, "font": {"size": 12}}, **axis},
            yaxis={"autorange": "reversed", "type": "category"},
        ),
    }


def stacked(names: Sequence[str], series: Mapping[str, tuple[Sequence[float], str, str]]) -> dict[str, Any]:
    """Shares of a whole, a bar each: `{label: (shares, colour, pattern)}`."""
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "name": label,
                "y": list(names),
                "x": [100 * share for share in shares],
                "marker": {"color": shade, "pattern": pattern(shape)},
                "hovertemplate": f"%{{y}}<br>{label} %{{x:.1f}}%<extra></extra>",
            }
            for label, (shares, shade, shape) in series.items()
        ],
        "layout": layout(
            height=110 + 40 * max(len(names), 2),
            legend=True,
            barmode="stack",
            bargap=0.35,
            xaxis={"range": [0, 100], "ticksuffix": "%"},
            yaxis={"autorange": "reversed", "type": "category"},
        ),
    }
