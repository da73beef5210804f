"""A team's own sheet as one signed document, schema `kai.letter/1`: what a published stage says of it, and of nobody else beyond what is open to all."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import Field, model_validator

from arena.domain.coded import Fault
from arena.domain.outage import Cause
from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.results.export import tables
from arena.results.export.document import DRAWS, JSON, STAGE, VOTES
from arena.results.export.proofs import Passed, VerificationError, read_signed
from arena.results.export.rating_schema import Method, Representative, Score, VariantScore
from arena.results.export.result import Disclosed, disclosed
from arena.results.export.schema import (
    ClosingPart,
    EntrantPart,
    EvidenceKeyPart,
    ExposureShare,
    LeaksOf,
    StagePart,
    UserScore,
)
from arena.results.export.signed import UNSIGNED, Count, Issuer, Moment, Part, Sha256, Signed, TwoLanguages
from arena.results.export.table_reader import DrawTable, TableFile, draw_table, vote_table
from arena.results.export.verify import differing, signature, verify_files
from ratings.comparison import A_WINS, B_WINS, BOTH_BAD, TIE

SCHEMA = "kai.letter/1"
ID = "https://k-ai-arena.example/schemas/kai.letter-1.schema.json"
VariantName = Literal[
    "nothing_excluded",
    "leaks_included",
    "leaks_excluded",
    "both_bad_tie",
    "both_bad_exclude",
    "other_voice",
    "voter_only",
    "weighted",
    "representative",
]


class Decisions(Part):
    """How votes on the team's answers were decided."""

    wins: Count = Field(description="for the team")
    losses: Count = Field(description="for the other")
    ties: Count = Field(description="neither better")
    both_bad: Count = Field(description="neither good enough")


class ExposureOf(Part):
    """How often the team was shown, and what became of these battles."""

    on_a: Count = Field(description="on side a")
    on_b: Count = Field(description="on side b")
    expected: Annotated[float, Field(ge=0)] = Field(description="what the rule lets one expect, both sides together")
    voted: Count = Field(description="battles that were judged")
    void: Count = Field(description="void: an answer failed, its own or the other's")
    unvoted: Count = Field(description="left by the citizen, or the question did not fit a model's context")


class LeftOut(Part):
    """Votes on the team's answers that are not in the fit, for one reason."""

    reason: str = Field(description="the reason code, as in the export's `population.exclusions`")
    decisions: Decisions = Field(description="how these votes were decided")


class ActOn(Part):
    """One decision to leave votes out, or to take them back, that named votes on the team's answers."""

    at: Moment = Field(description="when")
    action: Literal["exclude", "restore"] = Field(description="what was done")
    reason: str | None = Field(description="the reason code; null when votes were taken back")
    rule: str = Field(description="the rule with its thresholds, or the grounds")
    votes: Count = Field(description="how many votes it names")
    own: Annotated[int, Field(ge=1)] = Field(description="of these, votes on the team's answers")


class VariantOf(Part):
    """The team's result under another choice."""

    name: VariantName = Field(description="the choice, as the export's `sensitivity` names it")
    rank_ci95: list[int] | None = Field(
        description="the ranks that cannot be told apart; null too for `representative`"
    )
    points: float | None = Field(description="points")
    points_ci95: list[float] | None = Field(description="95 % interval")


class Sender(Part):
    """Who answers for the stage, as its sealed file says."""

    name: TwoLanguages = Field(description="who runs it")
    telephone: str | None = Field(description="where to call")
    mail: str | None = Field(description="where to write")


