"""Keys for machines: shown once, kept as a digest, bound to a stage and to scopes, revocable."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from sqlalchemy import insert, select, update

from arena.domain.errors import Conflict, NotFound, Unusable
from arena.record.database import Database
from arena.record.tables import api_keys

Scope = Literal["export", "votes", "metrics", "audit", "evidence"]
"""`export`: the document, the scores and the public keys. `votes`: the evidence too, which has a row for each vote. `metrics`: entrants' figures.
`audit`: what each voter said of themselves, for whoever makes the weights again; it opens nothing else.
`evidence`: an entrant's own key, made when its stage opens; once the stage is published it opens every file of the export, and not what `audit` does."""
EVIDENCE: Final[Scope] = "evidence"
HANDED: Final = tuple(scope for scope in get_args(Scope) if scope != EVIDENCE)
"""The scopes that an organizer gives a key."""
PREFIX = "kai_"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; the key itself is known to its owner alone."""

    id: str
    name: str
    stage_id: str | None
    """None: for every stage."""
    scopes: tuple[Scope, ...]
    created_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None

    def allows(self, stage_id: str, scope: Scope) -> bool:
        """Tell whether this key opens this."""
        return self.revoked_at is None and self.stage_id in (None, stage_id) and scope in self.scopes


class ApiKeys:
    """The keys of aggregators and auditors."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def new(self, name: str, stage_id: str | None, scopes: Sequence[str], now: datetime) -> tuple[ApiKey, str]:
        """Make a key; the second value is the key itself, which is shown now and never again.

        Raises:
            Unusable: an unknown scope, or none.
        """
        unknown = [scope for scope in scopes if scope not in HANDED]
        if unknown or not scopes:
            raise Unusable("unknown_scope", known=HANDED)
        key = PREFIX + secrets.token_urlsafe(32)
        made = ApiKey(secrets.token_hex(6), name, stage_id, tuple(sorted(set(scopes))), now, None, None)  # type: ignore[arg-type]
        with self._database.writing() as connection:
            connection.execute(
                insert(api_keys).values(
                    id=made.id,
                    digest=digest(key),
                    name=name,
                    stage_id=stage_id,
                    scopes=list(made.scopes),
                    created_at=now,
                )
            )
        return made, key

    def find(self, key: str, now: datetime) -> ApiKey | None:
        """Whose key this is; nobody's when it is unknown. 256 random bits need no slow hash.

        The moment of use is kept to the hour, so that a poll is not a write.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.digest == digest(key))).one_or_none()
        if row is None:
            return None
        if row.used_at is None or (now - row.used_at).total_seconds() > 3600:
            with self._database.writing() as connection:
                connection.execute(update(api_keys).where(api_keys.c.id == row.id).values(used_at=now))
        return _key(row)

    def revoke(self, key_id: str, now: datetime) -> None:
        """End a key at once.

        Raises:
            NotFound: no such key, or revoked before.
            Conflict: it is an entrant's key to the evidence, which only another one can take the place of.
        """
        with self._database.writing() as connection:
            found = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
            if found is not None and EVIDENCE in found.scopes:
                raise Conflict("evidence_key_kept", id=key_id, entrant=found.name)
            changed = connection.execute(
                update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
            )
            if changed.rowcount != 1:
                raise NotFound("api_key_not_found", id=key_id)

    def all(self) -> list[ApiKey]:
        """Every key, oldest first."""
        with self._database.reading() as connection:
            return [_key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.created_at))]


def digest(key: str) -> str:
    """Compute what is kept of a key, and may be told of it."""
    return hashlib.sha256(key.encode()).hexdigest()


def _key(row: object) -> ApiKey:
    values = {name: getattr(row, name) for name in ApiKey.__dataclass_fields__}
    return ApiKey(**{**values, "scopes": tuple(values["scopes"])})
