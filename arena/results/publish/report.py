"""The transparency report of a stage: what a fairness-first institution publishes, gathered from the export and the audit log."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from arena.domain.battle import TOO_LONG
from arena.domain.errors import Conflict
from arena.domain.stage import Stage
from arena.record.activity import Activity
from arena.record.keys import Keys
from arena.record.outages import Spell, minutes
from arena.record.store import Store
from arena.results.export import bundle as exports
from arena.results.live import access_log
from arena.results.publish import charts
from arena.results.publish.charts import Mark
from arena.results.publish.dataset import MADE as RELEASED
from arena.results.publish.html import t
from arena.results.votes.sealed import known, sealed_stage

TEXTS_READ = "texts.read"
MOST_SPELLS = 100
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def report(store: Store, keys: Keys, stage_id: str, now: datetime) -> dict[str, Any]:
    """Everything the page shows.

    Raises:
        NotFound: no such stage.
        Conflict: it is not frozen: a report would show ratings while voting goes on.
    """
    record = known(store, stage_id)
    if record.frozen_at is None:
        raise Conflict(
            "stage_status",
            f"단계 {stage_id}은(는) 아직 마감되지 않았습니다. 마감한 뒤에 보고서를 만드세요.",
            f"Stage {stage_id} is not frozen: while voting goes on a report would show live ratings.",
        )
    stage = sealed_stage(store, stage_id)
    told = exports.make(store, keys, stage_id, now).document
    names = {entrant.id: entrant.team.model_dump() for entrant in (*stage.entrants, *stage.controls)}
    activity = Activity(store.database)
    failures = {
        (who, kind): n for (who, kind), n in activity.failures(stage_id, _BEGINNING).items() if kind != TOO_LONG
    }
    voids = {reason: n for reason, n in activity.voids(stage_id, _BEGINNING).items() if reason != TOO_LONG}
    spells = _until(store.outages.of_stage(stage_id), record.frozen_at)
    return {
        "d": told,
        "names": names,
        "made_at": now,
        "public_leaderboard": stage.protocol.public_leaderboard,
        "ranked": _ranked(told),
        "serving": _serving(stage, told, failures, minutes(spells)),
        "spells": spells[:MOST_SPELLS],
        "more_spells": max(0, len(spells) - MOST_SPELLS),
        "voids": voids,
        "variants": _variants(told),
        "viewers": access_log.viewers(store, stage_id),
        "early_exports": sum(event.at < record.frozen_at for event in store.events.of_stage(stage_id, exports.MADE)),
        "texts_read": len(store.events.of_stage(stage_id, TEXTS_READ)),
        "releases": len(store.events.of_stage(stage_id, RELEASED)),
        "plot": _plots(told, names),
    }


def _ranked(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The scores best first, each with the number of votes that its share of `both_bad` is of."""
    outside = told["method"] is None or told["method"]["both_bad"] == "exclude"
    rows = [{**row, "both_bad_of": row["n_votes"] + (row["both_bad"] if outside else 0)} for row in told["scores"]]
    return sorted(rows, key=lambda row: (row["group"] is None, row["group"] or 0, row["rank"] or 0))


def _until(spells: Sequence[Spell], frozen_at: datetime) -> list[Spell]:
    """The outages as far as they lie before the freeze."""
    return [
        replace(s, noted=min(s.noted, frozen_at), ended=s.ended and min(s.ended, frozen_at))
        for s in spells
        if s.began < frozen_at
    ]


def _serving(
    stage: Stage, told: Mapping[str, Any], failures: Mapping[tuple[str, str], int], out: Mapping[str, float]
) -> list[dict[str, Any]]:
    """By entrant: its battles, those that were void, the minutes it could not be drawn, and what failed."""
    rows = []
    for entrant in stage.entrant_ids:
        cells = [cell for cell in told["exposure"]["pairs"] if entrant in (cell["a"], cell["b"])]
        rows.append(
            {
                "team_id": entrant,
                "drawn": sum(cell["drawn"] for cell in cells),
                "void": sum(cell["void"] for cell in cells),
                "out_minutes": out.get(entrant, 0.0),
                "failed": {kind: n for (who, kind), n in sorted(failures.items()) if who == entrant},
            }
        )
    return rows


