"""The pictures of the pages: every value where its scale says, every name as text and nothing else."""

import re

from arena.domain.declared import Bilingual
from arena.results.publish.charts import Mark, on_scale, rank_ribbons


def test_a_page_plot_puts_every_value_on_its_scale() -> None:
    """The smallest end a little from the left, the largest as far from the right; a mark without an interval is a point; names stand above their rows."""
    drawn = str(on_scale([("가람팀", "20점", Mark(20.0, 10.0, 20.0)), ("나래팀", "15점", Mark(15.0))], label="점수"))
    assert re.findall(r'<circle cx="([\d.]+)%" cy="(\d+)"', drawn) == [("94.44", "44"), ("50.00", "106")]
    assert re.findall(r'x1="([\d.]+)%" x2="([\d.]+)%" y1="44"', drawn) == [("5.56", "94.44")]
    assert drawn.count('class="arena-interval"') == 1
    assert re.findall(r'text-anchor="middle">([\d.]+)<', drawn) == ["10", "12", "14", "16", "18", "20"]
    assert re.findall(r'y="([\d.]+)" class="arena-plot-team">(\w+)<', drawn) == [("26", "가람팀"), ("88", "나래팀")]


def test_a_ribbon_covers_every_possible_rank_and_names_none() -> None:
    """Each row has a place for every rank, those that are possible are filled, and no point stands for one of them."""
    drawn = str(rank_ribbons([("가람팀", "1위", (1, 1)), ("나래팀", "2–3위", (2, 3))], label="순위"))
    assert re.findall(r'class="(arena-rank(?:-none)?)"', drawn) == [
        "arena-rank", "arena-rank-none", "arena-rank-none",
        "arena-rank-none", "arena-rank", "arena-rank",
    ]  # fmt: skip
    assert "<circle" not in drawn


def test_a_ribbon_names_its_row_in_both_languages() -> None:
    """Where the page is in both languages, each row has both names, each in its own."""
    drawn = str(rank_ribbons([(Bilingual(ko="가람팀", en="Team Garam"), "1", (1, 1))], label="95 %"))
    assert re.findall(r'class="arena-plot-team (\w+)" lang="(\w+)">([^<]+)<', drawn) == [
        ("ko", "ko", "가람팀"), ("en", "en", "Team Garam"),
    ]  # fmt: skip


def test_a_name_draws_nothing() -> None:
    """A team's name and the picture's label are text, whatever stands in them."""
    drawn = str(on_scale([('"><script>x</script>', "<b>1</b>", Mark(1.0, 0.5, 1.5))], label='"onload="x'))
    assert "<script" not in drawn
    assert "<b>" not in drawn
    assert '"onload=' not in drawn
    assert "&lt;script&gt;" in drawn
