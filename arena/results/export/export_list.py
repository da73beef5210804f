"""The signed list of a stage's final exports, `kai.exports/1`: whoever has it takes no other one for the result."""

from typing import Annotated, Literal

from pydantic import Field

from arena.domain.coded import Fault
from arena.results.export.proofs import Passed, VerificationError, read_signed
from arena.results.export.schema import UserScore
from arena.results.export.signed import Moment, Part, Sha256, Signed

SCHEMA = "kai.exports/1"


class FinalPart(Part):
    """One final export."""

    export_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")] = Field(description="its identifier")
    sha256: Sha256 = Field(description="hash of its export.json")
    created_at: Moment = Field(description="when it was made")
    supersedes: str | None = Field(description="the one before it, which it takes the place of; null for the first")
    reason: str | None = Field(description="why; null for the first")


class ExportList(Signed):
    """Every final export of a stage, the first one first: the last is the stage's result, and there is no other."""

    schema_: Literal["kai.exports/1"] = Field(alias="schema", description="this schema")
    stage: str = Field(description="the stage")
    created_at: Moment = Field(description="when this list was signed")
    finals: list[FinalPart] = Field(description="the chain; empty before publication")


def read_list(data: bytes, name: str) -> ExportList:
    """Read a signed list, as `GET /api/v1/stages/ID/exports` gives it.

    Raises:
        VerificationError: it is none, or not one chain.
    """
    read = read_signed(ExportList, data.strip(), name, "exports", Fault("not_exports", file=name))
    before: FinalPart | None = None
    for final in read.finals:
        links = (final.supersedes is None) == (final.reason is None) == (before is None)
        if not links or (before and (final.supersedes != before.export_id or final.created_at < before.created_at)):
            raise VerificationError("exports", Fault("exports_no_chain", file=name, export=final.export_id))
        before = final
    return read


def newest(document: UserScore, sha256: str, read: ExportList) -> Passed:
    """Show that an export, whose export.json has this hash, is the last of the chain in a list.

    Raises:
        VerificationError: the list is of another stage, or the export is none of it, not as it is there, or not its last.
    """
    if read.stage != document.stage.id:
        raise VerificationError("exports", Fault("exports_other_stage", stage=read.stage))
    place = next((n for n, final in enumerate(read.finals) if final.export_id == document.export_id), None)
    if place is None:
        raise VerificationError("exports", Fault("export_unlisted", export=document.export_id))
    listed = read.finals[place]
    if (listed.sha256, listed.supersedes, listed.reason) != (sha256, document.supersedes, document.correction):
        raise VerificationError("exports", Fault("export_listed_otherwise", export=document.export_id))
    if place != len(read.finals) - 1:
        raise VerificationError("exports", Fault("export_superseded", newest=read.finals[-1].export_id))
    return Passed("exports", n=len(read.finals))
