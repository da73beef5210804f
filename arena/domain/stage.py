"""A stage: one round of the programme, as its file declares it."""

import hashlib
import tomllib
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from arena.domain.citizen import IdentityLevel
from arena.domain.closing import Closing
from arena.domain.declared import Bilingual, Declared, Slug
from arena.domain.errors import StageError
from arena.domain.exposure import Exposure
from arena.domain.leaks import Leak
from arena.domain.ledger import LedgerRules
from arena.domain.limits import Limits
from arena.domain.opening import Beacon, Witness
from arena.domain.operator import Operator
from arena.domain.review import Review

VOTER_COLUMN = "judge"
"""What a published table calls the voter, and so no stratum may be called."""
VOTES_PER_ENTRANT = 200
"""Planned where nothing is declared: an entrant then has 400 answers judged, and its rating is known to about ±35 points."""
TieAtCut = Literal["points", "components", "hold"]
Disclosure = Literal["full", "winners_and_means", "means_and_gaps", "sealed"]


class StageStatus(StrEnum):
    """Where a stage stands on its one way."""

    DRAFT = "draft"
    OPEN = "open"
    FROZEN = "frozen"
    PUBLISHED = "published"


class Detail(Declared):
    """One thing that the law has a consent say: the recipient, the purpose, the items, the time, the right to refuse."""

    term: Bilingual
    text: Bilingual


class Consent(Declared):
    """One thing a citizen may agree to; a new version asks again.

    Its texts may have places that the stage itself fills: `CONSENT_PLACES`.
    """

    id: Slug
    version: int = 1
    required: bool
    title: Bilingual
    text: Bilingual
    details: tuple[Detail, ...] = ()

    def places(self) -> set[str]:
        """Find the places in its texts: names, and whatever else stands between braces."""
        told = (self.title, self.text, *(part for detail in self.details for part in (detail.term, detail.text)))
        parsed = (found for each in told for text in (each.ko, each.en) for found in Formatter().parse(text))
        return {f"{name}{':' * bool(spec)}{spec}" for _, name, spec, _ in parsed if name is not None}


class Reason(Declared):
    """A tag a citizen may put on one side of a vote."""

    id: Slug
    kind: Literal["praise", "fault"]
    text: Bilingual


class Starters(Declared):
    """Questions of one topic that a citizen may begin with; [a word in brackets] is what they are invited to change."""

    id: Slug | None = None
    """Under it a citizen may name the topic of their own first question, and votes are told apart; none: nobody may."""
    topic: Bilingual
    day: date | None = None
    """The one day of Korea's calendar whose theme this is; shown before all others, and on no other day."""
    prompts: Annotated[tuple[Bilingual, ...], Field(min_length=1, max_length=20)]


class Card(Declared):
    """What a citizen may read of a model once they may know whose it is."""

    organisation: Bilingual
    size: str
    """As it is usually said, such as `32B`."""
    openness: Bilingual
    """Such as open weights, or closed."""


