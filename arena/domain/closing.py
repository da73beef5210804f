"""What ends a stage, as its file declares it before the first vote."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from arena.domain.declared import Declared
from arena.domain.errors import StageError

ClosingRule = Literal["time", "votes", "panelists", "separation"]


class Closing(Declared):
    """The closing rule: a freeze that does not follow it needs a reason, which is published."""

    rule: ClosingRule
    """At `closes`; at so many votes; once so many voters have voted; or once the first `planned_advance` are told apart from the rest.

    The last looks at results, so its intervals are those that hold at every look.
    """
    number: Annotated[int, Field(ge=1)] | None = None
    """Of votes or voters."""

    @model_validator(mode="after")
    def _counted(self) -> "Closing":
        if (self.number is None) == (self.rule in ("votes", "panelists")):
            raise StageError("stage_closing_number", rule=self.rule)
        return self
