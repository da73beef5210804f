"""What a stage file may say about where an entrant's model runs: nothing about how it answers, which is the same for all."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    StrictBool,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from models.endpoint.openai_compatible import EndSign
from models.errors import RosterError
from models.local.client import Checkpoint
from models.published import harmless_header, is_secret, is_variable, secret_parameter
from models.scripted import Failure, ScriptedModel

Seconds = Annotated[float, Field(ge=0)]
SECRET_KEYS = ("key", "token", "secret", "password", "headers", "authorization")


class _Specification(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str | None = None
    """What the team calls this version, for the export."""


class TransformersSpecification(_Specification):
    """A checkpoint served on this machine: a folder, or a model of the hub."""

    backend: Literal["transformers"]
    path: Annotated[str, Field(min_length=1)] | None = None
    hub: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    revision: Annotated[str, Field(min_length=1)] | None = None
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    device: Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?)$")] = "cpu"
    chat_template: Annotated[str, Field(min_length=1)] | None = None
    """A Jinja file, where the checkpoint has no template of its own or the wrong one."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """The seal: see `models.artifacts.digest`; checked at load."""

    @model_validator(mode="after")
    def _one_place(self) -> "TransformersSpecification":
        if (self.path is None) == (self.hub is None):
            raise ValueError("give either path (a folder) or hub (owner/name)")
        if self.revision is not None and self.hub is None:
            raise ValueError("revision belongs to hub; a folder is sealed by sha256")
        return self

    def checkpoint(self, entrant_id: str, base_dir: Path) -> Checkpoint:
        """Where the files are.

        Raises:
            RosterError: a file is missing.
        """
        path = None if self.path is None else base_dir / self.path
        if path is not None and not path.is_dir():
            raise RosterError(f"entrants.{entrant_id}.path: {self.path!r}: there is no folder {path}")
        if path is not None and not any(path.glob("*.safetensors")):
            raise RosterError(f"entrants.{entrant_id}.path: {self.path!r}: {path} holds no *.safetensors")
        template = None
        if self.chat_template is not None:
            try:
                template = (base_dir / self.chat_template).read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise RosterError(f"entrants.{entrant_id}.chat_template: {self.chat_template!r}: {error}") from None
        return Checkpoint(path, self.hub, self.revision, self.dtype, self.device, template, self.sha256)


def _http(url: str) -> str:
    """Return an address without a secret in it, and without the slash at the end."""
    parts = HttpUrl(url)
    if parts.query is not None or parts.fragment is not None:
        raise ValueError("an address must hold no query: use api_key_env or headers_env")
    if parts.username or parts.password or "@" in url:
        raise ValueError("an address must hold no user or password: use api_key_env or headers_env")
    if secret_parameter(unquote(parts.path or "")) or is_secret(unquote(url)):
        raise ValueError("an address must hold no key: use api_key_env or headers_env")
    return url.rstrip("/")


def _no_secret(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return headers that may be published with the stage file they stand in; never quotes a value, nor a name that may be one."""
    for name, value in headers.items():
        if not harmless_header(name, value):
            told = f"the header {name!r}" if _is_header(name) else "a header"
            raise ValueError(
                f"{told} may carry a secret, and the stage file is published: "
                "name the environment variable that holds it in headers_env (an OpenAI key in api_key_env)"
            )
    return headers


def _is_header(name: str) -> bool:
    """Whether a header may be called so, as far as it can be told."""
    return name.replace("-", "").replace("_", "").isalnum() and name.isascii() and not is_secret(name)


def _variable(name: str) -> str:
    """Return the name of an environment variable; never quotes what is none, for it may be the secret itself."""
    if not is_variable(name):
        raise ValueError(
            "this must be the name of an environment variable (letters, digits and _), not the key itself; "
            "if it was a key, replace it with its provider"
        )
    return name


Variable = Annotated[str, AfterValidator(_variable)]


def _header_names(headers: Mapping[str, str]) -> Mapping[str, str]:
    if not all(map(_is_header, headers)):
        raise ValueError("a header's name is letters, digits and -, and no key")
    return headers


