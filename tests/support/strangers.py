"""Somebody who has an export and nothing of ours: a page of Python on public libraries, and a page of SQL."""

import subprocess
import sys
from pathlib import Path

import duckdb

from arena.settings import ROOT

PAGE = ROOT / "docs" / "verify_without_us.py"
PAIRS = ROOT / "docs" / "verify_pairs.sql"


def by_a_stranger(*arguments: Path) -> subprocess.CompletedProcess[str]:
    """Run the page of Python, in an interpreter that could not find anything of ours."""
    run = [sys.executable, "-I", str(PAGE), *map(str, arguments)]
    return subprocess.run(run, capture_output=True, text=True, cwd="/", timeout=120)


def in_sql(folder: Path) -> list[str]:
    """Run the page of SQL in an export's folder; what it says in the end, line by line.

    Raises:
        duckdb.Error: something does not hold; the message says what.
    """
    with duckdb.connect() as connection:
        connection.execute(f"SET file_search_path = '{folder}'")
        said = [connection.execute(each).fetchall() for each in connection.extract_statements(PAIRS.read_text("utf-8"))]
    return [str(line) for rows in said[-2:] for (line,) in rows]
