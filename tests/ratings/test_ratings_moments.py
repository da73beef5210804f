"""Which of two votes came later: times are moments, however they are written."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arena.cli.battle_file import read
from ratings.errors import ComparisonError
from ratings.intake import formats, moments
from ratings.intake.cells import Column
from tests.ratings.test_ratings_formats_properties import answer, write
from tests.support.words import refusing

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(2024, 10, 20), datetime(2024, 11, 3), timezones=OFFSETS)  # noqa: DTZ001  # Hypothesis adds the zone
WRITTEN = st.sampled_from(
    [
        lambda t: t.isoformat(),
        lambda t: str(t),
        lambda t: t.strftime("%Y-%m-%dT%H:%M:%S.%f000%z"),
        lambda t: str(pd.Timestamp(t)),
        lambda t: t.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        lambda t: t.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC"),
        lambda t: t.strftime("%Y-%m-%dT%H:%M:%S.%f%z"),
    ]
)


@given(cells=st.lists(st.tuples(TIMES, WRITTEN), min_size=2, max_size=6))
def test_moments_stand_in_their_order_however_they_are_written(cells: list[tuple[datetime, Any]]):
    """T or a space, Z or an offset, many digits of a second or none: the order is that of the moments, equal ones are equal."""
    found = moments.read(Column.of([written(moment) for moment, written in cells]), "timestamp")
    true = [moment for moment, _ in cells]
    assert (found.kind == moments.MOMENT).all()
    assert [[x < y for x in found.place] for y in found.place] == [[x < y for x in true] for y in true]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2025-01-01 9:00", "2025-01-01 10:00"),
        ("2025-01-01T10:00:00Z", "2025-01-01T10:00:00.5Z"),
        ("2025-01-01T10:00:00+02:00", "2025-01-01T09:00:00Z"),
        ("2025-01-01T10:00:00.000000001", "2025-01-01 10:00:00.000000002"),
        ("2025-1-9", "2025-1-10"),
        ("2025/01/09 8:00", "2025-01-09 08:01"),
        ("20250101T100000Z", "2025-01-01 10:00:01Z"),
        ("999", "1000"),
        (999, 1000.5),
        ("9e2", Decimal("1000")),
        (1735689600000000001, 1735689600000000002),
        ("９９９", "1000"),
    ],
)
def test_the_later_of_two_cells_is_found(earlier: Any, later: Any):
    """Hours and numbers of one digit, parts of a second, offsets and nineteen digits are put in order exactly."""
    found = moments.read(Column.of([later, earlier, None]), "timestamp")
    assert found.place[0] > found.place[1] > 0
    assert found.kind[0] == found.kind[1] != found.kind[2] == moments.NONE


@pytest.mark.parametrize(
    "word",
    [
        "12/31/2024",
        "yesterday",
        "2025-13-01",
        "2025-02-30",
        "2025-01-01 25:00",
        "nan",
        "1e9999999999999999999",
        "2025-01-01 10:00 CET",
    ],
)
def test_what_is_no_time_has_no_order(word: str):
    """Days and months that cannot be told apart, words, and days that no calendar has are not put in any order."""
    assert moments.read(Column.of([word]), "timestamp").kind[0] == moments.UNREAD


VOTE = {"model_a_name": "x", "model_b_name": "y", "both_equal": "false", "visitor_id": "v"}


def voted(*times: Any, first: str = "x", key: Any = "c") -> pd.DataFrame:
    """Votes of one conversation at these times: the first for `first`, the others for the other model."""
    names = [first] + ["y" if first == "x" else "x"] * (len(times) - 1)
    rows = [
        {**VOTE, "chosen_model_name": name, "conversation_pair_id": key, "timestamp": time}
        for name, time in zip(names, times, strict=True)
    ]
    return pd.DataFrame(rows).astype({"timestamp": object})


@pytest.mark.parametrize("blank", [None, "", float("nan")])
def test_numbers_stay_numbers_beside_blank_cells(blank: Any):
    """A blank cell elsewhere makes no text of the numbers; one in the same conversation stands first, and that is said."""
    other = voted(blank, key="d").assign(model_b_name="z")
    battles = formats.translate(pd.concat([voted(1000, 999), other]))
    assert battles.frame["winner"].tolist() == ["model_a", "model_a"]
    assert battles.notes == ()
    battles = formats.translate(voted(1000, 999, blank))
    assert battles.frame["winner"].tolist() == ["model_a"]
    assert [(note.code, note.count) for note in battles.notes] == [("times_missing", 1)]


@pytest.mark.parametrize(
    "times",
    [("12/31/2024", "1/1/2025"), ("2025-01-01", "soon"), ("1000", "1970-01-01"), ("2025-01-02T00:00Z", "2025-01-01")],
)
def test_times_that_cannot_be_compared_are_said(times: tuple[str, str]):
    """Where a time is none, or two are of different kinds, the last vote in the file counts, never the one later in the alphabet."""
    for order in (times, times[::-1]):
        battles = formats.translate(voted(*order))
        assert battles.frame["winner"].tolist() == ["model_b"]
        assert [(note.code, note.count) for note in battles.notes] == [("times_unread", 1)]


def test_only_a_conversation_voted_on_again_needs_times():
    """A time that decides nothing may be any word, and a list is refused only where it would decide."""
    table = pd.concat([voted("soon", key="a"), voted(["x"], key="b")])
    assert formats.translate(table).notes == ()
    with refusing(ComparisonError, match="row 1: timestamp: "):
        formats.translate(pd.concat([voted(1, key="a"), voted(["x"], 2, key="b")]))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris", "+09:00"])
def test_parquet_timestamps_are_moments(unit: str, zone: str | None, tmp_path: Path):
    """In any unit and zone, also in the hour that a clock shows twice, the later of two Parquet timestamps is the later moment."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    summer, winter = 1729989000, 1729990800  # 02:30 in Paris on 27 October 2024, then 02:00 again
    columns = voted(winter, summer).drop(columns="timestamp").to_dict("list")
    times = pa.array([winter * per_second, summer * per_second], pa.timestamp(unit, zone))
    pq.write_table(pa.table({**columns, "timestamp": times}), tmp_path / "b.parquet")
    battles = formats.translate(read(tmp_path / "b.parquet").table)
    assert (battles.frame["winner"].tolist(), battles.notes) == (["model_a"], ())


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "model_a_name": st.just("x"),
                "model_b_name": st.sampled_from(["y", "y ", "z"]),
                "chosen_model_name": st.just("x") | st.none(),
                "both_equal": st.sampled_from(["true", "false", ""]),
                "conversation_pair_id": st.sampled_from(["k", "k ", " k", "l", "", "12345678901234567890"]),
                "timestamp": st.sampled_from(
                    ["999", "1000", "1e3", "", "2025-01-01 9:00", "2025-01-01T10:00", "2025-01-01T10:00Z", "soon"]
                ),
                "visitor_id": st.sampled_from(["v", " v", "", "w"]),
                "session_hash": st.sampled_from(["v", "", "s"]),
            }
        ),
        min_size=1,
        max_size=10,
    )
)
def test_every_format_counts_the_same_last_votes(rows: list[dict[str, Any]], tmp_path: Path):
    """CSV, TSV, JSON, JSON Lines and Parquet of the same compar:IA rows agree on the votes that count and on what is said."""
    first, *others = [answer(write(rows, tmp_path / f"b.{e}")) for e in ("csv", "tsv", "json", "jsonl", "parquet")]
    assert all(other == first for other in others)
