"""Every word for people stands in the catalogue, in both languages, and each of them is said somewhere: nothing is missing, and nothing is left over."""

import ast
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, get_args, get_type_hints

import pytest

from arena.battles.limits import Act
from arena.cli import COMMANDS, doctor
from arena.cli.delimited import DELIMITERS
from arena.cli.rate_scope import Why
from arena.domain import errors
from arena.domain.battle import BattleState, VoidReason
from arena.domain.coded import Fault
from arena.domain.grounds import HoursGrounds, NetworkGrounds, VoterGrounds
from arena.domain.leaks import Leak
from arena.domain.privacy import Kind
from arena.domain.proxies import Mismatch
from arena.domain.stage import Disclosure, Population, Protocol, StageStatus
from arena.i18n.catalogue import LANGUAGES, Language
from arena.record.keys import KeysError
from arena.record.ledger import LedgerError
from arena.record.organizers import Entrance
from arena.record.outbox import Parcel
from arena.results.export import promises, proofs, tables, vote_findings
from arena.results.export.group_words import Says, VotesKind
from arena.results.export.groups import TURNS
from arena.results.integrity.voter_tests import TESTS
from arena.results.live.variants import Name, Variant
from arena.results.programme import letter
from arena.results.programme.selection import AggregateError
from arena.results.publish import report
from arena.results.votes import table
from arena.results.votes.annotations import STYLE
from arena.results.votes.closing import Intervals
from arena.results.votes.exclusions import ExclusionReason
from arena.results.votes.inclusion import CHECK, LEAKS, REMOVED, REPEAT, UNREAD
from arena.results.witness import arena_client, evidence, follow
from arena.settings import ROOT
from arena.web.core.negotiation import SIZES
from arena.web.core.own_calls import OwnCall
from arena.web.core.standing import StageState
from arena.web.pages.layout import REFUSED
from models.breaker import State
from models.cause import CauseKind
from models.endpoint.quirks import Quirk
from models.errors import AnswerErrorKind
from models.progress import Step
from ratings import errors as rating_errors
from ratings.first import InFirst
from ratings.notices import Note, Notice
from ratings.score import BIASED, TransformId
from ratings.voices import Voice

I18N = ROOT / "arena" / "i18n"
BROWSERS = ("page.json", "console_page.json")
"""Read by the page's scripts too, which fill in plain names and nothing else."""
CLOCK = "moment"
"""An English clock of 24 hours needs no half of the day."""
HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")


@cache
def words(language: Language) -> dict[str, dict[str, str]]:
    """The sentences of a language by file and key."""
    return {path.name: json.loads(path.read_text("utf-8")) for path in sorted((I18N / language).iterdir())}


@cache
def keys() -> dict[str, str]:
    """Every key, with its English sentence."""
    return {key: text for found in words("en").values() for key, text in found.items()}


def places(text: str) -> set[str]:
    """The names of the values that a sentence is filled in with."""
    found = set()
    for _, name, spec, _ in Formatter().parse(text):
        if name is not None:
            found |= {re.split(r"[.\[]", name)[0]} | places(spec or "")
    return found


@cache
def sources() -> dict[Path, ast.Module]:
    """Every module that ships."""
    paths = [path for room in ("arena", "models", "ratings") for path in (ROOT / room).rglob("*.py")]
    return {path: ast.parse(path.read_text("utf-8")) for path in [*sorted(paths), ROOT / "app.py"]}


def calls() -> Iterator[ast.Call]:
    """Every call in a module that ships."""
    for tree in sources().values():
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


# --- the languages ----------------------------------------------------------------------------------------------------


def test_no_module_speaks_korean() -> None:
    """Words for people are in the catalogue, Korean that is data in data files: a developer needs to read English only."""
    spoken = [path.relative_to(ROOT).as_posix() for path in sources() if HANGUL.search(path.read_text("utf-8"))]
    assert spoken == []


