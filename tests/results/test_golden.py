"""Numbers that once left stay: kept records, opened by today's code, give the exports, the live view and the proposals that they gave."""

from io import BytesIO
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from tests.support.golden import FOLDER, NAMES, opened


@pytest.mark.parametrize("name", NAMES)
def test_a_kept_record_gives_what_it_gave(name: str) -> None:
    """Votes, draws, scores.csv, the document but for its identifiers, the live view and the proposals are the same, to the last digit and byte."""
    with opened(name) as golden:
        given = golden.outputs()
    for file, data in given.items():
        kept = (FOLDER / f"{name}.{file}").read_bytes()
        if not isinstance(data, bytes):
            _same(data, orjson.loads(kept), file)
        elif file.endswith(".parquet"):  # the format's own writer names its version in the file
            ours, theirs = (pq.read_table(BytesIO(each)) for each in (data, kept))
            assert ours.schema.equals(theirs.schema, check_metadata=True)
            assert ours.equals(theirs)
        else:
            assert data == kept


def _same(ours: Any, theirs: Any, where: str) -> None:
    """Compares part by part, so that a difference has a place."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        assert sorted(ours) == sorted(theirs), where
        for key in ours:
            _same(ours[key], theirs[key], f"{where} > {key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        assert len(ours) == len(theirs), where
        for n, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            _same(one, other, f"{where} > {n}")
    elif where.startswith("proposals"):  # not rounded, so another processor's last bits would show
        assert ours == (pytest.approx(theirs, rel=1e-9) if isinstance(theirs, float) else theirs), where
    else:
        assert ours == theirs, where
