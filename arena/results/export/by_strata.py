"""Everything in an export that follows from the votes, the stage file and `strata.parquet`: made again by whoever has that file, attested to everybody else."""

from typing import Any, Self

from pydantic import Field

from arena.results.export import groups
from arena.results.export.groups_schema import Grouping
from arena.results.export.rating_schema import Representative
from arena.results.export.schema import Stratum, UserScore
from arena.results.export.signed import Part
from arena.results.export.statistics import StageVotes
from arena.results.votes.strata import StrataTable
from arena.results.votes.weighting import Raked, strata_rows


class ByStrata(Part):
    """These parts of the document, as they stand in it; null where the stage has no strata. The voters' weights are beside the votes."""

    strata: list[Stratum] | None = None
    """`population.strata`."""
    representative: Representative | None = None
    """`sensitivity.representative`."""
    groups: list[Grouping] = Field(default_factory=list)
    """Those of `groups` that are by a stratum; the first of them."""

    @classmethod
    def made(cls, given: StageVotes, strata: StrataTable, raked: Raked | None) -> Self:
        """Compute them.

        Args:
            given: the votes, as the document's other numbers are made of them.
            strata: of all their voters.
            raked: the weights that follow from both (`weighting.weigh`).
        """
        rows = strata_rows(strata.among(given.votes.voters), given.stage.population.strata, raked)
        return cls(
            strata=[Stratum.model_validate(row) for row in rows],
            representative=groups.representative(given, strata),
            groups=groups.by_strata(given, strata),
        )

    @classmethod
    def told_by(cls, document: UserScore) -> Self:
        """Take them from an export."""
        return cls(
            strata=document.population.strata,
            representative=document.sensitivity.representative,
            groups=[grouping for grouping in document.groups if grouping.kind == "stratum"],
        )

    def in_document(self) -> dict[str, Any]:
        """Give them under the names that they have in the document, as JSON."""
        return {
            "population": {"strata": None if self.strata is None else [row.to_json() for row in self.strata]},
            "sensitivity": {"representative": None if self.representative is None else self.representative.to_json()},
            "groups": [grouping.to_json() for grouping in self.groups],
        }
