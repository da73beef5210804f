"""The bytes that everybody hashes."""

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from arena.domain.vote import canonical_plain

KEYS = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=12)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.recursive(
    TEXT | st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.slow
@given(st.dictionaries(KEYS, PLAIN, max_size=6))
def test_the_quick_canonical_form_is_rfc_8785(record: dict[str, object]) -> None:
    """For the kind of record a vote is, the quick way gives the bytes of RFC 8785, whatever a citizen or a model wrote."""
    assert rfc8785.dumps(record) == canonical_plain(record)  # type: ignore[arg-type]