class OpenAISpecification(_Specification):
    """A team's endpoint that speaks the OpenAI protocol."""

    backend: Literal["openai"]
    base_url: Annotated[str, AfterValidator(_http)]
    """Up to and with `/v1`."""
    model: Annotated[str, Field(min_length=1)]
    api_key_env: Variable | None = None
    headers: Annotated[Mapping[str, str], AfterValidator(_no_secret)] = {}
    """Sent as they stand here, and published with the stage file: only such as are known to carry no secret."""
    headers_env: Annotated[Mapping[str, Variable], AfterValidator(_header_names)] = {}
    """By name of the header, the environment variable that holds its value."""
    finish: EndSign = "reason"
    """`done_only` for an endpoint that gives no finish reason and ends whole answers with `[DONE]`."""
    opens_reasoning: StrictBool | None = None
    """Whether its chat template opens a reasoning block, so that only the closing tag comes. Undeclared, answers are held back until it is clear."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """The team's own seal of the artifacts behind the endpoint: published, not checkable from here."""

    @model_validator(mode="after")
    def _each_once(self) -> "OpenAISpecification":
        names = [name.lower() for name in (*self.headers, *self.headers_env)]
        names += ["authorization"] if self.api_key_env is not None else []
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the header {twice[0]!r} is given twice among headers, headers_env and api_key_env")
        return self

    def all_headers(self, entrant_id: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the headers of every request, the key among them.

        Raises:
            RosterError: the environment lacks one that is named here.
        """

        def held(variable: str, key: str) -> str:
            if not (value := environ.get(variable, "").strip()):
                raise RosterError(f"entrants.{entrant_id}.{key}: {variable!r} is not set: export it")
            return value

        headers = dict(self.headers)
        headers |= {name: held(variable, f"headers_env.{name}") for name, variable in self.headers_env.items()}
        if self.api_key_env is not None:
            headers["Authorization"] = f"Bearer {held(self.api_key_env, 'api_key_env')}"
        return headers


class ScriptedSpecification(_Specification):
    """Says what it is told."""

    backend: Literal["scripted"]
    answers: Annotated[tuple[str, ...], Field(min_length=1)]
    chars_per_s: Seconds = 0
    first_token_s: Seconds = 0
    fail_after_chars: Annotated[int, Field(ge=0)] | None = None
    failure: Failure = "error"

    def model_of_it(self) -> ScriptedModel:
        """Make the model that does."""
        return ScriptedModel(self.answers, self.chars_per_s, self.first_token_s, self.fail_after_chars, self.failure)


Specification = TransformersSpecification | OpenAISpecification | ScriptedSpecification
_adapter: TypeAdapter[Specification] = TypeAdapter(Annotated[Specification, Field(discriminator="backend")])


def parse_entrants(entrants: Mapping[str, Mapping[str, object]]) -> dict[str, Specification]:
    """Read where every entrant's model runs, by the entrant's id.

    Raises:
        RosterError: names the first entrant that cannot be read, the key and the value (never a secret's).
    """
    return {entrant_id: parse_entrant(entrant_id, keys) for entrant_id, keys in entrants.items()}


def parse_entrant(entrant_id: str, keys: Mapping[str, object]) -> Specification:
    """Read the keys that say where an entrant's model runs.

    Raises:
        RosterError: names the entrant, the key and the value (never a secret's).
    """
    try:
        return _adapter.validate_python(dict(keys))
    except ValidationError as error:
        first = error.errors()[0]
        loc = [str(part) for part in first["loc"]]
        key = ".".join(loc[1:] if loc[:1] == [str(keys.get("backend"))] else loc) or "backend"
        found = f" (found {first['input']!r})" if _quotable(key, first["input"]) else ""
        if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
            key, found = "backend", f" (found {keys['backend']!r})" if _quotable("", keys.get("backend")) else ""
        unknown = first["type"] == "extra_forbidden"
        if unknown and isinstance(first["input"], str):
            found = ""  # a key that is written wrong may hold anything
        hint = ": this backend has no such key" if unknown else f": {first['msg']}"
        raise RosterError(f"entrants.{entrant_id}.{key}{hint}{found}") from None


def _quotable(key: str, value: object) -> bool:
    """Whether a value that is refused may be said: no table, nothing under a secret's name, no address with a user, no key."""
    if isinstance(value, str):
        return not (
            any(word in key.lower() for word in SECRET_KEYS) or any(c in value for c in "@?;=#%") or is_secret(value)
        )
    return isinstance(value, int | float) and not any(word in key.lower() for word in SECRET_KEYS)
