"""What the voters of a stage said of themselves, as codes: what every number that weighs or groups people is a function of, beside the votes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from arena.domain.stage import Stage
from arena.record.store import Store


@dataclass(frozen=True, slots=True, eq=False)
class StrataTable:
    """One row for each voter, one column for each stratum that the stage declares. Private: it says more of people than anything else here."""

    voters: tuple[str, ...]
    """Pseudonyms, in the alphabet's order unless `among` has chosen another."""
    strata: tuple[str, ...]
    """In the order of the stage file."""
    categories: tuple[tuple[str, ...], ...]
    """Of each stratum, in the order of the stage file."""
    codes: NDArray[np.int16]
    """Shape (voters, strata): an index into the stratum's categories; -1 for who did not say."""

    def __len__(self) -> int:
        return len(self.voters)

    @classmethod
    def of(cls, stage: Stage, people: Mapping[str, Mapping[str, str]]) -> Self:
        """Take what people have said, `{voter: {stratum: category}}`; what the stage does not ask, or offer, is not said."""
        declared = stage.population.strata
        places = {s.id: {category.id: code for code, category in enumerate(s.categories)} for s in declared}
        voters = tuple(sorted(people))
        codes = [[places[s.id].get(people[voter].get(s.id, ""), -1) for s in declared] for voter in voters]
        return cls(
            voters=voters,
            strata=tuple(s.id for s in declared),
            categories=tuple(tuple(category.id for category in s.categories) for s in declared),
            codes=np.array(codes, np.int16).reshape(len(voters), len(declared)),
        )

    def among(self, voters: Sequence[str]) -> Self:
        """Give the rows of these voters, in their order: of `VoteTable.voters`, row n is the voter with code n. Who is not here did not say."""
        place = {voter: n for n, voter in enumerate(self.voters)}
        rows = np.array([place.get(voter, -1) for voter in voters], np.intp)
        codes = np.full((len(rows), len(self.strata)), -1, np.int16)
        codes[rows >= 0] = self.codes[rows[rows >= 0]]
        return replace(self, voters=tuple(voters), codes=codes)

    def column(self, stratum: str) -> NDArray[np.int16]:
        """Give one stratum's codes, (voters,)."""
        return self.codes[:, self.strata.index(stratum)]

    def named(self, stratum: str) -> list[str | None]:
        """Give one stratum's categories by name, voter by voter; None for who did not say."""
        names = (*self.categories[self.strata.index(stratum)], None)
        return [names[code] for code in self.column(stratum).tolist()]


def strata_now(store: Store, stage: Stage) -> StrataTable | None:
    """Read what the stage's voters say of themselves at this moment; None where it asks nothing."""
    return StrataTable.of(stage, store.strata.of_voters(stage.id)) if stage.population.strata else None
