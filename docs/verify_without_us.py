"""Checks a K-AI Arena export with none of the arena's code: only the standard library, pyarrow, numpy, scipy, rfc8785 and cryptography.

    pip install pyarrow numpy scipy rfc8785 cryptography
    python verify_without_us.py FOLDER [JWKS [NOTED ...]]

FOLDER holds export.json and what belongs to it; JWKS is the arena's public keys, fetched by you from /.well-known/jwks.json (without it
the keys in FOLDER are used, which shows that nothing changed since the signing, not who signed). NOTED is what somebody kept meanwhile: what a
citizen was given for a vote, a checkpoint of /api/v1/checkpoints, or what /api/v1/stage said of the draws before the first vote. Written from
docs/export-format.md and the formulas in docs/verify.md. Ends with 1 at the first thing that does not hold.
"""

import base64
import hashlib
import hmac
import json
import re
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import permutations
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, lambertw, logit
from scipy.stats import norm, t

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
PER_LOGIT = 400 / np.log(10)  # rating points


def must(holds: object, what: str) -> None:
    """Says what was checked, or stops."""
    if not holds:
        sys.exit(f"DOES NOT HOLD  {what}")
    print(f"ok  {what}")


def sha256(data: bytes) -> str:
    """64 hex characters."""
    return hashlib.sha256(data).hexdigest()


def unbase64(text: str) -> bytes:
    """Base64 without padding, as JOSE writes it."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def base64url(data: bytes) -> str:
    """The same the other way."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed(payload: bytes, jws: str, keys: dict, *, by_any: bool = False) -> bool:
    """Whether a detached JWS (RFC 7515, appendix F) is an ES256 signature over these bytes by one of these keys."""
    header, empty, signature = jws.split(".")
    told, raw = json.loads(unbase64(header)), unbase64(signature)
    key = next((key for key in keys["keys"] if by_any or key["kid"] == told["kid"]), None)
    if empty or told["alg"] != "ES256" or key is None or len(raw) != 64:
        return False
    if int.from_bytes(raw[32:]) > ORDER // 2 or base64url(raw) != signature:
        return False  # of the forms that a signature can be brought into without the key, one is taken
    x, y = (int.from_bytes(unbase64(key[name])) for name in "xy")
    body = header + "." + base64url(payload)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    try:
        EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key().verify(der, body.encode(), ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def root(leaves: list[bytes]) -> bytes:
    """The Merkle root of RFC 9162, section 2.1.1, over leaf hashes."""
    if len(leaves) == 0:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:])).digest()


def plain(value: dict) -> bytes:
    """JSON with sorted keys and no spaces: of texts, whole numbers and null under ASCII keys, the form of RFC 8785."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def receipt(stage: str, row: dict) -> str:
    """The leaf hash of a vote: of a zero byte and the record, JSON with sorted keys and no spaces; `hidden` is a hash of a nonce and the like."""
    names = ("identity_level", "model_a", "model_b", "draw", "question", "topic", "leaks")
    hidden = {"voter": row["judge"], **{name: row[name] for name in names}}
    record = {
        "schema": "kai.vote/2", "stage": stage, "battle": row["question_id"], "winner": row["winner"],
        "reasons": {"a": row["reasons_a"], "b": row["reasons_b"]}, "turns": row["turn"], "cast_at": row["cast_at"],
        "conversation": row["conversation_digest"], "comment": row["comment_digest"],
        "hidden": sha256(bytes.fromhex(row["nonce"]) + plain(hidden)),
    }  # fmt: skip
    return sha256(b"\x00" + plain(record))


def uniform_draw(seed: str, number: int, available: list[str]) -> tuple[str, str]:
    """The ordered pair that a uniform stage's seed gives for this draw."""
    entrants = sorted(available)
    pairs = list(permutations(entrants, 2))
    digest = hmac.new(seed.encode(), f"kai.draw/1|{number}|{','.join(entrants)}".encode(), hashlib.sha256).digest()
    # The point lies below the sum of equal weights, two for each unordered pair: so it counts ordered pairs.
    return pairs[int.from_bytes(digest, "big") * len(pairs) >> 256]


def below(seed: str, text: str, n: int) -> int:
    """A number from 0 to n - 1."""
    return int.from_bytes(hmac.new(seed.encode(), text.encode(), hashlib.sha256).digest()) * n >> 256


def repeats(seed: str, row: dict, share: float) -> int | None:
    """The draw that the seed has this one show again, among those it was chosen from; None where its number was not due."""
    listed, due = row["available"].split(","), round(share * 10**9)
    if below(seed, f"kai.repeat/1|{row['draw']}", 10**9) >= due:
        return None
    return int(listed[below(seed, f"kai.repeat-of/1|{row['draw']}|{row['available']}", len(listed))])


def laplacian(weights: np.ndarray) -> np.ndarray:
    """Row sums on the diagonal, minus the weights beside it."""
    return np.diag(weights.sum(axis=1)) - weights


@dataclass
class Fit:
    """Strengths in logits, their covariance clustered by voter and question, and the effective number of clusters, of voters and of questions."""

    theta: np.ndarray
    covariance: np.ndarray
    clusters: float
    voters: float
    questions: float
    votes: int

    @property
    def error(self) -> np.ndarray:
        """Of each strength."""
        return np.sqrt(np.diag(self.covariance))

    def reach(self, method: dict) -> float:
        """How many standard errors an interval reaches out."""
        if method["intervals"] == "anytime":
            return anytime_reach(self.votes, method["planned_votes"], self.clusters)
        return norm.ppf(0.975) if self.clusters >= 50 else t.ppf(0.975, max(1.0, self.clusters - 1))


