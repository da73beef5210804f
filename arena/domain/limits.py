"""What a stage bounds: everything that a client can make grow."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from arena.domain.declared import Declared
from arena.domain.errors import StageError


class Limits(Declared):
    """Bounds on everything a client can make grow."""

    battles_per_hour: Annotated[int, Field(ge=1)] = 60
    battles_per_day: Annotated[int, Field(ge=1)] = 300
    turns_per_minute: Annotated[int, Field(ge=1)] = 20
    turns_per_day: Annotated[int, Field(ge=1)] = 1000
    votes_per_hour: Annotated[int, Field(ge=1)] = 60
    votes_per_day: Annotated[int, Field(ge=1)] = 300
    changes_per_hour: Annotated[int, Field(ge=1)] = 60
    """How often one citizen may change consents and answers about themselves."""
    reads_per_minute: Annotated[int, Field(ge=1)] = 120
    """How often one citizen may look at battles, lists and their own answers, or stop and resume one; each process counts for itself."""
    refusals_per_minute: Annotated[int, Field(ge=1)] = 60
    """After so many refused calls a citizen is told to wait for the minute's end; votes that are refused, or were cast before, are counted apart. Each process counts for itself."""
    organizer_logins_per_hour: Annotated[int, Field(ge=1)] = 60
    """Wrong passwords from one network; right ones do not count, but wait with it once it is past the bound."""
    proof: Literal["never", "pressure", "always"] = "pressure"
    """When the browser of a new citizen, or of one who opens a battle, has to work a little (ALTCHA); a network is never refused for what it did."""
    proof_cost: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    """Iterations of each try; that much, twice, is what a challenge costs the server."""
    proof_tries: Annotated[int, Field(ge=1)] = 1
    """The lowest price: tries that a proof takes on average."""
    proof_most: Annotated[int, Field(ge=1, le=1_000_000)] = 8192
    """The highest."""
    network_acts_per_hour: Annotated[int, Field(ge=1)] = 900
    """New citizens and battles of one network (/24 or /56) that cost nothing in the long run: what comes faster piles up, and drains at this pace."""
    proof_after: Annotated[int, Field(ge=0)] = 280
    """Under `pressure` a proof is asked once so many have piled up in a network."""
    proof_doubles: Annotated[int, Field(ge=1)] = 110
    """With so many more the price is double."""
    citizen_acts_per_hour: Annotated[int, Field(ge=1)] = 20
    """The same for the battles of one citizen."""
    citizen_proof_after: Annotated[int, Field(ge=0)] = 10
    citizen_proof_doubles: Annotated[int, Field(ge=1)] = 5
    networks_in_ipv4_16: Annotated[int, Field(ge=1)] = 16
    """A /16 may do as much as so many networks at the same price; the fullest of an address's networks sets it."""
    networks_in_ipv6_48: Annotated[int, Field(ge=1)] = 4
    networks_in_ipv6_32: Annotated[int, Field(ge=1)] = 64
    networks_in_arena: Annotated[int, Field(ge=1)] = 100
    """And so may everybody together."""
    streams_per_citizen: Annotated[int, Field(ge=1)] = 2
    streams: Annotated[int, Field(ge=1)] = 2000
    comment_chars: Annotated[int, Field(ge=0, le=10_000)] = 1000
    body_bytes: Annotated[int, Field(ge=1024, le=4_000_000)] = 65_536
    first_token_s: Annotated[float, Field(gt=0)] = 30
    between_tokens_s: Annotated[float, Field(gt=0)] = 20
    answer_s: Annotated[float, Field(gt=0)] = 180
    idle_minutes: Annotated[int, Field(ge=1)] = 120
    """An open battle that nobody touched for so long is abandoned."""

    @model_validator(mode="after")
    def _prices_rise(self) -> "Limits":
        if self.proof_most < self.proof_tries:
            raise StageError("stage_proof_prices", least=self.proof_tries, most=self.proof_most)
        return self
