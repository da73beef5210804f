"""The export as one document: assembled from the stage file, the evidence and a few facts; the check assembles it again."""

import csv
import hashlib
import io
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Self

import regex
import rfc8785

from arena.domain.opening import Witness
from arena.domain.stage import Stage, file_sha256
from arena.record.outages import minutes_of
from arena.results.export import groups, statistics
from arena.results.export.by_strata import ByStrata
from arena.results.export.rating_schema import Score
from arena.results.export.review_schema import Act, Look, ProposalPart, ReviewPart
from arena.results.export.schema import (
    SCHEMA,
    Checkpoint,
    ClosingPart,
    CosignaturePart,
    Draws,
    EntrantPart,
    EvidenceKeyPart,
    File,
    OpeningPart,
    Outage,
    Provenance,
    RemovalPart,
    StagePart,
    Status,
    UserScore,
    Window,
    WitnessPart,
)
from arena.results.export.signed import UNSIGNED, Issuer, TwoLanguages
from arena.results.export.statistics import StageVotes
from arena.results.export.table_reader import DrawTable
from arena.results.export.vote_tests import vote_tests
from arena.results.votes import closing
from arena.results.votes.table import VoteTable

JSON, VOTES, DRAWS, STAGE, SCORES = "export.json", "votes.parquet", "draws.parquet", "stage.toml", "scores.csv"
CHECKPOINTS, COSIGNATURES, TIMESTAMPS = "checkpoints.jsonl", "cosignatures.jsonl", "timestamps.jsonl"
JWKS, SUMS = "jwks.json", "SHA256SUMS"
FILES = (JSON, VOTES, DRAWS, STAGE, SCORES, CHECKPOINTS, COSIGNATURES, TIMESTAMPS, JWKS)
RERUN = "python -m arena verify ."
COLUMNS = [
    "rank",
    "rank_low",
    "rank_high",
    "team_id",
    "team_ko",
    "team_en",
    "points",
    "points_low",
    "points_high",
    "points_max",
    "rating",
    "rating_low",
    "rating_high",
    "win_probability",
    "votes",
    "provisional",
    "synthetic",
    "in_first_k",
    "p_first_k",
]


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not follow from the stage file, the votes and the draws: only the signature vouches for these."""

    export_id: str
    supersedes: str | None
    created_at: datetime
    issuer: Issuer
    status: Status
    opening: OpeningPart
    frozen_at: datetime | None
    published_at: datetime | None
    correction: str | None
    freeze_reason: str | None
    """Why it was frozen otherwise than the closing rule says."""
    removed: Mapping[str, RemovalPart]
    """By entrant."""
    versions: Mapping[str, Sequence[str]]
    """By entrant, what is known to have answered."""
    outages: Mapping[str, Sequence[Outage]]
    """When an entrant could not be drawn; only who had any."""
    proposals: Sequence[ProposalPart]
    looks: Sequence[Look]
    acts: Sequence[Act]
    evidence_keys: Sequence[EvidenceKeyPart]
    seed: str | None
    checkpoint: Checkpoint
    checkpoints: int
    """How many were signed until then."""
    by_strata: ByStrata
    """Follows from `strata.parquet` besides, for whoever has it."""
    strata_file: File | None

    @classmethod
    def told_by(cls, document: UserScore) -> Self:
        """Take them from an export."""
        return cls(
            export_id=document.export_id,
            supersedes=document.supersedes,
            created_at=document.created_at,
            issuer=document.issuer,
            status=document.stage.status,
            opening=document.opening,
            frozen_at=document.stage.frozen_at,
            published_at=document.stage.published_at,
            correction=document.correction,
            freeze_reason=document.closing.reason,
            removed={e.team_id: e.removed for e in document.entrants if e.removed is not None},
            versions={e.team_id: e.versions for e in document.entrants},
            outages={e.team_id: e.outages for e in document.entrants if e.outages},
            proposals=document.review.proposals,
            looks=document.review.looks,
            acts=document.exclusion_acts,
            evidence_keys=document.evidence_keys,
            seed=document.draws.seed,
            checkpoint=document.provenance.checkpoint,
            checkpoints=document.provenance.checkpoints_file.rows or 0,
            by_strata=ByStrata.told_by(document),
            strata_file=document.provenance.strata_file,
        )


def assemble(
    stage: Stage,
    stage_file: bytes,
    votes: VoteTable,
    draws: DrawTable,
    cosigned: Sequence[CosignaturePart],
    stamps: int,
    facts: Facts,
    hashes: Mapping[str, str],
) -> UserScore:
    """Make the document, not signed yet.

    Args:
        stage: as its sealed file declares it.
        stage_file: that file.
        votes: as `votes.parquet` gives them.
        draws: as `draws.parquet` gives them.
        cosigned: what witnesses have signed, as `cosignatures.jsonl` gives it.
        stamps: how many lines `timestamps.jsonl` has.
        facts: the rest.
        hashes: SHA-256 of the votes, the draws, the checkpoints, the cosignatures and the time stamps file, by name.
    """
    sha256 = file_sha256(stage_file)
    given = StageVotes.of(stage, sha256, votes, set(stage.entrant_ids) - set(facts.removed), facts.frozen_at)
    ratings = given.rated(votes.counted)
    fit = statistics.fit(ratings, stage, given.entrants)
    separated = fit.cut is not None and fit.cut.separated
    closed = closing.closed(stage, votes, facts.frozen_at, separated=separated)
    return UserScore(
        schema=SCHEMA,
        export_id=facts.export_id,
        final=facts.status == "published",
        supersedes=facts.supersedes,
        correction=facts.correction,
        created_at=facts.created_at,
        synthetic=stage.synthetic,
        issuer=facts.issuer,
        stage=_stage(stage, sha256, facts),
        opening=facts.opening,
        witnesses=[_witness(witness, cosigned, facts.checkpoint.size) for witness in stage.witnesses],
        closing=ClosingPart(**asdict(closed), reason=facts.freeze_reason),
        entrants=_entrants(stage, facts),
        protocol=stage.protocol.model_dump(mode="json"),
        population=statistics.population(stage, votes, fit, facts.by_strata.strata),
        scores=fit.scores,
        cut=fit.cut,
        covariance=fit.covariance,
        pairwise=fit.pairwise,
        warnings=fit.warnings,
        method=fit.method,
        sensitivity=statistics.sensitivity(given, ratings, facts.by_strata.representative),
        groups=[*facts.by_strata.groups, *groups.by_votes(given)],
        side_bias=statistics.side_bias(votes, given.looks),
        tests=vote_tests(stage, votes, given.entrants, draws.entrants, draws.outcomes(), given.looks),
        leaks=statistics.leaks(stage, votes),
        exposure=statistics.exposure(stage, draws),
        review=_review(stage, facts),
        exclusion_acts=list(facts.acts),
        evidence_keys=list(facts.evidence_keys),
        eligibility=None,
        draws=Draws(
            rule=stage.protocol.pairing,
            count=len(draws),
            commitment=facts.opening.draw_commitment,
            seed=facts.seed,
        ),
        provenance=Provenance(
            checkpoint=facts.checkpoint,
            votes_file=File(name=VOTES, sha256=hashes[VOTES], rows=len(votes)),
            draws_file=File(name=DRAWS, sha256=hashes[DRAWS], rows=len(draws)),
            checkpoints_file=File(name=CHECKPOINTS, sha256=hashes[CHECKPOINTS], rows=facts.checkpoints),
            cosignatures_file=File(name=COSIGNATURES, sha256=hashes[COSIGNATURES], rows=len(cosigned)),
            timestamps_file=File(name=TIMESTAMPS, sha256=hashes[TIMESTAMPS], rows=stamps),
            stage_file=File(name=STAGE, sha256=sha256),
            jwks_file=File(name=JWKS, sha256=hashes[JWKS]),
            scores_file=File(name=SCORES, sha256=hashlib.sha256(scores_csv(stage, fit.scores)).hexdigest()),
            strata_file=facts.strata_file,
            rerun_command=RERUN,
        ),
        integrity=UNSIGNED,
    )


def _stage(stage: Stage, sha256: str, facts: Facts) -> StagePart:
    return StagePart(
        id=stage.id,
        title=TwoLanguages.of(stage.title),
        programme=stage.programme,
        round=stage.round,
        component="user",
        component_max=stage.component_max,
        planned_advance=stage.planned_advance,
        disclosure=stage.disclosure,
        window=Window(opens=stage.opens, closes=stage.closes),
        status=facts.status,
        opened_at=facts.opening.opened_at,
        frozen_at=facts.frozen_at,
        published_at=facts.published_at,
        file_sha256=sha256,
    )


def _witness(witness: Witness, cosigned: Sequence[CosignaturePart], size: int) -> WitnessPart:
    own = [each for each in cosigned if each.witness == witness.id]
    return WitnessPart(
        id=witness.id,
        name=TwoLanguages.of(witness.name),
        x=witness.x,
        y=witness.y,
        cosignatures=len(own),
        newest=max((each.size for each in own), default=None),
        final=any(each.size == size for each in own),
        known_since=min((each.known_since for each in own if each.known_since), default=None),
    )


def _review(stage: Stage, facts: Facts) -> ReviewPart:
    due = None if facts.frozen_at is None else facts.frozen_at + timedelta(hours=stage.review.hours)
    decided = [each.decided_at for each in facts.proposals] + [act.at for act in facts.acts if act.proposal is None]
    times = [at for at in decided if at is not None and (facts.published_at is None or at <= facts.published_at)]
    return ReviewPart(
        **stage.review.model_dump(include={"rule", "tests", "voter_rate", "campaign_rate"}),
        decides=TwoLanguages.of(stage.review.decides),
        due=due,
        late=0 if due is None else sum(at > due for at in times),
        proposals=list(facts.proposals),
        looks=list(facts.looks),
    )


def _entrants(stage: Stage, facts: Facts) -> list[EntrantPart]:
    return [
        EntrantPart(
            team_id=entrant.id,
            team=TwoLanguages.of(entrant.team),
            model_id=served.get("model"),
            model_version=served.get("version"),
            artifact_sha256=served.get("sha256"),
            versions=list(facts.versions.get(entrant.id, ())),
            removed=facts.removed.get(entrant.id),
            outages=list(facts.outages.get(entrant.id, ())),
            outage_minutes=_minutes(facts.outages.get(entrant.id, ()), facts.frozen_at),
        )
        for entrant, served in ((entrant, entrant.served()) for entrant in stage.entrants)
    ]


def _minutes(outages: Sequence[Outage], frozen_at: datetime | None) -> float:
    return round(minutes_of(((out.began, out.ended or out.noted) for out in outages), frozen_at), 1)


def scores_csv(stage: Stage, scores: Sequence[Score]) -> bytes:
    """Write the scores as a table for people: UTF-8 with BOM, no cell that a spreadsheet would run."""
    teams = {entrant.id: entrant.team for entrant in stage.entrants}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in sorted(scores, key=lambda row: (row.rank is None, row.group or 0, row.rank or 0)):
        team = teams[row.team_id]
        cells = [row.rank, *(row.rank_ci95 or ("", "")), row.team_id, team.ko, team.en]
        cells += [row.points, *(row.points_ci95 or ("", "")), stage.component_max]
        cells += [row.rating, *(row.rating_ci95 or ("", "")), row.win_probability, row.n_votes]
        cells += [_yes(row.provisional), _yes(stage.synthetic), row.in_first_k, row.p_first_k]
        writer.writerow([safe_cell(cell) for cell in cells])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


_FORMULA = regex.compile(r"[\s\p{Cc}]*[=+\-@\u2212]|[\t\r\n\v\f\0]")
"""How a cell begins that a spreadsheet may run, as one may read it: after spaces and controls, which some of them drop."""
_UNSEEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}]+")


def safe_cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe; numbers stay numbers, written as RFC 8785 writes them.

    It is looked at in its compatibility form and without what nobody sees: full-width, small and raised signs are signs to some.
    """
    if isinstance(value, str) and _FORMULA.match(unicodedata.normalize("NFKC", _UNSEEN.sub("", value))):
        return "'" + value
    if isinstance(value, float):
        return rfc8785.dumps(value).decode()
    return "" if value is None else value


def _yes(value: bool) -> str:
    return "yes" if value else "no"
