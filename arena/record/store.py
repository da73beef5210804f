"""The one place everything is kept: SQLite by default, PostgreSQL in production."""

from arena.record.annotations import KeptAnnotations
from arena.record.api_keys import ApiKeys
from arena.record.battles import Battles
from arena.record.citizens import Citizens
from arena.record.cosignatures import Cosignatures
from arena.record.counters import Counters
from arena.record.database import Database
from arena.record.draws import Draws
from arena.record.erasure import Erasure
from arena.record.events import Events
from arena.record.evidence_keys import EvidenceKeys
from arena.record.finals import Finals
from arena.record.organizers import Organizers
from arena.record.outages import Outages
from arena.record.outbox import Outbox
from arena.record.persons import Persons
from arena.record.processes import Processes
from arena.record.reviews import Reviews
from arena.record.stages import Stages
from arena.record.strata import Strata
from arena.record.timestamps import Timestamps
from arena.record.vote_columns import VoteColumnsOf
from arena.record.votes import Votes


class Store:
    """The record, noun by noun. Every call is one transaction and may be made from any thread."""

    def __init__(self, url: str) -> None:
        """Open and migrate the database at SQLAlchemy's `url`."""
        self.database = Database(url)
        self.database.migrate()
        self.lane = Database(url, lane_beside=self.database)
        self.stages = Stages(self.database)
        self.citizens = Citizens(self.database)
        self.persons = Persons(self.database)
        self.battles = Battles(self.database)
        self.draws = Draws(self.database)
        self.processes = Processes(self.database)
        self.votes = Votes(self.database, self.lane)
        self.voters = Citizens(self.lane)
        """The citizens as a vote asks for them: behind nobody who reads or writes anything else."""
        self.vote_columns = VoteColumnsOf(self.database)
        self.cosignatures = Cosignatures(self.database)
        self.timestamps = Timestamps(self.database)
        self.events = Events(self.database)
        self.outages = Outages(self.events)
        self.organizers = Organizers(self.database)
        self.strata = Strata(self.database)
        self.annotations = KeptAnnotations(self.database)
        self.reviews = Reviews(self.database)
        self.finals = Finals(self.database)
        self.api_keys = ApiKeys(self.database)
        self.evidence_keys = EvidenceKeys(self.database, self.events)
        self.outbox = Outbox(self.database)
        self.erasure = Erasure(self.database)
        self.counters = Counters(self.database)

    def ping(self) -> None:
        """Raise Unavailable unless a vote's transaction can begin."""
        with self.lane.writing():
            pass

    def close(self) -> None:
        """Give every connection back."""
        self.lane.close()
        self.database.close()