class Entrant(BaseModel):
    """One team's one sealed model. The keys beyond these say where it runs; `models.roster` reads them."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: Slug
    team: Bilingual
    aliases: tuple[str, ...] = ()
    ordinary: tuple[str, ...] = ()
    """Names of it that are words as well: alone in an answer they do not tell who is speaking, however they look."""
    distinctive: tuple[str, ...] = ()
    """Names that can be nothing else, where they do not look so."""
    card: Card | None = None
    backend: str

    @model_validator(mode="after")
    def _one_kind(self) -> "Entrant":
        if both := sorted(set(self.ordinary) & set(self.distinctive)):
            raise StageError("stage_name_both", entrant=self.id, name=both[0])
        return self

    def served(self) -> dict[str, Any]:
        """List the keys that say where the model runs, for the roster."""
        return {"backend": self.backend, **(self.model_extra or {})}


class TransformDeclaration(Declared):
    """How a rating becomes points; `ratings.score` knows the ids."""

    id: str = "win_probability"
    version: int = 1
    params: dict[str, Any] = Field(default_factory=dict)


class Protocol(Declared):
    """The conditions every entrant and every citizen meets."""

    pairing: Literal["uniform", "balanced", "adaptive"] = "uniform"
    """`balanced` draws in blocks, whose last battles can be foreseen: only where nothing is revealed before the stage ends."""
    uniform_share: Annotated[float, Field(ge=0.2, le=1)] = 0.5
    """Of adaptive pairing: how much of every draw stays uniform."""
    golden_rate: Annotated[float, Field(ge=0, le=0.1)] = 0
    """How many of the battles are checks, in which one side is a control that answers badly on purpose."""
    repeats: Annotated[float, Field(ge=0, le=0.05)] = 0
    """How many of the battles show a citizen an earlier one of their own again (`arena.domain.repeat`), never in the fit; not where a vote reveals."""
    min_in_draw: Annotated[int, Field(ge=2)] | None = None
    """Battles are drawn only while so many entrants can be; left out, all but one of four and more, and of three all."""
    pause_minutes: Annotated[int, Field(ge=0, le=1440)] = 10
    """Of three entrants one is out: so long in all, within six times as long, nobody is drawn, then the other two, whose pair is known."""
    pacing: Literal["metronome", "lockstep", "natural"] = "metronome"
    """How answers are shown; `arena/battles/pacing.py` says what each way is, docs/pacing.md what it hides and costs."""
    pacing_graphemes_per_s: Annotated[int, Field(ge=1, le=400)] = 25
    """The pace of both sides; in lockstep the most it may be."""
    pacing_grid_s: Annotated[float, Field(ge=0.1, le=60)] = 4.0
    """The metronome's marks, counted from the question: answers begin, and go on after a pause, on one of them."""
    pacing_bar: Annotated[int, Field(ge=1, le=32_000)] | Literal["answer"] = 50
    """How much of both sides, in graphemes, the metronome has in hand before it shows any of it: or the whole of both answers."""
    reasoning: Literal["hidden", "folded"] = "hidden"
    """What a model thought before its answer (`<think>…</think>`): kept from the citizen, or shown folded once both answers have ended."""
    reveal: Literal["after_vote", "after_stage", "never"] = "after_vote"
    public_leaderboard: bool = False
    turns: Annotated[int, Field(ge=1, le=50)] = 10
    prompt_chars: Annotated[int, Field(ge=1, le=32_000)] = 4000
    answer_tokens: Annotated[int, Field(ge=1, le=32_000)] = 2048
    """What a model is given at most: so many that `answer_chars` ends an answer before, whatever the tokenizer. `stage check` tells where not."""
    answer_chars: Annotated[int, Field(ge=1, le=32_000)] = 2000
    """The bound that citizens are told and see."""
    context_chars: Annotated[int, Field(ge=1, le=1_000_000)] = 16_000
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    stop: tuple[str, ...] = ()
    system_prompt: str = ""
    privacy: Literal["mask", "ask"] = "mask"
    """Personal data in a prompt: taken out, or the citizen is asked to. A resident registration number always stops it."""
    excluded_leaks: tuple[Leak, ...] = (Leak.ASKED, Leak.SELF, Leak.POSING)
    """What keeps the votes on a battle out of the fit: a prompt that asked who they are, an answer that said who it is, or who it is not.

    `own` and `rival`, a name alone that nobody had brought up, are ordinary words far oftener than a sign, and most of a maker's own subjects.
    """
    min_exposure: Exposure = Exposure()
    """What a citizen must have been shown for the vote to enter the fit; a vote below it is kept, sealed with `vote:unread`, and left out."""
    merge_delay_minutes: Annotated[int, Field(ge=3, le=1440)] = 10
    """Every vote is promised, by signature, to be under a signed checkpoint so soon; checkpoints are signed every minute while there are new votes."""
    both_bad: Literal["exclude", "tie"] = "exclude"
    questions: Literal["drawn", "fixed", "topic"] = "drawn"
    """Over what the score generalises besides voters: other questions, other topics, or neither: it is for the questions that were asked."""
    voice: Literal["citizen", "vote"] | None = None
    """Whether each citizen counts the same, however often they voted, or each vote does; left out, `Stage.voice` says which."""
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
        if self.id == VOTER_COLUMN:
            raise StageError("stage_stratum_name", id=self.id)
        targets = [category.target for category in self.categories]
        known = [target for target in targets if target is not None]
        if known and (len(known) < len(targets) or abs(sum(known) - 1) > 1e-9):
            raise StageError("stage_targets", stratum=self.id)
        return self


