"""RFC 9162 Merkle trees over leaf hashes: roots and proofs by pymerkle over any storage, and the stranger's checks of both proofs.

pymerkle hashes as the RFC does (0x00 before a leaf, 0x01 before a pair) and its inclusion paths are the RFC's. Its consistency
proofs have another shape, so that path is laid out here as §2.1.4.1 says; every range root in it is pymerkle's.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pymerkle import BaseMerkleTree

BLOCK = 4096
CACHE_BYTES = 64 * 2**20


class Tree(BaseMerkleTree):
    """The Merkle tree of the leaf hashes that `read(start, end)` returns; it stores nothing but remembered subtree roots."""

    def __init__(self, read: Callable[[int, int], Sequence[bytes]]) -> None:
        """`read` must return the same leaves for ever: the tree is append-only."""
        super().__init__("sha256", threshold=BLOCK, capacity=CACHE_BYTES)
        self._read = read
        self._size = 0

    def root(self, size: int) -> str:
        """Compute the root over the first `size` leaves (§2.1.1); 64 hex characters."""
        self._size = max(self._size, size)
        return self.get_root(size).hex()

    def inclusion(self, index: int, size: int) -> list[str]:
        """Compute the inclusion path of leaf `index` (from 0) in the tree of `size` leaves (§2.1.3.1)."""
        self._size = max(self._size, size)
        return [digest.hex() for digest in self.prove_inclusion(index + 1, size).path[1:]]

    def consistency(self, first: int, second: int) -> list[str]:
        """Compute the consistency path between the trees of `first` and `second` leaves, `0 ≤ first ≤ second` (§2.1.4.1)."""
        if first in (0, second):
            return []
        self._size = max(self._size, second)
        with self.lock:
            return [self._get_root(start, end).hex() for start, end in _subproof(first, 0, second, whole=True)]

    def _get_subroot(self, offset: int, width: int) -> bytes:
        """Hash a large subtree from its two remembered halves, so that no more than one block of leaves is ever in memory."""
        if width <= self.threshold:
            return super()._get_subroot(offset, width)
        key = (offset, width)
        if key not in self.cache:
            half = width // 2
            self.cache[key] = self.hash_pair(self._get_subroot(offset, half), self._get_subroot(offset + half, half))
        return self.cache[key]

    # pymerkle's abstract methods carry no types, so these promise nothing to a type checker.
    def _get_leaf(self, index: int) -> Any:
        return self._read(index - 1, index)[0]

    def _get_leaves(self, offset: int, width: int) -> Any:
        return self._read(offset, offset + width)

    def _get_size(self) -> Any:
        return self._size

    def _encode_entry(self, data: Any) -> Any:
        raise NotImplementedError("leaves are appended to the table, never through the tree")

    def _store_leaf(self, data: Any, digest: bytes) -> Any:
        raise NotImplementedError("leaves are appended to the table, never through the tree")


def roots_of(leaves: Iterable[str], sizes: Iterable[int]) -> dict[int, str]:
    """Compute the root over the first n of these leaf hashes (hex) for each of these sizes, in one pass, for whoever holds all leaves.

    What it gives for two sizes is consistent by construction: the smaller tree is the beginning of the larger one.
    """
    wanted = set(sizes)
    found = {0: hashlib.sha256().hexdigest()} if 0 in wanted else {}
    peaks: list[bytes] = []
    """The roots of the perfect subtrees so far, the largest first."""
    for n, leaf in enumerate(leaves):
        node, closed = bytes.fromhex(leaf), n
        while closed & 1:
            node, closed = _pair(peaks.pop(), node), closed >> 1
        peaks.append(node)
        if n + 1 in wanted:
            root = peaks[-1]
            for peak in reversed(peaks[:-1]):
                root = _pair(peak, root)
            found[n + 1] = root.hex()
    return found


def verify_inclusion(leaf: str, index: int, size: int, path: Sequence[str], root: str) -> bool:
    """Tell whether `leaf` is leaf `index` of the tree with this size and root (§2.1.3.2).

    Raises:
        ValueError: something in it is not hexadecimal.
    """
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, bytes.fromhex(leaf)
    for p in map(bytes.fromhex, path):
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = _pair(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = _pair(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r.hex() == root


def verify_consistency(first: int, first_root: str, second: int, second_root: str, path: Sequence[str]) -> bool:
    """Tell whether the tree of `first` leaves is the beginning of the tree of `second` leaves (§2.1.4.2).

    Raises:
        ValueError: something in it is not hexadecimal.
    """
    if not 0 <= first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path and first_root == hashlib.sha256().hexdigest()
    if not path:
        return False
    nodes = [bytes.fromhex(step) for step in path]
    if first & (first - 1) == 0:
        nodes.insert(0, bytes.fromhex(first_root))
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]
    for node in nodes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = _pair(node, fr), _pair(node, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = _pair(sr, node)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr.hex() == first_root and sr.hex() == second_root


def _pair(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _subproof(first: int, start: int, end: int, *, whole: bool) -> list[tuple[int, int]]:
    """SUBPROOF(m, D_n, b) as leaf ranges: `whole` is the RFC's b, true while the first tree is known to the verifier."""
    width = end - start
    if first == width:
        return [] if whole else [(start, end)]
    k = 1 << (width - 1).bit_length() - 1  # the largest power of two smaller than the width
    if first <= k:
        return [*_subproof(first, start, start + k, whole=whole), (start + k, end)]
    return [*_subproof(first - k, start + k, end, whole=False), (start, start + k)]
