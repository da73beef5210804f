"""The page that explains the points to citizens shows what the data show."""

import re
from xml.etree import ElementTree

from benchmarks.ratings_pictures import FOLDER, SHOWN, pictures, stage
from ratings.fit import rate


def test_pictures_are_drawn_from_the_data():
    """The pictures in the docs are what the script draws from its seeded votes, in both languages, and load nothing from elsewhere."""
    drawn = pictures()
    assert {path.name for path in FOLDER.glob("*.svg")} >= drawn.keys()
    for name, svg in drawn.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == svg
        ElementTree.fromstring(svg)  # noqa: S314 - drawn by ourselves
        assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]
        assert "모의 데이터" in svg or "Synthetic data" in svg


def test_the_example_in_the_text_is_the_one_in_the_picture():
    """The points and the interval that the page quotes in Korean and in English are those of the shown stage."""
    page = (FOLDER.parent / "ratings.md").read_text(encoding="utf-8")
    first = rate(stage(SHOWN)).rows[0]
    assert first.points is not None
    assert first.points_ci95 is not None
    assert page.count(f"{first.points:.2f}") >= 2
    assert page.count(f"{first.points_ci95[0]:.2f}–{first.points_ci95[1]:.2f}") == 2