def test_both_languages_say_the_same_with_the_same_values() -> None:
    """The same files, the same keys, and in each sentence the same places; none is empty, and no list is cut after nothing."""
    ko, en = words("ko"), words("en")
    assert {name: set(found) for name, found in ko.items()} == {name: set(found) for name, found in en.items()}
    for name, found in en.items():
        differing = [key for key, text in found.items() if places(text) != places(ko[name][key]) and key != CLOCK]
        assert differing == [], name
    for found in (*ko.values(), *en.values()):
        assert [key for key, text in found.items() if not text.strip() or re.search(r"\{\w+:\*(?![\d{])", text)] == []


def test_no_key_stands_twice() -> None:
    """Of two sentences under one key a file would lose the first, silently."""
    for path in sorted(I18N.glob("*/*.json")):
        keys_of: list[str] = [key for key, _ in json.loads(path.read_text("utf-8"), object_pairs_hook=list)]
        assert sorted(key for key in set(keys_of) if keys_of.count(key) > 1) == [], path


def test_what_the_browser_fills_in_is_plain() -> None:
    """No formats, counts or particles in the files that the scripts read: they put a text in the place of `{name}`."""
    for language in LANGUAGES:
        for name in BROWSERS:
            for key, text in words(language)[name].items():
                for _, field, spec, conversion in Formatter().parse(text):
                    assert (spec or "", conversion) == ("", None), (key, field)


# --- what is said where -----------------------------------------------------------------------------------------------


def literal(model: Any, field: str) -> tuple[str, ...]:
    """The words that a field of a stage file may hold."""
    return get_args(model.model_fields[field].annotation)


PARTS = {"language": set(table.LANGUAGES) - {table.ERASED}, "turns": TURNS, "identity": table.IDENTITY}
FAMILIES: dict[str, Iterable[str]] = {
    "alarm_": ("battle", "promise", "record", "winner"),
    "answer_": "ab",
    "breaker_": get_args(State),
    "card_texts_": ("no_consent", "erased", "personal_data"),
    "covariate_": (*dict.fromkeys(name.rpartition("_")[0] for name in STYLE), "side_a"),
    "delimiter_": DELIMITERS.values(),
    "doctor_": get_args(doctor.State),
    "doctor_of_": get_args(doctor.Check),
    "entrance_": get_args(Entrance),
    "exclusion_": ExclusionReason,
    "exports_stage_": set(StageStatus) - {StageStatus.DRAFT},
    "failure_": (*get_args(AnswerErrorKind), "fault", "unknown"),
    "fate_": ("included", "late", "missing", "not_due", "not_signed", "offline", "record_changed", "show", "unable", "unproven", "unreadable"),
    "groups_of_": get_args(VotesKind),
    "groups_say_": get_args(Says),
    "grounds_": (kind.model_fields["kind"].default for kind in (VoterGrounds, NetworkGrounds, HoursGrounds)),
    "help_": COMMANDS,
    "kind_": Kind,
    "left_out_": (*ExclusionReason, CHECK, LEAKS, REMOVED, REPEAT, UNREAD),
    "live_stage_": StageStatus,
    "outage_": (*get_args(CauseKind), "arena_stopped"),
    "personal_": literal(Protocol, "privacy"),
    "promise_": ("included", "not_due", *promises.BROKEN, *promises.UNFIT),
    "proxies_": (kind.partition(".")[2] for kind in get_args(Mismatch)),
    "push_state_": get_args(get_type_hints(Parcel.state.fget)["return"]),
    "quirk_": get_args(Quirk),
    "r_": (*(w for f in ("kind", "identity") for w in literal(Population, f)),
           *(w for f in ("pairing", "pacing", "reveal") for w in literal(Protocol, f))),
    "rate_over_voters_": get_args(Why),
    "rate_voice_": get_args(Voice),
    "r_both_bad_": literal(Protocol, "both_bad"),
    "r_leaks_": (*Leak, "out", "none"),
    "r_transform_": get_args(TransformId),
    "r_voice_": get_args(Voice),
    "report_voice_": get_args(Voice),
    "results_only_": set(get_args(Disclosure)) - {"full", "sealed"},
    "results_voice_": get_args(Voice),
    "report_intervals_": get_args(Intervals),
    "report_leaks_": ("self_named", "posed", "own", "rival"),
    "refused_": (*map(str, REFUSED), "other"),
    "refused_so_": map(str, (404, 405, 413, 500, 503)),
    "stage_is_": get_args(StageState),
    "stage_page_pacing_": (*literal(Protocol, "pacing"), "whole"),
    "stage_page_transform_": BIASED,
    "state_": BattleState,
    "status_": StageStatus,
    "lead_": set(get_args(StageState)) - {"open"},
    "title_battle_": set(get_args(StageState)) - {"open"},
    "test_": TESTS,
    "text_": SIZES,
    "too_many_": (*get_args(Act), *get_args(OwnCall)),
    "group_": (f"{k}_{w.replace('+', '_or_more')}" for k, found in PARTS.items() for w in found),
    "trends_time_busiest_": ("ten_minutes", "hour", "day"),
    "trends_variant_": get_args(Name),
    "trends_variant_why_": filter(None, get_args(get_type_hints(Variant)["why"])),
    "letter_public_": get_args(Disclosure),
    "report_first_": get_args(InFirst),
    "variant_": {*get_args(report.VariantName), *get_args(letter.VariantName)},
    "void_": get_args(VoidReason),
    "votes_say_": vote_findings.SENTENCES,
    "votes_say_of_": get_args(vote_findings.TestName),
}  # fmt: skip
"""Keys that are put together while the program runs, by what they begin with: every word that may follow."""
FAMILIES = {prefix: frozenset(map(str, members)) for prefix, members in FAMILIES.items()}


