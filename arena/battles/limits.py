"""How much one citizen and one network may do, and the small work a new citizen's browser may have to show first.

Nothing is counted here: an act takes an admission with it, and the transaction that does the act counts it (`record/counters.py`), so that
every process sees the same counts and a refused act is counted nowhere. An address is never kept: its network prefix is, as a digest
under a key that is deleted two days later.
"""

import base64
import binascii
import hashlib
import ipaddress
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import altcha

from arena.domain import stage
from arena.domain.citizen import keyed_digest
from arena.record.counters import Admission, Bound, Counters, proof_needed

Act = Literal["session", "battle", "turn", "vote", "login"]

ALGORITHM = "PBKDF2/SHA-256"
CHALLENGE_LASTS = timedelta(minutes=10)
PROOF_CHARS = 4000
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

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
        counters: Counters,
        *,
        secret: bytes,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`secret` signs the challenges."""
        self._declared = declared
        self._counters = counters
        self._clock = clock
        self._secret = hashlib.sha256(b"proof-of-work\x00" + secret).digest()
        d, factor = declared, declared.network_factor
        self._of_citizen: dict[Act, tuple[tuple[int, timedelta], ...]] = {
            "session": (),
            "battle": ((d.battles_per_hour, HOUR), (d.battles_per_day, DAY)),
            "turn": ((d.turns_per_minute, MINUTE), (d.turns_per_day, DAY)),
            "vote": ((d.votes_per_hour, HOUR), (d.votes_per_day, DAY)),
            "login": (),
        }
        self._of_network: dict[Act, tuple[int, timedelta]] = {
            "session": (d.sessions_per_hour, HOUR),
            "battle": (d.battles_per_hour * factor, HOUR),
            "turn": (d.turns_per_minute * factor, MINUTE),
            "vote": (d.votes_per_hour * factor, HOUR),
            "login": (d.organizer_logins_per_hour, HOUR),
        }

    def admission(self, act: Act, citizen_id: str | None, address: str) -> Admission:
        """What one act of this citizen from this address counts against; the transaction that does the act counts it.

        Reads the database when a day begins; nothing is counted yet.
        """
        network = self.network(address)
        of_citizen = self._of_citizen[act] if citizen_id is not None else ()
        bounds = tuple(_bound(act, "citizen", str(citizen_id), most, window) for most, window in of_citizen)
        of_network = _bound(act, "network", network, *self._of_network[act])
        return Admission((*bounds, of_network), self._clock(), network, *_WAIT[act])

    def admit(self, act: Act, citizen_id: str | None, address: str) -> None:
        """Counts an act that nothing else is kept of, such as a login.

        Raises:
            TooMany: the citizen, or the network, has used up what it may; says when it may again.
        """
        self._counters.count(self.admission(act, citizen_id, address))

    def welcome(self, address: str, proof: str | None) -> Admission:
        """What lets a new citizen in, with a proof of work where one is due: base64 of ALTCHA's `{challenge, solution}`.

        Raises:
            Forbidden: no proof, a wrong or an expired one; the transaction that keeps the citizen raises it for a used one. Ask for a new challenge.
        """
        admission = self.admission("session", None, address)
        return replace(admission, proof=self._checked(proof)) if self._proof_due(admission) else admission

    def network(self, address: str) -> str:
        """Today's digest of the address's network prefix (/24, or /56); the address itself is kept nowhere."""
        return keyed_digest(self._counters.network_key(self._clock()), "network", prefix_of(address))[:32]

    def _proof_due(self, admission: Admission) -> bool:
        """Whether a new citizen from there has to show a proof of work now."""
        match self._declared.proof:
            case "always":
                return True
            case "never":
                return False
            case "pressure":
                (bound,) = admission.bounds
                return self._counters.held(bound.key, admission.at) >= self._declared.proof_after

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

    def _checked(self, proof: str | None) -> tuple[str, datetime]:
        """A solved challenge: its name, under which it is used up once, and when it expires."""
        solved = _parsed(proof)
        if solved is None:
            raise proof_needed()
        result = altcha.verify_solution(solved, hmac_secret=self._secret)
        expires = solved.challenge.parameters.expires_at
        if not result.verified or expires is None or expires <= self._clock().timestamp():
            raise proof_needed()
        return str(solved.challenge.signature), datetime.fromtimestamp(expires, UTC)


def prefix_of(address: str) -> str:
    """The network an address belongs to, coarse enough to be nobody's own: /24 for IPv4, /56 for IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 56), strict=False))


def _bound(act: Act, kind: str, who: str, most: int, window: timedelta) -> Bound:
    return Bound(f"{act}/{kind}/{who}/{int(window.total_seconds())}", most, window)


def _parsed(proof: str | None) -> altcha.Payload | None:
    if not proof or len(proof) > PROOF_CHARS:
        return None
    try:
        read = json.loads(base64.b64decode(proof, validate=True))
        return altcha.Payload.from_dict(read)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        return None
