"""Files that were closed when a result was published, opened later: held against the hashes that were published with it."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import rfc8785

from arena.domain.coded import Fault
from arena.results.export.document import JSON
from arena.results.export.proofs import Passed, VerificationError, read_signed
from arena.results.export.result import Result, disclosed
from arena.results.export.schema import File, UserScore
from arena.results.export.verify import differing, parsed, signature


def read_result(data: bytes, name: str) -> Result:
    """Read a result as `GET /api/v1/stages/{id}/result` gives it.

    Raises:
        VerificationError: it is none, or its bytes are not canonical.
    """
    return read_signed(Result, data, name, "published", Fault("not_result", file=name))


def opened(result: Result, files: Mapping[str, bytes], jwks: Mapping[str, Any]) -> Iterator[Passed]:
    """Hold opened files against what was published; tell each thing that holds.

    Whatever of the export's files is there is looked at, alone or all of them. A file whose hash was not told by itself, because it
    could have been guessed, is held against the hash that stands in `export.json`, which then has to be there too.

    Args:
        result: what was published.
        files: the opened files by name; others may lie beside them.
        jwks: the public keys that are trusted.

    Raises:
        VerificationError: the first thing that does not hold, or that there is nothing to look at.
    """
    signature(result, jwks)
    yield Passed("published_signed", stage=result.stage.id, at=result.published_at, kid=result.integrity.kid)
    here = [each for each in result.files if each.name in files]
    if not here:
        raise VerificationError("published", Fault("nothing_opened", files=[each.name for each in result.files]))
    told = {each.name: each.sha256 for each in here if each.sha256 is not None}
    for name, sha256 in told.items():
        if hashlib.sha256(files[name]).hexdigest() != sha256:
            raise VerificationError("published", Fault("not_as_committed", file=name))
    document = parsed(files[JSON]) if JSON in files else None
    for each in here:
        if each.sha256 is None:
            _as_signed(each.name, files[each.name], document)
    yield Passed("published_files", files=[each.name for each in here])
    if document is not None:
        if document.export_id != result.export_id or document.stage.file_sha256 != result.stage.file_sha256:
            raise VerificationError("published", Fault("another_export", export=document.export_id))
        made, said = disclosed(document), result.disclosed
        where = differing(orjson.loads(rfc8785.dumps(said.to_json())), orjson.loads(rfc8785.dumps(made.to_json())))
        if where is not None:
            raise VerificationError("published", Fault("published_differs", at=where))
        yield Passed("published_numbers", document=JSON)


def _as_signed(name: str, data: bytes, document: UserScore | None) -> None:
    """Hold a file against the hash in the document."""
    if document is None:
        raise VerificationError("published", Fault("document_needed", file=name, document=JSON))
    signed = {part.name: part.sha256 for part in vars(document.provenance).values() if isinstance(part, File)}
    if signed.get(name) != hashlib.sha256(data).hexdigest():
        raise VerificationError("published", Fault("not_as_committed", file=name))
