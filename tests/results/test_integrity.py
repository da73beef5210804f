"""Integrity: who votes strangely is found, honest taste is left alone, and an exclusion stands in the open and can be undone."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import numpy as np
import pytest
from scipy import stats

from arena.domain.errors import Conflict, NotFound, Unusable
from arena.domain.grounds import WrittenGrounds
from arena.domain.stage import Stage, StageStatus
from arena.record.keys import Keys
from arena.record.store import Store
from arena.results import lifecycle
from arena.results.integrity import review
from arena.results.integrity.coordination import campaigns
from arena.results.integrity.proposals import Proposal, propose
from arena.results.integrity.voter_tests import (
    TESTS,
    Ballots,
    absence,
    benjamini_hochberg,
    consensus,
    examine,
    leave_one_out,
    simes,
    subset,
)
from arena.results.live.leaderboard import Leaderboard
from arena.results.votes.exclusions import ADD, REMOVE, ExclusionReason, active, history
from benchmarks.integrity import HONEST_VOTERS, TARGET, Crowd, attacker, burst, honest, points, proposed
from ratings.comparison import BOTH_BAD
from tests.support import voting
from tests.support.crowd import cast_crowd
from tests.support.serving import stage_toml
from tests.support.voting import NOW, SECRET, STAGE
from tests.support.words import refusing


def crowd(seed: int = 1) -> Crowd:
    """400 honest voters, 5,000 votes, with tastes, habits, speeds and networks of their own."""
    made = Crowd(np.random.default_rng(seed), [], [], [])
    honest(made, 0.05)
    return made


@pytest.fixture(scope="module")
def honest_only() -> Ballots:
    return crowd().ballots()


def excluded_mask(ballots: Ballots) -> np.ndarray:
    return np.isin(ballots.voter, proposed(ballots))


# --- the arithmetic ---------------------------------------------------------------------------------------------------


def test_false_discovery_rates_are_the_published_ones():
    """Benjamini–Hochberg and Benjamini–Yekutieli agree with SciPy's; Simes with a sum worked out by hand."""
    p = np.random.default_rng(0).uniform(size=200) ** 2

    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p, method="bh"))
    np.testing.assert_allclose(benjamini_hochberg(p, dependent=True), stats.false_discovery_control(p, method="by"))
    np.testing.assert_allclose(simes(np.array([[0.01, 0.5], [0.04, 0.9], [0.9, 1.0]])), [0.03, 1.0])


def test_the_others_consensus_is_what_a_fit_without_the_voter_gives(honest_only):
    """The one Newton step that leaves a voter out agrees with a real fit of everybody else's votes, even for the busiest voter."""
    everybody = np.ones(honest_only.voters, bool)
    agreed = consensus(honest_only, everybody)
    busiest = int(np.bincount(honest_only.voter).argmax())
    others = everybody.copy()
    others[busiest] = False
    mine = subset(honest_only, (honest_only.voter == busiest) & (honest_only.outcome != BOTH_BAD))
    refitted = consensus(honest_only, others).theta

    gap, _ = leave_one_out(mine, agreed)

    assert np.abs(agreed.theta - refitted).max() > 0.01
    np.testing.assert_allclose(gap, refitted[mine.a] - refitted[mine.b], atol=0.01)


def test_absence_is_an_exact_test():
    """A voter who left unjudged all battles without one entrant: the hypergeometric chance, both ways, over five entrants."""
    drawn, faced = np.array([[20, 20, 20, 20, 20]]), np.array([[5, 5, 20, 5, 5]])

    p = absence(drawn, np.array([50]), faced, np.array([20]))

    assert p[0] == pytest.approx(2 * 5 * stats.hypergeom.sf(19, 50, 20, 20))
    assert p[0] < 1e-12


# --- honest people ----------------------------------------------------------------------------------------------------


