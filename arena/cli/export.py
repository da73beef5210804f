"""`python -m arena export` and `verify`: the score leaves, and a stranger checks it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arena import settings
from arena.cli.common import exports, keys, opened, operator, refusals
from arena.cli.progress import working
from arena.cli.stage_page import fared
from arena.domain.clock import kst
from arena.domain.errors import Conflict, Unusable
from arena.domain.stage import StageStatus
from arena.i18n.terminal import t

if TYPE_CHECKING:
    from arena.results.export.proofs import Passed


def export(
    stage_id: str,
    out: Annotated[Path | None, typer.Option(help=t("option_export_out"))] = None,
    strata: Annotated[Path | None, typer.Option(help=t("option_export_strata"))] = None,
    cosignatures: Annotated[list[Path] | None, typer.Option(help=t("option_cosignatures"))] = None,
) -> None:
    """Write the signed export of a stage into a folder of its own under OUT, and point OUT/latest at it; with STRATA, the strata into that file instead: of a published stage always the same bytes."""
    if strata is not None:
        _hand_out(stage_id, strata)
        return
    from arena.results.export import bundle as exporting
    from arena.results.export.chain import shelved
    from arena.results.export.cosigning import read_witness, take
    from arena.results.votes.sealed import known

    with opened() as store, working(t("working_export", stage=stage_id)):
        for path in cosignatures or []:
            for witness in read_witness(path):
                for each in witness.cosignatures:
                    take(store, stage_id, each)
        status, shelf = known(store, stage_id).status, out or exports(stage_id)
        if status is StageStatus.PUBLISHED:
            folder = shelved(store, keys(), stage_id, shelf)
        else:
            commit = exporting.git_commit(settings.ROOT)
            now, who = datetime.now(UTC), operator()
            folder = exporting.export(store, keys(), stage_id, shelf, now, who=who, git_commit=commit)
    typer.echo(t("export_written", folder=folder))
    if status is StageStatus.FROZEN:
        typer.echo(t("export_provisional"))


def listed(stage_id: str) -> None:
    """Print the signed list of a stage's final exports, the newest last."""
    from arena.results.export.chain import export_list

    with opened() as store:
        made = export_list(store, keys(), stage_id, datetime.now(UTC))
    typer.echo(made.canonical().decode())


def _hand_out(stage_id: str, file: Path) -> None:
    """Write what the voters said of themselves into a file of its own, where no export stands."""
    from arena.results.export.atomic_write import write_file
    from arena.results.export.document import JSON
    from arena.results.export.kept import hand_out

    with opened() as store:
        if file.exists():
            raise Conflict("out_exists", path=str(file))
        if (file.absolute().parent / JSON).exists():
            raise Unusable("strata_beside_export", path=str(file))
        write_file(hand_out(store, stage_id, operator(), datetime.now(UTC)), file)
    typer.echo(t("export_strata_written", file=file))


def timestamp(stage_id: str, tsa: Annotated[str, typer.Option(help=t("option_tsa"))] = "") -> None:
    """Have the stage's newest checkpoint stamped by a time-stamping authority (RFC 3161), and its first one unless it is."""
    from arena.record.ledger import Ledger
    from arena.results.witness.stamps import due, stamp

    with opened() as store:
        ledger, now = Ledger(store, keys()), datetime.now(UTC)
        ledger.checkpoint(stage_id, now)
        for head in due(store.timestamps, ledger, stage_id, now, over=True):
            with working(t("working_timestamp", stage=stage_id)):
                made = stamp(store.timestamps, head, tsa or settings.read().tsa)
            typer.echo(t("timestamp_made", size=made.size, at=kst(made.at), tsa=made.tsa))


def push(
    stage_id: str,
    again: Annotated[bool, typer.Option(help=t("option_again"))] = False,
) -> None:
    """Deliver what waits in the outbox now, and say how each push fares; a serving arena does this by itself."""
    from arena.results.export import webhooks as pushing

    with opened() as store:
        with working(t("working_push", stage=stage_id)):
            if again:
                store.outbox.again(stage_id, datetime.now(UTC))
            asyncio.run(pushing.deliver_once(store, keys()))
        parcels = store.outbox.of_stage(stage_id)
    for parcel in parcels:
        typer.echo(fared(parcel))
    if any(parcel.delivered_at is None for parcel in parcels):
        raise typer.Exit(1)


