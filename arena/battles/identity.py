"""What gives an entrant away: an answer that names its author or somebody else, a prompt that asks for it. Marked in the record; nothing is stopped or changed.

A text is folded, every name in it becomes one character, and what is quoted or given as an example is set aside. Then a sentence in which the
answer says who it is, is a claim: `self`, or `posing` as somebody else. Any other name is only there: `own` or `rival`. A leak ends with
`:prompted` where the citizen's own questions asked for it, or had brought that name up.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import chain

from arena.battles.claims import A_NAME, apart_from_code, asks, claimed, credited, signed
from arena.battles.distinctive import names
from arena.battles.folding import fold
from arena.battles.mentions import about_models, mentioned
from arena.battles.names import WORDS, Name, Names, bearer, loose, undistinguished
from arena.domain.battle import ASKS_IDENTITY, PROMPTED
from arena.domain.stage import Entrant
from models.text import plain

OUTSIDERS: dict[str, list[str]] = WORDS["outsiders"]
"""Well-known models of others, by who made them, under the names that they are called by."""

_JOINED = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")


class Lexicon:
    """The names of a stage's entrants, and the sentences in which a name is a confession."""

    def __init__(self, entrants: Sequence[Entrant]) -> None:
        """Take in the stage's names: teams, organisations and aliases, in Korean and English."""
        spelled = [names(entrant) for entrant in entrants]
        self._ids = (*(entrant.id for entrant in entrants), *OUTSIDERS)
        self._entrants = frozenset(entrant.id for entrant in entrants)
        self._names = Names(spelled, tuple(OUTSIDERS.values()))
        self._homes = {entrant.id: _home(names) for entrant, names in zip(entrants, spelled, strict=True)}

    def mark_answer(self, text: str, own: str, prompts: Sequence[str] = (), *, asked: bool = False) -> tuple[str, ...]:
        """List what an answer gives away.

        Args:
            text: what the citizen saw.
            own: the entrant whose it is.
            prompts: what the citizen had asked in this battle until then.
            asked: whether one of the prompts asks who the models are, as `mark_prompt` says.

        Returns:
            Sorted: `self:id` and `own:id` name its author, `posing:who` and `rival:id` somebody else; `:prompted` stands behind one that
            the prompts had asked for or whose name they had brought up.
        """
        outside = apart_from_code(text)
        marked = self._names.mask(fold(outside))
        masked = undistinguished(marked)
        whole = masked if outside == text else undistinguished(self._names.mask(fold(text)))
        letters = set(A_NAME.findall(masked))
        home = self._homes.get(own)
        at_home = home is not None and home.search(plain(text).lower()) is not None
        if not at_home and not A_NAME.search(whole):
            return ()
        questions = [self._names.mask(fold(each)) for each in prompts]
        brought = self._bearers(letter for each in questions for letter in A_NAME.findall(each))
        said = self._bearers(claimed(masked))
        # Weaker signs count for the author alone, and not where it was asked about itself by name. Asked who it is, its name is one.
        if own not in brought and (
            at_home
            or (asked and own in self._bearers(letters))
            or own in self._bearers(chain(signed(masked), credited(whole)))
            or mentioned(
                marked, lambda letter: self._ids[bearer(letter)] == own, expected=any(map(about_models, questions))
            )
        ):
            said.add(own)
        named = self._bearers(letter for letter in letters if not loose(letter)) & self._entrants
        leaks = {("self:" if who == own else "posing:") + who for who in said}
        leaks |= {("own:" if who == own else "rival:") + who for who in named - said}
        return tuple(sorted(leak + PROMPTED * (asked or leak.partition(":")[2] in brought) for leak in leaks))

    def mark_prompt(self, text: str) -> tuple[str, ...]:
        """`asks_identity` when the citizen asks the models who they are; what stands in quotation marks is not asked."""
        return (ASKS_IDENTITY,) if asks(self._names.mask(fold(text))) else ()

    def _bearers(self, letters: Iterable[str]) -> set[str]:
        """Give whose names these are."""
        return {self._ids[bearer(letter)] for letter in letters}


def _home(names: Sequence[Name]) -> re.Pattern[str] | None:
    """Compile where somebody of these names is at home: hosts and addresses with a name in them."""
    latin = [name.text for name in names if name.text.isascii()]
    hosts = sorted({"-?".join(re.findall(r"[a-z]+|[0-9]+", _JOINED.sub("-", name).lower())) for name in latin} - {""})
    if not hosts:
        return None
    domains = [rf"|(?<![\w-]){re.escape(name.lower())}(?![\w-])" for name in latin if _DOMAIN.fullmatch(name)]
    return re.compile(WORDS["names"]["home"].replace("{host}", f"(?:{'|'.join(hosts)})") + "".join(domains))
