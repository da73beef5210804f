"""What the parts of a stage file have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


class Declared(BaseModel):
    """What a stage file declares: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bilingual(Declared):
    """The same sentence in Korean and English."""

    ko: str
    en: str
