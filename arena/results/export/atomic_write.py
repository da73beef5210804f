"""New files, folders and links: each is there whole or not at all, and what was there before is never half-overwritten.

All of it is its owner's alone (0600, 0700): who may read an export asks the arena, or is given it."""

import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from arena.domain.errors import Conflict
from arena.record.private_files import FILE, make_folder

LEFT_BEHIND_S = 3600
"""So long after it was last touched, what is half-written belongs to a process that was killed."""


def write_directory(files: Mapping[str, bytes], out: Path, check: Callable[[Path], object] | None = None) -> None:
    """Write the files aside, flush them to disk, and only then let the folder appear under its name.

    Args:
        files: by name.
        out: the folder; there may be nothing in it yet.
        check: what is asked of the written folder before it appears; whatever it raises leaves nothing behind.

    Raises:
        Conflict: there is something at `out` already; nothing is ever overwritten.
        OSError: the disk did not take it.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Conflict("out_exists", path=str(out))
    make_folder(out.parent)
    aside = _aside(out)
    try:
        make_folder(aside)
        for name, data in files.items():
            _write(aside / name, data)
        _sync(aside)
        if check is not None:
            check(aside)
        aside.rename(out)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    _sync(out.parent)


def write_file(data: bytes, out: Path) -> None:
    """Write a file aside, flush it to disk, and put it in the place of the one that was there.

    Raises:
        OSError: the disk did not take it.
    """
    aside = _aside(out)
    try:
        _write(aside, data)
        aside.replace(out)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    _sync(out.parent)


def point(link: Path, name: str) -> None:
    """Let a link point at the folder of this name beside it, from one moment to the next."""
    aside = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
    aside.symlink_to(name, target_is_directory=True)
    aside.replace(link)
    _sync(link.parent)


def sweep(folder: Path) -> None:
    """Remove what a killed process left half-written here an hour ago or more."""
    for left in folder.glob(".*.partial"):
        if time.time() - left.stat().st_mtime > LEFT_BEHIND_S:
            shutil.rmtree(left, ignore_errors=True)


def _aside(out: Path) -> Path:
    return out.with_name(f".{out.name}.{secrets.token_hex(4)}.partial")


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
