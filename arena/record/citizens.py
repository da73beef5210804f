"""Citizens and what they agreed to, each consent with its version and its time."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from arena.domain.citizen import Citizen
from arena.domain.errors import Unauthorized
from arena.domain.stage import STRATA_CONSENT
from arena.record.counters import Admission, require
from arena.record.database import Database
from arena.record.tables import citizens, consents, strata, votes


class Citizens:
    """Pseudonyms and their consents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enrol(
        self,
        citizen: Citizen,
        granted: Mapping[str, tuple[int, bool]],
        now: datetime,
        admission: Admission | None = None,
    ) -> None:
        """Keep a citizen and the answers to the consents, `{consent id: (version, granted)}`.

        Raises:
            TooMany, Forbidden: as `counters.require`, for a citizen who comes with an admission; nothing was kept.
            Unauthorized: this pseudonym has withdrawn.
        """
        with self._database.writing() as connection:
            require(connection, admission)
            # Somebody who agrees twice at once is one citizen: whoever comes second finds the first one's row.
            insert_ = sqlite.insert if self._database.is_sqlite else postgresql.insert
            row = insert_(citizens).values(id=citizen.id, identity_level=citizen.identity_level, created_at=now)
            connection.execute(row.on_conflict_do_nothing())
            _answer(connection, citizen.id, granted, now)

    def answer(
        self,
        citizen_id: str,
        granted: Mapping[str, tuple[int, bool]],
        now: datetime,
        admission: Admission | None = None,
    ) -> None:
        """Keep new answers of a citizen who has agreed before, `{consent id: (version, granted)}`. Counted by `admission`.

        Raises:
            Unauthorized: nobody has agreed under this pseudonym, or they have withdrawn.
            TooMany: as `counters.require`.
        """
        with self._database.writing() as connection:
            require(connection, admission)
            _answer(connection, citizen_id, granted, now)

    def consents(self, citizen_id: str) -> dict[str, int]:
        """Read what this citizen has agreed to and not taken back: `{consent id: version}`."""
        with self._database.reading() as connection:
            return agreed(connection, citizen_id)

    def agreeing(self, consent_id: str, version: int) -> frozenset[str]:
        """Everybody whose last answer to this version of a consent is yes."""
        last = (
            select(consents.c.citizen_id, func.max(consents.c.seq).label("seq"))
            .where(consents.c.consent_id == consent_id)
            .group_by(consents.c.citizen_id)
            .subquery()
        )
        chosen = (
            select(consents.c.citizen_id)
            .join(last, consents.c.seq == last.c.seq)
            .where(consents.c.version == version, consents.c.granted)
        )
        with self._database.reading() as connection:
            return frozenset(connection.execute(chosen).scalars())

    def last_taken_back(self, stage_id: str, consent_ids: Sequence[str]) -> int:
        """Find the number of the newest refusal of one of these consents by somebody who voted in this stage; 0 before there is any."""
        voters = select(votes.c.citizen_id).where(votes.c.stage_id == stage_id)
        refused = (consents.c.consent_id.in_(consent_ids), ~consents.c.granted, consents.c.citizen_id.in_(voters))
        with self._database.reading() as connection:
            return connection.execute(select(func.max(consents.c.seq)).where(*refused)).scalar_one() or 0

    def has_withdrawn(self, citizen_id: str) -> bool:
        """Tell whether this pseudonym has taken everything back: it is never used again."""
        with self._database.reading() as connection:
            withdrawn = select(citizens.c.withdrawn_at).where(citizens.c.id == citizen_id)
            return connection.execute(withdrawn).scalar_one_or_none() is not None


def require_present(connection: Connection, citizen_id: str) -> None:
    """Hold a citizen against withdrawing until the caller's transaction ends: what it writes is either there to be erased, or never written.

    Raises:
        Unauthorized: nobody has agreed under this pseudonym, or they have withdrawn.
    """
    chosen = select(citizens.c.withdrawn_at).where(citizens.c.id == citizen_id).with_for_update(read=True)
    row = connection.execute(chosen).one_or_none()
    if row is None or row.withdrawn_at is not None:
        raise Unauthorized("session_needed")


def _answer(connection: Connection, citizen_id: str, granted: Mapping[str, tuple[int, bool]], now: datetime) -> None:
    """Keep each change of an answer with its time, none overwritten, inside the caller's transaction.

    Who no longer agrees to speak about themselves has said nothing: their strata go in the same transaction.
    """
    require_present(connection, citizen_id)
    last = answered(connection, citizen_id)
    new = [
        {"citizen_id": citizen_id, "consent_id": consent, "version": version, "granted": yes, "at": now}
        for consent, (version, yes) in granted.items()
        if last.get(consent) != (version, yes)
    ]
    if new:
        connection.execute(insert(consents), new)
    _, about_oneself = granted.get(STRATA_CONSENT, (0, True))
    if not about_oneself:
        connection.execute(delete(strata).where(strata.c.citizen_id == citizen_id))


def answered(connection: Connection, citizen_id: str) -> dict[str, tuple[int, bool]]:
    """Read the last answer to each consent: `{consent id: (version, granted)}`."""
    rows = connection.execute(
        select(consents.c.consent_id, consents.c.version, consents.c.granted)
        .where(consents.c.citizen_id == citizen_id)
        .order_by(consents.c.seq)
    )
    return {row.consent_id: (row.version, row.granted) for row in rows}


def agreed(connection: Connection, citizen_id: str) -> dict[str, int]:
    """Read what this citizen has agreed to and not taken back: `{consent id: version}`."""
    return {consent: version for consent, (version, granted) in answered(connection, citizen_id).items() if granted}
