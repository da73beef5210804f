"""Why an entrant could not be drawn, as the record keeps it."""

from pydantic import BaseModel, ConfigDict


class Cause(BaseModel):
    """A code and its figures; `models.cause` says what they mean. Two more kinds are the arena's own: `arena_stopped`, and `text`."""

    model_config = ConfigDict(frozen=True)

    kind: str
    failure: str | None = None
    seconds: float | None = None
    signal: int | None = None
    exit_code: int | None = None
    text: str | None = None
    """The sentence that the oldest events hold instead of figures."""
