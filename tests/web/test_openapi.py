"""The HTTP contract holds for whatever anybody sends: generated requests find no failure of ours and no answer that the schema does not promise."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from tests.support.serving import Citizen, serving, stage_toml

STREAMS = "/turns"
GENEROUS = "\n".join(
    f"{bound} = 1000000"
    for bound in (
        "battles_per_hour",
        "battles_per_day",
        "turns_per_minute",
        "turns_per_day",
        "votes_per_hour",
        "votes_per_day",
        "changes_per_hour",
        "reads_per_minute",
        "refusals_per_minute",
    )
)
HELD = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An arena that refuses nobody for coming often."""
    folder = tmp_path_factory.mktemp("arena")
    with serving(
        folder, stage_toml(top="leaderboard_votes = 0", limits=GENEROUS, protocol="public_leaderboard = true")
    ) as address:
        yield address


def tried(
    base: str, examples: int, prepare: Callable[[schemathesis.Case], None] = lambda case: None
) -> dict[str, set[int]]:
    """Sends so many generated requests to every operation and checks each answer; which statuses each gave."""
    operations = schemathesis.openapi.from_url(f"{base}/openapi.json").get_all_operations()
    return {op.label: statuses(op, examples, prepare) for op in (found.ok() for found in operations)}  # type: ignore[union-attr]


def statuses(operation: Any, examples: int, prepare: Callable[[schemathesis.Case], None]) -> set[int]:
    """The same for one operation; asking models takes longer, so there it is fewer requests."""
    seen: set[int] = set()

    @settings(
        max_examples=max(3, examples // 8) if STREAMS in operation.path else examples,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(
        case=st.one_of(
            operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        )
    )
    def send(case: schemathesis.Case) -> None:
        prepare(case)
        response = case.call(timeout=30)
        seen.add(response.status_code)
        case.validate_response(response, checks=HELD)

    send()
    return seen


def test_whatever_a_stranger_sends_is_answered_as_promised(base: str) -> None:
    """Without a session: every generated request, well-formed or not, has one of the documented answers."""
    seen = tried(base, 30)

    assert len(seen) >= 18
    assert seen["POST /api/v1/battles"] <= {400, 401, 422}


def test_whatever_a_citizen_sends_is_answered_as_promised(base: str) -> None:
    """With a session and a real battle: turns, stops, votes and views of generated content; afterwards the ledger of votes still answers."""
    citizen = Citizen(base).agree()
    battles = [citizen.open() for _ in range(40)]
    for battle in battles[:5]:
        citizen.ask(battle)
    receipt = citizen.vote(battles[0]).json()["receipt"]
    turn = iter(range(10**9))

    def prepare(case: schemathesis.Case) -> None:
        case.cookies = {"arena_session": citizen.http.cookies["arena_session"]}
        if "battle_id" in (case.path_parameters or {}):
            case.path_parameters["battle_id"] = battles[next(turn) % len(battles)]
        if "receipt" in (case.path_parameters or {}) and next(turn) % 2:
            case.path_parameters["receipt"] = receipt
        if case.path == "/api/v1/session" and case.method == "POST" and next(turn) % 4 == 0:
            case.body = {"consents": ["service", "teams"], "age_ok": True}
        if case.method == "DELETE":  # a withdrawal would end the others' session
            case.cookies = {}

    seen = tried(base, 30, prepare)

    assert 201 in seen["POST /api/v1/battles"] & seen["POST /api/v1/session"]
    assert 200 in seen["GET /api/v1/receipts/{receipt}"]
    assert {409, 422} <= seen["POST /api/v1/battles/{battle_id}/vote"]
    assert 200 in seen["GET /api/v1/battles/{battle_id}"]
    assert citizen.vote(citizen_battle(citizen), "tie").status_code == 201


def citizen_battle(citizen: Citizen) -> str:
    """A battle that can be voted on."""
    battle = citizen.open()
    citizen.ask(battle)
    return battle


def test_every_route_says_what_it_refuses(base: str) -> None:
    """Each operation documents its refusals as `application/problem+json`, and no operation promises a failure of ours."""
    document = json.loads(Citizen(base).http.get(f"{base}/openapi.json").text)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            assert "500" not in answers, (method, path)
            for status in ("401", "404", "409", "422", "429", "503"):
                assert list(answers[status]["content"]) == ["application/problem+json"], (method, path, status)