def counted(rows: list[dict], both_bad: str) -> tuple[dict, list[dict]]:
    """What an outcome is worth to side a, and the votes whose outcome is worth something."""
    share = {"model_a": 1.0, "model_b": 0.0, "tie": 0.5} | ({"both_bad": 0.5} if both_bad == "tie" else {})
    return share, [row for row in rows if row["winner"] in share]


def shares(worth: dict, cast: dict, bits: int) -> dict:
    """What each vote of a voter counts, in whole parts of 2^bits of the most that any could, brought to a mean of 1 over the votes."""
    most = max(worth.values(), default=1.0)
    parts = {voter: max(round(2**bits * worth[voter] / (n * most)), 1) for voter, n in cast.items()}
    mean = sum(parts[voter] * n for voter, n in cast.items()) / sum(cast.values())
    return {voter: part / mean for voter, part in parts.items()}


def rated(
    entrants: list[str],
    rows: list[dict],
    prior: float,
    both_bad: str,
    voice: str,
    asked: str | None,
    weigh: bool = False,
) -> Fit:
    """Bradley-Terry with a phantom opponent; `weigh` where a citizen counts by the weight in votes.parquet."""
    k, place = len(entrants), {name: n for n, name in enumerate(entrants)}
    share, rows = counted(rows, both_bad)
    votes = [
        (place[r["model_a"]], place[r["model_b"]], share[r["winner"]], r["judge"], (asked and r[asked]) or n)
        for n, r in enumerate(rows)
    ]
    cast, worth = Counter(row["judge"] for row in rows), {row["judge"]: row["weight"] if weigh else 1.0 for row in rows}
    # With one voice for each citizen the votes of one share it, and all weigh 1 on average.
    weight, in_scores = (
        shares(worth, cast, bits) if voice == "citizen" else dict.fromkeys(cast, 1.0) for bits in (30, 13)
    )
    wins = np.full((k + 1, k + 1), float(prior))
    wins[:k, :k] = wins[k, k] = 0
    for a, b, won, voter, _ in votes:
        wins[a, b] += won * weight[voter]
        wins[b, a] += (1 - won) * weight[voter]
    theta, games = np.zeros(k + 1), wins + wins.T
    for _ in range(200):
        p = expit(theta[:, None] - theta[None, :])
        hessian = laplacian(games * p * (1 - p))
        step = np.linalg.solve(hessian + 1.0, (wins - games * p).sum(axis=1))
        theta = theta + step * min(1.0, 1.0 / np.abs(step).max())
        if np.abs(step).max() < 1e-12:
            break
    phantom = expit(theta[:k] - theta[k])
    theta = theta[:k] - theta[:k].mean()
    p = expit(theta[:, None] - theta[None, :])
    information = laplacian(games[:k, :k] * p * (1 - p))
    regular = np.diag(2 * prior * phantom * (1 - phantom))
    # By voter, by question, and by both: the last is in each of the first two (Cameron, Gelbach & Miller 2011).
    by = [{}, {}, {}]
    for a, b, won, voter, question in votes:
        for sums, cluster in zip(by, (voter, question, (voter, question)), strict=True):
            s = sums.setdefault(cluster, np.zeros(k + 1))
            s[a] += (won - p[a, b]) * in_scores[voter]
            s[b] -= (won - p[a, b]) * in_scores[voter]
            s[k] += in_scores[voter]
    gram, of_questions, of_both = (sum(np.outer(s[:k], s[:k]) for s in sums.values()) for sums in by)
    voters, questions = (len(votes) ** 2 / sum(s[k] ** 2 for s in sums.values()) for sums in by[:2])
    bread = np.linalg.pinv(information + regular, hermitian=True)
    meat = gram * (voters / (voters - 1) if voters > 1 else 1.0)
    delta = min(0.5, (k - 1) / (voters - (k - 1))) if voters > k - 1 else 0.5
    phi = max(1.0, np.trace(bread @ meat) / (k - 1))
    meat = meat + delta * phi * information
    clusters = voters
    if asked and questions >= 5:
        values, vectors = np.linalg.eigh(meat + (of_questions - of_both) * questions / (questions - 1))
        meat = (vectors * np.maximum(values, 0)) @ vectors.T
        clusters = min(voters, questions)
    centre = np.eye(k) - 1 / k
    covariance = centre @ bread @ (meat + regular) @ bread @ centre
    return Fit(theta, covariance, clusters, voters, questions, len(votes))


def errors_drawn(theta: np.ndarray, covariance: np.ndarray, voters: float, seed: int) -> np.ndarray:
    """4,000 errors of theta, drawn in the order of the strengths through the symmetric root of the covariance."""
    order = np.argsort(-theta, kind="stable")
    values, vectors = np.linalg.eigh(covariance[np.ix_(order, order)])
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((4000, len(theta))) @ (vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T)
    if voters < 50:
        df = max(1.0, voters - 1)
        drawn = drawn / np.sqrt(rng.chisquare(df, (4000, 1)) / df)
    return drawn[:, np.argsort(order)]