class Panel(Declared):
    """Who was chosen beforehand, sealed with the stage."""

    members: tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...] = ()
    """The digest of each member's invitation code; `python -m arena panel invite` makes both."""


class Population(Declared):
    """Who is asked; never blended silently."""

    kind: Literal["open", "panel", "professional"] = "open"
    """A `panel` admits its members and nobody else, each under one pseudonym."""
    panel: Panel = Panel()
    identity: Literal["anonymous", "oidc"] = "anonymous"
    min_age: Annotated[int, Field(ge=14, le=130)] = 14
    planned_voters: Annotated[int, Field(ge=1)] | None = None
    planned_votes: Annotated[int, Field(ge=1)] | None = None
    """What the arena aims at, in votes; citizens are shown how far it is."""
    strata: tuple[Stratum, ...] = ()

    @property
    def takes_persons(self) -> bool:
        """Tell whether it is known who comes, so that one person is one voter: by a login, or by an invitation."""
        return self.identity == "oidc" or self.kind == "panel"

    @property
    def identity_levels(self) -> tuple[IdentityLevel, ...]:
        """How well it can have been checked who somebody is."""
        if self.kind == "panel":
            return ("invited",)
        return ("email", "verified") if self.identity == "oidc" else ("anonymous",)

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


class Retention(Declared):
    """How long texts are kept; votes without texts stay, so that the score can always be recomputed."""

    texts_days: Annotated[int, Field(ge=1, le=3650)] = 365
    """Prompts, answers and comments, counted from the end of the stage."""
    unjudged_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """The texts of battles that never had a vote, counted from their last use."""
    teams_days: Annotated[int, Field(ge=0, le=3650)] = 0
    """How long a team may keep what its model was asked; 0 is no longer than it answers. The operator's agreement with the teams holds them to it."""


PROVISION_CONSENT = "teams"
"""What a citizen agrees to before a question goes to the teams' models, and data to the operator's other recipients."""
VOTES_CONSENT, TEXTS_CONSENT = "votes-release", "texts-release"
"""What a citizen agrees to before a vote, or the texts it judged, may be in the public dataset."""
CONSENT_PLACES = frozenset({"teams", "texts_days", "unjudged_days", "teams_period"})
"""What a consent's texts may leave to the stage: the entrants' teams by name, and how long what is kept."""

STRATA_CONSENT = "strata"
_DEFAULTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
CONSENTS = tuple(Consent.model_validate(each) for each in _DEFAULTS["consents"])
ABOUT_YOU = Consent.model_validate(_DEFAULTS["about_you"])
"""Asked for where the stage has strata."""
REASONS = tuple(Reason.model_validate(each) for each in _DEFAULTS["reasons"])