def verify(
    folder: Path,
    jwks: Annotated[Path | None, typer.Option(help=t("option_trusted_jwks"))] = None,
    checkpoint: Annotated[list[Path] | None, typer.Option(help=t("option_checkpoint"))] = None,
    strata: Annotated[Path | None, typer.Option(help=t("option_verify_strata"))] = None,
    promises: Annotated[list[Path] | None, typer.Option(help=t("option_promises"))] = None,
    witness: Annotated[list[Path] | None, typer.Option(help=t("option_witness"))] = None,
    tsa_root: Annotated[list[Path] | None, typer.Option(help=t("option_tsa_root"))] = None,
    against: Annotated[Path | None, typer.Option(help=t("option_against"))] = None,
    published: Annotated[Path | None, typer.Option(help=t("option_published"))] = None,
    exports: Annotated[Path | None, typer.Option(help=t("option_exports"), exists=True, dir_okay=False)] = None,
) -> None:
    """Check an export from its files alone and recompute every number; exit code 1 names the first thing that does not hold.

    A file is a team's letter, checked `--against` an export where that is given, or what a witness shows. With `--published` hold the export
    against what was published of it; the folder may then hold single files that were opened.
    """
    from arena.results.export import cosigning
    from arena.results.export import verify as verifying
    from arena.results.export.export_list import read_list
    from arena.results.witness import stamps

    if folder.is_file():
        _file(folder, jwks, against)
        return
    with refusals(), working(t("working_verify", folder=folder)):
        trusted = None if jwks is None else verifying.read_jwks(jwks.read_bytes(), str(jwks))
        if published is not None:
            whole, passed = _opened(folder, published, trusted)
            for check in passed:
                typer.echo(t("verify_ok", said=check))
            if not whole:
                typer.echo(t("verify_parts"))
                return
        kept = [verifying.read_checkpoint(path.read_bytes(), str(path)) for path in checkpoint or []]
        auditors = None if strata is None else strata.read_bytes()
        given = {str(path): path.read_bytes() for path in _files(promises or [])}
        witnesses = [each for path in witness or [] for each in cosigning.read_witness(path)]
        roots = [each for path in tsa_root or [] for each in stamps.read_roots(path.read_bytes())] or None
        chain = None if exports is None else read_list(exports.read_bytes(), str(exports))
        verdict = verifying.verify(folder, trusted, kept, auditors, given, witnesses, roots, chain)
    for check in verdict.checks:
        typer.echo(t("verify_ok", said=check))
    for noticed in verdict.noticed:
        typer.echo(t("verify_noticed", said=noticed))
    for attested in verdict.attested:
        typer.echo(t("verify_attested", said=attested))
    for outcome in verdict.promises:
        typer.echo(
            t("verify_ok" if outcome.good else "verify_broken" if outcome.broken else "verify_unfit", said=outcome)
        )
    if any(outcome.broken for outcome in verdict.promises):
        typer.echo(t("verify_show", folder=folder))
    if not verdict.document.final:
        typer.echo(t("verify_provisional"))
    if verdict.document.synthetic:
        typer.echo(t("verify_synthetic"))
    if not all(outcome.good for outcome in verdict.promises):
        raise typer.Exit(1)


def _files(paths: Sequence[Path]) -> list[Path]:
    """Take a folder for the JSON files in it."""
    return [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else (path,))]


def _opened(folder: Path, published: Path, trusted: "Mapping[str, Any] | None") -> "tuple[bool, list[Passed]]":
    """Hold what was opened against what was published; the first value says whether it is a whole export, to be verified further."""
    from arena.results.export.document import FILES, JWKS
    from arena.results.export.opened import opened, read_result
    from arena.results.export.verify import read_folder, read_jwks

    files = read_folder(folder)
    result = read_result(published.read_bytes(), str(published))
    if trusted is None and JWKS not in files:
        raise Unusable("jwks_needed")
    passed = list(opened(result, files, trusted or read_jwks(files[JWKS])))
    return set(FILES) <= set(files), passed


def _file(file: Path, jwks: Path | None, against: Path | None) -> None:
    """Check a team's letter, with the keys that are trusted or else those beside it, or what a witness shows."""
    from arena.results.export.document import JWKS
    from arena.results.export.verify import read_folder, read_jwks
    from arena.results.programme.letter import is_letter, read_letter, verify_letter
    from arena.results.witness import evidence

    with refusals():
        data, beside = file.read_bytes(), file.with_name(JWKS)
        if not is_letter(data):
            trusted = None if jwks is None else read_jwks(jwks.read_bytes(), str(jwks))
            typer.echo(t("verify_evidence", said=evidence.judged(data, trusted)))
            return
        known = jwks or beside
        if not known.is_file():
            raise Unusable("jwks_needed")
        keys, files = read_jwks(known.read_bytes(), str(known)), None if against is None else read_folder(against)
        for check in verify_letter(read_letter(data, str(file)), keys, files):
            typer.echo(t("verify_ok", said=check))
