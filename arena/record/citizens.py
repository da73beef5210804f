"""Citizens and what they agreed to, each consent with its version and its time."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from arena.domain.citizen import Citizen
from arena.domain.stage import STRATA_CONSENT
from arena.record.counters import Admission, require
from arena.record.database import Database
from arena.record.tables import citizens, consents, identities, strata


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
        """Keeps a citizen and the answers to the consents, `{consent id: (version, granted)}`: each change with its time, none overwritten.

        Who no longer agrees to speak about themselves has said nothing: their strata go in the same transaction.

        Raises:
            TooMany, Forbidden: as `counters.require`, for a citizen who comes with an admission; nothing was kept.
        """
        with self._database.writing() as connection:
            require(connection, admission)
            known = connection.execute(select(citizens.c.id).where(citizens.c.id == citizen.id)).one_or_none()
            if known is None:
                connection.execute(
                    insert(citizens).values(id=citizen.id, identity_level=citizen.identity_level, created_at=now)
                )
            last = answered(connection, citizen.id)
            new = [
                {"citizen_id": citizen.id, "consent_id": consent, "version": version, "granted": yes, "at": now}
                for consent, (version, yes) in granted.items()
                if last.get(consent) != (version, yes)
            ]
            if new:
                connection.execute(insert(consents), new)
            _, about_oneself = granted.get(STRATA_CONSENT, (0, True))
            if not about_oneself:
                connection.execute(delete(strata).where(strata.c.citizen_id == citizen.id))

    def consents(self, citizen_id: str) -> dict[str, int]:
        """What this citizen has agreed to and not taken back: `{consent id: version}`."""
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

    def has_withdrawn(self, citizen_id: str) -> bool:
        """Whether this pseudonym has taken everything back: it is never used again."""
        with self._database.reading() as connection:
            withdrawn = select(citizens.c.withdrawn_at).where(citizens.c.id == citizen_id)
            return connection.execute(withdrawn).scalar_one_or_none() is not None

    def subject_of(self, digest: str, new: str, now: datetime) -> str:
        """The random subject behind an identity's keyed digest; `new` becomes it at the first login, and after a withdrawal."""
        with self._database.writing() as connection:
            found = connection.execute(
                select(identities.c.subject).where(identities.c.digest == digest)
            ).scalar_one_or_none()
            if found is None:
                connection.execute(insert(identities).values(digest=digest, subject=new, created_at=now))
            return found or new


def answered(connection: Connection, citizen_id: str) -> dict[str, tuple[int, bool]]:
    """The last answer to each consent: `{consent id: (version, granted)}`."""
    rows = connection.execute(
        select(consents.c.consent_id, consents.c.version, consents.c.granted)
        .where(consents.c.citizen_id == citizen_id)
        .order_by(consents.c.seq)
    )
    return {row.consent_id: (row.version, row.granted) for row in rows}


def agreed(connection: Connection, citizen_id: str) -> dict[str, int]:
    """What this citizen has agreed to and not taken back: `{consent id: version}`."""
    return {consent: version for consent, (version, granted) in answered(connection, citizen_id).items() if granted}
