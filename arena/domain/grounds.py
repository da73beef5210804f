"""Grounds: why votes were left out of the fit, or taken back. What a test found stands in figures, what a person wrote in their words."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Grounds(BaseModel):
    model_config = ConfigDict(frozen=True)


class VoterGrounds(_Grounds):
    """One voter stands out alone."""

    kind: Literal["voter"] = "voter"
    test: str
    """The one of `integrity.voter_tests` that says most."""
    p: float
    """That test's p-value."""
    q: float
    """Over all voters, of their tests combined."""
    rate: float
    """The false-discovery rate that q had to stay within."""
    tests: int
    """How many were combined."""


class _Coordination(_Grounds):
    votes: int
    """Of the whole network, or of those hours."""
    entrant: str
    """The one that they lean towards or against most."""
    excess: float
    """Wins of that entrant beyond what the others' consensus gives it."""
    q: float
    rate: float
    share: float
    """Proposed is who cast at least this share of their votes there."""


class NetworkGrounds(_Coordination):
    """The votes of one network stand out together."""

    kind: Literal["network"] = "network"
    network: str
    """The beginning of that day's digest of it."""


class HoursGrounds(_Coordination):
    """The votes of a few hours stand out together."""

    kind: Literal["hours"] = "hours"
    since: datetime
    hours: float


class WrittenGrounds(_Grounds):
    """What an organizer wrote."""

    kind: Literal["text"] = "text"
    text: str


Grounds = Annotated[VoterGrounds | NetworkGrounds | HoursGrounds | WrittenGrounds, Field(discriminator="kind")]
GROUNDS: Final[TypeAdapter[Grounds]] = TypeAdapter(Grounds)
"""From and to the JSON that an event keeps."""
