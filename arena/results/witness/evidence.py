"""What a witness shows others: two checkpoints that one arena has signed and that cannot both be true."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from arena.domain.coded import Coded
from arena.domain.errors import Unusable
from arena.record.ledger import verify_checkpoint

EVIDENCE_SCHEMA = "kai.evidence/1"


class Proved(Coded):
    """What a file of evidence proves."""

    kind = "proved"


def judged(data: bytes, jwks: Mapping[str, Any] | None = None) -> Proved:
    """Tell what a file of evidence proves against whoever holds these keys; without any, against the keys that the witness met.

    A fork between two sizes is proved together with the votes: those of the later size do not begin with those of the earlier one, which
    `verify --checkpoint` shows for every export.

    Raises:
        Unusable: it is no such file, or proves nothing.
    """
    try:
        told = orjson.loads(data)
        kept, shown, keys = told["kept"], told["shown"], jwks or told["jwks"]
        genuine = all(verify_checkpoint(head, keys) for head in (kept, shown)) and kept["stage"] == shown["stage"]
        earlier, later = sorted((kept, shown), key=moment)
        same_opening, sizes = kept["opening"] == shown["opening"], (int(earlier["size"]), int(later["size"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise Unusable("evidence_unreadable") from None
    if not genuine:
        raise Unusable("evidence_unsigned")
    stage, (first, second) = kept["stage"], sizes
    if not same_opening:
        return Proved("opening", stage=stage)
    if first == second and kept["root"] != shown["root"]:
        return Proved("fork", stage=stage, first=first)
    if second < first:
        return Proved("rollback", stage=stage, first=first, second=second)
    if kept["root"] == shown["root"]:
        raise Unusable("evidence_agrees")
    return Proved("unproven", stage=stage, first=first, second=second)


def moment(head: Mapping[str, Any]) -> datetime:
    """Read when a checkpoint was signed."""
    return datetime.fromisoformat(head["at"])
