"""A stage: one round of the programme, as its file declares it."""

import hashlib
import tomllib
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from arena.domain.errors import StageError

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


class StageStatus(StrEnum):
    """Where a stage stands on its one way."""

    DRAFT = "draft"
    OPEN = "open"
    FROZEN = "frozen"
    PUBLISHED = "published"


class Declared(BaseModel):
    """What a stage file declares: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bilingual(Declared):
    """The same sentence in Korean and English."""

    ko: str
    en: str


class Consent(Declared):
    """One thing a citizen may agree to; a new version asks again."""

    id: Slug
    version: int = 1
    required: bool
    text: Bilingual


class Reason(Declared):
    """A tag a citizen may put on one side of a vote."""

    id: Slug
    kind: Literal["praise", "fault"]
    text: Bilingual


class Starters(Declared):
    """Questions of one topic that a citizen may begin with; [a word in brackets] is what they are invited to change."""

    topic: Bilingual
    prompts: Annotated[tuple[Bilingual, ...], Field(min_length=1, max_length=20)]


class Entrant(BaseModel):
    """One team's one sealed model. The keys beyond these say where it runs; `models.roster` reads them."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: Slug
    team: Bilingual
    aliases: tuple[str, ...] = ()
    backend: str

    def served(self) -> dict[str, Any]:
        """The keys that say where the model runs, for the roster."""
        return {"backend": self.backend, **(self.model_extra or {})}


class TransformDeclaration(Declared):
    """How a rating becomes points; `ratings.score` knows the ids."""

    id: str = "win_probability"
    version: int = 1
    params: dict[str, Any] = {}


class Protocol(Declared):
    """The conditions every entrant and every citizen meets."""

    pairing: Literal["uniform", "balanced", "adaptive"] = "uniform"
    """`balanced` draws in blocks, whose last battles can be foreseen: only where nothing is revealed before the stage ends."""
    uniform_share: Annotated[float, Field(ge=0.2, le=1)] = 0.5
    """Of adaptive pairing: how much of every draw stays uniform."""
    golden_rate: Annotated[float, Field(ge=0, le=0.1)] = 0
    """How many of the battles are checks, in which one side is a control that answers badly on purpose."""
    pacing: Literal["lockstep", "natural"] = "lockstep"
    pacing_graphemes_per_s: Annotated[int, Field(ge=10, le=400)] = 40
    reasoning: Literal["hidden", "folded"] = "hidden"
    """What a model thought before its answer (`<think>…</think>`): kept from the citizen, or shown folded once both answers have ended."""
    reveal: Literal["after_vote", "after_stage", "never"] = "after_vote"
    public_leaderboard: bool = False
    turns: Annotated[int, Field(ge=1, le=50)] = 10
    prompt_chars: Annotated[int, Field(ge=1, le=32_000)] = 4000
    answer_tokens: Annotated[int, Field(ge=1, le=32_000)] = 512
    answer_chars: Annotated[int, Field(ge=1, le=32_000)] = 4000
    context_chars: Annotated[int, Field(ge=1, le=1_000_000)] = 16_000
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    stop: tuple[str, ...] = ()
    system_prompt: str = ""
    privacy: Literal["mask", "ask"] = "mask"
    """Personal data in a prompt: taken out, or the citizen is asked to. A resident registration number always stops it."""
    marked: Literal["include", "exclude"] = "exclude"
    """Votes on battles in which an answer named its author, or the prompt asked for it: whether they enter the fit."""
    both_bad: Literal["exclude", "tie"] = "exclude"
    prior: Annotated[float, Field(ge=0, le=10)] = 0.5
    transform: TransformDeclaration = TransformDeclaration()


