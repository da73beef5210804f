"""The HTML of answers is made once, within bounds of room and time, and is gone with what was erased."""

from arena.battles.kept_html import KeptHtml
from arena.battles.render import render

TEXT = "**하나**\n\n- 둘\n- 셋"


def test_what_was_rendered_while_it_was_written_is_given_again() -> None:
    """A view gives the HTML that an answer ended with; of any other text it gives what rendering gives."""
    kept = KeptHtml()
    kept.keep(TEXT, "<p>as it was shown</p>")
    assert kept.of(TEXT) == "<p>as it was shown</p>"
    assert kept.of(TEXT + "!") == kept.of(TEXT + "!") == render(TEXT + "!")


def test_it_is_kept_for_a_while_within_bounds_and_not_after_an_erasure() -> None:
    """The oldest goes where the room ends; each goes when its time is over, however often it was asked for; an erasure forgets all."""
    now = [0.0]
    kept = KeptHtml(most_chars=25, lasts_s=10, clock=lambda: now[0])
    for name in ("one", "two", "three"):
        kept.keep(name, f"<p>{name}!</p>")  # 11, 11 and 13 characters
    assert kept.of("two") == "<p>two!</p>"
    assert kept.of("three") == "<p>three!</p>"
    assert kept.of("one").strip() == "<p>one</p>"  # gone, so rendered anew
    now[0] = 9.9
    assert kept.of("three") == "<p>three!</p>"
    now[0] = 10
    assert kept.of("three").strip() == "<p>three</p>"
    kept.keep("two", "<p>two!</p>")
    kept.clear()
    assert kept.of("two").strip() == "<p>two</p>"
