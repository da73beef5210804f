"""The opening act: what a stage is bound to from the moment it opens. Each of its checkpoints names the act by its hash."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import rfc8785
from pydantic import AwareDatetime, Field

from arena.domain.clock import kst
from arena.domain.declared import Bilingual, Declared, Slug

SCHEMA = "kai.opening/1"
VALUE = r"^[!-~]$|^[!-~][ -~]{0,254}[!-~]$"
"""What a beacon may say: printable ASCII, no space at either end, so that everybody types the same bytes."""


class Witness(Declared):
    """Somebody else who keeps and cosigns this stage's checkpoints."""

    id: Slug
    name: Bilingual
    x: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """The public key, a point of P-256, as `python -m arena witness` prints it: its two coordinates in hexadecimal."""
    y: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Beacon(Declared):
    """A public random value that does not exist yet: the seed of the draws is mixed with it, so that nobody can have chosen it."""

    source: Bilingual
    """Such as the numbers of one draw of a lottery, or one round of drand."""
    at: AwareDatetime
    """When it comes into being; the commitment to the secret seed is public before."""


def opening_act(
    stage_id: str,
    *,
    stage_file_sha256: str,
    draw_commitment: str,
    beacon: Beacon | None,
    value: str | None,
    evidence_keys: Mapping[str, str],
    opened_at: datetime,
) -> bytes:
    """Write the act in its one byte form (RFC 8785).

    Args:
        stage_id: the stage.
        stage_file_sha256: hash of its sealed file.
        draw_commitment: hash of the secret seed.
        beacon: the one that the stage declares.
        value: what it said, where the seed is mixed with it.
        evidence_keys: hash of each entrant's key to the evidence, by the key's id. Whose it is the act does not say: it is public while
            the stage is open, and whoever has the key finds it.
        opened_at: when.
    """
    told = None
    if beacon is not None and value is not None:
        told = {"source": beacon.source.model_dump(), "at": kst(beacon.at), "value": value}
    return rfc8785.dumps(
        {
            "schema": SCHEMA,
            "stage": stage_id,
            "stage_file_sha256": stage_file_sha256,
            "draw_commitment": draw_commitment,
            "beacon": told,
            "evidence_keys": [{"id": each, "sha256": evidence_keys[each]} for each in sorted(evidence_keys)],
            "opened_at": kst(opened_at),
        }
    )


def opening_sha256(act: bytes) -> str:
    """Compute what the checkpoints name."""
    return hashlib.sha256(act).hexdigest()
