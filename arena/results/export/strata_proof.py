"""The auditor's proof: what follows from the strata is made again from `strata.parquet`; without that file it is attested, and said to be."""

import hashlib
from collections.abc import Iterator

import numpy as np

from arena.domain.coded import Fault
from arena.domain.stage import Stage
from arena.results.export.by_strata import ByStrata
from arena.results.export.differing import differing
from arena.results.export.document import VOTES
from arena.results.export.proofs import Attested, Passed, VerificationError
from arena.results.export.schema import UserScore
from arena.results.export.statistics import StageVotes
from arena.results.export.strata_file import STRATA, read_strata
from arena.results.export.tables import EvidenceError
from arena.results.votes.strata import StrataTable
from arena.results.votes.table import VoteTable
from arena.results.votes.weighting import SMALL, Raked, weigh


def shown(document: UserScore, stage: Stage, votes: VoteTable, strata: bytes | None) -> Iterator[Passed | Attested]:
    """Show that weights and the numbers by strata follow from the strata that were frozen, or say that they are attested.

    What a file says of itself, its columns and its voters are looked at before its hash, so that one learns what is wrong with it.
    """
    if strata is None:
        if stage.population.strata:
            _none_of_few(document, stage)
            yield Attested("strata", file=STRATA, votes=VOTES)
        else:
            _same_numbers(document, ByStrata())
        return
    committed = document.provenance.strata_file
    if committed is None:
        raise VerificationError("strata", Fault("strata_not_committed", file=STRATA))
    try:
        table = read_strata(strata, stage)
    except EvidenceError as error:
        raise VerificationError("strata", error) from None
    _same_voters(votes, table)
    if hashlib.sha256(strata).hexdigest() != committed.sha256 or len(table) != committed.rows:
        raise VerificationError("strata", Fault("strata_not_frozen", file=STRATA))
    yield Passed("strata", file=STRATA, n=len(table))
    raked = weigh(votes, stage, table)
    _same_weights(votes, raked)
    yield Passed("weights", file=VOTES)
    rated = [entrant.team_id for entrant in document.entrants if entrant.removed is None]
    given = StageVotes.of(stage, document.stage.file_sha256, votes, rated, document.stage.frozen_at)
    _same_numbers(document, ByStrata.made(given, table, raked))
    yield Passed("by_strata")


def _same_numbers(document: UserScore, made: ByStrata) -> None:
    told = ByStrata.told_by(document)
    if (where := differing(told.in_document(), made.in_document())) is not None:
        raise VerificationError("by_strata", Fault("strata_number", at=where))


def _none_of_few(document: UserScore, stage: Stage) -> None:
    """Hold the groups to those that the stage declares, and their results to those who are shown to be enough."""
    held: dict[str, dict[str, int | None]] = {}
    for row in document.population.strata or []:
        held.setdefault(row.stratum, {})[row.category] = row.voters
    told = [grouping for grouping in document.groups if grouping.kind == "stratum"]
    declared = [(s.id, [category.id for category in s.categories]) for s in stage.population.strata]
    named = [(grouping.variable, [group.name for group in grouping.groups]) for grouping in told]
    if named and named != declared:  # none at all where the strata were erased before an export could tell of them
        raise VerificationError("by_strata", Fault("strata_number", at="groups"))
    for grouping in told:
        voters = held.get(grouping.variable, {})
        rest = document.population.n_voters - sum(n for n in voters.values() if n is not None)
        untold = [group.name for group in grouping.groups if group.scores and not voters.get(group.name)]
        if untold and (len(untold) > 1 or voters.get(untold[0], 0) == 0 or rest < 2 * SMALL - 1):
            at = f"{grouping.variable}.{untold[0]}"
            raise VerificationError("by_strata", Fault("group_of_few", at=at, least=SMALL))


def _same_voters(votes: VoteTable, table: StrataTable) -> None:
    """Hold the file's voters to be those of all sealed votes, counted or not: no more, and no fewer."""
    if extra := set(table.voters) - set(votes.voters):
        raise VerificationError("strata", Fault("strata_voters_extra", file=STRATA, n=len(extra), votes=VOTES))
    if missing := set(votes.voters) - set(table.voters):
        raise VerificationError("strata", Fault("strata_voters_missing", file=STRATA, n=len(missing), votes=VOTES))


def _same_weights(votes: VoteTable, raked: Raked | None) -> None:
    held = {} if raked is None else raked.weights
    made = np.array([held.get(voter, np.nan) for voter in votes.voters])[votes.voter]
    told = np.full(len(votes), np.nan) if votes.weight is None else votes.weight
    differs = ~((made == told) | (np.isnan(made) & np.isnan(told)))
    if differs.any():
        raise VerificationError("weights", Fault("weight_differs", file=VOTES, row=int(differs.argmax())))
