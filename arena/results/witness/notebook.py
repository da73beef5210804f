"""What a witness keeps: a folder that is only ever added to, each file there whole or not at all.

witness.json                 its name and its public key, to give to the operator of a stage
key.json                     its private key (0600), unless that is kept elsewhere
STAGE/arena.json             the arena's address and public keys, from the first contact
STAGE/drafts/….json          a commitment to the draws with a stage file, and when it was first seen
STAGE/opening.json           the opening act
STAGE/rounds/SIZE.json       the checkpoints that came in, the proof that the last one continues the one before, and its cosignature
STAGE/accepted/SIZE.json     that the arena has this cosignature
STAGE/evidence-N.json        a contradiction: from then on nothing of that stage is cosigned
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import orjson
import rfc8785
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from arena.domain.clock import kst
from arena.domain.errors import StageError
from arena.record.keys import coordinate_of, detached_jws
from arena.record.private_files import FILE, make_folder, open_to_others

WITNESS, KEY = "witness.json", "key.json"
WITNESS_SCHEMA = "kai.witness/1"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the witness is: its name, and the key that it signs with."""

    name: str
    key: ECKey

    @classmethod
    def open(cls, folder: Path, name: str, key_file: Path | None) -> Self:
        """Open the key, or make one at the first run; the name stays the one of the first run.

        Raises:
            StageError: the key cannot be used, others may read it, or the folder is another witness's.
        """
        make_folder(folder)
        path = key_file or folder / KEY
        if not path.exists():
            made = ECKey.generate_key("P-256", private=True)
            keep(path, {"kty": "EC", **made.as_dict(private=True)})
        if open_to_others([path]):
            raise StageError("witness_key_open", path=str(path))
        try:
            key = ECKey.import_key(orjson.loads(path.read_bytes()))
            private = key.is_private and key.curve_name == "P-256"
        except (JoseError, orjson.JSONDecodeError, ValueError, KeyError, TypeError):
            private = False
            key = ECKey.generate_key("P-256")
        if not private:
            raise StageError("witness_key_unusable", path=str(path))
        own = cls(name, key)
        keep(folder / WITNESS, own.to_json())
        told = orjson.loads((folder / WITNESS).read_bytes())
        if told != own.to_json():
            raise StageError("witness_another", folder=str(folder), name=told.get("id"))
        return own

    def to_json(self) -> dict[str, Any]:
        """Write what the operator of a stage is given, for the stage file."""
        public = self.key.as_dict(private=False)
        x, y = (coordinate_of(str(public[name])) for name in "xy")
        return {"schema": WITNESS_SCHEMA, "id": self.name, "x": x, "y": y}

    def sign(self, payload: bytes) -> str:
        """Sign: a detached JWS (ES256)."""
        return detached_jws(self.key, payload)


class Notebook:
    """What is kept of one stage."""

    def __init__(self, folder: Path) -> None:
        """Open the stage's folder, made where there is none."""
        self.folder = folder
        for part in (folder, *(folder / name for name in ("drafts", "rounds", "accepted"))):
            make_folder(part)
        for left in folder.rglob(".*.partial"):
            left.unlink(missing_ok=True)

    def first_contact(self) -> dict[str, Any] | None:
        """Read the arena's keys as they were at the first contact."""
        path = self.folder / "arena.json"
        return orjson.loads(path.read_bytes())["jwks"] if path.exists() else None

    def note_contact(self, url: str, jwks: Mapping[str, Any], now: datetime) -> None:
        """Note the arena's keys; those of the first contact stay."""
        keep(self.folder / "arena.json", {"url": url, "jwks": jwks, "since": kst(now)})

    def draft(self, commitment: str, file_sha256: str, now: datetime) -> None:
        """Note a commitment to the draws with a stage file; the first time that it is seen counts."""
        told = {"draw_commitment": commitment, "stage_file_sha256": file_sha256, "first_seen": kst(now)}
        keep(self.folder / "drafts" / f"{commitment[:24]}-{file_sha256[:24]}.json", told)

    def known_since(self, opening: Mapping[str, Any]) -> datetime | None:
        """When the commitment and the file of an opening act were first seen together, if that was before it opened."""
        for path in (self.folder / "drafts").glob("*.json"):
            told = orjson.loads(path.read_bytes())
            seen = datetime.fromisoformat(told["first_seen"])
            same = all(told[name] == opening[name] for name in ("draw_commitment", "stage_file_sha256"))
            if same and seen < datetime.fromisoformat(opening["opened_at"]):
                return seen
        return None

    def opening(self, act: Mapping[str, Any]) -> dict[str, Any]:
        """Return the opening act as it was first seen; this, where none was."""
        keep(self.folder / "opening.json", act)
        return orjson.loads((self.folder / "opening.json").read_bytes())

    def newest(self) -> dict[str, Any] | None:
        """Read the last round."""
        rounds = sorted((self.folder / "rounds").glob("*.json"))
        return orjson.loads(rounds[-1].read_bytes()) if rounds else None

    def keep_round(self, size: int, told: Mapping[str, Any]) -> None:
        """Keep what came in, with the cosignature; a size is cosigned once."""
        keep(self.folder / "rounds" / _name(size), told)

    def accepted(self, size: int) -> bool:
        """Tell whether the arena has taken the cosignature of this size."""
        return (self.folder / "accepted" / _name(size)).exists()

    def note_accepted(self, size: int, now: datetime) -> None:
        """Note that it has."""
        keep(self.folder / "accepted" / _name(size), {"at": kst(now)})

    def evidence(self) -> Path | None:
        """Find the first contradiction that was kept."""
        return next(iter(sorted(self.folder.glob("evidence-*.json"))), None)

    def keep_evidence(self, told: Mapping[str, Any]) -> Path:
        """Keep a contradiction."""
        path = self.folder / f"evidence-{len(list(self.folder.glob('evidence-*.json'))) + 1}.json"
        keep(path, told)
        return path


def keep(path: Path, value: Mapping[str, Any]) -> None:
    """Let there be a file with this content, whole and on the disk; one that is there stays as it is."""
    if path.exists():
        return
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE), "wb") as file:
        file.write(rfc8785.dumps(dict(value)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        pass  # a second process of this witness was first
    finally:
        aside.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _name(size: int) -> str:
    return f"{size:015}.json"