class Category(Declared):
    """One answer to a question about who votes."""

    id: Slug
    title: Bilingual
    target: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Its share by plan, where there is one."""


class Stratum(Declared):
    """One question about who votes: always optional, asked only with consent, never shown of fewer than ten people."""

    id: Slug
    title: Bilingual
    categories: Annotated[tuple[Category, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _whole(self) -> "Stratum":
        targets = [category.target for category in self.categories]
        known = [target for target in targets if target is not None]
        if known and (len(known) < len(targets) or abs(sum(known) - 1) > 1e-9):
            raise ValueError("targets: give none of the categories a target, or all of them targets that add up to 1")
        return self


class Population(Declared):
    """Who is asked; never blended silently."""

    kind: Literal["open", "panel", "professional"] = "open"
    identity: Literal["anonymous", "oidc"] = "anonymous"
    min_age: Annotated[int, Field(ge=14, le=130)] = 14
    planned_voters: Annotated[int, Field(ge=1)] | None = None
    strata: tuple[Stratum, ...] = ()

    @property
    def margins(self) -> dict[str, dict[str, float]]:
        """The target shares, `{stratum: {category: share}}`, of the strata that have any."""
        shares = {s.id: {c.id: c.target for c in s.categories if c.target is not None} for s in self.strata}
        return {stratum: margin for stratum, margin in shares.items() if margin}


class Component(Declared):
    """One part of the programme's total; `user` is this arena's."""

    id: Slug
    title: Bilingual
    max: Annotated[float, Field(gt=0)]


class Limits(Declared):
    """Bounds on everything a client can make grow."""

    battles_per_hour: Annotated[int, Field(ge=1)] = 60
    battles_per_day: Annotated[int, Field(ge=1)] = 300
    turns_per_minute: Annotated[int, Field(ge=1)] = 20
    turns_per_day: Annotated[int, Field(ge=1)] = 1000
    votes_per_hour: Annotated[int, Field(ge=1)] = 60
    votes_per_day: Annotated[int, Field(ge=1)] = 300
    sessions_per_hour: Annotated[int, Field(ge=1)] = 300
    """New citizens from one network (/24 or /56)."""
    network_factor: Annotated[int, Field(ge=1)] = 50
    """How many citizens' worth of battles, turns and votes one network may use: schools and carriers share addresses."""
    organizer_logins_per_hour: Annotated[int, Field(ge=1)] = 60
    """Tries to log in to the console from one network, the right ones too."""
    proof: Literal["never", "pressure", "always"] = "pressure"
    """When a new citizen's browser has to work a little (ALTCHA); under `pressure`, after `proof_after` in an hour from one network."""
    proof_after: Annotated[int, Field(ge=0)] = 60
    proof_cost: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    """Iterations of each of the 256 tries that a proof takes on average: about a second on a phone."""
    streams_per_citizen: Annotated[int, Field(ge=1)] = 2
    streams: Annotated[int, Field(ge=1)] = 2000
    comment_chars: Annotated[int, Field(ge=0, le=10_000)] = 1000
    body_bytes: Annotated[int, Field(ge=1024, le=4_000_000)] = 65_536
    first_token_s: Annotated[float, Field(gt=0)] = 30
    between_tokens_s: Annotated[float, Field(gt=0)] = 20
    answer_s: Annotated[float, Field(gt=0)] = 180
    idle_minutes: Annotated[int, Field(ge=1)] = 120
    """An open battle that nobody touched for so long is abandoned."""


class Retention(Declared):
    """How long texts are kept; votes without texts stay, so that the score can always be recomputed."""

    texts_days: Annotated[int, Field(ge=1, le=3650)] = 365
    """Prompts, answers and comments, counted from the end of the stage."""
    unjudged_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """The texts of battles that never had a vote, counted from their last use."""


VOTES_CONSENT, TEXTS_CONSENT = "votes-release", "texts-release"
"""What a citizen agrees to before a vote, or the texts it judged, may be in the public dataset."""