class Letter(Signed):
    """What a published stage says of one team."""

    schema_: Literal["kai.letter/1"] = Field(alias="schema", description="this schema")
    export_id: str = Field(description="the published export that it is taken from")
    export_sha256: Sha256 = Field(description="hash of that export's export.json")
    created_at: Moment = Field(description="when this sheet was made")
    synthetic: bool = Field(description="true where nothing in it was judged by people")
    issuer: Issuer = Field(description="which system made it")
    sender: Sender = Field(description="who answers for it")
    stage: StagePart = Field(description="the stage")
    closing: ClosingPart = Field(description="what ended it")
    team: EntrantPart = Field(description="whose sheet this is")
    n_entrants: Count = Field(description="entrants with a score")
    n_voters: Count = Field(description="people with a vote in the stage")
    n_votes: Count = Field(description="all sealed votes of the stage")
    method: Method | None = Field(description="how the scores were computed; null before the first vote that counts")
    score: Score | None = Field(description="its result; null where it has left")
    variants: list[VariantOf] = Field(description="its result under other choices")
    decisions: Decisions = Field(description="the counted votes on its answers")
    exposure: ExposureOf = Field(description="how often it was shown")
    outage_causes: list[Cause] = Field(description="why it was not drawn, for each of `team.outages`")
    failures: dict[str, Count] = Field(description="answers of its own that failed, by kind")
    leaks: LeaksOf = Field(description="what in its answers may have told who it is")
    left_out: list[LeftOut] = Field(description="votes on its answers that are not in the fit, by reason")
    acts: list[ActOn] = Field(description="the decisions on such votes, in order")
    evidence_keys: list[EvidenceKeyPart] = Field(
        description="its own keys to the whole evidence, those that have been replaced too"
    )
    disclosed: Disclosed = Field(description="what is open to everybody of all teams, by the stage's disclosure")

    @model_validator(mode="after")
    def _each_outage_has_a_cause(self) -> Self:
        if len(self.outage_causes) != len(self.team.outages):
            raise ValueError("outage_causes")
        return self


@dataclass(frozen=True, slots=True)
class LetterFacts:
    """What does not follow from the export: only the signature vouches for these."""

    created_at: datetime
    causes: Sequence[Cause]
    failures: Mapping[str, int]

    @classmethod
    def told_by(cls, letter: Letter) -> Self:
        """Take them from a letter."""
        return cls(letter.created_at, letter.outage_causes, letter.failures)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """A published export, read once for the letters to all its teams."""

    files: Mapping[str, bytes]
    document: UserScore
    stage: Stage
    rows: TableFile
    draws: DrawTable

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Self:
        """Read it from its files."""
        stage = Stage.from_toml(files[STAGE], STAGE)
        document = UserScore.model_validate_json(files[JSON])
        draws = draw_table(TableFile(files[DRAWS], tables.DRAWS, DRAWS), stage)
        return cls(files, document, stage, TableFile(files[VOTES], tables.VOTES, VOTES), draws)


def write(evidence: Evidence, team_id: str, facts: LetterFacts, keys: Keys) -> Letter:
    """Write one team's letter, signed."""
    return _assembled(evidence, team_id, facts).signed(keys)


def json_schema() -> dict[str, Any]:
    """Make the JSON Schema (draft 2020-12) of the letter."""
    made = Letter.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": ID, **made}


def is_letter(data: bytes) -> bool:
    """Tell whether a file says that it is a letter."""
    try:
        told = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return isinstance(told, dict) and told.get("schema") == SCHEMA


def read_letter(data: bytes, name: str) -> Letter:
    """Read a letter.

    Raises:
        VerificationError: it is none, or its bytes are not canonical.
    """
    return read_signed(Letter, data, name, "letter", Fault("not_letter", file=name))


def verify_letter(
    letter: Letter, jwks: Mapping[str, Any], files: Mapping[str, bytes] | None = None
) -> Iterator[Passed]:
    """Check a letter's signature, and its numbers against the export where there is one; tell each thing that holds.

    Args:
        letter: the letter.
        jwks: the public keys that are trusted.
        files: the export's, by name; it is verified too.

    Raises:
        VerificationError: the first thing that does not hold.
    """
    signature(letter, jwks)
    yield Passed("letter_signed", team=letter.team.team_id, stage=letter.stage.id, kid=letter.integrity.kid)
    if files is None:
        return
    yield from verify_files(files, jwks).checks
    if hashlib.sha256(files[JSON]).hexdigest() != letter.export_sha256:
        raise VerificationError("letter", Fault("letter_of_another_export", export=letter.export_id))
    evidence = Evidence.of(files)
    if letter.team.team_id not in evidence.stage.entrant_ids:
        raise VerificationError("letter", Fault("letter_of_nobody", team=letter.team.team_id))
    made = _assembled(evidence, letter.team.team_id, LetterFacts.told_by(letter))
    unsigned = letter.model_copy(update={"integrity": made.integrity})
    where = differing(orjson.loads(unsigned.canonical()), orjson.loads(made.canonical()))
    if where is not None:
        raise VerificationError("letter", Fault("letter_differs", at=where))
    yield Passed("letter_numbers", document=JSON)


