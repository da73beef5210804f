"""How much one citizen and one network may do, and the small work a new citizen's browser may have to show first.

Counted by `limits` in the arena's own database, so that every process sees the same counts. An address is never kept: its network
prefix is, as a digest under a key that is deleted two days later.
"""

import base64
import binascii
import hashlib
import ipaddress
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import altcha
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from arena.domain import stage
from arena.domain.citizen import keyed_digest
from arena.domain.errors import Forbidden, TooMany, Unavailable
from arena.record.ephemera import Ephemera

Act = Literal["session", "battle", "turn", "vote", "login"]

ALGORITHM = "PBKDF2/SHA-256"
CHALLENGE_LASTS = timedelta(minutes=10)
PROOF_CHARS = 4000

_WAIT: dict[Act, tuple[str, str]] = {
    "session": (
        "이 네트워크에서 새로 참여하는 분이 너무 많아요. 잠시 뒤 다시 시도해 주세요.",
        "Too many new participants are coming from this network. Please try again a little later.",
    ),
    "battle": (
        "대결을 많이 하셨네요. 고맙습니다! 잠시 쉬었다가 다시 시작해 주세요.",
        "You have started many battles, thank you! Please take a short break and come back.",
    ),
    "turn": (
        "질문이 조금 빨라요. 잠시 뒤 다시 보내 주세요.",
        "Questions are coming a little fast. Please send it again in a moment.",
    ),
    "vote": (
        "투표를 많이 하셨네요. 고맙습니다! 잠시 뒤 다시 투표해 주세요.",
        "You have cast many votes, thank you! Please vote again in a moment.",
    ),
    "login": (
        "이 네트워크에서 로그인을 너무 많이 시도했습니다. 잠시 뒤 다시 시도해 주세요.",
        "Too many logins were tried from this network. Please wait and try again.",
    ),
}


