"""Documents that carry their own signature: what they are made of, their one byte form (RFC 8785), signing, and checking it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

import rfc8785
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

from arena.domain.clock import KST, kst
from arena.domain.declared import Bilingual
from arena.record.keys import Keys, verify_jws


def milliseconds(moment: datetime) -> datetime:
    """Cut the moment as `kst` writes it, so that what is built equals what is read again."""
    return moment.astimezone(KST).replace(microsecond=moment.microsecond // 1000 * 1000)


def _exact(moment: datetime) -> str:
    return moment.astimezone(KST).isoformat(timespec="microseconds")


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
_Written = Annotated[AwareDatetime, Field(description="RFC 3339 with the offset +09:00")]
Moment = Annotated[_Written, AfterValidator(milliseconds), PlainSerializer(kst)]
ExactMoment = Annotated[_Written, PlainSerializer(_exact)]
"""To the microsecond, as a checkpoint has it."""


class Part(BaseModel):
    """A part of a document: an unknown field is an error, and numbers are numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def to_json(self) -> dict[str, Any]:
        """Give the values as JSON has them; a field that may be missing is there only if it was given."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class TwoLanguages(Part):
    """The same words in Korean and English."""

    ko: str = Field(description="Korean")
    en: str = Field(description="English")

    @classmethod
    def of(cls, words: Bilingual) -> Self:
        """Take them from the stage file."""
        return cls(ko=words.ko, en=words.en)


class Issuer(Part):
    """Which system made the export."""

    system: Literal["K-AI Arena"] = Field(description="the system's name")
    version: str = Field(description="its version")
    git_commit: str | None = Field(description="the commit it ran from, where known")


class Integrity(Part):
    """The signature over everything else."""

    alg: Literal["ES256"] = Field(description="ECDSA P-256 with SHA-256")
    kid: str = Field(description="the signing key's RFC 7638 thumbprint, in the JWK Set")
    signature: str = Field(description="detached JWS over the RFC 8785 form of this document without this field")


UNSIGNED = Integrity(alg="ES256", kid="", signature="")
"""Stands in a document until `signed` puts the signature there."""


class Signed(Part):
    """A document with a detached JWS (RFC 7515, appendix F) over its canonical form without `integrity.signature`."""

    integrity: Integrity = Field(description="the signature")

    def canonical(self) -> bytes:
        """Write it as RFC 8785 says: these bytes are what is kept, hashed and sent."""
        return rfc8785.dumps(self.to_json())

    def signed_bytes(self) -> bytes:
        """Write what the signature is over."""
        whole = self.to_json()
        del whole["integrity"]["signature"]
        return rfc8785.dumps(whole)

    def signed(self, keys: Keys) -> Self:
        """Sign it with the newest key."""
        named = self.model_copy(update={"integrity": Integrity(alg="ES256", kid=keys.kid, signature="")})
        signature = keys.sign(named.signed_bytes())
        return self.model_copy(update={"integrity": named.integrity.model_copy(update={"signature": signature})})

    def is_signed_by(self, jwks: Mapping[str, Any]) -> bool:
        """Check the signature against the key that the document names; false where `jwks` does not have it."""
        named = [key for key in jwks["keys"] if key.get("kid") == self.integrity.kid]
        return bool(named) and verify_jws(self.signed_bytes(), self.integrity.signature, {"keys": named})
