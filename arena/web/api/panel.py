"""Where a panel's members come in: by the code of their invitation, which the stage file seals, and nobody else."""

from arena.domain.errors import Forbidden
from arena.domain.invitation import code_digest
from arena.web.core.dependencies import Services
from arena.web.core.session import new_subject


async def take_seat(here: Services, subject: str, code: str | None) -> None:
    """Let the person who has logged in as this subject take the seat that this code stands for; one seat for each person, one person for each seat.

    Raises:
        Forbidden: there is no such seat, somebody else has it, or there is no code and no seat yet.
    """
    digest = _digest(here, code) if code else None
    await here.arena.run_in_db_thread(here.arena.store.persons.seat, here.arena.stage.id, digest, subject)


async def subject_by(here: Services, code: str | None) -> str:
    """Find the subject of whoever this code was given to: the code alone says who comes, in any browser.

    Raises:
        Forbidden: no code, a code that invites nobody, or its member has withdrawn.
    """
    if not code:
        raise Forbidden("invitation_needed")
    digest = _digest(here, code)
    return await here.arena.run_in_db_thread(
        here.arena.store.persons.subject_of, here.arena.stage.id, "invitation", digest, new_subject()
    )


def _digest(here: Services, code: str) -> str:
    listed = code_digest(code)
    if listed not in here.arena.stage.population.panel.members:
        raise Forbidden("invitation_unknown")
    return here.sessions.digest("invitation", listed)
