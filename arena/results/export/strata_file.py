"""`strata.parquet`: what each voter said of themselves, as it was at the freeze. For auditors alone: it is never among an export's files, only its hash is."""

import secrets

import numpy as np
import pyarrow as pa

from arena.domain.stage import VOTER_COLUMN as JUDGE
from arena.domain.stage import Stage
from arena.results.export.table_reader import TableFile
from arena.results.export.tables import EvidenceError, ParquetBuffer
from arena.results.votes.strata import StrataTable

STRATA = "strata.parquet"
SCHEMA = "kai.strata/1"


def schema_of(stage: Stage) -> pa.Schema:
    """Make its columns: the voter, and the stage's strata in the order of its file."""
    strata = [pa.field(stratum.id, pa.string()) for stratum in stage.population.strata]
    return pa.schema([pa.field(JUDGE, pa.string(), nullable=False), *strata])


def strata_file(table: StrataTable, stage: Stage, nonce: str | None = None) -> bytes:
    """Write it, voters in the alphabet's order: the same rows and nonce give the same bytes.

    Args:
        table: of the stage's voters.
        stage: whose they are.
        nonce: 64 hexadecimal characters, drawn where none is given. They stand in the file, so that its published hash cannot be
            tried out: a few voters of a few categories each are soon guessed.
    """
    told = {"schema": SCHEMA, "stage": stage.id, "nonce": nonce or secrets.token_hex(32)}
    file = ParquetBuffer(schema_of(stage).with_metadata(told))
    columns = {JUDGE: list(table.voters), **{stratum: table.named(stratum) for stratum in table.strata}}
    file.add([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])
    return file.bytes()


def read_strata(data: bytes, stage: Stage) -> StrataTable:
    """Read it.

    Raises:
        EvidenceError: it is not Parquet, has other columns than the stage's strata in their order, is another stage's, has a
            category that the stage does not offer, or a voter twice or out of the order.
    """
    file = TableFile(data, schema_of(stage), STRATA)
    if file.metadata.get("schema") != SCHEMA or file.metadata.get("stage") != stage.id:
        raise EvidenceError("strata_elsewhere", file=STRATA, stage=stage.id)
    strata = stage.population.strata
    places = [{"": -1} | {category.id: code for code, category in enumerate(s.categories)} for s in strata]
    voters: list[str] = []
    codes = np.empty((len(file), len(strata)), np.int16)
    for at, batch in file.placed():
        voters += batch.column(JUDGE).to_pylist()
        for n, (stratum, of) in enumerate(zip(strata, places, strict=True)):
            codes[at, n] = file.coded(batch, stratum.id, of)
    if voters != sorted(set(voters)):
        raise EvidenceError("strata_unordered", file=STRATA)
    categories = tuple(tuple(category.id for category in s.categories) for s in strata)
    return StrataTable(tuple(voters), tuple(s.id for s in strata), categories, codes)
