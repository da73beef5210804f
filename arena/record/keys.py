"""The arena's keys: ES256 pairs that sign, and secrets for pseudonyms and cookies. One file only its owner can read, or the environment."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from arena.domain.errors import ArenaError
from arena.record.private_files import FILE as MODE
from arena.record.private_files import make_folder, open_to_others

FILE = "keys.json"
VARIABLE = "ARENA_KEYS"
KEPT_COOKIE_SECRETS = 2
_ES256 = ECDSA(SHA256())
_ORDER = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551
"""Of P-256 (FIPS 186-4, D.1.2.3): with (r, s) also (r, order - s) is a signature."""


class KeysError(ArenaError):
    """The keys cannot be used as they stand; for organizers."""


@dataclass(frozen=True, slots=True)
class _Bundle:
    """What is kept: private keys and secrets, the newest first; of retired signing keys only the public half."""

    signing: dict[str, Any]
    retired: tuple[dict[str, Any], ...]
    secret: str
    cookie_secrets: tuple[str, ...]

    @classmethod
    def new(cls) -> Self:
        return cls(_new_pair(), (), _new_secret(), (_new_secret(),))

    def dumps(self) -> str:
        return json.dumps(
            {
                "signing": self.signing,
                "retired": list(self.retired),
                "secret": self.secret,
                "cookie_secrets": list(self.cookie_secrets),
            }
        )

    @classmethod
    def loads(cls, text: str) -> Self:
        read = json.loads(text)
        return cls(read["signing"], tuple(read["retired"]), read["secret"], tuple(read["cookie_secrets"]))


class Keys:
    """Signs for the arena, and holds its secrets."""

    def __init__(self, bundle: _Bundle, path: Path | None) -> None:
        """`path` is where they are kept; nothing when they came from the environment."""
        self._bundle = bundle
        self._path = path
        self._key = ECKey.import_key(bundle.signing)
        self.secret = _decoded(bundle.secret)
        """Keys pseudonyms, the ledger's digests and its seals. Never rotated: it is what makes a returning citizen the same one."""
        self.cookie_secrets = tuple(_decoded(s) for s in bundle.cookie_secrets)
        """The newest signs; all of them are accepted."""

    @classmethod
    def open(cls, data_dir: Path, env: Mapping[str, str] = os.environ) -> Self:
        """Open the keys in ARENA_KEYS, else in `keys.json` in the data directory, made (mode 0600) when there are none.

        Raises:
            KeysError: they cannot be read, or others may read them.
        """
        if given := env.get(VARIABLE):
            return cls(_parsed(given, VARIABLE), None)
        path = data_dir / FILE
        if not path.exists():
            make_folder(data_dir)
            _create(path, _Bundle.new().dumps())
        if open_to_others([path]):
            raise KeysError("keys_readable", path=str(path))
        return cls(_parsed(path.read_text("utf-8"), str(path)), path)

    @property
    def kid(self) -> str:
        """The signing key's name: its RFC 7638 thumbprint."""
        return self._key.thumbprint()

    def sign(self, payload: bytes) -> str:
        """Make a detached JWS (RFC 7515 appendix F, ES256) over these bytes: `header..signature`."""
        return detached_jws(self._key, payload)

    def sign_whole(self, payload: bytes) -> str:
        """Make a compact JWS (RFC 7515, ES256) of these bytes, which stand in it: `header.payload.signature`."""
        return _whole_jws(self._key, payload)

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as a JWK Set (RFC 7517): the one that signs, and every retired one, so that old signatures still verify."""
        return {"keys": [_public(self._key), *self._bundle.retired]}

    def rotate_signing(self) -> "Keys":
        """Sign with a new pair from now on; the old private key is destroyed, its public half stays in the JWK Set."""
        b = self._bundle
        return self._replaced(_Bundle(_new_pair(), (_public(self._key), *b.retired), b.secret, b.cookie_secrets))

    def rotate_cookies(self) -> "Keys":
        """Sign cookies with a new secret; those of the previous secret are accepted until the next rotation."""
        b = self._bundle
        kept = (_new_secret(), *b.cookie_secrets)[:KEPT_COOKIE_SECRETS]
        return self._replaced(_Bundle(b.signing, b.retired, b.secret, kept))

    def exported(self) -> str:
        """Everything, private keys too, as one line for ARENA_KEYS."""
        return self._bundle.dumps()

    def _replaced(self, bundle: _Bundle) -> "Keys":
        if self._path is None:
            return Keys(bundle, None)
        aside = self._path.with_name(f".{FILE}.{secrets.token_hex(4)}")
        _write(aside, bundle.dumps())
        aside.replace(self._path)
        return Keys(bundle, self._path)


def detached_jws(key: ECKey, payload: bytes) -> str:
    """Sign these bytes with this P-256 key: a detached JWS (ES256), `header..signature`."""
    header, _, signature = _whole_jws(key, payload).split(".")
    return f"{header}..{signature}"


def _whole_jws(key: ECKey, payload: bytes) -> str:
    """Of the two signatures that mean the same, s and n - s, the smaller one is given: the only one that verifies here."""
    assert key.private_key is not None  # noqa: S101 - what signs is a pair
    # By hand: every vote waits for one, and joserfc takes half as long again.
    header = json.dumps({"alg": "ES256", "kid": key.thumbprint()}, separators=(",", ":"))
    body = f"{_base64url(header.encode())}.{_base64url(payload)}"
    r, s = decode_dss_signature(key.private_key.sign(body.encode(), _ES256))
    return f"{body}.{_base64url(r.to_bytes(32) + min(s, _ORDER - s).to_bytes(32))}"


def verify_jws(payload: bytes, detached: str, jwks: Mapping[str, Any]) -> bool:
    """Tell whether this detached JWS is an ES256 signature over these bytes by one of these public keys."""
    header, _, rest = detached.partition(".")
    if not header or not rest.startswith("."):
        return False  # not detached: it would be checked against its own content, not against ours
    return _verified(detached, payload, jwks) is not None


def read_jws(whole: str, jwks: Mapping[str, Any]) -> bytes | None:
    """Give what a compact JWS holds, once it is an ES256 signature by one of these public keys."""
    return _verified(whole, None, jwks)


def kid_of(signed: str) -> str:
    """Give the name of the key that a JWS says it is signed by; believe it once the signature was checked.

    Raises:
        ValueError: it is no JWS, or names none.
    """
    header = json.loads(_unbase64url(signed.partition(".")[0]))
    if not isinstance(header, dict) or not isinstance(header.get("kid"), str):
        raise ValueError("no key is named")
    return header["kid"]


def _verified(given: str, payload: bytes | None, jwks: Mapping[str, Any]) -> bytes | None:
    """Give the signed bytes. Of the two signatures that mean the same, s and n - s, and of the texts that stand for one, a single one is taken."""
    try:
        if not _is_canonical(given.rpartition(".")[2]):
            return None
        keys = KeySet.import_key_set({"keys": jwks["keys"]})
        return jws.deserialize_compact(given, keys, ["ES256"], payload=payload).payload
    except (JoseError, ValueError, KeyError, TypeError):
        return None


def _is_canonical(signature: str) -> bool:
    raw = _unbase64url(signature)
    return len(raw) == 64 and _base64url(raw) == signature and int.from_bytes(raw[32:]) <= _ORDER // 2


def _base64url(raw: bytes) -> str:
    """Base64url without padding, as JOSE writes it."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def coordinate(given: str) -> str:
    """Write a coordinate of a public key, 64 hex characters, as a JWK has it."""
    return _base64url(bytes.fromhex(given))


def coordinate_of(written: str) -> str:
    """Read a coordinate as a JWK has it; 64 hex characters."""
    return _unbase64url(written).hex()


def _public(key: ECKey) -> dict[str, Any]:
    return dict(key.as_dict(private=False, kid=key.thumbprint(), alg="ES256", use="sig"))


def _new_pair() -> dict[str, Any]:
    return dict(ECKey.generate_key("P-256", private=True).as_dict(private=True))


def _new_secret() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text)


def _parsed(text: str, where: str) -> _Bundle:
    try:
        bundle = _Bundle.loads(text)
        if len(_decoded(bundle.secret)) < 32 or not bundle.cookie_secrets:
            raise ValueError("a secret is too short or missing")
        ECKey.import_key(bundle.signing)
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise KeysError("keys_unusable", where=where, problem=str(error)) from None
    return bundle


def _create(path: Path, text: str) -> None:
    """Two processes that start together agree on one file: the link is made by whoever comes first."""
    aside = path.with_name(f".{FILE}.{secrets.token_hex(4)}")
    _write(aside, text)
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        pass
    finally:
        aside.unlink()


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
