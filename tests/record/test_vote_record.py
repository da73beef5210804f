"""The bytes that everybody hashes, what they hide, and what is promised of them."""

from datetime import timedelta
from itertools import permutations

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from arena.domain.battle import SIDES, Answer, Battle, BattleState, Draw, Turn
from arena.domain.citizen import Citizen
from arena.domain.promise import Promise
from arena.domain.vote import NONCE_BYTES, Hidden, Vote, canonical_plain, cast, hidden_digest, leaf_hash
from tests.support.voting import KEYS, NOW, SECRET, STAGE, ballot

NAMES = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=12)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.recursive(
    TEXT | st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.slow
@given(st.dictionaries(NAMES, PLAIN, max_size=6))
def test_the_quick_canonical_form_is_rfc_8785(record: dict[str, object]) -> None:
    """For the kind of record a vote is, the quick way gives the bytes of RFC 8785, whatever a citizen or a model wrote."""
    assert rfc8785.dumps(record) == canonical_plain(record)  # type: ignore[arg-type]


def votes_on_one_battle(*nonces: bytes | None) -> list[Vote]:
    """The same ballot of the same citizen on the same battle, sealed with each of these nonces."""
    turn = Turn(1, "질문", NOW, {side: Answer(side, "complete", "답") for side in SIDES})
    drawn = Draw("garam", "narae", 7, ("garam", "narae"), 0.5)
    battle = Battle("b" * 24, STAGE, "v" * 32, BattleState.OPEN, drawn, NOW, (turn,), topic="travel")
    return [cast(battle, Citizen("v" * 32), ballot(), NOW, SECRET, KEYS, nonce=nonce) for nonce in nonces]


def test_a_record_is_its_citizens_to_read_and_hides_who() -> None:
    """The record says what the citizen decided and no more: who voted, who the sides were, draw, question, topic and leaks stand under one digest."""
    (vote,) = votes_on_one_battle(None)
    told = orjson.loads(vote.record)
    assert set(told) == {
        "schema", "stage", "battle", "winner", "reasons", "turns", "conversation", "comment", "cast_at", "hidden",
    }  # fmt: skip
    assert (told["battle"], told["winner"], told["turns"]) == ("b" * 24, "model_a", 1)
    for hidden in (b"garam", b"narae", b"v" * 32, b"travel", b"anonymous", vote.nonce.hex().encode()):
        assert hidden not in vote.record
    assert leaf_hash(vote.record) == vote.receipt


def test_what_a_record_hides_cannot_be_tried_out() -> None:
    """With the nonce everything hidden is rebuilt; without it even who knows all but the pair finds no pair that fits, and equal votes look unlike."""
    one, two = votes_on_one_battle(None, None)
    assert len(one.nonce) == NONCE_BYTES
    assert one.nonce != two.nonce
    assert one.record != two.record

    def guess(a: str, b: str, nonce: bytes) -> str:
        known = {"voter": "v" * 32, "identity_level": "anonymous", "draw": 7, "topic": "travel", "leaks": ()}
        hidden: Hidden = {**known, "model_a": a, "model_b": b, "question": one.question}  # type: ignore[typeddict-item]
        return hidden_digest(hidden, nonce)

    sealed = orjson.loads(one.record)["hidden"]
    assert guess("garam", "narae", one.nonce) == sealed
    pairs = list(permutations(("garam", "narae", "dasom", "maru"), 2))
    assert sealed not in {guess(a, b, nonce) for a, b in pairs for nonce in (b"", bytes(NONCE_BYTES), two.nonce)}


def test_a_promise_is_read_as_it_was_written() -> None:
    """What is signed reads back, and nothing else does: no other form, no other schema."""
    (vote,) = votes_on_one_battle(None)
    promise = Promise.of(vote, timedelta(minutes=10))
    assert Promise.read(promise.payload()) == promise
    assert promise.include_by - promise.cast_at == timedelta(minutes=10)
    told = orjson.loads(promise.payload())
    for wrong in (b"", b"[]", b"null", b"{}", canonical_plain({**told, "schema": "kai.checkpoint/1"}),
                  canonical_plain({**told, "more": 1}), promise.payload() + b" ",
                  canonical_plain({**told, "include_by": 5})):  # fmt: skip
        with pytest.raises(ValueError, match="promise"):
            Promise.read(wrong)