def test_no_test_cries_wolf_on_honest_voters(honest_only):
    """Each test's p-values are at most as small as chance makes them, taste and habits included, and nobody is proposed."""
    found = examine(honest_only)
    active = found.votes >= 5

    assert active.sum() > 200
    for test in (*TESTS, "combined"):
        p = found.combined[active] if test == "combined" else found.p[test][active]
        for level in (0.05, 0.01):
            expected = level * active.sum()
            assert (p <= level).sum() <= expected + 3 * np.sqrt(expected) + 1, test
    assert len(proposed(honest_only)) <= 1


def evening(seed: int) -> Ballots:
    """A small stage: 60 honest voters of twelve votes and three who always take side a, one voter after the other, three an hour."""
    made = Crowd(np.random.default_rng(seed), [], [], [])
    for n in range(63):
        voter, strength = made.voter(), (0.6, 0.3, 0.0, -0.3, -0.6)
        for k in range(12 if n < 60 else 30):
            a, b = made.draw(voter)
            honestly = made.rng.random() < 1 / (1 + np.exp(strength[b] - strength[a]))
            at = 3600 * (n if n < 60 else 20 * (n - 60)) + 180 * k
            made.rows.append((at, voter, a, b, 0 if n >= 60 or honestly else 1, 20.0, -1, 100 * n + k))
    return made.ballots()


@pytest.mark.slow
def test_false_discoveries_are_bounded_in_small_stages_too():
    """Over 40 small stages: all three attackers are found, honest people hardly ever, not even those who voted beside an attacker; p-values keep their word."""
    false, few = [], 0
    for seed in range(40):
        ballots = evening(seed)
        found, out = examine(ballots), proposed(ballots)
        assert set(range(60, 63)) <= set(out)
        false.append(sum(out < 60) / len(out))
        few += (found.p["consensus"][:60] <= 0.01).sum()

    assert np.mean(false) <= 0.05
    assert few <= 24 + 3 * np.sqrt(24)


@pytest.mark.slow
def test_nobody_carries_a_campaign_alone():
    """Three voters of one network, of whom one always takes side a and casts most of the votes: no campaign; as many votes of eight who do are one."""
    made = crowd(8)
    sizes = {7001: (14, 3, 3), 7002: (5,) * 8}
    for network, voters in sizes.items():
        for votes in voters:
            voter = made.voter()
            for k in range(votes):
                a, b = made.draw(voter)
                outcome = 0 if votes == max(voters) else k % 2
                made.rows.append(
                    (86_400.0 * (k % 13) + voter, voter, a, b, outcome, 20.0, network, 10**6 + 100 * voter + k)
                )
    ballots = made.ballots()

    found = {g.key: g for g in campaigns(ballots, examine(ballots)) if g.kind == "network"}

    assert found[7001].votes == 20
    assert found[7001].p > 0.05
    assert found[7002].p < 1e-6


@pytest.mark.slow
def test_a_fan_with_a_taste_of_their_own_is_not_a_fraud():
    """Somebody who likes one entrant a logit more than others do, and votes on everything, stays in."""
    made = crowd(3)
    rng, voter = made.rng, made.voter()
    for k in range(40):
        a, b = made.draw(voter)
        likes = np.array([0.45, 0.2, 1.0, -0.2, -0.45])
        outcome = 0 if rng.random() < 1 / (1 + np.exp(likes[b] - likes[a])) else 1
        made.rows.append((90_000.0 + 180 * k, voter, a, b, outcome, 20.0, 999, 500_000 + k))

    assert voter not in proposed(made.ballots())


# --- attackers --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "test"), [("side", "side"), ("target", "absence")])
def test_always_side_and_target_only_attackers_are_found_one_by_one(kind, test):
    """Ten of each, 250 votes, careful with their time: all found by the test that is meant for them, honest people hardly touched, the score mended."""
    made = crowd(5)
    for _ in range(10):
        attacker(made, kind, 25, 0.0, lazy=False)
    ballots = made.ballots()
    attack = ballots.voter >= HONEST_VOTERS
    found, out = examine(ballots), excluded_mask(ballots)
    truth, bent, mended = points(ballots, ~attack), points(ballots, attack | ~attack), points(ballots, ~out)

    assert out[attack].all()
    assert out[~attack].mean() < 0.02
    assert {found.reason(v) for v in range(HONEST_VOTERS, HONEST_VOTERS + 10)} == {test}
    assert np.abs(mended - truth).max() < 0.25 * np.abs(bent - truth).max()