def _assembled(evidence: Evidence, team_id: str, facts: LetterFacts) -> Letter:
    document, sender = evidence.document, evidence.stage.operator
    counted, left_out = _decided(evidence, team_id)
    return Letter(
        schema=SCHEMA,
        export_id=document.export_id,
        export_sha256=hashlib.sha256(evidence.files[JSON]).hexdigest(),
        created_at=facts.created_at,
        synthetic=document.synthetic,
        issuer=document.issuer,
        sender=Sender(name=TwoLanguages.of(sender.name), telephone=sender.telephone, mail=sender.mail),
        stage=document.stage,
        closing=document.closing,
        team=next(entrant for entrant in document.entrants if entrant.team_id == team_id),
        n_entrants=sum(row.points is not None for row in document.scores),
        n_voters=document.population.n_voters,
        n_votes=document.population.n_votes_raw,
        method=document.method,
        score=next((row for row in document.scores if row.team_id == team_id), None),
        variants=list(_variants(document, team_id)),
        decisions=counted,
        exposure=_exposure(document, team_id),
        outage_causes=list(facts.causes),
        failures=dict(facts.failures),
        leaks=next(row for row in document.leaks.entrants if row.team_id == team_id),
        left_out=left_out,
        acts=list(_acts(evidence, team_id)),
        evidence_keys=[key for key in document.evidence_keys if key.team_id == team_id],
        disclosed=disclosed(document),
        integrity=UNSIGNED,
    )


def _variants(document: UserScore, team_id: str) -> Iterator[VariantOf]:
    for name in get_args(VariantName):
        found: Sequence[VariantScore] | Representative | None = getattr(document.sensitivity, name)
        rows = found.scores if isinstance(found, Representative) else found or ()
        for row in rows:
            if row.team_id == team_id:
                ranks = row.rank_ci95 if isinstance(row, VariantScore) else None
                yield VariantOf(name=name, rank_ci95=ranks, points=row.points, points_ci95=row.points_ci95)


def _exposure(document: UserScore, team_id: str) -> ExposureOf:
    share = next(
        (each for each in document.exposure.entrants if each.id == team_id),
        ExposureShare(id=team_id, on_a=0, on_b=0, expected=0.0),  # nothing was drawn
    )
    cells = [cell for cell in document.exposure.pairs if team_id in (cell.a, cell.b)]
    return ExposureOf(
        on_a=share.on_a,
        on_b=share.on_b,
        expected=share.expected,
        voted=sum(cell.voted for cell in cells),
        void=sum(cell.void for cell in cells),
        unvoted=sum(cell.unvoted for cell in cells),
    )


def _decided(evidence: Evidence, team_id: str) -> tuple[Decisions, list[LeftOut]]:
    """Count how the votes on the team's answers were decided: the counted ones, and the others by reason."""
    votes = vote_table(evidence.rows, evidence.stage, evidence.draws)
    place = votes.entrants.index(team_id)
    on_a, on_b = votes.a == place, votes.b == place

    def counts(rows: NDArray[np.bool_]) -> Decisions:
        first, second = (np.bincount(votes.outcome[rows & side], minlength=4).tolist() for side in (on_a, on_b))
        return Decisions(
            wins=first[A_WINS] + second[B_WINS],
            losses=first[B_WINS] + second[A_WINS],
            ties=first[TIE] + second[TIE],
            both_bad=first[BOTH_BAD] + second[BOTH_BAD],
        )

    own = votes.excluded_by[on_a | on_b]
    out = {reason: votes.excluded_by == code for code, reason in enumerate(votes.reasons) if code and code in own}
    return counts(votes.counted), [LeftOut(reason=r, decisions=counts(rows)) for r, rows in sorted(out.items())]


def _acts(evidence: Evidence, team_id: str) -> Iterator[ActOn]:
    """Count, act by act, the votes on the team's answers that it names."""
    own = [0] * len(evidence.document.exclusion_acts)
    for batch in evidence.rows.batches(["model_a", "model_b", "acts"]):
        for row in batch.to_pylist():
            if team_id in (row["model_a"], row["model_b"]):
                for act in row["acts"]:
                    own[act] += 1
    for act, count in zip(evidence.document.exclusion_acts, own, strict=True):
        if count:
            told = {name: getattr(act, name) for name in ("at", "action", "reason", "rule", "votes")}
            yield ActOn(**told, own=count)
