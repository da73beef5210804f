"""Where a browser says that a request comes from (Fetch Metadata): what another site made it send is not what its citizen did."""

from typing import Final

from starlette.types import Scope

_ELSEWHERE: Final = frozenset({b"cross-site", b"same-site"})
_NO_PAGES: Final = ("/api/", "/organizer/console/")
"""Nobody goes there by a link: what a page fetches."""


def is_from_elsewhere(scope: Scope) -> bool:
    """Tell whether another site, a neighbouring subdomain too, made the browser send this request; by what sends no `Sec-Fetch-Site` it did not."""
    return _said(scope, b"sec-fetch-site") in _ELSEWHERE


def is_embedded_elsewhere(scope: Scope) -> bool:
    """Tell whether another site made the browser send it other than by going to one of our pages: as an image, a script, a frame, a call."""
    if not is_from_elsewhere(scope):
        return False
    goes = (_said(scope, b"sec-fetch-mode"), _said(scope, b"sec-fetch-dest")) == (b"navigate", b"document")
    return not goes or scope["path"].startswith(_NO_PAGES)


def account(scope: Scope, citizen_id: str) -> str:
    """Name the account on which what a citizen asks is counted.

    Votes have one of their own, so that nothing else is ever in their way; and so has what other sites lead to.
    """
    if is_from_elsewhere(scope):
        return f"{citizen_id} led"
    is_vote = scope["method"] == "POST" and scope["path"].endswith("/vote")
    return f"{citizen_id} votes" if is_vote else citizen_id


def _said(scope: Scope, header: bytes) -> bytes:
    return next((value for name, value in scope["headers"] if name == header), b"")