CONSENTS = (
    Consent(
        id="service",
        required=True,
        text=Bilingual(
            ko="서비스 운영: 입력한 질문과 투표를 평가 목적으로 처리하고, 평가가 끝난 뒤 1년 동안 보관합니다. 투표는 가명으로 사업 집계 기관과 감사인에게 제공되어 결과 검증에만 쓰입니다. 동의하지 않으면 대결에 참여할 수 없습니다.",
            en="Running the service: your questions and votes are processed for this evaluation and kept for one year after it ends. Your votes go, under a pseudonym, to the programme's aggregator and auditors, only so that they can check the result. Without this you cannot take part.",
        ),
    ),
    Consent(
        id="teams",
        required=True,
        text=Bilingual(
            ko="모델 전달: 질문을 답변 생성을 위해 참가팀의 모델에 보냅니다. 동의하지 않으면 답변을 만들 수 없어 대결에 참여할 수 없습니다.",
            en="Sending to models: your questions are sent to the teams' models so that they can answer. Without this there is no answer to judge.",
        ),
    ),
    Consent(
        id=VOTES_CONSENT,
        required=False,
        text=Bilingual(
            ko="투표 공개: 누구인지 알 수 없게 가명 처리한 투표를 연구용으로 공개합니다.",
            en="Release of votes: pseudonymised votes may be published for research.",
        ),
    ),
    Consent(
        id=TEXTS_CONSENT,
        required=False,
        text=Bilingual(
            ko="질문 공개: 개인정보가 없는 질문과 답변을 연구용으로 공개합니다.",
            en="Release of texts: questions and answers without personal data may be published for research.",
        ),
    ),
)

STRATA_CONSENT = "strata"
ABOUT_YOU = Consent(
    id=STRATA_CONSENT,
    required=False,
    text=Bilingual(
        ko="참여자 특성: 나이대·성별·지역 등 스스로 답한 특성을 결과의 대표성을 보정하는 데만 씁니다. 10명 미만의 집단은 공개하지 않습니다.",
        en="About you: what you say of your age band, sex or region is used only to weight the results. Groups under ten people are never shown.",
    ),
)
"""Asked for where the stage has strata."""

REASONS = (
    Reason(id="useful", kind="praise", text=Bilingual(ko="도움이 돼요", en="Useful")),
    Reason(id="complete", kind="praise", text=Bilingual(ko="충실해요", en="Complete")),
    Reason(id="creative", kind="praise", text=Bilingual(ko="창의적이에요", en="Creative")),
    Reason(id="clear", kind="praise", text=Bilingual(ko="보기 좋게 정리됐어요", en="Clearly laid out")),
    Reason(id="incorrect", kind="fault", text=Bilingual(ko="틀렸어요", en="Incorrect")),
    Reason(id="superficial", kind="fault", text=Bilingual(ko="내용이 부족해요", en="Superficial")),
    Reason(id="ignored", kind="fault", text=Bilingual(ko="요청을 따르지 않았어요", en="Ignored instructions")),
    Reason(id="unnatural", kind="fault", text=Bilingual(ko="한국어가 어색해요", en="Unnatural Korean")),
)


