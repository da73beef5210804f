"""What a stage file may say about where an entrant's model runs: nothing about how it answers, which is the same for all."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

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

from models.errors import RosterError
from models.local import Checkpoint
from models.openai_compatible import EndSign
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
    """An address without a secret in it, and without the slash at the end."""
    if (parts := HttpUrl(url)).username or parts.password:
        raise ValueError("an address must hold no user or password: use api_key_env or headers")
    return url.rstrip("/")


class OpenAISpecification(_Specification):
    """A team's endpoint that speaks the OpenAI protocol."""

    backend: Literal["openai"]
    base_url: Annotated[str, AfterValidator(_http)]
    """Up to and with `/v1`."""
    model: Annotated[str, Field(min_length=1)]
    api_key_env: Annotated[str, Field(min_length=1)] | None = None
    headers: Mapping[str, str] = {}
    finish: EndSign = "reason"
    """`done_only` for an endpoint that gives no finish reason and ends whole answers with `[DONE]`."""
    opens_reasoning: StrictBool | None = None
    """Whether its chat template opens a reasoning block, so that only the closing tag comes. Undeclared, answers are held back until it is clear."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """The team's own seal of the artifacts behind the endpoint: published, not checkable from here."""

    def all_headers(self, entrant_id: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The headers of every request, the key among them.

        Raises:
            RosterError: the environment holds no such key.
        """
        headers = dict(self.headers)
        if self.api_key_env is not None:
            if not (key := environ.get(self.api_key_env, "").strip()):
                raise RosterError(f"entrants.{entrant_id}.api_key_env: {self.api_key_env!r} is not set: export it")
            headers["Authorization"] = f"Bearer {key}"
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
        """The model that does."""
        return ScriptedModel(self.answers, self.chars_per_s, self.first_token_s, self.fail_after_chars, self.failure)


Specification = TransformersSpecification | OpenAISpecification | ScriptedSpecification
_adapter: TypeAdapter[Specification] = TypeAdapter(Annotated[Specification, Field(discriminator="backend")])


def parse_entrant(entrant_id: str, keys: Mapping[str, object]) -> Specification:
    """Reads the keys that say where an entrant's model runs.

    Raises:
        RosterError: names the entrant, the key and the value (never a secret's).
    """
    try:
        return _adapter.validate_python(dict(keys))
    except ValidationError as error:
        first = error.errors()[0]
        loc = [str(part) for part in first["loc"]]
        key = ".".join(loc[1:] if loc[:1] == [str(keys.get("backend"))] else loc) or "backend"
        secret = key != "api_key_env" and any(word in key.lower() for word in SECRET_KEYS)
        secret = secret or (isinstance(first["input"], str) and "@" in first["input"])  # an address with a password
        found = "" if secret or isinstance(first["input"], Mapping) else f" (found {first['input']!r})"
        if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
            key, found = "backend", f" (found {keys.get('backend')!r})"
        hint = ": this backend has no such key" if first["type"] == "extra_forbidden" else f": {first['msg']}"
        raise RosterError(f"entrants.{entrant_id}.{key}{hint}{found}") from None
