"""The stranger's check of the time stamps: each is about a checkpoint of this history, and by an authority that the reader trusts."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

from cryptography.x509 import Certificate

from arena.domain.clock import kst
from arena.domain.coded import Fault
from arena.domain.errors import Unusable
from arena.domain.stage import Stage
from arena.results.export.proofs import Passed, VerificationError, signed_bytes
from arena.results.export.schema import Checkpoint, TimestampPart, UserScore
from arena.results.export.signed import milliseconds
from arena.results.witness.stamps import stamped_at, verify_stamp


def stamped(
    document: UserScore,
    stage: Stage,
    heads: Sequence[Checkpoint],
    given: Sequence[TimestampPart],
    roots: Sequence[Certificate] | None,
) -> Iterator[Passed]:
    """Show that each time stamp is over the signed bytes of a checkpoint here, at the time that is told, and that none of these says it was signed later.

    With roots, show that the last checkpoint has one by an authority under them; others' are then not counted.

    Raises:
        VerificationError: one is not, or with roots the last checkpoint has none that is trusted.
    """
    by_size = {head.size: head for head in heads}
    trusted: list[TimestampPart] = []
    for each in given:
        head, answer, at = by_size.get(each.size), b"", None
        with suppress(binascii.Error, Unusable):
            answer = base64.b64decode(each.answer, validate=True)
            at = None if head is None else stamped_at(answer, signed_bytes(head))
        if head is None or at is None or milliseconds(at) != each.at:
            raise VerificationError("timestamps", Fault("timestamp_contradicted", size=each.size))
        if head.at > at + timedelta(seconds=stage.ledger.tolerance_s):
            fault = Fault("timestamp_before_checkpoint", size=each.size, at=kst(at), signed=kst(head.at))
            raise VerificationError("timestamps", fault)
        if roots is None or verify_stamp(answer, signed_bytes(head), roots):
            trusted.append(each)
    size = document.provenance.checkpoint.size
    last = min((each for each in trusted if each.size == size), key=lambda each: each.at, default=None)
    if roots is not None and last is None:
        others = [each.tsa for each in given if each.size == size]
        fault = (
            Fault("timestamp_untrusted", size=size, tsa=others[0]) if others else Fault("timestamp_missing", size=size)
        )
        raise VerificationError("timestamps", fault)
    if last is None and trusted:
        yield Passed("timestamps_earlier", n=len(trusted), size=size)
    elif last is not None and roots is None:
        yield Passed("timestamps", n=len(trusted), size=size, at=kst(last.at))
    elif last is not None:
        yield Passed("timestamps_trusted", n=len(trusted), size=size, at=kst(last.at))
