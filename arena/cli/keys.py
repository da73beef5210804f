"""`python -m arena keys` and `api-key`: what the arena signs with, and who may pull its exports."""

import os
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer

from arena import settings
from arena.cli.common import keys, opened, refusals
from arena.record.keys import FILE, VARIABLE, KeysError

app = typer.Typer(no_args_is_help=True, help="The keys that sign, and the secrets beside them.")
api = typer.Typer(no_args_is_help=True, help="Keys for machines that pull exports.")


@app.command("new")
def new() -> None:
    """Make the arena's keys (mode 0600, in the data directory); refused where there are any."""
    path = settings.read().data_dir / FILE
    with refusals():
        if path.exists() or os.environ.get(VARIABLE):
            where = VARIABLE if os.environ.get(VARIABLE) else path
            raise KeysError(f"{where} holds keys already. Use `python -m arena keys rotate` for a new signing key.")
        made = keys()
    typer.echo(f"{path} holds new keys; back them up apart from the database. Signing key: {made.kid}")


@app.command("rotate")
def rotate(cookies: Annotated[bool, typer.Option(help="rotate the secret of cookies instead")] = False) -> None:
    """Sign with a new key from now on; the old one keeps verifying. Restart the serving processes afterwards."""
    with refusals():
        made = keys().rotate_cookies() if cookies else keys().rotate_signing()
    if os.environ.get(VARIABLE):
        typer.echo(made.exported())
        typer.echo(f"put the line above into {VARIABLE} and restart", err=True)
    else:
        typer.echo("cookies have a new secret" if cookies else f"signing key: {made.kid}")
        typer.echo("restart the serving processes: they hold the old keys until then", err=True)


@app.command("show")
def show(private: Annotated[bool, typer.Option(help=f"everything, as one line for {VARIABLE}")] = False) -> None:
    """Print the public keys as a JWK Set."""
    with refusals():
        held = keys()
    typer.echo(held.exported() if private else orjson.dumps(held.jwks(), option=orjson.OPT_INDENT_2).decode())


@api.command("new")
def new_api_key(
    name: str,
    stage: Annotated[str | None, typer.Option(help="the one stage it opens; every stage unless given")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="export, votes, metrics; export unless given")] = None,
) -> None:
    """Make a key for an aggregator or an auditor; it is shown once and kept as a digest."""
    with opened() as store:
        made, key = store.api_keys.new(name, stage, scope or ["export"], datetime.now(UTC))
    typer.echo(key)
    typer.echo(f"key {made.id} for {name}: {', '.join(made.scopes)} of {made.stage_id or 'every stage'}", err=True)


@api.command("list")
def list_api_keys() -> None:
    """List every key, without what it opens with."""
    with opened() as store:
        for key in store.api_keys.all():
            state = "revoked" if key.revoked_at else f"used {key.used_at:%Y-%m-%d}" if key.used_at else "never used"
            typer.echo(f"{key.id}  {key.name:<24}{','.join(key.scopes):<14}{key.stage_id or 'every stage':<24}{state}")


@api.command("revoke")
def revoke_api_key(key_id: str) -> None:
    """End a key at once."""
    with opened() as store:
        store.api_keys.revoke(key_id, datetime.now(UTC))
    typer.echo(f"key {key_id} opens nothing any more")
