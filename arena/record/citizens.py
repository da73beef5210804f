"""Citizens and what they agreed to, each consent with its version and its time."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import insert, select

from arena.domain.citizen import Citizen
from arena.record.database import Database
from arena.record.tables import citizens, consents


class Citizens:
    """Pseudonyms and their consents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enrol(self, citizen: Citizen, granted: Mapping[str, tuple[int, bool]], now: datetime) -> None:
        """Keeps a citizen and the answer given to each consent: `{consent id: (version, granted)}`. Append-only."""
        with self._database.writing() as connection:
            known = connection.execute(select(citizens.c.id).where(citizens.c.id == citizen.id)).one_or_none()
            if known is None:
                connection.execute(
                    insert(citizens).values(id=citizen.id, identity_level=citizen.identity_level, created_at=now)
                )
            answered = {
                (row.consent_id, row.version)
                for row in connection.execute(select(consents).where(consents.c.citizen_id == citizen.id))
            }
            new = [
                {"citizen_id": citizen.id, "consent_id": consent, "version": version, "granted": yes, "at": now}
                for consent, (version, yes) in granted.items()
                if (consent, version) not in answered
            ]
            if new:
                connection.execute(insert(consents), new)

    def consents(self, citizen_id: str) -> dict[str, int]:
        """The newest version of each consent this citizen has granted: `{consent id: version}`."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(consents.c.consent_id, consents.c.version, consents.c.granted)
                .where(consents.c.citizen_id == citizen_id)
                .order_by(consents.c.version)
            ).all()
        newest = {row.consent_id: row for row in rows}
        return {consent: row.version for consent, row in newest.items() if row.granted}
