"""What a citizen can prove with a receipt and nothing but HTTP: the vote is in the ledger, and the ledger was never rewritten."""

from pathlib import Path

import httpx

from arena.record.ledger import verify_checkpoint
from arena.record.merkle import verify_consistency, verify_inclusion
from tests.support.serving import Citizen, serving, stage_toml


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
