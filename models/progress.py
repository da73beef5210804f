"""What takes its time while entrants are opened, for whoever waits: a code and its figures, told elsewhere in words."""

from typing import Any, Literal


class Step:
    """One step towards open entrants."""

    def __init__(self, code: Literal["loading", "loaded", "asking"], /, **params: Any) -> None:
        self.code = code
        self.params = params

    @property
    def key(self) -> str:
        """Under which a catalogue of sentences has the one for this."""
        return f"progress_{self.code}"
