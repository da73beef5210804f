"""Korea's time, which every moment is written in."""

from datetime import datetime, timedelta, timezone
from typing import Final

KST: Final = timezone(timedelta(hours=9))


def kst(moment: datetime | None) -> str | None:
    """Write a moment as ISO 8601 in Korea's time, to the millisecond."""
    return None if moment is None else moment.astimezone(KST).isoformat(timespec="milliseconds")
