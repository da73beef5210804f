"""The one place everything is kept: SQLite by default, PostgreSQL in production."""

from arena.record.api_keys import ApiKeys
from arena.record.battles import Battles
from arena.record.citizens import Citizens
from arena.record.counters import Counters
from arena.record.database import Database
from arena.record.erasure import Erasure
from arena.record.events import Events
from arena.record.organizers import Organizers
from arena.record.outages import Outages
from arena.record.outbox import Outbox
from arena.record.sidecars import Sidecars
from arena.record.stages import Stages
from arena.record.strata import Strata
from arena.record.vote_columns import VoteColumnsOf
from arena.record.votes import Votes


class Store:
    """The record, noun by noun. Every call is one transaction and may be made from any thread."""

    def __init__(self, url: str) -> None:
        """Opens and migrates the database at SQLAlchemy's `url`."""
        self.database = Database(url)
        self.database.migrate()
        self.stages = Stages(self.database)
        self.citizens = Citizens(self.database)
        self.battles = Battles(self.database)
        self.votes = Votes(self.database)
        self.vote_columns = VoteColumnsOf(self.database)
        self.events = Events(self.database)
        self.outages = Outages(self.events)
        self.organizers = Organizers(self.database)
        self.strata = Strata(self.database)
        self.sidecars = Sidecars(self.database)
        self.api_keys = ApiKeys(self.database)
        self.outbox = Outbox(self.database)
        self.erasure = Erasure(self.database)
        self.counters = Counters(self.database)

    def ping(self) -> None:
        """Raises Unavailable unless a write transaction can begin."""
        with self.database.writing():
            pass

    def close(self) -> None:
        """Gives every connection back."""
        self.database.close()
