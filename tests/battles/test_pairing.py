"""Pairing: every draw can be drawn again by a stranger, has the probability that is stored with it, and favours nobody."""

import hashlib
import hmac
from collections import Counter
from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path

import httpx
import pytest
from scipy.stats import chi2, chi2_contingency

from arena.battles.pairing import Pairing
from arena.domain import draw as pairing
from arena.domain.battle import Draw, new_battle_id
from arena.domain.draw import UNIFORM, Rule, chances, commitment, draw, pair_of
from arena.domain.errors import StageError
from arena.domain.stage import Stage, StageStatus
from arena.record.store import Store
from arena.results.live.draw_audit import exposure, redraw
from tests.support.serving import Citizen, serving, stage_toml
from tests.support.voting import NOW, enrol
from tests.support.words import refusing

SEED = "5eed" * 16
FIVE = ("dasom", "garam", "hanbit", "maru", "narae")


def drawn(n: int, rule: Rule = UNIFORM, available: tuple[str, ...] = FIVE) -> list[Draw]:
    """The first n draws, adaptive counts kept as the record keeps them."""
    made: list[Draw] = []
    shown: Counter[pairing.Pair] = Counter()
    for number in range(1, n + 1):
        if rule.pairing == "adaptive" and (number - 1) % pairing.EPOCH == 0:
            shown = Counter(pair_of(d.a, d.b) for d in made)
        made.append(draw(SEED, number, available, rule, shown))
    return made


def stage_of(protocol: str, top: str = "") -> Stage:
    return Stage.from_toml(stage_toml(protocol=protocol, top=top).encode(), "stage.toml")


def test_a_stranger_needs_only_the_formula():
    """The documented formula, written down again without our code, gives the same draws; the order of the entrants does not matter."""
    pairs = list(permutations(sorted(FIVE), 2))
    for number in (1, 2, 77, 10**9):
        digest = hmac.new(
            SEED.encode(), f"kai.draw/1|{number}|{','.join(sorted(FIVE))}".encode(), hashlib.sha256
        ).digest()
        expected = pairs[int.from_bytes(digest, "big") * 20 >> 256]

        found = draw(SEED, number, FIVE[::-1])

        assert (found.a, found.b) == expected
        assert (found.number, found.available, found.probability) == (number, FIVE, 1 / 20)


def test_the_draws_of_a_known_seed_never_change():
    """The first draws of one seed are written here: whoever changes the formula changes the published past."""
    assert [(d.a, d.b) for d in drawn(4)] == [
        ("narae", "hanbit"),
        ("narae", "hanbit"),
        ("garam", "narae"),
        ("maru", "garam"),
    ]


def test_uniform_draws_fall_evenly_and_independently():
    """20,000 draws pass a test of equal ordered pairs, and of the next pair's independence from this one: a reveal teaches nothing."""
    made = [(d.a, d.b) for d in drawn(20_000)]
    counts = Counter(made)
    statistic = sum((counts[pair] - 1000) ** 2 / 1000 for pair in permutations(FIVE, 2))
    keys = sorted(counts)
    following = Counter(pairwise(made))

    assert chi2.sf(statistic, 19) > 0.001
    _, independence, *_ = chi2_contingency([[following[x, y] for y in keys] for x in keys])
    assert float(str(independence)) > 0.001


def test_one_seed_tells_nothing_about_another_and_its_commitment_tells_nothing_at_all():
    """Another seed gives other draws; the commitment is the seed's SHA-256."""
    other = [draw("0" * 64, d.number, FIVE) for d in drawn(200)]

    assert sum((x.a, x.b) == (y.a, y.b) for x, y in zip(drawn(200), other, strict=True)) < 40
    assert commitment(SEED) == hashlib.sha256(SEED.encode()).hexdigest()


def test_a_balanced_block_holds_every_pair_once_on_each_side():
    """In each block of 20 every ordered pair stands once, and in each half every pair: the least shown comes first."""
    made = drawn(100, Rule("balanced"))

    for start in range(0, 100, 20):
        block = made[start : start + 20]
        assert {(d.a, d.b) for d in block} == set(permutations(FIVE, 2))
        assert len({pair_of(d.a, d.b) for d in block[:10]}) == 10