class Stage(Declared):
    """One round of the programme: entrants, protocol, window, population."""

    id: Slug
    title: Bilingual
    programme: str
    operator: Operator = Operator.model_validate(_DEFAULTS["operator"])
    round: Annotated[int, Field(ge=1)]
    component_max: Annotated[float, Field(gt=0)] = 25
    planned_advance: Annotated[int, Field(ge=1)] = 4
    components: tuple[Component, ...] = ()
    """All parts of the programme's total, for the aggregate; empty where that is declared elsewhere."""
    ties: tuple[Slug, ...] = ()
    """Components that decide, in this order, between equal totals at the cut; a tie that they leave is refused."""
    tie_at_cut: TieAtCut = "points"
    """What decides where the totals on either side of the cut are not apart beyond chance.

    `points`: their order all the same, and the document says what it hangs on. `components`: `ties`, in its order, among the
    teams that may or may not be in the cut. `hold`: nobody but the programme; those places stay open.
    """
    disclosure: Disclosure = "full"
    """What everybody may read once the stage is published: all scores; who has the most points, how many, and the mean; the mean and the gaps
    between one place and the next, of no team by name; or nothing. It binds the public: the programme and every entrant have all."""
    opens: AwareDatetime | None = None
    closes: AwareDatetime | None = None
    closing: Closing | None = None
    """What ends it; left out, `closes` does where there is one."""
    beacon: Beacon | None = None
    """What the seed of the draws is mixed with, so that nobody can have chosen it; a synthetic stage may open without."""
    witnesses: Annotated[tuple[Witness, ...], Field(max_length=20)] = ()
    witnesses_required: Annotated[int, Field(ge=0)] = 0
    """So many of them have to have cosigned the final checkpoint before the result is published."""
    publishes: AwareDatetime | None = None
    """When the result is planned to be published, as everybody is told beforehand."""
    leaderboard_votes: Annotated[int, Field(ge=0)] = 200
    """So many votes every entrant needs before a public leaderboard is shown: fewer say more of chance than of the entrants."""
    synthetic: bool = False
    protocol: Protocol = Protocol()
    population: Population = Population()
    limits: Limits = Limits()
    ledger: LedgerRules = LedgerRules()
    review: Review = Review()
    """What of the votes may be left out between freeze and publication, and who decides."""
    retention: Retention = Retention()
    consents: tuple[Consent, ...] = CONSENTS
    reasons: tuple[Reason, ...] = REASONS
    starters: Annotated[tuple[Starters, ...], Field(max_length=20)] = ()
    """Besides themes of a day; where there are none, the page has some of its own."""
    entrants: Annotated[tuple[Entrant, ...], Field(min_length=2)]
    controls: tuple[Entrant, ...] = ()
    """What answers badly on purpose in a check; never ranked, its votes never counted."""

    @property
    def voice(self) -> Literal["citizen", "vote"]:
        """Whose opinion the score averages: the citizens' where they are told apart, else the votes', since accounts that vote once would gain weight."""
        return self.protocol.voice or ("citizen" if self.population.takes_persons else "vote")

    @property
    def closing_rule(self) -> Closing | None:
        """What ends the stage; None where the file does not say."""
        return self.closing or (Closing(rule="time") if self.closes else None)

    @property
    def planned_votes(self) -> int:
        """How many votes the stage aims at: declared, or where its closing rule ends it, or `VOTES_PER_ENTRANT`."""
        counted = self.closing.number if self.closing and self.closing.rule == "votes" else None
        return self.population.planned_votes or counted or VOTES_PER_ENTRANT * len(self.entrants)

    @model_validator(mode="before")
    @classmethod
    def _asks_before_asking(cls, data: Any) -> Any:
        """Add the consent that a stage's strata need, unless the stage declares its own consents."""
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
            ("witnesses", [w.id for w in self.witnesses]),
            ("witnesses", [w.x for w in self.witnesses]),
            ("population.panel.members", list(self.population.panel.members)),
            ("population.strata", [s.id for s in self.population.strata]),
            *((f"population.strata.{s.id}", [c.id for c in s.categories]) for s in self.population.strata),
        ):
            twice = sorted({i for i in ids if ids.count(i) > 1})
            if twice:
                raise StageError("stage_id_twice", at=name, id=twice[0])
        if self.synthetic and self.operator.official:
            raise StageError("stage_official_invented")
        if self.protocol.public_leaderboard and self.disclosure != "full":
            raise StageError("stage_board_discloses", disclosure=self.disclosure)
        if self.protocol.pairing == "balanced" and self.protocol.reveal == "after_vote":
            raise StageError("stage_balanced_reveals")
        if self.protocol.repeats and self.protocol.reveal == "after_vote":
            raise StageError("stage_repeats_reveal")
        if (self.protocol.min_in_draw or 0) > len(self.entrants):
            raise StageError("stage_min_in_draw", entrants=len(self.entrants))
        if (self.protocol.golden_rate > 0) != bool(self.controls):
            raise StageError("stage_checks_without_controls")
        if self.population.panel.members and self.population.kind != "panel":
            raise StageError("stage_members_without_panel")
        own = [component.max for component in self.components if component.id == "user"]
        if self.components and own != [self.component_max]:
            raise StageError("stage_user_component", max=self.component_max)
        unknown = [tie for tie in self.ties if tie not in {component.id for component in self.components}]
        if unknown:
            raise StageError("stage_tie_unknown", id=unknown[0])
        if self.tie_at_cut == "components" and not self.ties:
            raise StageError("stage_tie_at_cut")
        if self.population.strata and STRATA_CONSENT not in {c.id for c in self.consents if not c.required}:
            raise StageError("stage_strata_consent", id=STRATA_CONSENT)
        for consent in self.consents:
            if strange := sorted(consent.places() - CONSENT_PLACES):
                raise StageError("stage_consent_place", id=consent.id, place=strange[0], known=sorted(CONSENT_PLACES))
        if self.witnesses_required > len(self.witnesses):
            raise StageError("stage_witnesses", required=self.witnesses_required, named=len(self.witnesses))
        if self.beacon and self.opens and self.beacon.at >= self.opens:
            raise StageError("stage_beacon_late", at=self.beacon.at, opens=self.opens)
        if self.opens and self.closes and self.opens >= self.closes:
            raise StageError("stage_closes_before_it_opens", opens=self.opens, closes=self.closes)
        if self.closing and self.closing.rule == "time" and self.closes is None:
            raise StageError("stage_closing_time")
        if self.closing and self.closing.rule == "separation" and self.planned_advance >= len(self.entrants):
            raise StageError("stage_closing_cut", entrants=len(self.entrants), places=self.planned_advance)
        if self.closes and self.publishes and self.closes > self.publishes:
            raise StageError("stage_publishes_before_it_closes", closes=self.closes, publishes=self.publishes)
        return self

    @classmethod
    def from_toml(cls, data: bytes, name: str) -> "Stage":
        """Read a stage file's bytes; `name` is the file, for the sentence.

        Raises:
            StageError: names the file, and as its cause the key, the value and what would be right.
        """
        try:
            return cls.model_validate(tomllib.loads(data.decode("utf-8")))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            cause = StageError("stage_not_toml", problem=str(error))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "(file)"
            # Under a key that is written wrong there may be anything, a secret too.
            told = first["type"] != "extra_forbidden" and not isinstance(first["input"], dict)
            value = repr(first["input"]) if told else "…"
            cause = StageError("stage_value", at=key, value=value, problem=first["msg"])
        except StageError as error:
            cause = error
        raise StageError("stage_file", file=name, cause=cause)

    def require_operator(self, name: str) -> None:
        """Let a stage be checked, opened and served only where it says who answers for it, or that all of it is invented.

        Raises:
            StageError: it is not synthetic, and its operator leaves something out; names the file and every key.
        """
        if not self.synthetic and (missing := self.operator.missing()):
            cause = StageError("stage_operator", missing=[f"operator.{key}" for key in missing])
            raise StageError("stage_file", file=name, cause=cause)

    def entrant(self, entrant_id: str) -> Entrant:
        """Find the entrant, or the control, with this id.

        Raises:
            KeyError: it is not in this stage.
        """
        return {e.id: e for e in (*self.entrants, *self.controls)}[entrant_id]

    def served(self) -> dict[str, dict[str, Any]]:
        """List the keys that say where each model runs, controls among them, for the roster."""
        return {entrant.id: entrant.served() for entrant in (*self.entrants, *self.controls)}

    @property
    def entrant_ids(self) -> tuple[str, ...]:
        """The entrants' ids in the file's order."""
        return tuple(e.id for e in self.entrants)

    @property
    def artifacts(self) -> dict[str, str | None]:
        """The SHA-256 that seals each entrant's model, as far as the file gives it."""
        return {entrant.id: entrant.served().get("sha256") for entrant in self.entrants}

    def is_within_window(self, now: datetime) -> bool:
        """Tell whether `now` lies between `opens` and `closes` (either may be absent)."""
        return (self.opens is None or now >= self.opens) and (self.closes is None or now < self.closes)


def file_sha256(data: bytes) -> str:
    """Return the stage file's fingerprint, committed when the stage opens."""
    return hashlib.sha256(data).hexdigest()
