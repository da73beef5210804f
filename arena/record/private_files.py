"""What the arena writes is its own: files that only its user reads (0600), in folders that only its user enters (0700)."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from arena.domain.errors import StageError

FILE, FOLDER, UMASK = 0o600, 0o700, 0o077
OTHERS = stat.S_IRWXG | stat.S_IRWXO
SQLITE = ("", "-wal", "-shm", "-journal")
"""What SQLite adds to its file's name, for the files that it keeps beside it with that file's own mode."""
MADE = ("evidence", "exports", "stages")
"""The folders that the arena makes in its data directory."""


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are not there, each for its owner alone."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(FOLDER, exist_ok=True)


def make_file(path: Path) -> None:
    """Let there be a file, for its owner alone where it is new."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE))


def made_here(data_dir: Path, database: Path | None) -> Iterator[Path]:
    """Find what an arena has made: its data directory, its SQLite database, its exports and simulated stages.

    A data directory, database or folder that is a link is what it leads to. A link below the folders is not the arena's, and leads nowhere here.
    """
    yield data_dir.resolve()
    if database is not None:
        # SQLite keeps its other files beside the file itself, wherever the link to it stands.
        file = database.resolve()
        yield from (file.with_name(file.name + more).resolve() for more in SQLITE)
    for folder in ((data_dir / made).resolve() for made in MADE):
        yield folder
        yield from (path for path in folder.rglob("*") if not path.is_symlink())


def open_to_others(paths: Iterable[Path]) -> list[Path]:
    """Choose those that anybody but their owner may read, write or enter; of a link, what it leads to."""
    return [path for path in paths if path.exists() and path.stat().st_mode & OTHERS]


def mend(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Take from everybody but the owner what they may do with these; return what was mended, and the folders of somebody else's that stay open.

    Raises:
        StageError: a file can be read by others, and is not this user's to mend.
    """
    mended: list[Path] = []
    left: list[Path] = []
    for path in open_to_others(paths):
        try:
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS)
        except PermissionError:
            if not path.is_dir():
                raise StageError("file_open", path=str(path)) from None
            left.append(path)  # such as a volume's root, which belongs to the system: the files in it are private
        else:
            mended.append(path)
    return mended, left
