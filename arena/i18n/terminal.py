"""The words of whoever sits at a terminal: Korean where the locale is Korean, English everywhere else.

The locale is read as POSIX has it: LC_ALL before LC_MESSAGES before LANG, the first that is set. `LC_ALL=C` always gives English.
"""

import os
from collections.abc import Mapping

from arena.domain.errors import ArenaError
from arena.i18n.catalogue import Language, Told, messages


def language(environ: Mapping[str, str]) -> Language:
    """Return the language of the messages that this environment asks for."""
    locale = next(filter(None, map(environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "ko" if locale.replace("-", "_").partition(".")[0].partition("_")[0].lower() == "ko" else "en"


t = messages(language(os.environ))
"""The sentences of this process."""


def said(error: Exception) -> str:
    """Return what people read of an error: its code where it is one of the arena's, the row of a file, and the sentence.

    What has no sentence of ours, such as an error of the system or of a model's endpoint, says what it says itself.
    """
    if not isinstance(error, Told):
        return str(error)
    row = getattr(error, "row", None)
    sentence = t.of(error) if row is None else t("at_row", row=row, said=t.of(error))
    return f"{error.code}: {sentence}" if isinstance(error, ArenaError) else sentence
