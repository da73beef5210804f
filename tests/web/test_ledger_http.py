"""What a citizen can prove with a receipt and nothing but HTTP: the vote is in the ledger, and the ledger was never rewritten."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from arena.domain.promise import Promise
from arena.domain.stage import Protocol
from arena.domain.vote import leaf_hash
from arena.record.keys import read_jws
from arena.record.ledger import verify_checkpoint
from arena.record.merkle import verify_consistency, verify_inclusion
from arena.record.store import Store
from arena.web.api.ledger import SIGN_EVERY_S
from tests.support.serving import TEAMS, Citizen, serving, stage_toml


def voted(base: str) -> str:
    """A receipt."""
    citizen = Citizen(base).agree()
    battle = citizen.open()
    citizen.ask(battle)
    return citizen.vote(battle).json()["receipt"]


def test_a_receipt_is_proven_from_outside(tmp_path: Path) -> None:
    """A receipt waits for the next checkpoint, then proves itself under it; each signed checkpoint is the beginning of every later one; nonsense is refused."""
    receipts = []
    for _ in range(2):  # each start signs what the run before left
        with serving(tmp_path, stage_toml()) as base:
            receipts.append(voted(base))
            waiting = httpx.get(f"{base}/api/v1/receipts/{receipts[-1]}").json()
            assert (waiting["status"], waiting["receipt"]) == ("pending", receipts[-1])
    with serving(tmp_path, stage_toml()) as base:
        http = httpx.Client(base_url=base)
        jwks = http.get("/.well-known/jwks.json").json()
        deadline = 50
        while http.get(f"/api/v1/receipts/{receipts[-1]}").json()["status"] == "pending" and deadline:
            deadline -= 1
        for n, receipt in enumerate(receipts):
            proof = http.get(f"/api/v1/receipts/{receipt}").json()
            head = proof["checkpoint"]
            assert (proof["status"], proof["leaf_index"], head["size"]) == ("included", n, 2)
            assert verify_checkpoint(head, jwks)
            assert verify_inclusion(receipt, n, 2, proof["inclusion_path"], head["root"])
            assert not verify_inclusion("0" * 64, n, 2, proof["inclusion_path"], head["root"])
        heads = http.get("/api/v1/checkpoints").json()["checkpoints"]
        assert [head["size"] for head in heads] == [0, 1, 2]
        for first in heads:
            for second in heads[first["size"] :]:
                asked = {"first": first["size"], "second": second["size"]}
                path = http.get("/api/v1/checkpoints/consistency", params=asked).json()["consistency_path"]
                assert verify_consistency(first["size"], first["root"], second["size"], second["root"], path)
        assert http.get(f"/api/v1/receipts/{'0' * 64}").json()["code"] == "receipt_not_found"
        assert http.get("/api/v1/receipts/nonsense").status_code == 422
        assert http.get("/api/v1/checkpoints/consistency", params={"first": 2, "second": 9}).status_code == 404


def test_a_vote_is_answered_with_its_record_and_a_signed_promise(tmp_path: Path) -> None:
    """The record hashes to the receipt and says what was chosen; the promise is signed by a published key, for this receipt, ten minutes long unless the
    stage says otherwise; checkpoints are signed more than twice as often as the shortest that a stage may declare."""
    with serving(tmp_path, stage_toml(protocol="merge_delay_minutes = 5")) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle)
        given = citizen.vote(battle, "both_bad").json()
        own = citizen.see(battle)["vote"]
        jwks = httpx.get(f"{base}/.well-known/jwks.json").json()
    told = json.loads(given["record"])
    assert leaf_hash(given["record"].encode()) == given["receipt"]
    assert (told["stage"], told["battle"], told["winner"]) == ("test", battle, "both_bad")
    payload = read_jws(given["promise"], jwks)
    assert payload is not None
    promise = Promise.read(payload)
    assert (promise.stage_id, promise.receipt) == ("test", given["receipt"])
    assert promise.cast_at.isoformat(timespec="milliseconds") == told["cast_at"]
    assert promise.include_by - promise.cast_at == timedelta(minutes=5)
    assert own == {"winner": "both_bad", **{name: given[name] for name in ("record", "receipt", "promise")}}
    assert Protocol().merge_delay_minutes == 10
    with pytest.raises(ValueError, match="merge_delay"):
        Protocol(merge_delay_minutes=round(2 * SIGN_EVERY_S / 60))


@pytest.mark.parametrize("reveal", ["after_vote", "after_stage", "never"])
def test_what_proves_a_vote_names_nobody(tmp_path: Path, reveal: str) -> None:
    """Whatever the arena gives out of a vote (the whole answer with its headers, the owner's views, receipt, proof, signed checkpoints, the page) holds no
    pseudonym and no nonce, and no entrant and no team but in the reveal itself where that is allowed."""
    stage = stage_toml(protocol=f'reveal = "{reveal}"')
    with serving(tmp_path, stage) as base:
        citizen = Citizen(base).agree()
        battle = citizen.open()
        citizen.ask(battle, "안녕하세요?")
        answers = [citizen.vote(battle), citizen.vote(battle)]
        receipt = answers[0].json()["receipt"]
        answers += [citizen.http.get(path) for path in (f"/battles/{battle}", "/battles", f"/receipts/{receipt}")]
    with serving(tmp_path, stage) as base:  # each start signs what the run before left
        await_sealed(base, receipt)
        paths = (f"/api/v1/receipts/{receipt}", "/api/v1/checkpoints", f"/receipts?receipt={receipt}")
        answers += [httpx.get(base + path) for path in paths]
    assert answers[-3].json()["status"] == "included"
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    (row,) = store.votes.after("test", 0)
    store.close()
    entrants = (row.model_a, row.model_b)
    names = [*entrants, *(name for each in entrants for name in TEAMS[each])]
    for answer in answers:
        told = answer.json() if "json" in answer.headers["content-type"] else answer.text
        promises = [signed(text) for text in {*found(told, "promise")}]
        assert not any(found(told, "reveal")) or reveal == "after_vote"
        for whole in (str(answer.headers), answer.text, *promises):
            for secret in (
                row.voter,
                row.nonce.hex(),
                row.nonce.hex().upper(),
                base64.b64encode(row.nonce).decode()[:42],
            ):
                assert secret not in whole
        for whole in (str(answer.headers), json.dumps(but_the_reveal(told), ensure_ascii=False), *promises):
            assert [name for name in names if name in whole] == []
    assert any(found(answers[0].json(), "reveal")) == (reveal == "after_vote")


def await_sealed(base: str, receipt: str) -> None:
    """Until a checkpoint covers the vote: a start signs beside whatever else it has to do."""
    for _ in range(300):
        if httpx.get(f"{base}/api/v1/receipts/{receipt}").json()["status"] == "included":
            return
        time.sleep(0.1)


def found(told: Any, name: str) -> Iterator[Any]:
    """Every value under this name, wherever it stands."""
    for key, value in told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ():
        if key == name:
            yield value
        yield from found(value, name)


def but_the_reveal(told: Any) -> Any:
    """All else."""
    if isinstance(told, dict):
        return {key: but_the_reveal(value) for key, value in told.items() if key != "reveal"}
    return [but_the_reveal(each) for each in told] if isinstance(told, list) else told


def signed(jws: str) -> str:
    """What stands in a compact JWS."""
    middle = jws.split(".")[1]
    return base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)).decode()
