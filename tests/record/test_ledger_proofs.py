"""Merkle trees as RFC 9162 defines them, and signatures that anybody can check."""

import base64
import hashlib
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from joserfc import jws
from joserfc.jwk import ECKey
from pymerkle import InmemoryTree

from arena.domain.promise import Promise
from arena.domain.vote import leaf_hash
from arena.record.keys import Keys, KeysError, read_jws, verify_jws
from arena.record.ledger import verify_checkpoint
from arena.record.merkle import Tree, roots_of, verify_consistency, verify_inclusion
from tests.support.words import refusing

DATA = Path(__file__).resolve().parents[1] / "data"
# The known answers of the reference implementation of certificate transparency (RFC 6962/9162), for the trees of the first n inputs.
INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def hashes(n: int) -> list[str]:
    return [hashlib.sha256(b"\x00" + str(i).encode()).hexdigest() for i in range(n)]


def tree(leaves: Sequence[str]) -> Tree:
    return Tree(lambda start, end: [bytes.fromhex(leaf) for leaf in leaves[start:end]])


def test_roots_are_the_known_ones() -> None:
    """The roots are those of every other implementation of the RFC."""
    leaves = [hashlib.sha256(b"\x00" + bytes.fromhex(i)).hexdigest() for i in INPUTS]
    assert tuple(roots_of(leaves, [n + 1])[n + 1] for n in range(len(leaves))) == ROOTS
    assert roots_of([], [0]) == {0: hashlib.sha256().hexdigest()}


def test_every_proof_of_every_small_tree() -> None:
    """Up to 40 leaves, each leaf is proven under each size, each size to be the beginning of each later one, and nothing else is."""
    leaves = hashes(40)
    grown = tree(leaves)
    reference = InmemoryTree()
    reference.append_entries([str(i).encode() for i in range(40)])
    roots = [grown.root(n) for n in range(41)]
    assert roots == [reference.get_root(n).hex() for n in range(41)]
    for size in range(1, 41):
        for index in range(size):
            path = grown.inclusion(index, size)
            assert verify_inclusion(leaves[index], index, size, path, roots[size])
            assert not verify_inclusion(leaves[index - 1], index, size, path, roots[size]) or size == 1
            assert not verify_inclusion(leaves[index], index, size, path, roots[size - 1])
            assert not verify_inclusion(
                leaves[index], index, size, [*path, path[0] if path else leaves[0]], roots[size]
            )
            if path:
                assert not verify_inclusion(leaves[index], index, size, path[:-1], roots[size])
        for first in range(size + 1):
            path = grown.consistency(first, size)
            assert verify_consistency(first, roots[first], size, roots[size], path)
            if first:
                assert not verify_consistency(first, roots[first - 1], size, roots[size], path)
                assert not verify_consistency(first, roots[first], size, roots[size - 1], path)
    assert not verify_inclusion(leaves[0], 40, 40, [], roots[40])
    assert not verify_consistency(3, roots[3], 40, roots[40], [])


def test_a_kept_receipt_is_believed_here_and_in_the_browser() -> None:
    """The proof that the page's own check is tested with is one that ours believes: neither can change without the other."""
    held = json.loads((DATA / "receipt.json").read_bytes())
    proof, head = held["proof"], held["proof"]["checkpoint"]
    assert verify_inclusion(proof["receipt"], proof["leaf_index"], head["size"], proof["inclusion_path"], head["root"])
    assert verify_checkpoint(head, held["jwks"])
    assert not verify_checkpoint({**head, "size": 12}, held["jwks"])
    vote = held["vote"]
    assert leaf_hash(vote["record"].encode()) == vote["receipt"] == proof["receipt"]
    payload = read_jws(vote["promise"], held["jwks"])
    assert payload is not None
    assert Promise.read(payload).receipt == vote["receipt"]


def test_a_large_tree_is_read_in_blocks() -> None:
    """A tree of 20,001 leaves never asks for more than one block at once, and remembers what it has read."""
    leaves = [bytes.fromhex(leaf) for leaf in hashes(20_001)]
    asked: list[int] = []

    def read(start: int, end: int) -> list[bytes]:
        asked.append(end - start)
        return leaves[start:end]

    large = Tree(read)
    root = large.root(20_001)
    assert max(asked) == 4096
    assert root == roots_of(hashes(20_001), [20_001])[20_001]
    asked.clear()
    assert verify_inclusion(leaves[7].hex(), 7, 20_001, large.inclusion(7, 20_001), root)
    assert sum(asked) < 8192 + 4096