class Stage(Declared):
    """One round of the programme: entrants, protocol, window, population."""

    id: Slug
    title: Bilingual
    programme: str
    operator: Bilingual = Bilingual(ko="K-AI 아레나 운영팀", en="The K-AI Arena operators")
    round: Annotated[int, Field(ge=1)]
    component_max: Annotated[float, Field(gt=0)] = 25
    planned_advance: Annotated[int, Field(ge=1)] = 4
    components: tuple[Component, ...] = ()
    """All parts of the programme's total, for the aggregate; empty where that is declared elsewhere."""
    ties: tuple[Slug, ...] = ()
    """Components that decide, in this order, between equal totals at the cut; a tie that they leave is refused."""
    disclosure: Literal["full", "top_and_mean", "sealed"] = "full"
    """What everybody may read once the stage is published: all scores, the best team's and the mean, or nothing. The programme has all."""
    opens: AwareDatetime | None = None
    closes: AwareDatetime | None = None
    synthetic: bool = False
    protocol: Protocol = Protocol()
    population: Population = Population()
    limits: Limits = Limits()
    retention: Retention = Retention()
    consents: tuple[Consent, ...] = CONSENTS
    reasons: tuple[Reason, ...] = REASONS
    starters: Annotated[tuple[Starters, ...], Field(max_length=20)] = ()
    """Where there are none, the page has some of its own."""
    entrants: Annotated[tuple[Entrant, ...], Field(min_length=2)]
    controls: tuple[Entrant, ...] = ()
    """What answers badly on purpose in a check; never ranked, its votes never counted."""

    @model_validator(mode="before")
    @classmethod
    def _asks_before_asking(cls, data: Any) -> Any:
        """A stage with strata asks for the consent that they need, unless it declares its own consents."""
        if isinstance(data, dict) and "consents" not in data and dict(data.get("population") or {}).get("strata"):
            return {**data, "consents": (*CONSENTS, ABOUT_YOU)}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> "Stage":
        for name, ids in (
            ("entrants", [e.id for e in (*self.entrants, *self.controls)]),
            ("consents", [c.id for c in self.consents]),
            ("reasons", [r.id for r in self.reasons]),
            ("components", [c.id for c in self.components]),
            ("population.strata", [s.id for s in self.population.strata]),
            *((f"population.strata.{s.id}", [c.id for c in s.categories]) for s in self.population.strata),
        ):
            twice = sorted({i for i in ids if ids.count(i) > 1})
            if twice:
                raise ValueError(f"{name}: the id {twice[0]!r} stands twice; every id must be its own")
        if self.protocol.pairing == "balanced" and self.protocol.reveal == "after_vote":
            raise ValueError(
                'protocol.pairing: "balanced" can be foreseen after reveals; take reveal = "after_stage" or "uniform"'
            )
        if (self.protocol.golden_rate > 0) != bool(self.controls):
            raise ValueError(
                "protocol.golden_rate: a rate above 0 and [[controls]] belong together; declare both or neither"
            )
        own = [component.max for component in self.components if component.id == "user"]
        if self.components and own != [self.component_max]:
            raise ValueError(
                f'components: one of them has to be "user" with max = {self.component_max:g}, the stage\'s component_max'
            )
        unknown = [tie for tie in self.ties if tie not in {component.id for component in self.components}]
        if unknown:
            raise ValueError(f"ties: {unknown[0]!r} is not one of the components")
        if self.population.strata and STRATA_CONSENT not in {c.id for c in self.consents if not c.required}:
            raise ValueError(
                f"population.strata: asking about people needs an optional consent {STRATA_CONSENT!r} in [[consents]]"
            )
        if self.opens and self.closes and self.opens >= self.closes:
            raise ValueError(f"closes: {self.closes} is not after opens: {self.opens}")
        return self

    @classmethod
    def from_toml(cls, data: bytes, name: str) -> "Stage":
        """Reads a stage file's bytes; `name` is the file, for the message.

        Raises:
            StageError: names file, key and value.
        """
        try:
            return cls.model_validate(tomllib.loads(data.decode("utf-8")))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise StageError(f"{name}: not a TOML file in UTF-8: {error}") from None
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "(file)"
            value = first["input"] if not isinstance(first["input"], dict) else "{…}"
            raise StageError(f"{name}: {key}: {first['msg']} (found {value!r})") from None

    def entrant(self, entrant_id: str) -> Entrant:
        """The entrant, or the control, with this id.

        Raises:
            KeyError: it is not in this stage.
        """
        return {e.id: e for e in (*self.entrants, *self.controls)}[entrant_id]

    @property
    def entrant_ids(self) -> tuple[str, ...]:
        """The entrants' ids in the file's order."""
        return tuple(e.id for e in self.entrants)

    @property
    def artifacts(self) -> dict[str, str | None]:
        """The SHA-256 that seals each entrant's model, as far as the file gives it."""
        return {entrant.id: entrant.served().get("sha256") for entrant in self.entrants}

    def is_within_window(self, now: datetime) -> bool:
        """Whether `now` lies between `opens` and `closes` (either may be absent)."""
        return (self.opens is None or now >= self.opens) and (self.closes is None or now < self.closes)


def file_sha256(data: bytes) -> str:
    """The stage file's fingerprint, committed when the stage opens."""
    return hashlib.sha256(data).hexdigest()
