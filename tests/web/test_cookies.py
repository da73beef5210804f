"""Whose cookie a request carries: read by the bytes of its name, as browsers keep it, and nobody's where there are two."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from arena.web.core.cookies import cookie_of
from arena.web.core.session import COOKIE, LOGIN_COOKIE, ORGANIZER_COOKIE
from tests.support.serving import serving, stage_toml

PUBLIC = "https://arena.example.kr"
HOST = f"__Host-{COOKIE}".encode()
ASKED = {"consents": ["service", "teams"], "age_ok": True}
PLANTED = [
    b"\xa0%b",
    b"\x85%b",
    b"%b\xa0",
    b"\xc2\xa0%b",
    b"\xe2\x80\x80%b",
    b"\x1c%b",
    b"\x1f%b",
    b"\x0b%b",
    b"\x0c%b",
    b'"%b"',
]
"""Names that any neighbour may set, since they do not begin with `__Host-`, or are not the name that follows it."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An arena behind TLS."""
    with serving(tmp_path_factory.mktemp("arena"), stage_toml(), public_url=PUBLIC) as address:
        yield address


def given(base: str) -> bytes:
    """The value of a new citizen's cookie."""
    answer = httpx.post(f"{base}/api/v1/session", json=ASKED, headers={"origin": PUBLIC})
    return answer.cookies[HOST.decode()].encode()


def status(base: str, *cookies: bytes) -> int:
    """What somebody's list of battles is answered who sends these headers."""
    return httpx.get(f"{base}/api/v1/battles", headers=[(b"cookie", line) for line in cookies]).status_code


@pytest.mark.parametrize("form", PLANTED, ids=repr)
def test_a_name_that_a_neighbour_may_set_is_not_ours(base: str, form: bytes) -> None:
    """White space that browsers take for a part of the name stays one: such a cookie is nobody's, alone or after one's own."""
    own, planted = HOST + b"=" + given(base), form % HOST + b"=" + given(base)
    if not set(planted) & {0x1C, 0x1F, 0x0B, 0x0C}:  # no server takes a header with these, and no browser sends one
        assert status(base, planted) == 401
        assert status(base, own + b"; " + planted) == 200
    for plain_name in (COOKIE, ORGANIZER_COOKIE, LOGIN_COOKIE):
        name = f"__Host-{plain_name}"
        line = form % name.encode() + b"=evil"
        assert cookie_of([(b"cookie", line)], name) is None
        assert cookie_of([(b"cookie", name.encode() + b"=own; " + line)], name) == "own"


def test_a_name_that_comes_twice_is_nobodys(base: str) -> None:
    """Two cookies of one name, in one header or in two, alike or not: one of them is not ours, and nobody can tell which."""
    own, other = (HOST + b"=" + given(base) for _ in range(2))
    assert status(base, own) == status(base, b"a=b", own) == status(base, b"a=b;\t" + own + b" ;c") == 200
    assert status(base, own + b"; " + other) == status(base, own, other) == status(base, own + b";" + own) == 401


def test_two_cookies_shut_nobody_out_of_the_bounds(tmp_path: Path) -> None:
    """The bound on refused calls looks at the same cookie as the routes do: what is nobody's there counts for nobody here."""
    with serving(tmp_path, stage_toml(limits="refusals_per_minute = 3"), public_url=PUBLIC) as base:
        own = HOST + b"=" + given(base)
        for planted in (b"\xa0" + own, own + b"; " + own):
            answers = [
                httpx.get(f"{base}/api/v1/battles/none", headers=[(b"cookie", planted)]).status_code for _ in range(8)
            ]
            assert answers == [401] * 8
        assert status(base, own) == 200


def test_hostile_cookies_are_read_without_harm() -> None:
    """Nothing that a header may hold breaks the reading, and a value is what stood there."""
    assert cookie_of([(b"cookie", b"x; x=own; =x")], "x") == "own"  # a cookie without a name is only a value
    for line in (b"", b";", b"=", b";;=;", b"x", b"\xff\x00=\xff", b"=;" * 10_000):
        assert cookie_of([(b"cookie", line)], "x") is None
    assert cookie_of([(b"cookie", b"x=a=b")], "x") == "a=b"
    assert cookie_of([(b"cookie", b"x=\xff")], "x") == "\xff"
    assert cookie_of([(b"cookies", b"x=1")], "x") is None
