"""The command line: each command reads its arguments, calls one function, and says what happened."""

import os
import sys
from importlib import import_module
from typing import Annotated, Any

# Read when the libraries are imported: no hub is asked for anything, and small matrices want one thread.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer
from typer.core import TyperGroup

from arena import settings
from arena.i18n.terminal import t
from arena.record.private_files import UMASK

COMMANDS = {
    "doctor": "doctor:doctor",
    "organizer": "organizer:app",
    "panel": "panel:app",
    "stage": "stage:app",
    "keys": "keys:app",
    "api-key": "keys:api",
    "simulate": "simulate:simulate",
    "rate": "rate:command",
    "review": "review:app",
    "export": "export:export",
    "exports": "export:listed",
    "purge": "purge:purge",
    "verify": "export:verify",
    "witness": "witness:witness",
    "timestamp": "export:timestamp",
    "push": "export:push",
    "aggregate": "aggregate:command",
    "release": "release:command",
    "report": "report:command",
    "letters": "letters:command",
}
"""Where each command or group of commands stands in here; a module is imported when its command is asked for."""
OURS = ("app", "arena", "models", "ratings")


class OnDemand(TyperGroup):
    """Commands that are imported when they are asked for: `rate` waits for no database, and runs where there is none."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, in the order of the help."""
        return [*super().list_commands(ctx), *COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command; where its libraries are not installed, one that says so."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        if cmd_name not in self.commands:
            module, _, attribute = COMMANDS[cmd_name].partition(":")
            try:
                self.commands[cmd_name] = _made(cmd_name, getattr(import_module(f"arena.cli.{module}"), attribute))
            except ModuleNotFoundError as error:
                return _made(cmd_name, *_absent(error))
        return self.commands[cmd_name]


def _made(name: str, what: Any, summary: str | None = None) -> Any:
    """Return what Typer makes of a function, or of a group of them; the help of a function is the catalogue's."""
    if isinstance(what, typer.Typer):
        group = typer.main.get_group(what)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(name, help=summary or t(f"help_{name}"))(what)
    return typer.main.get_command(alone)


def _absent(error: ModuleNotFoundError) -> tuple[Any, str]:
    """Stand in for a command whose libraries are not installed; its help says so."""
    lacking = missing(error)

    def absent(_arguments: Annotated[list[str] | None, typer.Argument(hidden=True)] = None) -> None:
        sys.exit(t("cli_error", said=lacking))

    return absent, lacking


def missing(error: ModuleNotFoundError) -> str:
    """How to get a library that this command needs.

    Raises:
        ModuleNotFoundError: what is missing is a module of ours.
    """
    if error.name is None or error.name.partition(".")[0] in OURS:
        raise error
    return t("cli_library_missing", name=error.name)


app = typer.Typer(cls=OnDemand, no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)


@app.callback(help=t("help_arena"))
def start() -> None:
    """Whatever a command writes is its user's alone."""
    os.umask(UMASK)


@app.command(help=t("help_serve"))
def serve() -> None:
    """Serve the arena; the environment says where (ARENA_DATA_DIR, ARENA_DATABASE_URL, ARENA_STAGE, PORT)."""
    sys.path.insert(0, str(settings.ROOT))
    import app as application  # the composition root imports every heavy library; no other command waits for them

    application.main()


def main() -> None:
    """Run what was typed; a library that is not installed is said in a sentence."""
    try:
        app()
    except ModuleNotFoundError as error:
        sys.exit(t("cli_error", said=missing(error)))