class Limits:
    """The stage's bounds on acts, shared by every process."""

    def __init__(
        self,
        declared: stage.Limits,
        ephemera: Ephemera,
        *,
        secret: bytes,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`secret` signs the challenges."""
        self._declared = declared
        self._ephemera = ephemera
        self._clock = clock
        self._secret = hashlib.sha256(b"proof-of-work\x00" + secret).digest()
        self._storage = _Counted(ephemera, clock)
        self._limiter = FixedWindowRateLimiter(self._storage)
        d, factor = declared, declared.network_factor
        self._of_citizen: dict[Act, tuple[RateLimitItem, ...]] = {
            "session": (),
            "battle": (RateLimitItemPerHour(d.battles_per_hour), RateLimitItemPerDay(d.battles_per_day)),
            "turn": (RateLimitItemPerMinute(d.turns_per_minute), RateLimitItemPerDay(d.turns_per_day)),
            "vote": (RateLimitItemPerHour(d.votes_per_hour), RateLimitItemPerDay(d.votes_per_day)),
            "login": (),
        }
        self._of_network: dict[Act, tuple[RateLimitItem, ...]] = {
            "session": (RateLimitItemPerHour(d.sessions_per_hour),),
            "battle": (RateLimitItemPerHour(d.battles_per_hour * factor),),
            "turn": (RateLimitItemPerMinute(d.turns_per_minute * factor),),
            "vote": (RateLimitItemPerHour(d.votes_per_hour * factor),),
            "login": (RateLimitItemPerHour(d.organizer_logins_per_hour),),
        }

    def admit(self, act: Act, citizen_id: str | None, network: str) -> None:
        """Counts one act.

        Raises:
            TooMany: the citizen, or the network, has used up what it may; says when it may again.
        """
        bounds = [(item, "network", network) for item in self._of_network[act]]
        if citizen_id is not None:
            bounds = [*((item, "citizen", citizen_id) for item in self._of_citizen[act]), *bounds]
        for item, kind, who in bounds:
            if not self._limiter.hit(item, act, kind, who):
                wait = self._limiter.get_window_stats(item, act, kind, who).reset_time - self._clock().timestamp()
                raise TooMany("too_many", *_WAIT[act], retry_after_s=max(1.0, wait))

    def enter(self, act: Act, citizen_id: str | None, address: str) -> str:
        """Counts one act from this address; returns today's digest of its network.

        Raises:
            TooMany: as `admit`.
        """
        network = self.network(address)
        self.admit(act, citizen_id, network)
        return network

    def welcome(self, address: str, proof: str | None) -> None:
        """Lets a new citizen in, with a proof of work where one is due.

        Raises:
            TooMany: as `admit`.
            Forbidden: as `redeem`.
        """
        network = self.network(address)
        if self.proof_needed(network):
            self.redeem(proof)
        self.admit("session", None, network)

    def network(self, address: str) -> str:
        """Today's digest of the address's network prefix (/24, or /56); the address itself is kept nowhere."""
        return keyed_digest(self._ephemera.network_key(self._clock()), "network", prefix_of(address))[:32]

    def proof_needed(self, network: str) -> bool:
        """Whether a new citizen from there has to show a proof of work now."""
        match self._declared.proof:
            case "always":
                return True
            case "never":
                return False
            case "pressure":
                item = self._of_network["session"][0]
                return self._storage.get(item.key_for("session", "network", network)) >= self._declared.proof_after

    def challenge(self) -> dict[str, Any]:
        """A new ALTCHA challenge (version 2) for a browser to solve."""
        made = altcha.create_challenge(
            ALGORITHM,
            self._declared.proof_cost,
            key_prefix="00",
            expires_at=int((self._clock() + CHALLENGE_LASTS).timestamp()),
            hmac_secret=self._secret,
        )
        return made.to_dict()

    def redeem(self, proof: str | None) -> None:
        """Takes a solved challenge, once: base64 of ALTCHA's `{challenge, solution}`.

        Raises:
            Forbidden: missing, wrong, expired or used before; ask for a new challenge.
        """
        solved = _parsed(proof)
        if solved is None:
            raise _proof_needed()
        result = altcha.verify_solution(solved, hmac_secret=self._secret)
        expires = solved.challenge.parameters.expires_at
        if not result.verified or expires is None or expires <= self._clock().timestamp():
            raise _proof_needed()
        if not self._ephemera.spend(str(solved.challenge.signature), datetime.fromtimestamp(expires, UTC)):
            raise _proof_needed()


def prefix_of(address: str) -> str:
    """The network an address belongs to, coarse enough to be nobody's own: /24 for IPv4, /56 for IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 56), strict=False))


class _Counted(Storage):
    """The `limits` library's storage in the arena's database."""

    STORAGE_SCHEME = None

    def __init__(self, ephemera: Ephemera, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._ephemera = ephemera
        self._clock = clock

    @property
    def base_exceptions(self) -> type[Exception]:
        return Unavailable

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return self._ephemera.count(key, amount, timedelta(seconds=expiry), self._clock())

    def get(self, key: str) -> int:
        return self._ephemera.counted(key, self._clock())[0]

    def get_expiry(self, key: str) -> float:
        return self._ephemera.counted(key, self._clock())[1].timestamp()

    def check(self) -> bool:
        return True

    def reset(self) -> None:
        self._ephemera.forget(None)

    def clear(self, key: str) -> None:
        self._ephemera.forget(key)


def _parsed(proof: str | None) -> altcha.Payload | None:
    if not proof or len(proof) > PROOF_CHARS:
        return None
    try:
        read = json.loads(base64.b64decode(proof, validate=True))
        return altcha.Payload.from_dict(read)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        return None


def _proof_needed() -> Forbidden:
    return Forbidden(
        "proof_needed",
        "사람이 쓰는 브라우저인지 잠깐 확인할게요. 확인이 끝나면 저절로 이어집니다.",
        "Your browser has to show a small proof of work first: solve GET /api/v1/challenge and send it as `proof`.",
    )
