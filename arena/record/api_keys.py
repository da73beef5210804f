"""Keys for machines: shown once, kept as a digest, bound to a stage and to scopes, revocable."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import insert, select, update

from arena.domain.errors import NotFound, Unusable
from arena.record.database import Database
from arena.record.tables import api_keys

Scope = Literal["export", "votes", "metrics", "audit"]
"""`export`: the document, the scores and the public keys. `votes`: the evidence too, which has a row for each vote. `metrics`: entrants' figures.
`audit`: what each voter said of themselves, for whoever makes the weights again; it opens nothing else."""
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
        unknown = [scope for scope in scopes if scope not in get_args(Scope)]
        if unknown or not scopes:
            raise Unusable("unknown_scope", known=get_args(Scope))
        key = PREFIX + secrets.token_urlsafe(32)
        made = ApiKey(secrets.token_hex(6), name, stage_id, tuple(sorted(set(scopes))), now, None, None)  # type: ignore[arg-type]
        with self._database.writing() as connection:
            connection.execute(
                insert(api_keys).values(
                    id=made.id,
                    digest=_digest(key),
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
            row = connection.execute(select(api_keys).where(api_keys.c.digest == _digest(key))).one_or_none()
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
        """
        with self._database.writing() as connection:
            changed = connection.execute(
                update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
            )
            if changed.rowcount != 1:
                raise NotFound("api_key_not_found", id=key_id)

    def all(self) -> list[ApiKey]:
        """Every key, oldest first."""
        with self._database.reading() as connection:
            return [_key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.created_at))]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _key(row: object) -> ApiKey:
    values = {name: getattr(row, name) for name in ApiKey.__dataclass_fields__}
    return ApiKey(**{**values, "scopes": tuple(values["scopes"])})