def test_balanced_draws_are_refused_where_reveals_would_let_a_citizen_foresee_them():
    """A stage that reveals after each vote cannot declare blocks; one that reveals after the stage can."""
    with refusing(StageError, match="balanced"):
        stage_of('pairing = "balanced"')

    assert stage_of('pairing = "balanced"\nreveal = "after_stage"').protocol.pairing == "balanced"


def test_adaptive_draws_bring_an_entrant_back_from_an_outage_and_keep_their_uniform_share():
    """After 600 draws without it, an entrant is drawn more often until it has caught up; no pair ever falls below its uniform share."""
    rule = Rule("adaptive", uniform_share=0.5)
    shown = {pair_of(*pair): 0 if "narae" in pair else 100 for pair in permutations(FIVE, 2)}

    chance = chances(FIVE, rule, shown)
    back = sum(p for pair, p in chance.items() if "narae" in pair)

    assert sum(chance.values()) == pytest.approx(1)
    assert back == pytest.approx(0.5 * 0.4 + 0.5)
    assert min(chance.values()) == pytest.approx(0.5 / 20)
    assert chances(FIVE, rule, dict.fromkeys(shown, 7)) == chances(FIVE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [UNIFORM, Rule("balanced"), Rule("adaptive", 0.5), Rule(golden_rate=0.1, controls=frozenset({"bad"}))],
    ids=["uniform", "balanced", "adaptive", "checks"],
)
def test_the_stored_probability_is_the_true_one(rule):
    """Over 300 seeds, each ordered pair comes up as often as the probability stored with it says; all probabilities sum to 1."""
    available = (*FIVE, "bad")[: 6 if rule.controls else 5]
    shown = {pair_of(*pair): 10 * ("maru" in pair) for pair in permutations(FIVE, 2)}
    chance = chances(available, rule, shown)
    counts: Counter[pairing.Pair] = Counter()
    for n in range(6000):
        made = draw(f"{n % 300:064x}", 1 + n // 300, available, rule, shown)
        counts[made.a, made.b] += 1
        assert made.probability == pytest.approx(chance[made.a, made.b], abs=1e-12)

    statistic = sum((counts[pair] - 6000 * p) ** 2 / (6000 * p) for pair, p in chance.items())
    assert sum(chance.values()) == pytest.approx(1)
    assert chi2.sf(statistic, len(chance) - 1) > 0.001


def test_checks_come_at_their_declared_rate_and_leave_the_rest_even():
    """With a golden rate of 5 %, about 5 % of the battles show a control, on either side, against any entrant."""
    rule = Rule(golden_rate=0.05, controls=frozenset({"bad"}))
    made = drawn(10_000, rule, (*FIVE, "bad"))
    checks = [d for d in made if "bad" in (d.a, d.b)]

    table = exposure(made, rule)

    assert 420 <= len(checks) <= 580
    assert {d.a for d in checks} == {d.b for d in checks} == {*FIVE, "bad"}
    assert table.pairs.p > 0.001
    assert table.pairs.df == 20 + 10 - 1


def test_the_balance_test_finds_a_favoured_entrant():
    """Draws in which every tenth is bent towards an entrant, or every third changes its side, fail the test; fair ones with outages pass."""
    fair = [
        draw(SEED, n, FIVE if n % 3 else FIVE[:3]) for n in range(1, 6001)
    ]  # two entrants are out in every third draw
    favoured = [replace(d, a="garam") if n % 10 == 0 and d.b != "garam" else d for n, d in enumerate(fair)]
    sided = [replace(d, a=d.b, b=d.a) if d.b == "garam" and n % 3 == 0 else d for n, d in enumerate(fair)]

    assert exposure(fair, UNIFORM).pairs.p > 0.001
    assert exposure(fair, UNIFORM).sides.p > 0.001
    assert exposure(favoured, UNIFORM).pairs.p < 1e-6
    assert exposure(sided, UNIFORM).sides.p < 1e-6


def test_the_exposure_table_adds_up():
    """Every draw stands in one cell and on two entrants' sides, and the expected counts sum to the draws."""
    table = exposure(drawn(500), UNIFORM)

    assert sum(cell.drawn for cell in table.cells) == 500
    assert sum(cell.expected for cell in table.cells) == pytest.approx(500)
    assert sum(share.on_a for share in table.shares) == sum(share.on_b for share in table.shares) == 500
    assert table.pairs.df == 19


def test_redrawing_finds_whatever_was_changed():
    """An exchanged entrant, a missing draw, a wrong probability, another seed and another commitment are each told."""
    made = drawn(150)

    assert redraw(SEED, made, UNIFORM, commitment(SEED)) == []
    turned = replace(made[3], a=made[3].b, b=made[3].a)
    (fault,) = redraw(SEED, [*made[:3], turned, *made[4:]], UNIFORM)
    assert (fault.code, fault.params["n"]) == ("draw_differs", 4)
    (fault,) = redraw(SEED, [*made[:9], *made[10:]], UNIFORM)
    assert (fault.code, fault.params["n"]) == ("draw_missing", 10)
    assert redraw(SEED, [replace(made[0], probability=0.1), *made[1:]], UNIFORM)[0].code == "draw_probability"
    assert len(redraw("0" * 64, made, UNIFORM)) > 100
    assert redraw(SEED, made, UNIFORM, commitment("0" * 64))[0].code == "seed_not_committed"


@pytest.mark.parametrize("protocol", ['pairing = "uniform"', 'pairing = "adaptive"\nuniform_share = 0.3'])
def test_what_two_processes_drew_a_stranger_draws_again(store: Store, protocol: str):
    """Battles opened in turn by two processes, an entrant out for a while, give back exactly from record, seed and stage file."""
    stage = stage_of(protocol)
    store.stages.register(stage.id, "", "0" * 64, NOW)
    store.stages.open(stage, "start", NOW)
    citizen = enrol(store)
    processes = [Pairing(stage, store), Pairing(stage, store)]
    for n in range(230):
        available = stage.entrant_ids[:2] if 20 <= n < 90 else stage.entrant_ids

        def drawing(
            seed: str, number: int, _removed: frozenset[str], n: int = n, available: tuple[str, ...] = available
        ) -> Draw:
            return processes[n % 2].draw(seed, number, available)

        store.battles.open(new_battle_id(), stage.id, citizen.id, drawing, NOW)

    record = store.stages.find(stage.id)
    made = [battle.draw for battle in store.draws.of_stage(stage.id)]

    assert record is not None
    assert len(made) == 230
    assert redraw(record.seed, made, pairing.rule_of(stage)) == []
    assert exposure(made, pairing.rule_of(stage)).pairs.p > 0.0001


CONTROL = """
[[controls]]
id = "nonsense"
team = { ko = "점검용 답변", en = "A check" }
backend = "scripted"
answers = ["ㅁㄴㅇㄹ ㅁㄴㅇㄹ"]
"""


def test_a_served_stage_shows_checks_and_anybody_can_run_its_draws_again(tmp_path: Path):
    """Over HTTP: the seed's hash is public from the start and the seed after the freeze; a check is drawn, judged, named, and never counted."""
    stage = (
        stage_toml(
            top="leaderboard_votes = 0",
            protocol="golden_rate = 0.1\npublic_leaderboard = true",
            limits="battles_per_hour = 1000",
        )
        + CONTROL
    )
    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    with serving(tmp_path, stage) as base:
        told = httpx.get(f"{base}/api/v1/stage").json()["draws"]
        citizen = Citizen(base).agree()
        battles = iter(citizen.open, None)
        battle = next(b for b in battles if (kept := store.battles.get(b)) and "nonsense" in (kept.draw.a, kept.draw.b))
        citizen.ask(battle)
        reveal = citizen.vote(battle, "model_a").json()["reveal"]
        board = httpx.get(f"{base}/api/v1/leaderboard").json()
        store.stages.move("test", StageStatus.OPEN, StageStatus.FROZEN, NOW)
        opened = httpx.get(f"{base}/api/v1/stage").json()["draws"]
    made = [drawn.draw for drawn in store.draws.of_stage("test")]
    declared = Stage.from_toml(stage.encode(), "stage.toml")
    store.close()

    assert (told["seed"], opened["commitment"]) == (None, told["commitment"])
    assert redraw(opened["seed"], made, pairing.rule_of(declared), told["commitment"]) == []
    assert {"nonsense"} < {reveal[side]["id"] for side in "ab"}
    assert board["exclusions"] == [{"reason": "check", "count": 1}]
