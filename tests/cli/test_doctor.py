"""`doctor` names what an arena stands on wrongly, with the next step, and changes nothing."""

import sqlite3
import time
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from arena.cli import app as cli
from tests.support.serving import OPERATOR, free_port, serving, stage_toml

pytestmark = pytest.mark.db
NAMES = {"settings", "files", "database", "stage", "proxies", "TLS", "secrets"}


def doctor(folder: Path, **environment: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit code, and by each thing that is looked at the state and the sentence."""
    given = {"ARENA_DATA_DIR": str(folder), "ARENA_STAGE": str(folder / "stage.toml"), **environment}
    done = CliRunner().invoke(cli, ["doctor"], env=given)
    lines = [line.split(None, 2) for line in done.stdout.splitlines()]
    return done.exit_code, {name: (state, says) for state, name, says in lines}


def test_a_sound_arena_is_sound_and_stays_as_it_is(tmp_path: Path) -> None:
    """Behind TLS, with named networks, every line is ok, and no file is another afterwards."""
    sound = {"ARENA_PUBLIC_URL": "https://arena.example.kr", "ARENA_TRUSTED_PROXIES": "10.0.0.0/8"}
    with serving(tmp_path, stage_toml()):
        code, found = doctor(tmp_path, **sound)
    assert (code, found.keys(), {state for state, _ in found.values()}) == (0, NAMES, {"ok"})
    before = {path: path.stat().st_mode for path in tmp_path.rglob("*")}
    assert doctor(tmp_path, **sound)[0] == 0
    assert before.items() <= {path: path.stat().st_mode for path in tmp_path.rglob("*")}.items()


def test_before_the_first_start_nothing_is_made(tmp_path: Path) -> None:
    """Where there is only a stage file, it says what the first start makes, and makes none of it."""
    tmp_path.chmod(0o700)
    (tmp_path / "stage.toml").write_text(stage_toml(), "utf-8")
    code, found = doctor(tmp_path)
    assert code == 0
    assert {name for name, (state, _) in found.items() if state == "warning"} == {"database", "TLS", "secrets"}
    assert [path.name for path in tmp_path.iterdir()] == ["stage.toml"]


def test_what_requests_say_of_the_proxies_is_named(tmp_path: Path) -> None:
    """A forwarded request that the setting knows nothing of is a warning with the next step as long as that process serves."""
    with serving(tmp_path, stage_toml(), port=free_port()) as base:
        assert doctor(tmp_path)[1]["proxies"][0] == "ok"
        httpx.post(
            f"{base}/api/v1/session",
            json={"consents": ["service", "teams"], "age_ok": True},
            headers={"x-forwarded-for": "203.0.113.9"},
        )
        deadline = time.monotonic() + 5
        while (heard := doctor(tmp_path)[1]["proxies"])[0] == "ok" and time.monotonic() < deadline:
            pass
        assert heard[0] == "warning"
        assert "set ARENA_TRUSTED_PROXIES to its network" in heard[1]
    assert doctor(tmp_path)[1]["proxies"][0] == "ok"


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"ARENA_TRUSTED_PROXIES": "1", "ARENA_HOST": "0.0.0.0"}, "past the proxies"),  # noqa: S104
        ({"ARENA_PUBLIC_URL": "https://arena.example.kr"}, "Name the networks of your proxies"),
    ],
)
def test_a_setting_of_the_proxies_that_fits_no_other_is_named(
    tmp_path: Path, environment: dict[str, str], says: str
) -> None:
    """A number with an open port, and no proxies with a public address, are warnings without a request."""
    (tmp_path / "stage.toml").write_text(stage_toml(), "utf-8")
    state, told = doctor(tmp_path, **environment)[1]["proxies"]
    assert (state, says in told) == ("warning", True)


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({"ARENA_TRUSTED_PROXIES": "0.0.0.0/0"}, "trusted_proxies"),
        ({"ARENA_DATABASE_URL": "nonsense"}, "database_address"),
        ({"ARENA_DATABASE_URL": "postgresql+psycopg://arena:p@ss:hunter2@127.0.0.1/db"}, "database_address"),
        ({"PORT": "many"}, "setting_value"),
    ],
)
def test_settings_that_cannot_be_read_are_all_there_is(tmp_path: Path, environment: dict[str, str], code: str) -> None:
    """A setting that cannot be used is named, without the password in it, and nothing is looked at by its light."""
    found = doctor(tmp_path, **environment)
    assert (found[0], found[1].keys(), found[1]["settings"][0]) == (1, {"settings"}, "WRONG")
    assert code in found[1]["settings"][1]
    assert "hunter2" not in found[1]["settings"][1]


def test_a_file_of_settings_that_is_no_toml_is_named(tmp_path: Path) -> None:
    """`arena.toml` with a slip in it is named with its place."""
    (tmp_path / "arena.toml").write_text("port = = 1", "utf-8")
    code, found = doctor(tmp_path)
    assert (code, "arena.toml" in found["settings"][1], "line 1" in found["settings"][1]) == (1, True, True)


def test_each_thing_that_is_wrong_is_named(tmp_path: Path) -> None:
    """Another file than the sealed one, lost keys, a key of an endpoint that is not set, a newer database and plain cookies of a real stage end with exit code 1."""
    with serving(tmp_path, stage_toml()):
        pass
    file = tmp_path / "stage.toml"
    file.write_text(stage_toml(limits="battles_per_hour = 7"), "utf-8")
    (tmp_path / "keys.json").rename(tmp_path / "moved")
    code, found = doctor(tmp_path)
    assert (code, found["stage"][0], found["secrets"][0]) == (1, "WRONG", "WRONG")
    assert "stage_sealed" in found["stage"][1]
    assert "restore it from your backup" in found["secrets"][1]
    assert not (tmp_path / "keys.json").exists()

    asked = stage_toml().replace(
        'backend = "scripted"',
        'backend = "openai"\nbase_url = "https://team.example/v1"\nmodel = "m"\napi_key_env = "TEAM_KEY"',
    )
    asked = "\n".join(line for line in asked.splitlines() if not line.startswith("answers"))
    file.write_text(asked.replace("synthetic = true", "synthetic = false") + OPERATOR, "utf-8")
    code, found = doctor(tmp_path)
    assert (code, found["TLS"][0], found["secrets"][0]) == (1, "WRONG", "WRONG")
    assert "TEAM_KEY" in found["secrets"][1]

    with sqlite3.connect(tmp_path / "arena.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    code, found = doctor(tmp_path)
    assert (code, found["database"][0], "database_newer" in found["database"][1]) == (1, "WRONG", True)


def test_open_files_are_named_and_left(tmp_path: Path) -> None:
    """What others may read is named; mending it is the next start's."""
    with serving(tmp_path, stage_toml()):
        pass
    (tmp_path / "arena.db").chmod(0o644)
    state, says = doctor(tmp_path)[1]["files"]
    assert (state, "arena.db" in says) == ("warning", True)
    assert (tmp_path / "arena.db").stat().st_mode & 0o777 == 0o644
