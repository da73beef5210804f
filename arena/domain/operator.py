"""Who runs a stage and answers for it: what a public service has to say of itself, and who else sees the data of its citizens.

The pages of law (the privacy policy, the consents, the accessibility statement) are written from it. A key that may be left out may be so
in a synthetic stage only: `missing` finds what a real one does not say.
"""

from datetime import date
from typing import Annotated

from pydantic import Field

from arena.domain.declared import Bilingual, Declared

Filled = Annotated[str, Field(pattern=r"\S")]
Telephone = Annotated[str, Field(pattern=r"^\+?[0-9][0-9() -]{2,30}$")]
Mail = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Name(Bilingual):
    """A name or a sentence that is not empty."""

    ko: Filled
    en: Filled


class Desk(Declared):
    """Whom citizens write to or call: a department, and where one is named, its head."""

    department: Name
    name: Name | None = None
    telephone: Telephone
    mail: Mail


class Recipient(Declared):
    """A third party, besides the entrants, that is given data of citizens for a purpose of its own (PIPA art. 17)."""

    name: Name
    purpose: Name
    items: Name
    retention: Name


class Processor(Declared):
    """Whoever processes data of citizens on the operator's behalf (PIPA art. 26)."""

    name: Name
    task: Name


class Transfer(Declared):
    """Data of citizens that leave Korea (PIPA art. 28-8)."""

    recipient: Name
    """The recipient with its contact."""
    country: Name
    items: Name
    purpose: Name
    method: Name
    """When and how."""
    retention: Name
    refusal: Name
    """How to refuse, and what follows from it."""


class PolicyVersion(Declared):
    """One version of the privacy policy."""

    version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)*$")]
    effective: date


class Policy(PolicyVersion):
    """The privacy policy in force, and those before it, the newest first."""

    history: tuple[PolicyVersion, ...] = ()


class Operator(Declared):
    """Who runs the stage."""

    name: Name
    official: bool = False
    """Whether this is a site of the Korean government, and says so at the head and foot of every page."""
    institution: Name | None = None
    """The institution that is the controller of the data."""
    address: Name | None = None
    telephone: Telephone | None = None
    mail: Mail | None = None
    privacy_officer: Desk | None = None
    access_desk: Desk | None = None
    """Who takes requests to see one's data; the privacy officer's department where there is none."""
    policy: Policy | None = None
    recipients: tuple[Recipient, ...] | None = None
    """Empty where there are none: that, too, has to be said. So with the two that follow."""
    processors: tuple[Processor, ...] | None = None
    transfers: tuple[Transfer, ...] | None = None
    copyright: Name | None = None
    """Who may use what stands on the pages, such as a type of the Korea Open Government License."""

    def missing(self) -> list[str]:
        """List what a real stage has to say and this one does not."""
        needed = type(self).model_fields.keys() - {"access_desk", "copyright"}
        return [key for key in type(self).model_fields if key in needed and getattr(self, key) is None]
