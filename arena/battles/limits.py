"""How much one citizen may do, and the small work that a browser has to show where much is done around it.

Nothing is counted here: an act takes an admission with it, and the transaction that does the act counts it (`record/counters.py`), so that
every process sees the same counts and a refused act is counted nowhere. What many do never refuses anybody: it asks for work (`domain/price.py`).
An address is never kept: its network prefixes are, as digests under a key that is deleted two days later.
"""

import base64
import binascii
import hashlib
import ipaddress
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import altcha

from arena.domain import limits as declared_limits
from arena.domain.citizen import keyed_digest
from arena.domain.price import Price
from arena.record.counters import Admission, Bound, Counters
from arena.record.pressure import Bucket, Proof, Work, proof_needed

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Act = Literal["battle", "turn", "vote", "change", "login"]
"""The acts that have bounds."""
Worked = Literal["session", "battle"]
"""The acts that may ask for work: what a citizen does with a battle that is open is never held up by others."""

ALGORITHM = "PBKDF2/SHA-256"
CHALLENGE_LASTS = timedelta(minutes=10)
PROOF_CHARS = 4000
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Limits:
    """The stage's bounds on acts, shared by every process."""

    def __init__(
        self,
        declared: declared_limits.Limits,
        counters: Counters,
        *,
        secret: bytes,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`secret` signs the challenges."""
        self._declared = declared
        self._counters = counters
        self._clock = clock
        self._price = Price(declared)
        self._secret = hashlib.sha256(b"proof-of-work\x00" + secret).digest()
        self._answer_secret = hashlib.sha256(b"proof-of-work answer\x00" + secret).digest()
        d = declared
        self._of_citizen: dict[Act | Worked, tuple[tuple[int, timedelta], ...]] = {
            "battle": ((d.battles_per_hour, HOUR), (d.battles_per_day, DAY)),
            "turn": ((d.turns_per_minute, MINUTE), (d.turns_per_day, DAY)),
            "vote": ((d.votes_per_hour, HOUR), (d.votes_per_day, DAY)),
            "change": ((d.changes_per_hour, HOUR),),
        }

    def admission(self, act: Act | Worked, citizen_id: str | None, address: str) -> Admission:
        """Say what one act of this citizen from this address counts against; the transaction that does the act counts it.

        Reads the database when a day begins; nothing is counted yet.
        """
        network, widest = self.network(address), self._digest(prefixes_of(address)[-1])
        of_citizen = self._of_citizen.get(act, ()) if citizen_id is not None else ()
        bounds = [_bound(act, "citizen", str(citizen_id), most, window) for most, window in of_citizen]
        if act == "login":
            bounds.append(_bound(act, "network", network, self._declared.organizer_logins_per_hour, HOUR))
        return Admission(tuple(bounds), self._clock(), network, act, widest_network=widest)

    def admit(self, act: Act, citizen_id: str | None, address: str) -> None:
        """Count an act that nothing else is kept of, such as a login.

        Raises:
            TooMany: the citizen, or for a login the network, has used up what it may; says when it may again.
        """
        self._counters.count(self.admission(act, citizen_id, address))

    def require_room(self, act: Act, address: str) -> None:
        """Refuse an act of nobody in particular where `admit` would, and count nothing: what counts is known afterwards, such as a wrong password.

        Raises:
            TooMany: as `admit`.
        """
        self._counters.require_room(self.admission(act, None, address))

    def welcome(self, address: str, proof: str | None) -> Admission:
        """Give what lets a new citizen in, with a proof of work where one is due: base64 of ALTCHA's `{challenge, solution}`.

        Raises:
            Forbidden: no proof where one is due, or one that does not hold: ask for a new challenge. Of a used one, and of one for too low a
                price, the transaction that does the act says the same.
        """
        return self._worked("session", None, address, proof)

    def battle(self, citizen_id: str, address: str, proof: str | None) -> Admission:
        """Give what opens a battle for this citizen, with a proof of work where one is due.

        Raises:
            Forbidden: as `welcome`.
        """
        return self._worked("battle", citizen_id, address, proof)

    def network(self, address: str) -> str:
        """Today's digest of the address's network prefix (/24, or /56); the address itself is kept nowhere."""
        return self._digest(prefixes_of(address)[0])

    def challenge(self, act: Worked, citizen_id: str | None, address: str) -> dict[str, Any] | None:
        """Make a new ALTCHA challenge (version 2) for a browser to solve before this act, at today's price; nothing where no work is due."""
        work = self.work(act, citizen_id, address)
        now = self._clock()
        tries = work.due(self._counters.piled(work.buckets, now))
        if not tries:
            return None
        made = altcha.create_challenge(
            ALGORITHM,
            self._declared.proof_cost,
            # Drawn evenly and not left to chance: nobody waits for longer than twice the price.
            counter=secrets.randbelow(2 * tries),
            expires_at=int((now + CHALLENGE_LASTS).timestamp()),
            data={"for": self._holder(act, citizen_id), "tries": tries},
            hmac_secret=self._secret,
            hmac_key_secret=self._answer_secret,
        )
        return made.to_dict()

    def _worked(self, act: Worked, citizen_id: str | None, address: str, proof: str | None) -> Admission:
        shown = None if proof is None else self._checked(proof, self._holder(act, citizen_id))
        work = self.work(act, citizen_id, address, shown)
        # Asked again by the transaction that does the act: here it costs whoever comes without work nothing but a look.
        work.require(self._counters.piled(work.buckets, self._clock()))
        return replace(self.admission(act, citizen_id, address), work=work)

    def work(self, act: Worked, citizen_id: str | None, address: str, proof: Proof | None = None) -> Work:
        """Say what the act piles up: in its citizen's bucket, in those of every network around the address, and in the arena's."""
        d, price = self._declared, self._price
        a_network = HOUR / d.network_acts_per_hour
        most = price.most_of_network * a_network
        wider = {16: d.networks_in_ipv4_16, 48: d.networks_in_ipv6_48, 32: d.networks_in_ipv6_32}
        around = {
            f"work/network/{self._digest(p)}": wider.get(p.prefixlen if p else 0, 1) for p in prefixes_of(address)
        }
        around["work/arena"] = d.networks_in_arena
        buckets = [Bucket(key, a_network / worth, most, worth) for key, worth in around.items()]
        if act == "battle":
            its_act = HOUR / d.citizen_acts_per_hour
            buckets.append(Bucket(f"work/citizen/{citizen_id}", its_act, price.most_of_citizen * its_act))
        return Work(tuple(buckets), price, proof)

    def _holder(self, act: Worked, citizen_id: str | None) -> str:
        """For whom a challenge is made, a new citizen or this one: no pseudonym is told, not even its own citizen."""
        return keyed_digest(self._secret, act, (citizen_id or "") if act == "battle" else "")[:32]

    def _digest(self, prefix: Network | None) -> str:
        return keyed_digest(self._counters.network_key(self._clock()), "network", str(prefix or "unknown"))[:32]

    def _checked(self, proof: str, holder: str) -> Proof:
        """Check a solved challenge of this holder: costs two digests, however much work it stands for."""
        solved = _parsed(proof)
        if solved is None:
            raise proof_needed()
        result = altcha.verify_solution(solved, hmac_secret=self._secret, hmac_key_secret=self._answer_secret)
        expires, said = solved.challenge.parameters.expires_at, solved.challenge.parameters.data or {}
        if not result.verified or expires is None or expires <= self._clock().timestamp() or said["for"] != holder:
            raise proof_needed()
        return Proof(str(solved.challenge.signature), said["tries"], datetime.fromtimestamp(expires, UTC))


def prefixes_of(address: str) -> tuple[Network | None, ...]:
    """Find the networks an address belongs to, the narrowest first and coarse enough to be nobody's own: /24 and /16, or /56, /48 and /32."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return (None,)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    lengths = (24, 16) if parsed.version == 4 else (56, 48, 32)
    return tuple(ipaddress.ip_network((parsed, length), strict=False) for length in lengths)


def _bound(act: Act | Worked, kind: str, who: str, most: int, window: timedelta) -> Bound:
    return Bound(f"{act}/{kind}/{who}/{int(window.total_seconds())}", most, window)


def _parsed(proof: str | None) -> altcha.Payload | None:
    if not proof or len(proof) > PROOF_CHARS:
        return None
    try:
        read = json.loads(base64.b64decode(proof, validate=True))
        return altcha.Payload.from_dict(read)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        return None
