"""Every knob, read once: environment > `arena.toml` beside the data > default, each with where it came from."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from arena.domain.errors import StageError
from arena.domain.proxies import TrustedProxies
from arena.domain.redaction import redacted

ROOT = Path(__file__).resolve().parent.parent
FILE = "arena.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process needs to know before it can read its stage."""

    data_dir: Path = Path("var")
    """ARENA_DATA_DIR: the database (when it is SQLite), the keys, `arena.toml`."""
    database_url: str = ""
    """ARENA_DATABASE_URL: SQLAlchemy's; empty means SQLite in the data directory."""
    stage: Path = ROOT / "stages" / "demo.toml"
    """ARENA_STAGE: the stage file to serve."""
    host: str = "127.0.0.1"
    """ARENA_HOST: the address to listen on; a TLS proxy stands in front of anything but this machine."""
    port: int = 7860
    """PORT."""
    public_url: str = ""
    """ARENA_PUBLIC_URL: what citizens type, such as https://arena.example.kr; makes cookies Secure and fixes the allowed origin."""
    trusted_proxies: str = "0"
    """ARENA_TRUSTED_PROXIES: whose word about a client's address is believed: networks of proxies of ours, or how many stand in front."""
    webhooks: str = ""
    """ARENA_WEBHOOKS: where published scores are pushed to; several addresses with spaces between them."""
    tsa: str = ""
    """ARENA_TSA: the address of a time-stamping authority (RFC 3161), for the opening, daily and last checkpoints; none unless given."""
    oidc_issuer: str = ""
    """ARENA_OIDC_ISSUER: where citizens log in when the stage asks who they are (`identity = "oidc"`)."""
    oidc_client_id: str = ""
    """ARENA_OIDC_CLIENT_ID: what the provider calls this arena."""
    oidc_client_secret: str = ""
    """ARENA_OIDC_CLIENT_SECRET: what this arena proves itself with there."""
    oidc_level: str = "verified"
    """ARENA_OIDC_LEVEL: what a login there is worth, `email` or `verified`; stands on each vote."""
    log_level: str = "info"
    """ARENA_LOG_LEVEL."""

    @property
    def resolved_database_url(self) -> str:
        """The database's address, the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'arena.db'}"

    @property
    def webhook_urls(self) -> tuple[str, ...]:
        """The aggregators' addresses.

        Raises:
            StageError: one of them is no web address.
        """
        urls = tuple(self.webhooks.split())
        for url in urls:
            if not url.startswith(("https://", "http://")):
                raise StageError("webhook_address", variable=_variable("webhooks"), value=redacted(url))
        return urls

    @property
    def proxies(self) -> TrustedProxies:
        """The proxies in front.

        Raises:
            StageError: the setting is neither a number nor networks.
        """
        try:
            return TrustedProxies.parse(self.trusted_proxies)
        except ValueError:
            variable, value = _variable("trusted_proxies"), self.trusted_proxies
            raise StageError("trusted_proxies", variable=variable, value=value) from None

    def sources(self, environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """`(name, value, source)` of every knob, for the start-up log; secrets in addresses are stars."""
        file = _file(self.data_dir)
        rows = []
        for f in fields(self):
            source = _variable(f.name) if _variable(f.name) in environ else FILE if f.name in file else "default"
            value = str(getattr(self, f.name))
            if value and f.name.endswith("_secret"):
                value = "***"
            addresses = value.split(" ") if f.name == "webhooks" else [value]
            rows.append((f.name, " ".join(map(redacted, addresses)), source))
        return rows


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    Raises:
        StageError: a value cannot be used; the message names the key and the value.
    """
    kinds = get_type_hints(Settings)
    data_dir = Path(environ.get("ARENA_DATA_DIR", "var"))
    given: dict[str, Any] = dict(_file(data_dir))
    unknown = sorted(set(given) - set(kinds))
    if unknown:
        raise StageError("setting_unknown", file=str(data_dir / FILE), at=unknown[0], known=sorted(kinds))
    given |= {name: environ[_variable(name)] for name in kinds if environ.get(_variable(name))}
    values: dict[str, Any] = {}
    for name, value in given.items():
        try:
            values[name] = kinds[name](value)
        except (TypeError, ValueError):
            raise StageError(
                "setting_value", variable=_variable(name), value=repr(value), type=kinds[name].__name__
            ) from None
    return Settings(**{**values, "data_dir": data_dir})


def _file(data_dir: Path) -> dict[str, Any]:
    path = data_dir / FILE
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise StageError("setting_file", file=str(path), problem=str(error)) from None


def _variable(name: str) -> str:
    return "PORT" if name == "port" else f"ARENA_{name.upper()}"
