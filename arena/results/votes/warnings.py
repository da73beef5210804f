"""What limits a rating, as documents and answers tell it: the notices of a fit in both languages."""

from collections.abc import Iterable
from typing import Any

from arena.i18n.catalogue import in_both
from ratings.notices import Notice


def warnings(notices: Iterable[Notice]) -> list[dict[str, Any]]:
    """Return `warnings[]`: each notice's code, whom it is about, and its sentence in Korean and English."""
    return [{"code": notice.code, "entrants": list(notice.entrants), **in_both(notice)} for notice in notices]
