"""The command line: each command reads its arguments, calls one function, and says what happened."""

import os
import sys

# Read when the libraries are imported: no hub is asked for anything, and small matrices want one thread.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer

from arena import settings
from arena.cli import aggregate, export, keys, organizer, purge, rate, release, report, simulate, stage

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False, help=__doc__)


@app.command()
def serve() -> None:
    """Serve the arena; the environment says where (ARENA_DATA_DIR, ARENA_DATABASE_URL, ARENA_STAGE, PORT)."""
    sys.path.insert(0, str(settings.ROOT))
    import app as application  # the composition root imports every heavy library; no other command waits for them

    application.main()


app.add_typer(organizer.app, name="organizer")
app.add_typer(stage.app, name="stage")
app.add_typer(keys.app, name="keys")
app.add_typer(keys.api, name="api-key")
app.command("simulate")(simulate.simulate)
app.command("rate")(rate.command)
app.command("export")(export.export)
app.command("purge")(purge.purge)
app.command("verify")(export.verify)
app.command("push")(export.push)
app.command("aggregate")(aggregate.command)
app.command("release")(release.command)
app.command("report")(report.command)