@pytest.mark.slow
def test_a_coordinated_burst_is_found_though_none_of_its_voters_could_be():
    """100 accounts of five votes in two hours: no single one stands out, the hours and networks do, and leaning is named."""
    made = crowd(6)
    burst(made, 500, 0.0, lazy=False)
    ballots = made.ballots()
    attack = ballots.voter >= HONEST_VOTERS
    found = examine(ballots)
    groups = [group for group in campaigns(ballots, found) if group.q <= 0.01]
    out = excluded_mask(ballots)

    assert len(found.flagged(0.05)) <= 5
    assert {group.kind for group in groups} == {"network", "window"}
    assert {group.entrant for group in groups} == {TARGET}
    assert out[attack].mean() > 0.9
    assert out[~attack].mean() < 0.03


def test_who_calls_bad_answers_good_is_found(honest_only):
    """A voter who takes the control's side in most of twelve checks stands out; one slip does not."""
    checks = honest_only.checks.copy()
    busy = np.argsort(-np.bincount(honest_only.voter, minlength=honest_only.voters))[:2]
    checks[busy[0]], checks[busy[1]] = (12, 7), (12, 1)

    found = examine(replace(honest_only, checks=checks))

    assert busy[0] in found.flagged(0.05)
    assert found.reason(int(busy[0])) == "check"
    assert busy[1] not in found.flagged(0.05)


# --- exclusions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def judged(store: Store) -> list[str]:
    """Three votes of a stage that has frozen."""
    stage = Stage.from_toml(stage_toml().replace('"test"', f'"{STAGE}"').encode(), "stage.toml")
    store.stages.adopt(stage, stage_toml().replace('"test"', f'"{STAGE}"').encode(), NOW)
    ids = []
    for name in ("one", "two", "three"):
        citizen = voting.enrol(store, name)
        battle = voting.ready(store, citizen)
        voting.vote(store, battle, citizen)
        ids.append(battle.id)
    return ids


def frozen(store: Store, *proposed: tuple[ExclusionReason, list[str]]) -> list[str]:
    """Freeze the stage with these proposals; their keys."""
    q = WrittenGrounds(text="q <= 0.05")
    made = [Proposal(reason, q, 0.01, (), (), tuple(battles), {}, None) for reason, battles in proposed]
    review.keep(store, STAGE, made, NOW)
    store.stages.move(STAGE, StageStatus.OPEN, StageStatus.FROZEN, NOW)
    return [proposal.key for proposal in made]


def decided(store: Store) -> dict[str, bool]:
    """Whether each proposal was followed, as far as it is decided on."""
    return {key: each.followed for key, each in review.decisions_in(store.events.of_stage(STAGE)).items()}


def out(store: Store) -> dict[str, ExclusionReason]:
    """What is left out now."""
    return active(history(store, STAGE))


def test_a_decision_says_why_and_can_be_changed(store, judged):
    """Votes left out stay in the record; each act stands with reason, grounds, who, when and its proposal; the last word on a proposal counts."""
    one, two, three = judged
    first, second = frozen(store, (ExclusionReason.TARGET, [one, two]), (ExclusionReason.SPEED, [three]))
    review.follow(store, STAGE, first, organizer="kim", now=NOW)
    review.decline(store, STAGE, second, why="a good reader", organizer="lee", now=NOW)
    assert out(store) == {one: ExclusionReason.TARGET, two: ExclusionReason.TARGET}
    review.decline(store, STAGE, first, why="the voter explained", organizer="lee", now=NOW + timedelta(hours=1))
    review.follow(store, STAGE, second, organizer="kim", now=NOW + timedelta(hours=2))

    assert out(store) == {three: ExclusionReason.SPEED}
    assert decided(store) == {first: False, second: True}
    assert [(act.action, act.organizer, act.reason, act.proposal) for act in history(store, STAGE)] == [
        (ADD, "kim", ExclusionReason.TARGET, first),
        (REMOVE, "lee", None, first),
        (ADD, "kim", ExclusionReason.SPEED, second),
    ]
    assert store.votes.count(STAGE) == 3
    with pytest.raises(Conflict):
        review.follow(store, STAGE, second, organizer="kim", now=NOW)


