"""What the arena writes is read by its own user alone, whatever the umask; what stood open is mended with a sentence."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena.cli import app as cli
from arena.record.keys import Keys, KeysError
from arena.record.private_files import made_here, mend, open_to_others
from tests.support.processes import started
from tests.support.serving import stage_toml

SECRET = "S3CRET"


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    """The umask of most shells: others may read what is written."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """The mode of the folder and of all in it, by name."""
    found = [folder, *(path for path in folder.rglob("*") if not path.is_symlink())]
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in found}


def private(folder: Path) -> bool:
    """Whether nobody but its owner reads anything there."""
    return [name for name, mode in modes(folder).items() if mode & 0o077] == []


def run(data_dir: Path, *command: str) -> str:
    """Runs a command on a database of its own; returns what it says on standard error."""
    done = CliRunner().invoke(cli, list(command), env={"ARENA_DATA_DIR": str(data_dir)})
    assert done.exit_code == 0, done.output
    return done.stderr


@pytest.mark.db
def test_what_commands_write_is_private(tmp_path: Path) -> None:
    """Database, keys, simulated stages, exports and the folders of a new data directory are their user's alone."""
    data_dir, out = tmp_path / "deep" / "var", tmp_path / "out"
    run(data_dir, "simulate", "--votes", "40")
    run(data_dir, "export", "simulated")
    run(data_dir, "export", "simulated", "--out", str(out))
    assert {"arena.db", "keys.json", "exports", "stages/simulated.toml"} <= modes(data_dir).keys()
    assert any(name.endswith("votes.parquet") for name in modes(out))
    assert private(data_dir.parent)
    assert private(out)


@pytest.mark.db
def test_what_stood_open_is_mended_with_a_sentence(tmp_path: Path) -> None:
    """A database and an export that others could read are theirs no longer after the next command, which names them; the second says nothing."""
    data_dir = tmp_path / "var"
    run(data_dir, "simulate", "--votes", "40")
    run(data_dir, "export", "simulated")
    opened = [data_dir, data_dir / "arena.db", next(data_dir.glob("exports/simulated/*/votes.parquet"))]
    for path in opened:
        path.chmod(0o755 if path.is_dir() else 0o644)
    told = run(data_dir, "stage", "show")
    assert "could be read by others" in told
    assert str(data_dir / "arena.db") in told
    assert private(data_dir)
    assert run(data_dir, "stage", "show") == ""


def test_what_the_arena_did_not_make_is_left_alone(tmp_path: Path) -> None:
    """Files of somebody else's in the data directory, and what links lead to, keep their modes."""
    data_dir, theirs = tmp_path / "var", tmp_path / "theirs"
    (data_dir / "exports").mkdir(parents=True)
    for path in (theirs, data_dir / "notes.txt"):
        path.write_text("x")
    (data_dir / "exports" / "link").symlink_to(theirs)
    (data_dir / "exports" / "open.json").write_text("{}")
    mended, left = mend(made_here(data_dir, data_dir / "arena.db"))
    assert sorted(mended) == [data_dir, data_dir / "exports", data_dir / "exports" / "open.json"]
    assert left == []
    assert open_to_others([theirs, data_dir / "notes.txt"]) == [theirs, data_dir / "notes.txt"]


def test_what_the_arena_uses_through_a_link_is_private_too(tmp_path: Path) -> None:
    """A database, its WAL, a folder of exports or a whole data directory that is a link is mended where it lies, and keys behind one are refused."""
    volume, data_dir = tmp_path / "volume", tmp_path / "var"
    for folder in (volume / "exports" / "x", data_dir):
        folder.mkdir(parents=True)
    for name in ("real.db", "real.db-wal", "arena.db", "exports/x/votes.parquet", "keys.json"):
        (volume / name).write_text("{}")
    (data_dir / "arena.db").symlink_to(volume / "real.db")
    (data_dir / "exports").symlink_to(volume / "exports")
    found = made_here(data_dir, data_dir / "arena.db")
    assert {path.name for path in open_to_others(found)} >= {"real.db", "real.db-wal", "exports", "votes.parquet"}
    mend(made_here(data_dir, data_dir / "arena.db"))
    assert {name for name, mode in modes(volume).items() if mode & 0o077} == {".", "arena.db", "keys.json"}

    linked = tmp_path / "linked"
    linked.symlink_to(volume)
    mend(made_here(linked, linked / "arena.db"))
    assert [name for name, mode in modes(volume).items() if mode & 0o077] == ["keys.json"]
    (data_dir / "keys.json").symlink_to(volume / "keys.json")
    with pytest.raises(KeysError, match="keys_readable"):
        Keys.open(data_dir, {})


@pytest.mark.http
@pytest.mark.slow
def test_a_serving_arena_writes_for_itself_and_prints_no_secret(tmp_path: Path) -> None:
    """While it serves, database, WAL and shared memory are 0600; no address that it prints holds a password or a token."""
    stage = tmp_path / "stage.toml"
    stage.write_text(stage_toml(), "utf-8")
    data_dir = tmp_path / "var"
    hooks = f"https://hooks.example/x?token={SECRET}&to=kai https://{SECRET}@hooks.example/y https://u:{SECRET}?@hooks.example"
    file = data_dir / "arena.db"
    environment = {"ARENA_STAGE": str(stage), "ARENA_WEBHOOKS": hooks}
    with started(data_dir, **environment, ARENA_DATABASE_URL=f"sqlite:///{file}?password={SECRET}") as (process, _):
        found = modes(data_dir)
        process.terminate()
        printed = process.communicate(timeout=30)[0]
    assert {found[name] for name in ("arena.db", "arena.db-wal", "arena.db-shm", "keys.json")} == {0o600}
    assert [name for name, mode in found.items() if mode & 0o077] == []
    assert SECRET not in printed


def test_settings_are_told_without_their_secrets(tmp_path: Path) -> None:
    """Of an address, host and path are printed and the names of its query; never a password, a token as a user's name, or a value."""
    from arena.settings import Settings

    chosen = Settings(
        data_dir=tmp_path,
        database_url=f"postgresql+psycopg://arena:{SECRET}/?@db.example/arena?password={SECRET}&sslmode=require",
        webhooks=f"https://hooks.example/x?token={SECRET} https://{SECRET}@hooks.example/y hooks.example?key={SECRET}",
        oidc_client_secret=SECRET,
    )
    told = {name: value for name, value, _ in chosen.sources({})}
    assert told["database_url"] == "postgresql+psycopg://arena:***@db.example/arena?password=***&sslmode=***"
    assert told["webhooks"] == "https://hooks.example/x?token=*** https://***@hooks.example/y hooks.example?key=***"
    assert SECRET not in "".join(told.values())
