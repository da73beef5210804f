"""A new folder of files, whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from arena.domain.errors import Conflict


def lay(files: Mapping[str, bytes], out: Path) -> None:
    """Writes the files aside, flushes them to disk, and only then lets the folder appear under its name.

    Raises:
        Conflict: there is something at `out` already; nothing is ever overwritten.
        OSError: the disk did not take it.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Conflict(
            "out_exists",
            f"{out}에 이미 파일이 있습니다. 새 폴더 이름을 주세요.",
            f"There is something at {out} already. Name a folder that does not exist yet: nothing is overwritten.",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{secrets.token_hex(4)}.partial")
    try:
        aside.mkdir()
        for name, data in files.items():
            with (aside / name).open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        aside.rename(out)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
