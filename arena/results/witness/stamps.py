"""RFC 3161 time stamps: asking an authority, reading what it says, and checking that with its root. The one door of `rfc3161_client`."""

import hashlib
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from arena.domain.errors import Unusable
from arena.domain.redaction import redacted
from arena.record.ledger import Checkpoint, Ledger
from arena.record.timestamps import Timestamp, Timestamps

TIMEOUT_S = 30.0
MOST_BYTES = 64 * 1024
"""An answer with its certificates has a few thousand."""
EVERY = timedelta(days=1)


def stamp(kept: Timestamps, head: Checkpoint, url: str) -> Timestamp:
    """Have a checkpoint's signed bytes stamped, and keep the answer.

    Raises:
        Unusable: the authority does not answer, or with something else.
    """
    payload = head.payload()
    request = (
        TimestampRequestBuilder()
        .data(payload)
        .hash_algorithm(HashAlgorithm.SHA256)
        .cert_request(cert_request=True)
        .build()
    )
    answer = _asked(url, request.as_bytes())
    made = Timestamp(head.stage_id, head.size, redacted(url), stamped_at(answer, payload), answer)
    kept.keep(made)
    return made


def due(kept: Timestamps, ledger: Ledger, stage_id: str, now: datetime, *, over: bool) -> list[Checkpoint]:
    """List the checkpoints to be stamped: the one of the opening, then the newest one once a day, and the last one once the stage is `over`."""
    stamps = kept.of_stage(stage_id)
    first, newest = ledger.checkpoints(stage_id, limit=1), ledger.newest(stage_id)
    sizes = {each.size for each in stamps}
    chosen = [head for head in first if head.size not in sizes]
    if newest is not None and newest.size not in {*sizes, *(head.size for head in chosen)}:
        last = max((each.at for each in stamps), default=None)
        if over or (last is not None and now - last >= EVERY):
            chosen.append(newest)
    return chosen


def stamped_at(answer: bytes, payload: bytes) -> datetime:
    """Read the time that an answer gives these bytes; who signed it is not looked at.

    Raises:
        Unusable: it is no answer, grants nothing, or is about other bytes.
    """
    read = _read(answer)
    imprint = read.tst_info.message_imprint
    if imprint.message != hashlib.sha256(payload).digest():
        raise Unusable("timestamp_of_another")
    return read.tst_info.gen_time


def verify_stamp(answer: bytes, payload: bytes, roots: Sequence[Certificate]) -> bool:
    """Tell whether an answer over these bytes is signed by an authority under one of these root certificates."""
    builder = VerifierBuilder(roots=list(roots))
    try:
        return builder.build().verify_message(_read(answer), payload)
    except (VerificationError, ValueError, Unusable):
        return False


def read_roots(data: bytes) -> list[Certificate]:
    """Read root certificates in PEM.

    Raises:
        Unusable: there are none.
    """
    try:
        return load_pem_x509_certificates(data)
    except ValueError as error:
        raise Unusable("tsa_roots", problem=str(error)) from None


def _read(answer: bytes) -> TimeStampResponse:
    try:
        read = decode_timestamp_response(answer)
        if read.status not in (0, 1):
            raise Unusable("timestamp_refused", status=read.status)
        _ = read.tst_info.gen_time
    except ValueError as error:
        raise Unusable("timestamp_unreadable", problem=str(error)) from None
    return read


def _asked(url: str, request: bytes) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise Unusable("tsa_address", url=redacted(url))
    headers = {"content-type": "application/timestamp-query", "accept": "application/timestamp-reply"}
    try:
        asked = urllib.request.Request(url, request, headers)  # noqa: S310  # http(s) only
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:  # noqa: S310
            data = answer.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Unusable("tsa_silent", url=redacted(url), problem=str(error)) from None
    if len(data) > MOST_BYTES:
        raise Unusable("tsa_silent", url=redacted(url), problem=f"> {MOST_BYTES} B")
    return data
