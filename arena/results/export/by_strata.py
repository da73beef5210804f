"""Everything in an export that follows from the votes, the stage file and `strata.parquet`: made again by whoever has that file, attested to everybody else."""

from typing import Any, Self

from arena.domain.stage import Stage
from arena.results.export.schema import Stratum, UserScore
from arena.results.export.signed import Part
from arena.results.votes.strata import StrataTable
from arena.results.votes.table import VoteTable
from arena.results.votes.weighting import Raked, strata_rows


class ByStrata(Part):
    """These parts of the document, as they stand in it; null where the stage has no strata. The voters' weights are beside the votes."""

    strata: list[Stratum] | None = None
    """`population.strata`."""

    @classmethod
    def made(cls, stage: Stage, votes: VoteTable, strata: StrataTable, raked: Raked | None) -> Self:
        """Compute them.

        Args:
            stage: its strata and their targets.
            votes: as the document's other numbers are made of.
            strata: of all its voters.
            raked: the weights that follow from both (`weighting.weigh`).
        """
        known = strata.among(votes.voters)
        rows = strata_rows(known, stage.population.strata, raked)
        return cls(strata=[Stratum.model_validate(row) for row in rows])

    @classmethod
    def told_by(cls, document: UserScore) -> Self:
        """Take them from an export."""
        return cls(strata=document.population.strata)

    def in_document(self) -> dict[str, Any]:
        """Give them under the names that they have in the document, as JSON."""
        return {"population": {"strata": None if self.strata is None else [row.to_json() for row in self.strata]}}