def test_votes_are_left_out_between_freeze_and_publication_alone(store, judged):
    """While votes come in, and once the result is published, every act is refused, and says when it can be done."""
    acting = {"organizer": "kim", "now": NOW}
    calls = (
        lambda: review.follow(store, STAGE, None, **acting),
        lambda: review.leave_out(store, STAGE, judged[:1], grounds="a team's", **acting),
        lambda: review.take_back(store, STAGE, 0, grounds="x", **acting),
    )
    for call in calls:
        with refusing(Conflict, match="only between freeze and publication"):
            call()
    frozen(store)
    store.stages.move(STAGE, StageStatus.FROZEN, StageStatus.PUBLISHED, NOW)
    for call in calls:
        with refusing(Conflict, match="A correction is"):
            call()
    assert history(store, STAGE) == []


@pytest.mark.parametrize(("battles", "grounds"), [([], "rule"), (None, "  "), (["no-such-battle"], "rule")])
def test_an_act_without_grounds_or_votes_is_refused(store, judged, battles, grounds):
    """No votes, no grounds, a battle without a vote, a proposal declined without a reason, or an act that is not there: nothing is appended."""
    [key] = frozen(store, (ExclusionReason.SPEED, judged))
    chosen = judged if battles is None else battles
    with pytest.raises(Unusable):
        review.leave_out(store, STAGE, chosen, grounds=grounds, organizer="kim", now=NOW)
    with pytest.raises(Unusable):
        review.decline(store, STAGE, key, why=" ", organizer="kim", now=NOW)
    for call in (
        lambda: review.take_back(store, STAGE, 0, grounds="x", organizer="kim", now=NOW),
        lambda: review.follow(store, STAGE, "f" * 24, organizer="kim", now=NOW),
    ):
        with pytest.raises(NotFound):
            call()

    assert history(store, STAGE) == []
    assert decided(store) == {}


def test_what_follows_a_proposal_is_declined_and_not_taken_back(store, judged):
    """An act of its own can be taken back as far as it still holds; what a proposal left out comes back by declining it, with the reason."""
    [key] = frozen(store, (ExclusionReason.SPEED, judged[:1]))
    acting = {"organizer": "kim", "now": NOW}
    review.follow(store, STAGE, key, **acting)
    own = review.leave_out(store, STAGE, judged[1:], grounds="cast by a team", **acting)
    with pytest.raises(Conflict):
        review.take_back(store, STAGE, 0, grounds="x", **acting)
    back = review.take_back(store, STAGE, 1, grounds="by another team", **acting)

    assert (back.battles, back.root, back.proposal) == (own.battles, own.root, None)
    assert out(store) == {judged[0]: ExclusionReason.SPEED}
    with pytest.raises(Unusable):
        review.take_back(store, STAGE, 1, grounds="once more", **acting)


def test_of_many_organizers_who_decide_at_once_each_vote_is_left_out_once(store, judged):
    """Decisions on a stage come one after the other, whichever process or thread: of two that contradict each other the second is told."""
    keys = frozen(store, (ExclusionReason.SIDE, judged[:1]), (ExclusionReason.SPEED, judged[1:]))

    def act(n: int) -> bool:
        try:
            if n % 3 == 2:
                review.leave_out(store, STAGE, judged[:2], grounds="a team's", organizer=f"organizer {n}", now=NOW)
            else:
                review.follow(store, STAGE, keys[n % 3], organizer=f"organizer {n}", now=NOW)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(9) as pool:
        done = list(pool.map(act, range(9)))

    acts = history(store, STAGE)
    named = [battle for made in acts for battle in made.battles]
    assert sum(done) == len(acts) in (1, 2)
    assert len(named) == len(set(named)) == len(out(store))
    assert decided(store) == {made.proposal: True for made in acts if made.proposal}


