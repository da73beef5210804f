"""`python -m arena keys` and `api-key`: what the arena signs with, and who may pull its exports."""

import os
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer

from arena import settings
from arena.cli.common import keys, opened, operator, refusals
from arena.cli.stage_page import padded
from arena.i18n.terminal import t
from arena.record.keys import FILE, VARIABLE, KeysError

app = typer.Typer(no_args_is_help=True, help=t("help_keys"))
api = typer.Typer(no_args_is_help=True, help=t("help_api-key"))


@app.command("new", help=t("help_keys_new"))
def new() -> None:
    """Make the arena's keys (mode 0600, in the data directory); refused where there are any."""
    path = settings.read().data_dir / FILE
    with refusals():
        if path.exists() or os.environ.get(VARIABLE):
            where = VARIABLE if os.environ.get(VARIABLE) else path
            raise KeysError("keys_exist", where=str(where))
        made = keys()
    typer.echo(t("keys_made", path=path, kid=made.kid))


@app.command("rotate", help=t("help_keys_rotate"))
def rotate(cookies: Annotated[bool, typer.Option(help=t("option_cookies"))] = False) -> None:
    """Sign with a new key from now on; the old one keeps verifying. Restart the serving processes afterwards."""
    with refusals():
        made = keys().rotate_cookies() if cookies else keys().rotate_signing()
    if os.environ.get(VARIABLE):
        typer.echo(made.exported())
        typer.echo(t("keys_put", variable=VARIABLE), err=True)
    else:
        typer.echo(t("keys_cookies") if cookies else t("keys_signing", kid=made.kid))
        typer.echo(t("keys_restart"), err=True)


@app.command("show", help=t("help_keys_show"))
def show(private: Annotated[bool, typer.Option(help=t("option_private", variable=VARIABLE))] = False) -> None:
    """Print the public keys as a JWK Set."""
    with refusals():
        held = keys()
    typer.echo(held.exported() if private else orjson.dumps(held.jwks(), option=orjson.OPT_INDENT_2).decode())


@api.command("new", help=t("help_api-key_new"))
def new_api_key(
    name: str,
    stage: Annotated[str | None, typer.Option(help=t("option_key_stage"))] = None,
    scope: Annotated[list[str] | None, typer.Option(help=t("option_scope"))] = None,
) -> None:
    """Make a key for an aggregator or an auditor; it is shown once and kept as a digest."""
    with opened() as store:
        made, key = store.api_keys.new(name, stage, scope or ["export"], datetime.now(UTC))
    typer.echo(key)
    if "audit" in made.scopes:
        typer.echo(t("api_key_audit"), err=True)
    told = {"name": name, "id": made.id, "scopes": made.scopes, "stage": made.stage_id}
    typer.echo(t("api_key_made" if made.stage_id else "api_key_made_everywhere", **told), err=True)


@api.command("list", help=t("help_api-key_list"))
def list_api_keys() -> None:
    """List every key, without what it opens with."""
    with opened() as store:
        for key in store.api_keys.all():
            state = t("api_key_used", at=key.used_at) if key.used_at else t("api_key_never_used")
            state = t("api_key_revoked") if key.revoked_at else state
            stage = padded(key.stage_id or t("api_key_everywhere"), 24)
            typer.echo(f"{key.id}  {padded(key.name, 24)}{','.join(key.scopes):<14}{stage}{state}")


@api.command("revoke", help=t("help_api-key_revoke"))
def revoke_api_key(key_id: str) -> None:
    """End a key at once."""
    with opened() as store:
        store.api_keys.revoke(key_id, datetime.now(UTC))
    typer.echo(t("api_key_ended", id=key_id))


@api.command("rotate", help=t("help_api-key_rotate"))
def rotate_evidence_key(
    stage: str, entrant: str, reason: Annotated[str, typer.Option(prompt=t("stage_reason"))]
) -> None:
    """Let a new key take the place of an entrant's; it is shown once, the act is published, and the old one ends."""
    with opened() as store:
        made, key = store.evidence_keys.rotate(stage, entrant, reason, operator(), datetime.now(UTC))
    typer.echo(key)
    typer.echo(t("evidence_rotated", id=made.id, entrant=entrant, stage=stage), err=True)
