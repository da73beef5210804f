"""The public battle releases, translated into the field's columns: model_a, model_b, winner, voter (and style where given).

| release | recognised by | winner | voter |
|---|---|---|---|
| the field's columns (ours, FastChat's clean battles) | `model_a`, `model_b`, `winner` | `tie (bothbad)` becomes `both_bad` | `voter`, `judge` |
| LMArena 2025 | `evaluation_session_id` | as it is | the evaluation session |
| compar:IA votes | `model_a_name`, `chosen_model_name` | from the chosen name and `both_equal` | `visitor_id`, `session_hash` |

FastChat marks battles whose models were shown (`anony` false); they are not blind and are left out, and counted.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from ratings.errors import ComparisonError

Format = Literal["field", "lmarena-2025", "comparia"]
STYLE_COLUMNS = tuple(f"{name}_{side}" for name in ("length", "headers", "bold", "lists") for side in "ab")


@dataclass(frozen=True, slots=True, eq=False)
class Battles:
    """A release in the field's columns, and what was left out of it."""

    format: Format
    frame: pd.DataFrame
    not_blind: int
    """Rows left out because the models' names were shown."""


def is_text(column: str) -> bool:
    """Whether a release's column holds conversations, which no rating reads."""
    return column.startswith(("conversation_", "full_conversation"))


def recognise(columns: pd.Index) -> Format:
    """Says which release a table is, by its columns.

    Raises:
        ComparisonError: none that is known here; the message lists what would be.
    """
    if {"model_a_name", "model_b_name", "chosen_model_name"} <= set(columns):
        return "comparia"
    if {"model_a", "model_b", "winner"} <= set(columns):
        return "lmarena-2025" if "evaluation_session_id" in columns else "field"
    raise ComparisonError(
        "these columns are no battles: model_a, model_b and winner must exist (FastChat, LMArena, this arena), "
        f"or model_a_name, model_b_name and chosen_model_name (compar:IA). Found: {', '.join(map(str, columns))}"
    )


def translate(table: pd.DataFrame) -> Battles:
    """Brings a release into the columns that `Comparisons.from_frame` reads; rows keep their index.

    Raises:
        ComparisonError: the release is unknown, or a row of it contradicts itself.
    """
    release = recognise(table.columns)
    table = table.reset_index(drop=True)
    if release == "comparia":
        return Battles(release, _comparia(table), 0)
    frame = table.drop(columns=[column for column in table.columns if is_text(column)])
    frame["winner"] = frame["winner"].replace({"tie (bothbad)": "both_bad", "bothbad": "both_bad"})
    if release == "lmarena-2025":
        frame = frame.rename(columns={"evaluation_session_id": "voter"})
        if "conv_metadata" in frame.columns:
            frame = frame.assign(**_lmarena_style(frame["conv_metadata"].tolist()))
    blind = np.ones(len(frame), bool)
    if "anony" in frame.columns:
        blind = frame["anony"].to_numpy(bool)
    return Battles(release, frame.loc[blind], int((~blind).sum()))


def _comparia(table: pd.DataFrame) -> pd.DataFrame:
    chosen, equal = table["chosen_model_name"], np.zeros(len(table), bool)
    if "both_equal" in table.columns:
        equal = table["both_equal"].astype("boolean").fillna(False).to_numpy(bool)
    a_won = (chosen == table["model_a_name"]).to_numpy(bool) & ~equal
    b_won = (chosen == table["model_b_name"]).to_numpy(bool) & ~equal
    stray = ~(a_won | b_won | equal)
    if stray.any():
        row = int(stray.argmax())
        raise ComparisonError(
            f"chosen_model_name is {chosen.iloc[row]!r}, which is neither side, and both_equal is not true", row=row
        )
    frame = pd.DataFrame({"model_a": table["model_a_name"], "model_b": table["model_b_name"]})
    frame["winner"] = np.select([equal, a_won], ["tie", "model_a"], "model_b")
    voter = next((name for name in ("visitor_id", "visitor_uuid", "session_hash") if name in table.columns), None)
    if voter is not None:
        # A visitor without an identifier is unknown, not the same person as every other one.
        alone = pd.Series([f"row-{n}" for n in range(len(table))], index=table.index)
        frame["voter"] = table[voter].astype("string").fillna(alone)
    return frame


def _lmarena_style(metadata: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Lengths in tokens and counts of marks, from the release's own conversation metadata."""

    def total(counts: Any) -> float:
        return float(sum(value or 0 for value in counts.values())) if isinstance(counts, dict) else float(counts or 0)

    sources = {"length": "sum_assistant_{}_tokens", "headers": "header_count_{}", "bold": "bold_count_{}"}
    sources["lists"] = "list_count_{}"
    return {
        f"{name}_{side}": [total(row.get(source.format(side))) for row in metadata]
        for name, source in sources.items()
        for side in "ab"
    }