def test_what_the_stage_seals_to_follow_is_followed_at_once(store, judged):
    """Under `follow_all` nobody picks: one call follows whatever was proposed, none can be followed alone or declined."""
    text = stage_toml(top="").replace('"test"', '"sealed"') + '\n[review]\nrule = "follow_all"\n'
    stage = Stage.from_toml(text.encode(), "stage.toml")
    store.stages.adopt(stage, text.encode(), NOW)
    review.keep(store, "sealed", (), NOW)
    store.stages.move("sealed", StageStatus.OPEN, StageStatus.FROZEN, NOW)
    for call in (
        lambda: review.follow(store, "sealed", "f" * 24, organizer="kim", now=NOW),
        lambda: review.decline(store, "sealed", "f" * 24, why="x", organizer="kim", now=NOW),
    ):
        with pytest.raises((Conflict, NotFound)):
            call()
    assert review.follow(store, "sealed", None, organizer="kim", now=NOW) == []


def test_an_act_names_its_votes_by_a_root_and_comes_after_them(store, judged):
    """The root is the RFC's over the votes' receipts, the smallest first; an organizer's clock that is behind dates no act before what it is about."""
    late = NOW - timedelta(hours=5)
    [key] = frozen(store, (ExclusionReason.SIDE, judged))
    [made] = review.follow(store, STAGE, key, organizer="kim", now=late)
    [back] = review.decline(store, STAGE, key, why="explained", organizer="lee", now=late)

    one, two, three = sorted(bytes.fromhex(row.receipt) for row in store.votes.after(STAGE, 0))
    pair = sha256(b"\x01" + one + two).digest()
    assert made.root == back.root == sha256(b"\x01" + pair + three).hexdigest()
    assert review.proposals_of(store, STAGE)[0].root == made.root
    assert history(store, STAGE) == [made, back]
    assert late < made.at == back.at == NOW


# --- from the record to a proposal ------------------------------------------------------------------------------------


def test_what_is_proposed_at_the_freeze_stays_and_shows_in_the_result(tmp_path):
    """From real rows: voters who always take side a are proposed with all their votes and grounds, no vote twice, once and for all at the freeze;
    following them changes the live ratings when the result is published, and not before."""
    toml = stage_toml().replace('"test"', f'"{STAGE}"').encode()
    stage = Stage.from_toml(toml, "stage.toml")
    store, keys = Store(f"sqlite:///{tmp_path / 'arena.db'}"), Keys.open(tmp_path, {})
    store.stages.adopt(stage, toml, NOW)
    cast_crowd(store, stage, NOW, SECRET)
    keys.secret = SECRET
    board = Leaderboard(store, stage)
    found, before = propose(board.feed, store, stage), board.snapshot().ratings

    assert {p.voters[0][:4] for p in found} == {"side"}
    assert len(found) == 3
    assert all(len(p.battles) == 30 and p.reason is ExclusionReason.SIDE and p.grounds.kind == "voter" for p in found)
    lifecycle.freeze(store, keys, STAGE, organizer="kim", now=NOW)
    kept = review.proposals_of(store, STAGE)
    assert [(p.key, p.battles, p.grounds) for p in kept] == [(p.key, p.battles, p.grounds) for p in found]
    battles = [battle for proposal in kept for battle in proposal.battles]
    assert len(battles) == len(set(battles))
    with refusing(Conflict, match="3 proposals are not decided on"):
        lifecycle.publish(store, keys, STAGE, tmp_path / "out", tmp_path, organizer="kim", now=NOW)
    review.follow(store, STAGE, None, organizer="kim", now=NOW)
    during = board.snapshot().ratings
    store.stages.move(STAGE, StageStatus.FROZEN, StageStatus.PUBLISHED, NOW)
    after = board.snapshot().ratings
    assert before is not None
    assert during is not None
    assert after is not None
    assert (before.n_used, during.n_used, after.n_used) == (810, 810, 720)
    assert review.proposals_of(store, STAGE) == kept
    store.close()