def test_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    """The first start makes the keys, readable by nobody else; every later start finds them; others' eyes on them stop the arena."""
    made = Keys.open(tmp_path / "data", {})
    path = tmp_path / "data" / "keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["keys.json"]
    again = Keys.open(tmp_path / "data", {})
    assert (again.kid, again.secret, again.cookie_secrets) == (made.kid, made.secret, made.cookie_secrets)
    assert len(made.secret) == 32
    path.chmod(0o640)
    with refusing(KeysError, match="chmod 600"):
        Keys.open(tmp_path / "data", {})
    path.chmod(0o600)
    path.write_text("{}")
    with refusing(KeysError, match="backup"):
        Keys.open(tmp_path / "data", {})


def test_keys_from_the_environment_touch_no_disk(tmp_path: Path) -> None:
    """ARENA_KEYS holds the same as the file, and then nothing is written."""
    made = Keys.open(tmp_path / "one", {})
    given = Keys.open(tmp_path / "two", {"ARENA_KEYS": made.exported()})
    assert (given.kid, given.secret) == (made.kid, made.secret)
    assert not (tmp_path / "two").exists()


def test_two_processes_that_start_together_have_the_same_keys(tmp_path: Path) -> None:
    """Whoever comes second takes the keys of the first."""
    readings = []
    for _ in range(8):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.write(writing, Keys.open(tmp_path, {}).kid.encode())
            os._exit(0)
        os.close(writing)
        readings.append(reading)
    kids = {os.read(reading, 100) for reading in readings}
    for _ in readings:
        os.wait()
    assert len(kids) == 1


def test_signatures_hold_for_their_bytes_only(tmp_path: Path) -> None:
    """A signature verifies with the published keys over exactly the signed bytes, also after a rotation, and none of the known tricks passes."""
    keys = Keys.open(tmp_path, {})
    payload = b'{"size":3}'
    signature = keys.sign(payload)
    header, empty, tail = signature.split(".")
    assert empty == ""
    assert verify_jws(payload, signature, keys.jwks())
    assert "d" not in keys.jwks()["keys"][0]
    rotated = keys.rotate_signing()
    assert rotated.kid != keys.kid
    assert verify_jws(payload, signature, rotated.jwks())
    assert verify_jws(payload, rotated.sign(payload), Keys.open(tmp_path, {}).jwks())
    assert not verify_jws(payload, rotated.sign(payload), keys.jwks())
    assert "d" not in rotated.jwks()["keys"][1]
    assert rotated.secret == keys.secret

    body = jws.serialize_compact({"alg": "ES256", "kid": keys.kid}, b"other", ECKey.import_key(keys._bundle.signing))
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for forged in (
        keys.sign(b'{"size":4}'),
        body,  # carries its own content, which must not be taken for ours
        f"{unsigned}..",
        f"{header}..{tail[:-4]}AAAA",
        f"{header}.",
        "..",
        "",
        Keys.open(tmp_path / "stranger", {}).sign(payload),
    ):
        assert not verify_jws(payload, forged, keys.jwks())


def test_a_signature_has_one_form(tmp_path: Path) -> None:
    """Nobody without the key can make another text that stands for the same signature: not with the other s, nor with slack in its base64."""
    keys = Keys.open(tmp_path, {})
    order = SECP256R1().group_order
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for n in range(20):  # of plain ES256 signatures half have the higher s
        payload = b'{"size":%d}' % n
        header, _, tail = keys.sign(payload).split(".")
        raw = base64.urlsafe_b64decode(tail + "==")
        assert 0 < int.from_bytes(raw[32:]) <= order // 2
        high = raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32)
        slack = tail[:-1] + letters[letters.index(tail[-1]) + 1]  # 86 letters hold 516 bits: four of them mean nothing
        assert base64.urlsafe_b64decode(slack + "==") == raw
        for other in (base64.urlsafe_b64encode(high).decode().rstrip("="), slack, tail + "==", tail + "\n", f" {tail}"):
            assert not verify_jws(payload, f"{header}..{other}", keys.jwks())
        whole = keys.sign_whole(payload)
        assert read_jws(whole, keys.jwks()) == payload
        assert read_jws(f"{header}..{tail}", keys.jwks()) is None
        body, _, _ = whole.rpartition(".")
        assert read_jws(f"{body}.{tail}", keys.jwks()) == payload
        assert read_jws(whole.replace(".", ".A", 1), keys.jwks()) is None


def test_cookie_secrets_rotate_and_the_previous_one_still_opens(tmp_path: Path) -> None:
    """After one rotation the previous secret is still accepted, after two it is forgotten."""
    first = Keys.open(tmp_path, {})
    second = first.rotate_cookies()
    third = second.rotate_cookies()
    assert second.cookie_secrets[1] == first.cookie_secrets[0]
    assert len(third.cookie_secrets) == 2
    assert first.cookie_secrets[0] not in third.cookie_secrets
    assert Keys.open(tmp_path, {}).cookie_secrets == third.cookie_secrets