@pytest.mark.parametrize("prefix", FAMILIES)
def test_every_word_of_a_family_is_there(prefix: str) -> None:
    """Whatever code may follow the prefix has its sentence."""
    assert sorted(member for member in FAMILIES[prefix] if prefix + member not in keys()) == []


def said_in_sources() -> set[str]:
    """Every text that stands in a module, a template or a script."""
    found = {
        node.value
        for tree in sources().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for pattern in ("templates/*", "assets/**/*.js"):
        for path in (ROOT / "arena").rglob(pattern):
            found |= set(re.findall(r"[\"'`]([a-z][\w.-]*)[\"'`]", path.read_text("utf-8")))
    return found


def test_no_word_is_left_over() -> None:
    """Every key stands in a module, a template or a script, whole or as one of a family, or is the sentence of a code."""
    said = said_in_sources()
    families = {prefix + member for prefix, members in FAMILIES.items() for member in members}
    # An event's kind stands where it is kept, and in nobody's list of all.
    events = {key for key in keys() if key.startswith("event_") and key.removeprefix("event_") in said}
    assert sorted(keys().keys() - said - families - events - told().keys() - named()) == []


def test_whoever_says_a_sentence_gives_its_values() -> None:
    """A sentence that is asked for by its key is given exactly what its places need, wherever that can be read off the call."""
    for call in calls():
        match call.func:
            case ast.Name(id="t" | "both") | ast.Call(func=ast.Name(id="messages")):
                asked = len(call.args) == 1
            case _:
                asked = False
        if asked and isinstance(call.args[0], ast.Constant) and all(given.arg for given in call.keywords):
            key = call.args[0].value
            assert key in keys(), key
            assert {given.arg for given in call.keywords} == places(keys()[key]), key


def test_templates_and_scripts_ask_for_words_that_are_there() -> None:
    """A key that a template or a script names is in the catalogue, a script's in a file that the browser gets."""
    asked = re.compile(r"\b(?:t|ko|en)\(\s*[\"'`]([a-z][\w.]*)[\"'`]\s*[,)]")
    sent = {key for name in BROWSERS for key in words("en")[name]}
    for pattern, known in (("templates/*", keys().keys()), ("assets/**/*.js", sent)):
        for path in (ROOT / "arena").rglob(pattern):
            found = set(asked.findall(path.read_text("utf-8")))
            assert sorted(found - known) == [], path.name


# --- codes and their sentences ----------------------------------------------------------------------------------------

ERRORS: dict[str, type] = {
    name: kind
    for found in (vars(errors), vars(rating_errors), vars(proofs), vars(tables), vars(arena_client), vars(follow))
    for name, kind in found.items()
    if inspect.isclass(kind) and issubclass(kind, errors.ArenaError | rating_errors.RatingsError)
} | {kind.__name__: kind for kind in (KeysError, LedgerError, AggregateError)}
CODED: dict[str, tuple[str, type]] = {
    **{name: ("error", kind) for name, kind in ERRORS.items() if "code" in inspect.signature(kind).parameters},
    **{
        "Fault": ("fault", Fault),
        "Passed": ("passed", proofs.Passed),
        "Noticed": ("noticed", proofs.Noticed),
        "Attested": ("attested", proofs.Attested),
        "Proved": ("proved", evidence.Proved),
        "Step": ("progress", Step),
    },
    **{"Notice": ("notice", Notice), "Note": ("note", Note), "refuse": ("error", AggregateError)},
}
"""What is called with a code and parameters: what the keys of its sentences begin with, and what it is."""
BESIDES = {"refuse": {"file", "row", "column", "value"}}
"""Parameters that are given besides those of the call. A note has its count, too, which its sentence need not tell."""
NOTICES_OF_MANY = ("no_votes", "few_votes", "wide_interval", "few_voters", "few_questions")
"""Told of many entrants at once by one sentence."""


def texts(node: ast.expr | None) -> tuple[str, ...]:
    """The texts that an argument may be: one, or one of two."""
    match node:
        case ast.Constant(value=str() as text):
            return (text,)
        case ast.IfExp(body=body, orelse=orelse):
            return (*texts(body), *texts(orelse))
    return ()


@cache
def told() -> Mapping[str, tuple[frozenset[str], ...]]:
    """The sentence's key of every code that a module raises or tells, and with which parameters each time."""
    found: dict[str, list[frozenset[str]]] = {}

    def tell(name: str, call: ast.Call) -> None:
        if name not in CODED or not call.args or any(given.arg is None for given in call.keywords):
            return
        given = {str(each.arg): each.value for each in call.keywords}
        forms = texts(given.get("form")) or ("",)
        kind, made = CODED[name]
        parameters = frozenset(given).difference(inspect.signature(made).parameters)  # a row, when to come back, …
        several = name == "Notice" and isinstance(call.args[0], ast.Name)
        for code in NOTICES_OF_MANY if several else texts(call.args[0]):
            for form in forms:
                key = "_".join(filter(None, (kind, code, form)))
                found.setdefault(key, []).append(parameters | BESIDES.get(name, set()))

    for tree in sources().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                match node.func:
                    case ast.Name(id=name) | ast.Attribute(attr="refuse" as name):
                        tell(name, node)
            # A class of errors with a code of its own gives it to the class above it.
            elif isinstance(node, ast.ClassDef) and node.name in ERRORS:
                for call in (each for each in ast.walk(node) if isinstance(each, ast.Call)):
                    if isinstance(call.func, ast.Attribute) and call.func.attr == "__init__":
                        tell("ArenaError", call)
    return {key: tuple(parameters) for key, parameters in found.items()}


def test_every_code_has_a_sentence_for_exactly_its_parameters() -> None:
    """Whatever is raised or told has its sentence, and the sentence uses every parameter and no other; no sentence waits for a code that is gone."""
    assert sorted(told().keys() - keys().keys()) == []
    for key, given in told().items():
        needed = places(keys()[key]) - ({"count"} if key.startswith("note_") else set())
        assert {*given} == {frozenset(needed)}, key
    kinds = {f"{kind}_" for kind, _ in CODED.values()}
    assert sorted(key for key in keys() if key.startswith(tuple(kinds)) and key not in told()) == []


NAMED = {"VerificationError": "check_", "NotConvergedError": "fit_"}
"""Errors that begin with a name: of the check that failed, of what did not converge."""


@cache
def named() -> frozenset[str]:
    """The key of every such name."""
    found = ((NAMED.get(call.func.id), call) for call in calls() if isinstance(call.func, ast.Name))
    return frozenset(prefix + text for prefix, call in found if prefix for text in texts(call.args[0]))


def test_every_check_and_every_fit_has_a_name() -> None:
    """What an export's check is called when it fails, and what did not converge."""
    assert sorted(named() - keys().keys()) == []