def told_apart(theta: np.ndarray, covariance: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Who is above whom beyond chance: step-down max-t over all ordered pairs."""
    variance = np.diag(covariance)
    error = np.sqrt(np.maximum(variance[:, None] + variance - 2 * covariance, 0))
    pairs = [(i, j) for i, j in permutations(range(len(theta)), 2) if error[i, j] > 0]
    statistic = np.stack([(drawn[:, i] - drawn[:, j]) / error[i, j] for i, j in pairs], axis=1)
    found = np.array([(theta[i] - theta[j]) / error[i, j] for i, j in pairs])
    claimed = np.zeros(len(pairs), bool)
    while True:
        again = found > np.quantile(statistic[:, ~claimed].max(axis=1), 0.95)
        if (again == claimed).all():
            break
        claimed = again
    above = np.zeros(error.shape, bool)
    above[tuple(np.array(pairs)[claimed].T)] = True
    return above


def boundary(clock: float, error: float) -> float:
    """How many standard errors an estimate that is looked at all the time may lie off (normal mixture)."""
    return np.sqrt((1 + 1 / clock) * (np.log(1 + clock) - 2 * np.log(error)))


def tightest(error: float) -> float:
    """The clock at which that is least."""
    return float(-lambertw(-(error**2) / np.e, -1).real - 1)


def few(voters: float, out: float) -> float:
    """Student's t over the normal, that far out, where voters are few."""
    return t.isf(norm.sf(out), max(1.0, voters - 1)) / out if voters < 50 else 1.0


def anytime_reach(votes: float, planned: float, voters: float) -> float:
    """Standard errors that an interval reaches out which holds however often one looks."""
    return boundary(tightest(0.05) * votes / planned, 0.05) * few(voters, 2.5)


def evidence_of(z: np.ndarray | float, clock: float) -> np.ndarray:
    """Log of the mixture over upward drifts alone, N(1.5 ρ, ρ²) cut off at 0."""
    moved = (z * np.sqrt(clock) + 1.5) / np.sqrt(1 + clock)
    return (moved**2 - 1.5**2 - np.log(1 + clock)) / 2 + norm.logcdf(moved) - norm.logcdf(1.5)


def reach_above(clock: float, error: float) -> float:
    """How many standard errors above 0 that reaches 1/error."""
    return brentq(lambda z: evidence_of(z, clock) + np.log(error), 0.0, 1e3, xtol=1e-12)


def apart_at_every_look(theta: np.ndarray, covariance: np.ndarray, voters: float, part: float) -> np.ndarray:
    """Who is above whom with 5 % for all pairs and all looks: Holm over the one-sided mixtures; `part` of the plan has come in."""
    k = len(theta)
    error = 0.05 / (k * (k - 1))
    planned = np.exp(
        minimize_scalar(
            lambda x: reach_above(np.exp(x), error), bounds=(-3, 6), method="bounded", options={"xatol": 1e-6}
        ).x
    )
    clock = planned * part
    variance = np.diag(covariance)
    spread = np.sqrt(np.maximum(variance[:, None] + variance - 2 * covariance, 0)) * few(
        voters, reach_above(planned, error)
    )
    z = np.divide(theta[:, None] - theta, spread, out=np.zeros((k, k)), where=spread > 0)
    evidence = evidence_of(z, clock)
    claims = sorted(((evidence[i, j], i, j) for i, j in permutations(range(k), 2)), reverse=True)
    above = np.zeros((k, k), bool)
    for made, (found, i, j) in enumerate(claims):
        if found < np.log((len(claims) - made) / 0.05):
            break
        above[i, j] = True
    return above


def closing_holds(document: dict, stage: dict, votes: list[dict]) -> None:
    """What ended the stage, by its file and the moment of the freeze, and whether the intervals follow from that."""
    told, frozen = document["closing"], document["stage"]["frozen_at"]
    declared = stage.get("closing") or ({"rule": "time"} if "closes" in stage else {})
    rule, number = declared.get("rule"), declared.get("number")
    must((told["rule"], told["number"]) == (rule, number), "closing: the rule of the stage file")
    if rule is None or frozen is None:
        followed = None
    elif rule == "time":
        followed = datetime.fromisoformat(frozen) >= stage["closes"]
    elif rule == "separation":
        followed = document["cut"] is not None and document["cut"]["separated"]
    else:
        reached = len(votes) if rule == "votes" else len({row["judge"] for row in votes})
        followed = number <= reached <= 1.1 * number
    must(told["followed"] == followed, "closing: whether it was followed")
    invented = rule is None and document["synthetic"] and frozen is not None
    fixed = invented or (bool(followed) and rule != "separation")
    kinds = {told["intervals"], (document["method"] or told)["intervals"]}
    must(kinds == {"fixed" if fixed else "anytime"}, "closing: what the intervals have to hold for")


def ruled_out(row: dict, document: dict, controls: set[str], decided: str | None) -> str | None:
    """Why a vote is out: its sides, an act, a leak that the stage excludes, or that too little of it was shown; the first that holds."""
    sides = {row["model_a"], row["model_b"]}
    if sides & controls:
        return "check"
    if sides & {entrant["team_id"] for entrant in document["entrants"] if entrant["removed"]}:
        return "removed"
    excluded = document["protocol"]["excluded_leaks"]
    for side, kind, *_ in (leak.split(":") for leak in row["leaks"]):
        kind = "asked" if kind == "asks_identity" else kind
        mine = kind in excluded and (kind not in ("own", "rival") or f"{side}:{kind}" in unprompted(row))
        decided = decided or ("leaks" if mine else None)
    return decided or ("unread" if "vote:unread" in row["leaks"] else None)


def unprompted(row: dict) -> set[str]:
    """The names that stood in an answer without a prompt having brought them up, as `side:kind`."""
    return {":".join(leak.split(":")[:2]) for leak in row["leaks"] if not leak.endswith(":prompted")}


def review_holds(document: dict, stage: dict, votes: list[dict]) -> None:
    """What was proposed names exactly its votes; each is decided on by what the acts did, by the sealed rule; only then is an export final."""
    review, told, acts = document["review"], document["stage"], document["exclusion_acts"]
    final = {document["final"], told["status"] == "published", told["published_at"] is not None}
    must(len(final) == 1, "stage: final, published, and when, or nothing of it")
    must((document["supersedes"] is None) == (document["correction"] is None), "stage: why it takes another's place")
    sealed = {"rule": "decide_each", "voter_rate": 0.05, "campaign_rate": 0.01} | stage.get("review", {})
    must(all(review[key] == sealed[key] for key in ("rule", "voter_rate", "campaign_rate")), "review: the sealed rule")
    for n, proposal in enumerate(review["proposals"]):
        rows = [row for row in votes if row["proposal"] == n]
        leaves = sorted(bytes.fromhex(row["receipt"]) for row in rows)
        key = sha256("\n".join([proposal["reason"], *sorted(row["question_id"] for row in rows)]).encode())[:24]
        must(
            (len(leaves), root(leaves).hex(), key) == tuple(proposal[name] for name in ("votes", "root", "key")),
            f"review: proposal {n} names exactly these votes",
        )
        own = [act for act in acts if act["proposal"] == proposal["key"]]
        same = all(act["root"] == proposal["root"] and act["reason"] in (None, proposal["reason"]) for act in own)
        out = bool(own) and own[-1]["action"] == "exclude"
        must(same and out == (proposal["decision"] == "followed"), f"review: proposal {n} is {proposal['decision']}")
        rate = review["campaign_rate" if proposal["reason"] == "campaign" else "voter_rate"]
        must(proposal["q"] <= rate, f"review: proposal {n} within the sealed rate")
    decided = {proposal["decision"] for proposal in review["proposals"]}
    must(not document["final"] or None not in decided, "review: nothing undecided in a final export")
    must(review["rule"] == "decide_each" or "declined" not in decided, "review: all followed where that is sealed")
    unlinked = {act["reason"] for act in acts if act["proposal"] is None}
    must(unlinked <= {None, "operator"}, "review: a test's reason only where it was proposed")


def exclusions_hold(document: dict, stage: dict, votes: list[dict]) -> None:
    """Each act names exactly its votes, in its time, and each vote is out by the stage's rule or by the acts that name it, followed in order."""
    acts, controls = document["exclusion_acts"], {control["id"] for control in stage.get("controls", ())}
    times = [
        document["stage"]["frozen_at"] or document["created_at"],
        *(act["at"] for act in acts),
        document["created_at"],
    ]
    must(times == sorted(times, key=datetime.fromisoformat), "exclusions: acts in order, in the stage's time")
    named, out, counted = [[] for _ in acts], [], {}
    for n, row in enumerate(votes):
        decided = None
        for act in row["acts"]:
            if not act < len(acts) or (decided is None) != (acts[act]["action"] == "exclude"):
                must(False, f"exclusions: what act {act} does to row {n}")
            decided = acts[act]["reason"]
            named[act].append(row)
        out.append(ruled_out(row, document, controls, decided))
        counted[out[-1]] = counted.get(out[-1], 0) + 1
    must(all(row["acts"] == sorted(set(row["acts"])) for row in votes), "exclusions: each row's acts in order")
    for n, (act, rows) in enumerate(zip(acts, named, strict=True)):
        leaves = sorted(bytes.fromhex(row["receipt"]) for row in rows)
        soon = any(datetime.fromisoformat(row["cast_at"]) > datetime.fromisoformat(act["at"]) for row in rows)
        good = (len(leaves), root(leaves).hex(), soon) == (act["votes"], act["root"], False)
        must(good, f"exclusions: act {n} names {len(leaves)} votes by their root")
    must(
        out == [row["left_out"] for row in votes], "exclusions: each row is out by rule or by these acts, or it counts"
    )
    counted.pop(None, None)
    told = {e["reason"]: e["count"] for e in document["population"]["exclusions"]}
    must(counted == told, f"exclusions: {counted or 'none'}")


def opening_holds(document: dict, stage: dict, heads: list[dict]) -> None:
    """What the stage is bound to since before its first vote, in every checkpoint."""
    act, beacon = document["opening"], stage.get("beacon")
    named = {head["opening"] for head in heads}
    must(named == {sha256(rfc8785.dumps(act))} and heads[0]["size"] == 0, "opening: one act, in every checkpoint")
    told = (document["stage"]["file_sha256"], document["stage"]["opened_at"], document["draws"]["commitment"])
    must((act["stage_file_sha256"], act["opened_at"], act["draw_commitment"]) == told, "opening: file, time, seed")
    keys = [key for key in document["evidence_keys"] if key["reason"] is None]
    promised = [(key["id"], key["sha256"]) for key in act["evidence_keys"]]
    must(sorted((key["key_id"], key["sha256"]) for key in keys) == promised, "opening: each team's key to the evidence")
    if act["beacon"] is not None:
        same = (
            act["beacon"]["source"] == beacon["source"] and datetime.fromisoformat(act["beacon"]["at"]) == beacon["at"]
        )
        must(same, f"opening: the declared beacon, which said {act['beacon']['value']}")
    else:
        must(beacon is None or document["synthetic"], "opening: no beacon that the file declares is left out")


def cosignatures_hold(lines: list[dict], stage: dict, heads: list[dict], result: bool) -> None:
    """Each is signed by a witness that the stage file names, and of a checkpoint of this history."""
    named = {witness["id"]: witness for witness in stage.get("witnesses", ())}
    known = {(head["stage"], head["size"], head["root"], head["opening"]) for head in heads}
    for line in lines:
        payload = {name: value for name, value in line.items() if name != "jws"}
        point = {name: int(named[line["witness"]][name], 16).to_bytes(32) for name in "xy"}
        key = {"kid": None, **{name: base64.urlsafe_b64encode(raw).decode() for name, raw in point.items()}}
        about = (line["stage"], line["size"], line["root"], line["opening"])
        must(
            about in known and signed(rfc8785.dumps(payload), line["jws"], {"keys": [key]}, by_any=True),
            f"cosignatures: {line['witness']} over the first {line['size']} votes",
        )
    final = sum(line["size"] == heads[-1]["size"] for line in lines)
    required = stage.get("witnesses_required", 0)
    must(final >= required or not result, f"cosignatures: a result has {required} over its last checkpoint")
    print(f"--  cosignatures: {len(lines)} by named witnesses, {final} over the last checkpoint, {required} required")


def ordered(fit: Fit, method: dict, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who is above whom beyond chance, the ranks, and the ranks that each may have."""
    k = len(fit.theta)
    if method["intervals"] == "fixed":
        above = told_apart(fit.theta, fit.covariance, drawn)
    else:
        above = apart_at_every_look(fit.theta, fit.covariance, fit.clusters, fit.votes / method["planned_votes"])
    rank = 1 + (fit.theta > fit.theta[:, None] + 1e-8).sum(axis=1)
    return above, rank, np.stack([1 + above.sum(axis=0), k - above.sum(axis=1)], axis=1)


def ranks_hold(document: dict, fit: Fit) -> None:
    """Ranks, who is told apart, and who is among the first K, surely or by chance."""
    scores, theta, first = document["scores"], fit.theta, document["stage"]["planned_advance"]
    drawn, k = errors_drawn(theta, fit.covariance, fit.clusters, document["method"]["seed"]), len(theta)
    above, rank, possible = ordered(fit, document["method"], drawn)
    low, high = possible.T
    must([row["rank"] for row in scores] == rank.tolist(), "scores: ranks")
    must([row["rank_ci95"] for row in scores] == possible.tolist(), "scores: their intervals")
    place = {row["team_id"]: n for n, row in enumerate(scores)}
    apart = above | above.T
    must(
        all(pair["separated"] == apart[place[pair["a"]], place[pair["b"]]] for pair in document["pairwise"]),
        "pairwise: who is told apart",
    )
    told = ["surely" if h <= first else "no" if b > first else "maybe" for b, h in zip(low, high, strict=True)]
    must([row["in_first_k"] for row in scores] == told, f"scores: who is among the first {first}")
    bar = np.sort(theta + drawn, axis=1)[:, max(k - first, 0), None]
    share = (theta + drawn >= bar).mean(axis=0)
    own = np.stack([theta, fit.error])
    alike = (np.abs(own[:, :, None] - own[:, None, :]) <= 1e-9).all(axis=0)
    chance = np.array([row["p_first_k"] for row in scores])
    must(np.abs(alike @ share / alike.sum(axis=1) - chance).max() < 2e-3, "scores: how likely, by the same draws")
    cut = document["cut"]
    must((cut is None) == (first >= k), "cut: where there is one")
    if cut is not None:
        last, after = place[cut["last_in"]], place[cut["first_out"]]
        must(
            rank[last] <= first <= (theta >= theta[last] - 1e-8).sum()
            and rank[after] <= first + 1 <= (theta >= theta[after] - 1e-8).sum()
            and (cut["k"], cut["separated"]) == (first, apart[last, after]),
            "cut: between whom, and whether they are told apart",
        )


def side_share(rows: list[dict], planned: float | None) -> tuple[float, float, float, float] | None:
    """Side a's share of the decided votes, its 95 % interval clustered by voter, and the p of one half; nothing where two voters did not decide."""
    by_voter = {}
    for row in rows:
        if row["winner"] in ("model_a", "model_b"):
            counts = by_voter.setdefault(row["judge"], [0, 0])
            counts[0] += row["winner"] == "model_a"
            counts[1] += 1
    if len(by_voter) < 2:
        return None
    won, n = np.array(list(by_voter.values()), float).T
    total, share = n.sum(), won.sum() / n.sum()
    voters = total**2 / (n @ n)
    clustered = voters / (voters - 1) * ((won - share * n) ** 2).sum()
    independent = total * share * (1 - share)
    effective = voters if share in (0, 1) else total * min(1.0, independent / clustered) if clustered else total
    df = max(1.0, voters - 1)
    z = t.ppf(0.975, df) if planned is None else anytime_reach(total, planned, voters)
    centre = (share + z * z / (2 * effective)) / (1 + z * z / effective)
    reach = z * np.sqrt(share * (1 - share) / effective + z * z / (4 * effective**2)) / (1 + z * z / effective)
    p = 2 * t.sf(abs(share - 0.5) * 2 * np.sqrt(effective), df)
    return share, max(0.0, centre - reach), min(1.0, centre + reach), p


def sets_that_met(names: list[str], rows: list[dict]) -> list[set[str]]:
    """The entrants that are linked by votes in the fit, together."""
    sets = [{name} for name in names]
    for pair in {frozenset((row["model_a"], row["model_b"])) for row in rows}:
        linked = [each for each in sets if each & pair]
        sets = [each for each in sets if not each & pair] + [set[str]().union(*linked)]
    return sets


def counts_hold(document: dict, votes: list[dict], draws: list[dict], rows: list[dict]) -> None:
    """Everything that is counted and not estimated: voters and votes, outcomes, pairs, draws."""
    told, used = document["population"], counted(rows, document["protocol"]["both_bad"])[1]
    have = (len({row["judge"] for row in votes}), len(votes), len(rows), len(used) if document["scores"] else 0)
    must(
        have == (told["n_voters"], told["n_votes_raw"], told["n_votes_counted"], told["n_votes_used"]),
        f"population: {have[0]} voters, {have[1]} votes, {have[2]} that count, {have[3]} in the fit",
    )
    outcomes = Counter(row["winner"] for row in votes)
    must(all(outcomes[name] == n for name, n in told["winners"].items()), "population: outcomes")
    sides, won = document["side_bias"], Counter(row["winner"] for row in rows)
    must((won["model_a"], won["model_b"]) == (sides["wins_a"], sides["wins_b"]), "side: wins by side")
    for pair in document["pairwise"]:
        names = pair["a"], pair["b"]
        met = [row for row in rows if {row["model_a"], row["model_b"]} == set(names)]
        winners = Counter(row.get(row["winner"], row["winner"]) for row in met)
        left = sum(row["model_a"] == pair["a"] for row in met)
        have = (*(winners[name] for name in (*names, "tie", "both_bad")), left)
        said = tuple(pair[name] for name in ("wins_a", "wins_b", "ties", "both_bad", "shown_a_left"))
        must(have == said, f"pairwise: {names[0]} and {names[1]} {have}")
    for row in document["scores"]:
        mine = [vote for vote in rows if row["team_id"] in (vote["model_a"], vote["model_b"])]
        bad = sum(vote["winner"] == "both_bad" for vote in mine)
        have = (len(counted(mine, document["protocol"]["both_bad"])[1]), bad)
        must(have == (row["n_votes"], row["both_bad"]), f"scores: votes on {row['team_id']}")
    drawn = Counter((row["model_a"], row["model_b"], outcome) for row in draws for outcome in ("drawn", row["outcome"]))
    shown = document["exposure"]
    must(
        (shown["draws"], document["draws"]["count"]) == (len(draws), len(draws))
        and all(
            drawn[cell["a"], cell["b"], name] == cell[name]
            for cell in shown["pairs"]
            for name in ("drawn", "unvoted", "void", "voted")
        )
        and sum(cell["drawn"] for cell in shown["pairs"]) == len(draws),
        f"exposure: {len(draws)} draws, by ordered pair, and what became of them",
    )
    on = [Counter(row[side] for row in draws) for side in ("model_a", "model_b")]
    must(all((on[0][e["id"]], on[1][e["id"]]) == (e["on_a"], e["on_b"]) for e in shown["entrants"]), "exposure: sides")


def gives_away(row: dict) -> bool:
    """Whether anything in the battle may have told who is who, excluded by the stage or not."""
    kinds = {leak.split(":")[1] for leak in row["leaks"]} & {"asks_identity", "self", "posing"}
    return bool(kinds) or any(kind in ("own", "rival") for _, kind in (leak.split(":") for leak in unprompted(row)))


def others_hold(document: dict, votes: list[dict], names: list[str], asked: str | None) -> None:
    """The same votes under other choices: `sensitivity`, but for control for style and for how few votes would swap neighbours."""
    method, rows = document["method"], [row for row in votes if row["left_out"] is None]
    scope = [row for row in votes if row["left_out"] not in ("repeat", "check", "removed")]
    declared = {key: method[key] for key in ("prior", "both_bad", "voice")} | {"asked": asked}
    choices = {
        "both_bad_exclude": (rows, {"both_bad": "exclude"}),
        "both_bad_tie": (rows, {"both_bad": "tie"}),
        "leaks_excluded": ([row for row in rows if not gives_away(row)], {}),
        "leaks_included": ([row for row in scope if row["left_out"] in (None, "leaks")], {}),
        "nothing_excluded": (scope, {}),
        "other_voice": (rows, {"voice": "vote" if method["voice"] == "citizen" else "citizen"}),
        "voter_only": (rows, {"asked": None}),
        "weighted": (rows, {"voice": "citizen", "weigh": True}),
    }
    for choice, (chosen, how) in choices.items():
        scores = document["sensitivity"].get(choice)
        if scores is None:
            continue
        fit = rated(names, chosen, **declared | how)
        drawn = errors_drawn(fit.theta, fit.covariance, fit.clusters, method["seed"])
        _, rank, possible = ordered(fit, method, drawn)
        ends = fit.theta[:, None] + fit.reach(method) * fit.error[:, None] * [-1, 1]
        for name, made, off in (("theta", fit.theta, 1e-6), ("se", fit.error, 1e-4 * fit.error), ("rank", rank, 0),
                                ("rating_ci95", 1000 + PER_LOGIT * ends, 2e-2), ("rank_ci95", possible, 0)):  # fmt: skip
            said = np.array([row[name] for row in scores])
            must((np.abs(said - made) <= off).all(), f"sensitivity: {choice}, {name}")


def noted_holds(file: Path, noted: dict, keys: dict, document: dict, leaves: list[bytes], heads: list[dict]) -> None:
    """Whether a checkpoint that somebody kept, or the commitment that somebody noted before the first vote, is of this history."""
    if "root" in noted:
        payload = {name: value for name, value in noted.items() if name != "jws"}
        must(signed(rfc8785.dumps(payload), noted["jws"], keys), f"{file.name}: a checkpoint that was signed")
        same = noted["stage"] == document["stage"]["id"] and noted["opening"] == heads[0]["opening"]
        must(
            same and noted["size"] <= len(leaves) and root(leaves[: noted["size"]]).hex() == noted["root"],
            f"{file.name}: its {noted['size']} votes are the first ones here",
        )
        return
    # As /api/v1/stage says it, one stage of /api/v1/stages, or a witness in its notebook.
    commitment = noted["draws"]["commitment"] if "draws" in noted else noted["draw_commitment"]
    must(commitment == document["draws"]["commitment"], f"{file.name}: the commitment to the draws that was noted")
    sealed = noted.get("file_sha256", noted.get("stage_file_sha256"))
    must(sealed in (None, document["stage"]["file_sha256"]), f"{file.name}: the stage file, where it was noted")


def promise_kept(file: Path, given: dict, keys: dict, document: dict, votes: list[dict], heads: list[dict]) -> None:
    """Whether the arena has done what it promised a citizen; not yet, where that is not due."""
    header, payload, signature = given["promise"].split(".")
    promise = json.loads(unbase64(payload))
    ours = promise["schema"] == "kai.promise/1" and promise["stage"] == document["stage"]["id"]
    must(ours and signed(unbase64(payload), f"{header}..{signature}", keys), f"{file.name}: a promise that was signed")
    record = given["record"].encode()
    must(sha256(b"\x00" + record) == promise["receipt"], f"{file.name}: the record is the one that was promised")
    by = datetime.fromisoformat(promise["include_by"])
    place = next((n for n, row in enumerate(votes) if row["receipt"] == promise["receipt"]), None)
    if place is not None:
        first = next(head for head in heads if head["size"] > place)
        must(datetime.fromisoformat(first["at"]) <= by, f"{file.name}: the promise was kept, in row {place}, in time")
        return
    another = [row["winner"] for row in votes if row["question_id"] == json.loads(record)["battle"]]
    must(not another, f"{file.name}: no other vote in its place {another}")
    due = document["stage"]["frozen_at"] is not None or by <= datetime.fromisoformat(document["created_at"])
    must(not due, f"{file.name}: not in the ledger, and not due before {by}")


def main(folder: Path, jwks: Path | None = None, *noted: Path) -> None:
    """The whole procedure."""
    folder = folder / "latest" if (folder / "latest").is_dir() else folder  # of a folder of exports the newest
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    listed = dict(reversed(line.split("  ")) for line in files["SHA256SUMS"].decode().splitlines())
    must(
        listed == {n: sha256(d) for n, d in files.items() if n != "SHA256SUMS"},
        "files: each has the hash in SHA256SUMS",
    )
    document = json.loads(files["export.json"])
    must(rfc8785.dumps(document) == files["export.json"], "document: canonical JSON")
    keys = json.loads(jwks.read_bytes() if jwks else files["jwks.json"])
    body = json.loads(files["export.json"])
    signature = body["integrity"].pop("signature")
    must(signed(rfc8785.dumps(body), signature, keys), f"signature: ES256 by {body['integrity']['kid']}")
    parts = [part for of, part in document["provenance"].items() if of.endswith("_file") and of != "strata_file"]
    must(all(sha256(files[p["name"]]) == p["sha256"] for p in parts), "hashes: the files that were signed")
    stage = tomllib.loads(files["stage.toml"].decode())
    told = document["stage"]
    must(told["file_sha256"] == sha256(files["stage.toml"]) and told["id"] == stage["id"], "stage: its sealed file")

    votes = pq.read_table(folder / "votes.parquet").to_pylist()
    draws = pq.read_table(folder / "draws.parquet").to_pylist()
    must(all(re.fullmatch("[0-9a-f]{64}", row["nonce"]) for row in votes), "votes: each nonce in its one form")
    must(all(receipt(stage["id"], row) == row["receipt"] for row in votes), f"votes: {len(votes)} are what was sealed")
    leaves = [bytes.fromhex(row["receipt"]) for row in votes]
    heads = [json.loads(line) for line in files["checkpoints.jsonl"].splitlines()]
    must(
        heads[-1] == document["provenance"]["checkpoint"] and heads[-1]["size"] == len(votes),
        "checkpoint: over all votes",
    )
    for head in heads:
        payload = {name: value for name, value in head.items() if name != "jws"}
        good = signed(rfc8785.dumps(payload), head["jws"], keys) and root(leaves[: head["size"]]).hex() == head["root"]
        must(good, f"checkpoint: the first {head['size']} votes lead to its signed root")

    for file in noted:
        given = json.loads(file.read_bytes())
        if "promise" in given:
            promise_kept(file, given, keys, document, votes, heads)
        else:
            noted_holds(file, given, keys, document, leaves, heads)
    opening_holds(document, stage, heads)
    cosignatures_hold(
        [json.loads(line) for line in files["cosignatures.jsonl"].splitlines()], stage, heads, document["final"]
    )

    must([row["draw"] for row in draws] == list(range(1, len(draws) + 1)), "draws: none is missing")
    voted = {row["draw"]: (row["model_a"], row["model_b"]) for row in draws if row["outcome"] == "voted"}
    must(
        voted == {row["draw"]: (row["model_a"], row["model_b"]) for row in votes} and len(voted) == len(votes),
        "draws: each vote has its own",
    )
    seed, rule = document["draws"]["seed"], stage.get("protocol", {}).get("pairing", "uniform")
    must(document["draws"]["rule"] == rule, f"draws: {rule}, as the stage file says")
    must(seed is not None or told["frozen_at"] is None, "draws: the seed is told after the freeze")
    if seed is not None:
        must(sha256(seed.encode()) == document["draws"]["commitment"], "draws: the seed that was committed to")
    if seed is not None and rule == "uniform" and not stage.get("controls"):
        beacon = document["opening"]["beacon"]
        mixed = seed if beacon is None else sha256(f"kai.seed/1|{seed}|{beacon['value']}".encode())
        plain, shown_again = ([row for row in draws if (row["repeat_of"] is None) is new] for new in (True, False))
        again = (uniform_draw(mixed, row["draw"], row["available"].split(",")) for row in plain)
        must(
            all(pair == (row["model_a"], row["model_b"]) for pair, row in zip(again, plain, strict=True)),
            "draws: each from the seed" + (", mixed with the beacon" if beacon else ""),
        )
        share, turned = (
            document["protocol"]["repeats"],
            {row["draw"]: (row["model_b"], row["model_a"]) for row in draws},
        )
        must(
            all(
                repeats(mixed, row, share) == row["repeat_of"]
                and turned[row["repeat_of"]] == (row["model_a"], row["model_b"])
                for row in shown_again
            ),
            f"draws: {len(shown_again)} shown again, each by the seed",
        )

    review_holds(document, stage, votes)
    exclusions_hold(document, stage, votes)
    rows = [row for row in votes if row["left_out"] is None]
    counts_hold(document, votes, draws, rows)
    closing_holds(document, stage, votes)
    plan = (document["method"] or {}).get("planned_votes")
    side = side_share(rows, plan)
    if side is not None:
        bias = document["side_bias"]
        printed = [bias["share_a"], *bias["share_a_ci95"], document["tests"]["side"]["p"]]
        must(np.allclose(side, printed, rtol=0, atol=2e-6), "side: side a's share, its interval by voter, and p")
    names = [row["team_id"] for row in document["scores"]]
    declared = [e["team_id"] for e in document["entrants"] if e["removed"] is None]
    must(names in (declared, []), "scores: of the entrants that are in")
    apart = len(sets_that_met(declared, counted(rows, document["protocol"]["both_bad"])[1]))
    must(len({row["group"] for row in document["scores"]}) == (apart if names else 0), "scores: groups that never met")
    if not names or apart > 1:
        print("--  no votes, or entrants that never met: the numbers are not recomputed here")
        return
    method = document["method"]
    asked = {"drawn": "question", "topic": "topic", "fixed": None}[document["protocol"]["questions"]]
    fit = rated(names, rows, method["prior"], method["both_bad"], method["voice"], asked)
    theta, covariance, reach = fit.theta, fit.covariance, fit.reach(method)
    column = {
        key: np.array([row[key] for row in document["scores"]]) for key in ("theta", "se", "rating", "rating_ci95")
    }
    must(np.allclose(theta, column["theta"], atol=1e-6), "scores: theta, to a millionth of a logit")
    must(
        np.allclose(fit.error, column["se"], rtol=1e-4),
        "scores: its standard error, clustered by voter and question",
    )
    must(
        np.allclose(covariance, document["covariance"], rtol=0, atol=2e-4 * covariance.max()),
        "covariance: of all strengths",
    )
    effective = [method["n_eff_voters"], method["n_eff_questions"]]
    must(
        np.allclose([fit.voters, fit.questions], [e if e is not None else fit.questions for e in effective], atol=0.06),
        f"method: {fit.voters:.1f} effective voters, {fit.questions:.1f} effective questions",
    )
    must(np.allclose(1000 + PER_LOGIT * theta, column["rating"], atol=2e-4), "scores: rating")
    ends = 1000 + PER_LOGIT * np.stack([theta - reach * fit.error, theta + reach * fit.error], axis=1)
    must(np.allclose(ends, column["rating_ci95"], atol=2e-2), "scores: its 95 % interval")
    if method["transform"]["id"] == "win_probability":
        k = len(names)
        p = expit(theta[:, None] - theta[None, :])
        share = (p.sum(axis=1) - 0.5) / (k - 1)
        slope = p * (1 - p)
        gradient = (np.diag(slope.sum(axis=1)) - slope) / (k - 1)
        reach = reach * np.sqrt(np.einsum("ij,jk,ik->i", gradient, covariance, gradient)) / (share * (1 - share))
        made = told["component_max"] * np.stack(
            [share, expit(logit(share) - reach), expit(logit(share) + reach)], axis=1
        )
        points = np.array([[row["points"], *row["points_ci95"]] for row in document["scores"]])
        must(
            np.abs(made - points).max() <= 0.0051,
            f"scores: points out of {told['component_max']:g}, and their intervals",
        )
    ranks_hold(document, fit)
    others_hold(document, votes, names, asked)
    if document["synthetic"]:
        print("--  SYNTHETIC: nothing in this export was judged by people")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
