"""`rate --html`: one page to look at, which needs nothing else and says what the JSON says."""

from html import unescape
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
from typer.testing import CliRunner

from arena.cli import app
from arena.results.publish.battles import DRAWN, battles_page
from tests.support.browser import PHONE, chromium
from tests.support.ratings_votes import frame, votes

HOSTILE = "<script>x</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of two groups that never met, a hostile name and battles that were not blind; its page and its JSON."""
    at = tmp_path_factory.mktemp("page")
    first, other = frame(votes(np.linspace(0.5, -0.5, 14), 60, 20, 1)), frame(votes([0.2, 0.0, -0.2], 30, 10, 2))
    first = first.replace("m13", HOSTILE)
    other[["model_a", "model_b"]] = "other-" + other[["model_a", "model_b"]]
    battles = pd.concat([first, other])
    battles["anony"] = np.arange(len(battles)) % 40 != 0
    battles["prompt"] = [f"q{n % 90}" for n in range(len(battles))]
    battles.to_csv(at / "battles.csv", index=False)
    said = ["rate", str(at / "battles.csv"), "--out", str(at / "r.json"), "--html", str(at / "r.html"), "--first", "2"]
    ran = CliRunner().invoke(app, said)
    assert ran.exit_code == 0, ran.output
    return at


def test_the_page_says_what_the_json_says(folder: Path) -> None:
    """Every entrant with its rating, every warning and what was left out stand there in both languages; names are text."""
    page, document = (folder / "r.html").read_text("utf-8"), orjson.loads((folder / "r.json").read_bytes())
    assert "<script" not in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    text = unescape(page)
    for row in document["scores"]:
        assert f"{row['rating']:,.0f} (" in text
        assert f"{row['points']:.2f}" in text
    for told in (*document["warnings"], *document["source"]["notes"]):
        assert told["ko"] in text
        assert told["en"] in text
    assert "Battles that were not blind" in text
    assert f"<dd>{document['source']['voters']:,}</dd>" in page
    assert "There are 2 groups of models that never met" in text
    assert "모델 묶음이 2개입니다" in text


def test_the_page_stands_alone_on_a_phone_in_the_dark_and_on_paper(folder: Path) -> None:
    """It asks nobody for anything, fits, follows the reader's scheme, and shows one language at a time."""
    address = (folder / "r.html").as_uri()
    with chromium() as browser:
        visit = browser.new_page(viewport=PHONE, color_scheme="dark")  # type: ignore[arg-type]
        asked: list[str] = []
        wrong: list[str] = []
        visit.on("request", lambda request: asked.append(request.url))
        visit.on("console", lambda message: wrong.append(message.text))
        visit.goto(address)
        ground = "getComputedStyle(document.body).backgroundColor"
        dark = visit.evaluate(ground)
        assert visit.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert visit.get_by_role("heading", name="가능한 순위").first.is_visible()
        visit.check("#lang-en")
        assert visit.get_by_role("heading", name="Possible ranks").first.is_visible()
        assert visit.get_by_role("heading", name="가능한 순위").count() == 0
        visit.emulate_media(color_scheme="light")
        assert visit.evaluate(ground) != dark
        visit.emulate_media(media="print", color_scheme="dark")
        visit.set_viewport_size({"width": 703, "height": 1032})  # A4 less its margins
        assert visit.evaluate("document.documentElement.scrollWidth") <= 703
        assert visit.evaluate(ground) == "rgb(255, 255, 255)"
    assert (asked, wrong) == ([address], [])


def test_of_very_many_the_best_are_drawn_and_all_are_told(folder: Path) -> None:
    """Beyond a hundred the pictures hold the best hundred and say so; the table holds everybody."""
    document = orjson.loads((folder / "r.json").read_bytes())
    one = next(row for row in document["scores"] if row["rating"] is not None)
    many = [{**one, "model": f"model-{n:03}", "rank": n + 1, "rank_ci95": [1, 130], "group": 0} for n in range(130)]
    page = battles_page({**document, "scores": many, "pairwise": []})
    assert f"The {DRAWN} best are drawn; the other 30 are in the table." in page
    assert page.count("model-129") == 1
    assert page.count('<th scope="row">model-') == 130


def test_the_page_is_not_written_over_the_file(folder: Path) -> None:
    """The file of battles is never the page's place."""
    source = str(folder / "battles.csv")
    ran = CliRunner().invoke(app, ["rate", source, "--out", str(folder / "x.json"), "--html", source])
    assert ran.exit_code == 1
    assert (folder / "battles.csv").read_text("utf-8").startswith("model_a")
