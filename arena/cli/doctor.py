"""`python -m arena doctor`: looks at what an arena stands on, changes nothing, and says what to do where it is not as it should be."""

import ipaddress
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import typer

from arena import settings
from arena.battles.processes import serving_processes
from arena.battles.proxy_log import proxy_mismatches
from arena.cli.common import keys, read_stage, refusals
from arena.cli.stage_page import padded
from arena.domain.errors import ArenaError, Conflict, StageError
from arena.domain.stage import Stage, StageStatus, file_sha256
from arena.i18n import facts
from arena.i18n.terminal import said, t
from arena.record.database import Database, sqlite_file
from arena.record.keys import FILE, VARIABLE
from arena.record.private_files import made_here, open_to_others
from arena.record.stages import StageRecord
from arena.record.store import Store
from models.errors import ModelError
from models.specification import OpenAISpecification, parse_entrant
from ratings.listing import printable

State = Literal["ok", "warning", "wrong"]
Check = Literal["settings", "files", "database", "stage", "proxies", "tls", "secrets"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look has found, in a sentence that says the next step where there is one."""

    state: State
    says: str


def doctor() -> None:
    """Print a line for each thing that an arena stands on; exit code 1 where one of them is wrong."""
    wrong = False
    with refusals(), ExitStack() as stack:
        for check, finding in examined(stack):
            wrong |= finding.state == "wrong"
            typer.echo(
                printable(
                    f"{padded(t(f'doctor_{finding.state}'), 9)}{padded(t(f'doctor_of_{check}'), 13)}{finding.says}"
                )
            )
    if wrong:
        raise typer.Exit(1)


def examined(stack: ExitStack) -> Iterator[tuple[Check, Finding]]:
    """Look at one thing after the other; without settings there is nothing else to look at. `stack` closes the record."""
    try:
        chosen = settings.read()
        _ = chosen.proxies, chosen.webhook_urls, sqlite_file(chosen.resolved_database_url)
    except (ArenaError, OSError) as error:
        yield "settings", Finding("wrong", said(error))
        return
    yield "settings", Finding("ok", t("doctor_settings", data_dir=chosen.data_dir, stage=chosen.stage))
    yield "files", guarded(lambda: files(chosen))
    store: Store | None = None
    finding = guarded(lambda: database(chosen))
    if finding.state == "ok":
        store = Store(chosen.resolved_database_url)
        stack.callback(store.close)
    yield "database", finding
    stage: Stage | None = None
    try:
        stage = read_stage(chosen.stage)
    except (ArenaError, OSError) as error:
        yield "stage", Finding("wrong", said(error))
    record = store.stages.find(stage.id) if store and stage else None
    if stage is not None:
        declared = stage
        yield "stage", guarded(lambda: sealed(chosen, declared, record, known=store is not None))
    yield "proxies", proxies(chosen, store, stage)
    yield "tls", tls(chosen, stage)
    yield "secrets", guarded(lambda: secrets(chosen, stage, record))


def guarded(look: Callable[[], Finding]) -> Finding:
    """Look; what is refused on the way is what is wrong."""
    try:
        return look()
    except (ArenaError, ModelError, OSError) as error:
        return Finding("wrong", said(error))


def files(chosen: settings.Settings) -> Finding:
    """Who may read what the arena has written."""
    folder = chosen.data_dir
    if not folder.exists():
        return Finding("warning", t("doctor_folder_none", folder=folder))
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding("wrong", t("doctor_folder_closed", folder=folder))
    found = open_to_others(made_here(folder, sqlite_file(chosen.resolved_database_url)))
    return Finding("warning", t("doctor_files_open", paths=found)) if found else Finding("ok", t("doctor_files"))


def database(chosen: settings.Settings) -> Finding:
    """Whether it takes a transaction, and has this version's tables."""
    file = sqlite_file(chosen.resolved_database_url)
    if file is not None and not file.exists():
        return Finding("warning", t("doctor_database_none", file=file))
    found = Database(chosen.resolved_database_url)
    try:
        if found.is_behind():
            return Finding("warning", t("doctor_database_behind"))
        with found.writing():
            return Finding("ok", t("doctor_database"))
    finally:
        found.close()


def sealed(chosen: settings.Settings, stage: Stage, record: StageRecord | None, *, known: bool) -> Finding:
    """Whether the stage can be served, and its file is the one that was sealed."""
    stage.require_operator(str(chosen.stage))
    if not known:
        return Finding("ok", t("doctor_stage_unheld", stage=stage.id))
    if record is None or record.status is StageStatus.DRAFT:
        return Finding("ok", t("doctor_stage_draft", stage=stage.id))
    found = file_sha256(chosen.stage.read_bytes())
    if found != record.file_sha256:
        raise Conflict("stage_sealed", stage=stage.id, sealed=record.file_sha256, found=found)
    return Finding("ok", t("doctor_stage", stage=stage.id, sha256=found[:16]))


def proxies(chosen: settings.Settings, store: Store | None, stage: Stage | None) -> Finding:
    """Whether what comes, and what stands in front by the other settings, is as ARENA_TRUSTED_PROXIES says."""
    setting, trusted = chosen.trusted_proxies, chosen.proxies
    serving = serving_processes(store, stage.id, datetime.now(UTC)) if store and stage else []
    if store and (found := proxy_mismatches(store, serving)):
        return Finding("warning", facts.mismatch(found[-1].kind, setting, t))
    if trusted.hops and not _is_loopback(chosen.host):
        return Finding("warning", t("doctor_proxies_port", setting=setting, host=chosen.host))
    if not trusted.hops and not trusted.networks and chosen.public_url:
        return Finding("warning", t("doctor_proxies_none", setting=setting, url=chosen.public_url))
    key = "doctor_proxies" if serving else "doctor_proxies_unheard"
    return Finding("ok", t(key, setting=setting))


def tls(chosen: settings.Settings, stage: Stage | None) -> Finding:
    """Whether citizens come over TLS, so that nobody else can set or read their cookies."""
    if chosen.public_url.startswith("https://"):
        return Finding("ok", t("doctor_tls", url=chosen.public_url))
    real = stage is not None and not stage.synthetic
    return Finding("wrong" if real else "warning", t("doctor_tls_none"))


def secrets(chosen: settings.Settings, stage: Stage | None, record: StageRecord | None) -> Finding:
    """Whether the arena's keys, and those of the endpoints and of the login, are where they are looked for."""
    if stage is not None:
        for entrant in (*stage.entrants, *stage.controls):
            specification = parse_entrant(entrant.id, entrant.served())
            if isinstance(specification, OpenAISpecification):
                specification.all_headers(entrant.id)
        if stage.population.identity == "oidc":
            for name in ("oidc_issuer", "oidc_client_id", "oidc_client_secret", "public_url"):
                if not getattr(chosen, name):
                    raise StageError("oidc_setting_missing", variable=f"ARENA_{name.upper()}")
    if not os.environ.get(VARIABLE) and not (chosen.data_dir / FILE).exists():
        if record is not None and record.opened_at is not None:
            return Finding("wrong", t("doctor_keys_lost", path=chosen.data_dir / FILE))
        return Finding("warning", t("doctor_keys_none"))
    return Finding("ok", t("doctor_secrets", kid=keys().kid))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
