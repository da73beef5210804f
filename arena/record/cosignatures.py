"""What witnesses sign: that a checkpoint continues everything they have seen of its stage. In the spirit of C2SP's tlog-cosignature and tlog-witness.

A cosignature is canonical JSON (RFC 8785) of schema, stage, size, root and opening as in the checkpoint, the witness's name and the moment, with a
detached ES256 JWS over it. It is kept where it is received, and again with whoever made it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc.jwk import ECKey
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from arena.domain.clock import kst
from arena.domain.opening import Witness
from arena.domain.vote import canonical
from arena.record.database import Database
from arena.record.keys import coordinate, verify_jws
from arena.record.tables import checkpoints, cosignatures

COSIGNATURE_SCHEMA = "kai.cosignature/1"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One witness's word for one checkpoint."""

    stage_id: str
    size: int
    root: str
    opening: str
    witness: str
    known_since: datetime | None
    """When the witness first saw this commitment to the draws with this stage file, if that was before the opening."""
    at: datetime
    jws: str

    def to_json(self) -> dict[str, Any]:
        """As it is sent, kept and exported."""
        return {
            "schema": COSIGNATURE_SCHEMA,
            "stage": self.stage_id,
            "size": self.size,
            "root": self.root,
            "opening": self.opening,
            "witness": self.witness,
            "known_since": kst(self.known_since),
            "at": kst(self.at),
            "jws": self.jws,
        }


def cosignature_payload(published: Mapping[str, Any]) -> bytes:
    """Write what a witness signs."""
    return canonical({name: value for name, value in published.items() if name != "jws"})


def public_jwk(x: str, y: str) -> dict[str, Any]:
    """Make the JWK of a point of P-256.

    Raises:
        ValueError: there is no such point.
    """
    raw: dict[str, str | list[str]] = {"kty": "EC", "crv": "P-256", "x": coordinate(x), "y": coordinate(y)}
    return {**raw, "kid": ECKey.import_key(raw).thumbprint()}


def verify_cosignature(published: Mapping[str, Any], x: str, y: str) -> bool:
    """Tell whether a published cosignature carries the signature of this key."""
    try:
        return verify_jws(cosignature_payload(published), str(published.get("jws", "")), {"keys": [public_jwk(x, y)]})
    except ValueError:
        return False


def by_witness(published: Mapping[str, Any], witness: Witness) -> bool:
    """Tell whether a published cosignature is this witness's."""
    return published.get("witness") == witness.id and verify_cosignature(published, witness.x, witness.y)


class Cosignatures:
    """What the arena has been told by witnesses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, given: Cosignature) -> bool:
        """Keep a cosignature of a checkpoint that is there; false where this witness has signed that size before: the first one stays."""
        try:
            with self._database.writing() as connection:
                connection.execute(
                    insert(cosignatures).values(
                        stage_id=given.stage_id,
                        size=given.size,
                        witness=given.witness,
                        known_since=given.known_since,
                        at=given.at,
                        jws=given.jws,
                    )
                )
        except IntegrityError:
            return False
        return True

    def about(self, stage_id: str, size: int) -> tuple[str, str] | None:
        """Find root and opening of the checkpoint of this size, if there is one."""
        chosen = select(checkpoints.c.root, checkpoints.c.opening)
        with self._database.reading() as connection:
            row = connection.execute(
                chosen.where(checkpoints.c.stage_id == stage_id, checkpoints.c.size == size)
            ).one_or_none()
        return None if row is None else (row.root, row.opening)

    def of_stage(self, stage_id: str, *, most: int | None = None) -> list[Cosignature]:
        """List them by size and witness, up to a checkpoint's size; what each is about is what the record's own checkpoints say."""
        own = (cosignatures.c.stage_id == checkpoints.c.stage_id) & (cosignatures.c.size == checkpoints.c.size)
        chosen = (
            select(cosignatures, checkpoints.c.root, checkpoints.c.opening)
            .join(checkpoints, own)
            .where(cosignatures.c.stage_id == stage_id)
            .order_by(cosignatures.c.size, cosignatures.c.witness)
        )
        if most is not None:
            chosen = chosen.where(cosignatures.c.size <= most)
        with self._database.reading() as connection:
            return [Cosignature(**row._mapping) for row in connection.execute(chosen)]
