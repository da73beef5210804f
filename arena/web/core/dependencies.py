"""What the routes stand on, and who asks: the dependencies that FastAPI hands to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request

from arena.battles.arena import Arena
from arena.battles.limits import Act, Limits, Worked
from arena.domain.citizen import Citizen
from arena.domain.errors import Unauthorized
from arena.record.citizens import Citizens
from arena.record.counters import Admission
from arena.results.live.access_log import LiveViews
from arena.results.live.leaderboard import Leaderboard
from arena.web.core.client_address import WatchedProxies, client_address
from arena.web.core.own_calls import OwnCalls
from arena.web.core.provenance import account
from arena.web.core.session import OrganizerSessions, Sessions
from arena.web.core.standing import StandingReader
from models.entrant_stats import Health


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes of a running arena stand on."""

    arena: Arena
    sessions: Sessions
    limits: Limits
    reads: OwnCalls
    refused: OwnCalls
    leaderboard: Leaderboard
    standing: StandingReader
    views: LiveViews
    organizers: OrganizerSessions
    health: Callable[[], Mapping[str, Health]]
    trusted_proxies: WatchedProxies

    def citizen(self, request: Request) -> Citizen | None:
        """Tell whose cookie a request carries, by the record as it is now: whoever has withdrawn is nobody from that moment on. Reads the record."""
        return self._present(request, self.arena.store.citizens)

    def voter(self, request: Request) -> Citizen | None:
        """Tell the same of a request that casts a vote, through the votes' own connections."""
        return self._present(request, self.arena.store.voters)

    def _present(self, request: Request, citizens: Citizens) -> Citizen | None:
        known = self.sessions.known(request)
        return None if known is None or citizens.has_withdrawn(known[0].id) else known[0]

    async def admission(self, request: Request, act: Act, citizen: Citizen) -> Admission:
        """Read what one act of this citizen counts against; the transaction that does the act counts it."""
        address = client_address(request, self.trusted_proxies)
        run = self.arena.run_in_vote_thread if act == "vote" else self.arena.run_in_db_thread
        return await run(self.limits.admission, act, citizen.id, address)

    async def welcome(self, request: Request, proof: str | None) -> Admission:
        """Let a new citizen in from where this request comes, with a proof of work where one is due.

        Raises:
            Forbidden: a proof is needed, or this one does not hold.
        """
        address = client_address(request, self.trusted_proxies)
        return await self.arena.run_in_db_thread(self.limits.welcome, address, proof)

    async def battle(self, request: Request, citizen: Citizen, proof: str | None) -> Admission:
        """Let this citizen open a battle, with a proof of work where one is due.

        Raises:
            Forbidden: as `welcome`.
        """
        address = client_address(request, self.trusted_proxies)
        return await self.arena.run_in_db_thread(self.limits.battle, citizen.id, address, proof)

    async def challenge(self, request: Request, act: Worked, citizen: Citizen | None) -> dict[str, Any] | None:
        """Give a proof of work to solve before this act, or nothing where none is due."""
        address, holder = client_address(request, self.trusted_proxies), citizen.id if citizen else None
        return await self.arena.run_in_db_thread(self.limits.challenge, act, holder, address)


class ArenaApp(FastAPI):
    """The application; its services stand from the moment when its lifespan has begun."""

    services: Services
    console_link: Callable[[], str]
    """Makes the path that lets its first visitor into the organizers' console, once and for a while."""


def services(request: Request) -> Services:
    """Give the services of the application that answers this request."""
    app: ArenaApp = request.app
    return app.services


Here = Annotated[Services, Depends(services)]


async def citizen_if_known(here: Here, request: Request) -> Citizen | None:
    """Give the citizen that the cookie stands for, unless they have withdrawn; what is refused of the call is counted for them."""
    return _noted(request, await here.arena.run_in_db_thread(here.citizen, request))


MaybeMe = Annotated[Citizen | None, Depends(citizen_if_known)]


def known_citizen(citizen: MaybeMe) -> Citizen:
    """Give the citizen that the cookie stands for.

    Raises:
        Unauthorized: there is none, or they have withdrawn.
    """
    if citizen is None:
        raise Unauthorized("session_needed")
    return citizen


async def voting_citizen(here: Here, request: Request) -> Citizen:
    """Give the citizen that the cookie stands for, by the votes' own threads and connections.

    Raises:
        Unauthorized: as `known_citizen`.
    """
    return known_citizen(_noted(request, await here.arena.run_in_vote_thread(here.voter, request)))


def _noted(request: Request, citizen: Citizen | None) -> Citizen | None:
    if citizen is not None:
        request.state.citizen_id = citizen.id
    return citizen


Me = Annotated[Citizen, Depends(known_citizen)]
Voter = Annotated[Citizen, Depends(voting_citizen)]


def reading_citizen(here: Here, request: Request, me: Me) -> Citizen:
    """Give the citizen that the cookie stands for, and count that they look at something, or stop it.

    Raises:
        Unauthorized: as `known_citizen`.
        TooMany: they have looked as often as they may.
    """
    here.reads.take(account(request.scope, me.id))
    return me


Reader = Annotated[Citizen, Depends(reading_citizen)]
