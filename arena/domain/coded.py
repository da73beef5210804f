"""What is known as a code and parameters, and becomes a sentence only where somebody reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self


class Coded:
    """A stable code, and the values that fill in the sentence which the catalogue has for it."""

    kind: ClassVar[str]
    """What the catalogue's keys of these begin with."""

    def __init__(self, code: str, /, **params: Any) -> None:
        self.code = code
        self.params = params

    def __str__(self) -> str:
        """Code and parameters, for logs."""
        return " ".join([self.code, *(f"{name}={value!r}" for name, value in self.params.items())])

    def __repr__(self) -> str:
        """Write the same, within the parameters of another one."""
        return f"<{self}>"

    @property
    def key(self) -> str:
        """The catalogue's key of its sentence."""
        return f"{self.kind}_{self.code}"


class Fault(Coded):
    """One thing that does not hold in the record or in an export."""

    kind = "fault"


@dataclass(frozen=True, slots=True)
class Kept:
    """The same, as the record keeps it: the key of its sentence, and what fills it in."""

    key: str
    params: Mapping[str, Any]

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Read it from JSON, with what stands within its parameters."""
        return cls(data["key"], {name: _read(value) for name, value in data["params"].items()})


def as_json(told: Coded) -> dict[str, Any]:
    """Write a code and its parameters as `Kept.read` reads them; figures and lists stay, everything else becomes text."""
    return {"key": told.key, "params": {name: _as_json(value) for name, value in told.params.items()}}


def _as_json(value: Any) -> Any:
    if isinstance(value, Coded):
        return as_json(value)
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    return value if isinstance(value, str | int | float | None) else str(value)


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(each) for each in value]
    return Kept.read(value) if isinstance(value, Mapping) else value