def _variants(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The other readings of the same votes, each beside the result: name, rows by entrant, and whose rank it changes."""
    known = {
        "nothing_excluded": t("아무것도 제외하지 않음", "nothing excluded"),
        "both_bad_tie": t("‘둘 다 별로’를 무승부로", "“both bad” as a tie"),
        "both_bad_exclude": t("‘둘 다 별로’를 빼고", "“both bad” left out"),
        "weighted": t("계획한 모집단에 맞춘 가중", "weighted to the plan"),
        "style_controlled": t("길이·서식·위치를 같게 둠", "length, format and side held equal"),
    }
    ranks = {row["team_id"]: row["rank"] for row in told["scores"]}
    found = []
    for key, name in known.items():
        given = told["sensitivity"].get(key)
        rows = given["scores"] if isinstance(given, Mapping) else given
        if rows:
            moved = [row["team_id"] for row in rows if row["rank"] != ranks[row["team_id"]]]
            found.append({"key": key, "name": name, "rows": {row["team_id"]: row for row in rows}, "moved": moved})
    return found


def _plots(told: Mapping[str, Any], names: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    scores = {row["team_id"]: row for row in told["scores"]}
    order = sorted(scores, key=lambda team: (scores[team]["rank"] is None, scores[team]["rank"]))

    def beside(rows: Sequence[Mapping[str, Any]] | None, ko: str, en: str) -> Any:
        if not rows:
            return None
        other = {row["team_id"]: row for row in rows}
        return charts.ranges(
            [(names[team], [_mark(scores[team]), _mark(other.get(team, {}))]) for team in order],
            [{"ko": "결과", "en": "result"}, {"ko": ko, "en": en}],
        )

    shares = {(pair["a"], pair["b"]): _share(pair) for pair in told["pairwise"]}
    shares |= {(b, a): None if share is None else 1 - share for (a, b), share in shares.items()}
    drawn = {(cell["a"], cell["b"]): cell for cell in told["exposure"]["pairs"]}
    style = told["sensitivity"].get("style_controlled")
    return {
        "ratings": charts.ranges([(names[team], [_mark(scores[team])]) for team in order], [{"ko": "", "en": ""}]),
        "pairs": charts.matrix(
            [names[team] for team in order],
            [[shares.get((row, column)) for column in order] for row in order],
            middle=0.5,
            reach=0.35,
            form="{:.0%}",
        ),
        "exposure": charts.matrix(
            [names[team] for team in order],
            [[_excess(drawn.get((row, column))) for column in order] for row in order],
            middle=0,
            reach=0.3,
            form="{:+.0%}",
        ),
        "exclusions": beside(told["sensitivity"]["nothing_excluded"], "제외 없이", "nothing excluded")
        if told["population"]["exclusions"]
        else None,
        "style": beside(style["scores"] if style else None, "길이·서식·위치를 같게", "style held equal"),
        "weighted": beside(told["sensitivity"]["weighted"], "가중", "weighted"),
    }


def _mark(row: Mapping[str, Any]) -> Mark:
    low, high = row.get("rating_ci95") or (None, None)
    return Mark(row.get("rating"), low, high)


def _share(pair: Mapping[str, Any]) -> float | None:
    """The row's share of the two's decided votes, ties as halves."""
    votes = pair["wins_a"] + pair["wins_b"] + pair["ties"]
    return (pair["wins_a"] + pair["ties"] / 2) / votes if votes else None


def _excess(cell: Mapping[str, Any] | None) -> float | None:
    """How much more often a pair was drawn than the rule lets one expect."""
    return None if cell is None or not cell["expected"] else cell["drawn"] / cell["expected"] - 1
