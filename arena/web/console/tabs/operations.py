"""The operations tab: what is running, how the models fare, what went wrong, who did what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from arena.battles.arena import LEASE
from arena.battles.processes import ServingProcess, health_in_all
from arena.battles.version_log import NewVersion
from arena.domain.clock import KST
from arena.domain.stage import Stage, StageStatus
from arena.i18n import facts
from arena.i18n.catalogue import Messages
from arena.record.events import Event
from arena.record.evidence_keys import EvidenceKey
from arena.record.organizers import OrganizerSession
from arena.record.outages import Spell, cause_in, minutes
from arena.record.stages import StageRecord
from arena.results.votes.exclusions import grounds_in
from arena.results.votes.removals import Removal
from arena.web.console import charts as palette
from arena.web.console.document import Section, Table, Tile, clock, number, percent
from arena.web.console.tabs import exports
from models.entrant_stats import Health, Latency

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
AUDIT = 200
"""How many of the newest events are shown; the record keeps all."""


@dataclass(frozen=True)
class OperationFacts:
    """What this tab is made from."""

    t: Messages
    """Of the language that this is told in."""
    stage: Stage
    record: StageRecord
    now: datetime
    votes: int
    running: int
    """Battles being answered, in all processes."""
    battles_by_minute: Mapping[datetime, int]
    votes_by_minute: Mapping[datetime, int]
    voids: Mapping[str, int]
    failures: Counter[tuple[str, str]]
    processes: Sequence[ServingProcess]
    mismatches: Sequence[Event]
    """What the processes have noticed of a wrong ARENA_TRUSTED_PROXIES."""
    versions: Sequence[NewVersion]
    """Where a sealed entrant has answered as another version than before."""
    spells: Sequence[Spell]
    removed: Sequence[Removal]
    evidence_keys: Sequence[EvidenceKey]
    """Every one there has been, in order."""
    waiting: Sequence[Path]
    """The files of those that nobody has taken yet."""
    events: Sequence[Event]
    """Of this stage, and the newest of none in particular, in order."""
    sessions: Sequence[OrganizerSession]

    @cached_property
    def health(self) -> Mapping[str, Health]:
        """How every entrant fares, in all processes together."""
        return health_in_all(self.processes)

    def goes_on(self, spell: Spell) -> bool:
        """Say whether the process that could not draw an entrant is there and still cannot; what a killed one knew last ends with it."""
        here = [each for each in self.processes if each.name == spell.process and each.began_at <= spell.began]
        return spell.ended is None and bool(here)

    def team(self, entrant: str) -> str:
        """Look up the name."""
        return next((self.t.pick(e.team) for e in self.stage.entrants if e.id == entrant), entrant)


def tiles(seen: OperationFacts) -> tuple[Tile, ...]:
    """Show what runs, the rates and the errors."""
    t = seen.t
    out = [seen.team(entrant) for entrant, health in seen.health.items() if health.state != "closed"]
    failed = sum(seen.failures.values())
    paused = seen.record.paused_at is not None
    lately, day = t("operations_last_minutes"), t("operations_last_day")
    return (
        Tile(
            t("operations_answering"),
            number(seen.running),
            t("operations_answering_in", processes=len(seen.processes)),
        ),
        Tile(t("operations_battles_a_minute"), number(_rate(seen.battles_by_minute, seen.now), 1), lately),
        Tile(t("operations_votes_a_minute"), number(_rate(seen.votes_by_minute, seen.now), 1), lately),
        Tile(t("operations_void_battles"), number(sum(seen.voids.values())), day, "warn" if seen.voids else ""),
        Tile(t("operations_failed_answers"), number(failed), day, "warn" if failed else ""),
        Tile(
            t("operations_models"),
            t("operations_models_out", teams=out) if out else t("operations_models_well"),
            t("operations_models_all"),
            "bad" if out else "good",
        ),
        Tile(
            t("operations_draws"),
            t("operations_draws_paused") if paused else t("operations_draws_running"),
            clock(seen.record.paused_at) if paused else "",
            "warn" if paused else "good",
        ),
        *(
            [
                Tile(
                    t("operations_proxies_title"),
                    t("operations_proxies_doubtful"),
                    t("operations_proxies_hint"),
                    "warn",
                )
            ]
            if seen.mismatches
            else []
        ),
        *(
            [Tile(t("operations_versions_title"), number(len(seen.versions)), t("operations_versions_hint"), "warn")]
            if seen.versions
            else []
        ),
    )


def sections(seen: OperationFacts) -> tuple[Section, ...]:
    """Everything but the acts."""
    return (
        activity(seen),
        health(seen),
        processes(seen),
        *([proxies(seen)] if seen.mismatches else []),
        *([versions(seen)] if seen.versions else []),
        outages(seen),
        removals(seen),
        *([evidence_keys(seen)] if seen.evidence_keys else []),
        failures(seen),
        sessions(seen),
        audit(seen),
    )


def activity(seen: OperationFacts) -> Section:
    """Show the last hour, minute by minute."""
    t = seen.t
    start = (seen.now - HOUR).replace(second=0, microsecond=0)
    hour = [start + timedelta(minutes=n) for n in range(60)]  # whole ones: the running minute is no fall
    labels = [minute.astimezone(KST).strftime("%H:%M") for minute in hour]
    opened = [seen.battles_by_minute.get(minute, 0) for minute in hour]
    cast = [seen.votes_by_minute.get(minute, 0) for minute in hour]
    rows = tuple((a, b, c) for a, b, c in zip(labels, opened, cast, strict=True) if b or c)
    series = (
        (t("console_battles"), opened, palette.SKY, "dot"),
        (t("console_votes"), cast, palette.VERMILION, "solid"),
    )
    return Section(
        "activity",
        t("operations_activity_title"),
        t("operations_activity_hour", battles=sum(opened), votes=sum(cast)),
        Table((t("console_time"), t("console_battles"), t("console_votes")), rows),
        {
            "data": [
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "x": labels,
                    "y": values,
                    "line": {"color": shade, "width": 2.5, "dash": dash, "shape": "hv"},
                    "hovertemplate": t("operations_activity_hover", time="%{x}", name=name, count="%{y:,}")
                    + "<extra></extra>",
                }
                for name, values, shade, dash in series
            ],
            "layout": palette.layout(
                height=260,
                legend=True,
                xaxis={"type": "category", "nticks": 7},
                yaxis={"rangemode": "tozero", "title": {"text": t("operations_activity_axis"), "font": {"size": 12}}},
            ),
        },
        wide=True,
    )


def health(seen: OperationFacts) -> Section:
    """How every model fares, in all processes together."""
    t = seen.t
    rows = []
    out_minutes = minutes([replace(s, noted=seen.now) if seen.goes_on(s) else s for s in seen.spells])
    for entrant, found in seen.health.items():
        errors = [f"{facts.named('failure', kind, t)} {count}" for kind, count in found.errors.items()]
        rows.append(
            (
                seen.team(entrant),
                _state(seen, entrant),
                found.running,
                found.asked,
                found.answered,
                t.listed(errors),
                percent(found.recent_success),
                _seconds(found.first_token, t),
                _seconds(found.total, t),
                t("operations_minutes", minutes=out_minutes.get(entrant, 0.0)),
            )
        )
    timed = [
        (entrant, middle, late)
        for entrant, found in seen.health.items()
        if (middle := found.total.recent(0.5)) and (late := found.total.recent(0.95))
    ]
    figure = None
    if timed:
        figure = palette.intervals(
            [seen.team(entrant) for entrant, _, _ in timed],
            [middle for _, middle, _ in timed],
            [(middle, late) for _, middle, late in timed],
            title=t("operations_health_axis"),
            form=lambda seconds: t("operations_seconds", seconds=seconds),
            rangemode="tozero",
        )
    out = [seen.team(entrant) for entrant, found in seen.health.items() if found.state != "closed"]
    says = t("operations_health_out", teams=out) if out else t("operations_health_well")
    return Section(
        "health",
        t("operations_health_title"),
        says if seen.health else t("operations_no_process"),
        Table(
            (
                t("console_team"),
                t("operations_health_state"),
                t("operations_health_running"),
                t("operations_health_asked"),
                t("operations_health_answered"),
                t("operations_health_failed"),
                t("operations_health_success"),
                t("operations_health_first_words"),
                t("operations_health_whole_answer"),
                t("operations_health_time_out"),
            ),
            tuple(rows),
        ),
        figure,
        note=t("operations_health_note"),
        wide=True,
    )


def processes(seen: OperationFacts) -> Section:
    """Show the processes that serve the stage, each as it sees the models."""
    t = seen.t
    rows: list[tuple[str, str, int, str]] = []
    for process in seen.processes:
        out = [
            f"{seen.team(entrant)} ({t(f'breaker_{found.state}')})"
            for entrant, found in process.entrants.items()
            if found.state != "closed"
        ]
        models = ", ".join(out) or t("operations_models_well")
        rows.append((process.name, clock(process.began_at), process.running, models))
    columns = (
        t("operations_process"),
        t("operations_process_since"),
        t("operations_answering"),
        t("operations_models"),
    )
    says = t("operations_processes", processes=len(rows)) if rows else t("operations_no_process")
    note = t("operations_processes_note", seconds=LEASE.total_seconds())
    return Section("processes", t("operations_processes_title"), says, Table(columns, tuple(rows)), note=note)


def proxies(seen: OperationFacts) -> Section:
    """Show where requests contradict ARENA_TRUSTED_PROXIES, and what is to be done."""
    t = seen.t
    rows = tuple((event.actor, clock(event.at), _told(seen, event)) for event in seen.mismatches)
    says = t("operations_proxies", processes=len({event.actor for event in seen.mismatches}))
    columns = (t("operations_process"), t("operations_proxies_since"), t("operations_proxies_next"))
    return Section("proxies", t("operations_proxies_title"), says, Table(columns, rows), wide=True)


def versions(seen: OperationFacts) -> Section:
    """Show which entrants, sealed as they are, have answered as another version."""
    t = seen.t
    rows = tuple((clock(new.at), seen.team(new.entrant), new.before, new.version) for new in seen.versions)
    columns = (t("console_when"), t("console_team"), t("operations_versions_before"), t("operations_versions_after"))
    return Section(
        "versions", t("operations_versions_title"), t("operations_versions"), Table(columns, rows), wide=True
    )


def outages(seen: OperationFacts) -> Section:
    """When a model was out of the draw."""
    t = seen.t
    rows = [
        (
            seen.team(spell.entrant),
            spell.process,
            clock(spell.began),
            t("operations_outage_goes_on") if seen.goes_on(spell) else clock(spell.until),
            facts.outage(spell.cause, t),
        )
        for spell in reversed(seen.spells)
    ]
    says = t("operations_outages", outages=len(rows)) if rows else t("operations_no_outages")
    columns = (
        t("console_team"),
        t("operations_process"),
        t("operations_outage_from"),
        t("operations_outage_to"),
        t("console_reason"),
    )
    return Section("outages", t("operations_outages_title"), says, Table(columns, tuple(rows)))


def failures(seen: OperationFacts) -> Section:
    """Failed answers by entrant and kind, and the battles they voided: never a lost battle."""
    t = seen.t
    rows = [
        (seen.team(who), facts.named("failure", kind, t), count) for (who, kind), count in sorted(seen.failures.items())
    ]
    rows += [
        (t("operations_all_battles"), t("operations_void", reason=facts.named("void", reason, t)), count)
        for reason, count in sorted(seen.voids.items())
    ]
    failed, void = sum(seen.failures.values()), sum(seen.voids.values())
    says = t("operations_failures", answers=failed, battles=void) if rows else t("operations_no_failures")
    columns = (t("console_team"), t("operations_failure_kind"), t("operations_failure_count"))
    return Section("failures", t("operations_failures_title"), says, Table(columns, tuple(rows)))


def removals(seen: OperationFacts) -> Section:
    """Who has left the stage."""
    t = seen.t
    rows = tuple((seen.team(r.entrant), clock(r.at), r.reason) for r in seen.removed)
    says = t("operations_removals", teams=len(rows)) if rows else t("operations_no_removals")
    columns = (t("console_team"), t("operations_removed_when"), t("operations_removed_why"))
    return Section("removals", t("operations_removals_title"), says, Table(columns, rows))


def evidence_keys(seen: OperationFacts) -> Section:
    """Show the entrants' keys to the evidence; those that wait can be taken once."""
    t = seen.t
    standing = {key.entrant: key for key in seen.evidence_keys}
    untaken = {path.stem for path in seen.waiting}
    rows = tuple(
        (
            seen.team(key.entrant),
            key.id,
            clock(key.at),
            key.reason or t("operations_evidence_opening"),
            t("operations_evidence_ended")
            if standing[key.entrant] is not key
            else t("operations_evidence_waits" if key.entrant in untaken else "operations_evidence_taken"),
        )
        for key in seen.evidence_keys
    )
    columns = (
        t("console_team"),
        t("operations_evidence_id"),
        t("operations_evidence_since"),
        t("operations_evidence_why"),
        t("operations_evidence_state"),
    )
    take = {"row": 0, "href": "/organizer/console/evidence.zip", "label": t("operations_evidence_take")}
    says = t("operations_evidence_wait", keys=len(untaken)) if untaken else t("operations_evidence_none_wait")
    acts = (take,) if untaken else ()
    note = t("operations_evidence_note")
    return Section("evidence", t("operations_evidence_title"), says, Table(columns, rows), note=note, acts=acts)


def sessions(seen: OperationFacts) -> Section:
    """Show who is logged in, the newest first."""
    t = seen.t
    rows = tuple(
        (s.name, t(f"entrance_{s.entrance}"), clock(s.began_at), clock(s.seen_at), clock(s.expires_at))
        for s in reversed(seen.sessions)
    )
    columns = (
        t("console_who"),
        t("operations_session_entrance"),
        t("operations_session_since"),
        t("operations_session_seen"),
        t("operations_session_until"),
    )
    says, note = t("operations_sessions", sessions=len(rows)), t("operations_sessions_note")
    return Section("sessions", t("operations_sessions_title"), says, Table(columns, rows), note=note)


def audit(seen: OperationFacts) -> Section:
    """Who did what, the newest first."""
    t = seen.t
    rows = tuple(
        (clock(event.at), event.actor, facts.named("event", event.kind, t), _told(seen, event))
        for event in reversed(seen.events[-AUDIT:])
    )
    return Section(
        "audit",
        t("operations_audit_title"),
        t("operations_audit_grows", events=len(seen.events)),
        Table((t("console_when"), t("console_who"), t("console_what"), t("console_details")), rows),
        note=t("operations_audit_newest", shown=AUDIT) if len(seen.events) > AUDIT else "",
        wide=True,
    )


def _told(seen: OperationFacts, event: Event) -> str:
    data, t = event.data, seen.t
    match event.kind:
        case "entrant.removed":
            return f"{seen.team(data['entrant'])}: {data['reason']}"
        case "exclusion.add" | "exclusion.remove":
            published = seen.record.status is StageStatus.PUBLISHED
            why = facts.grounds(grounds_in(data), t, seen.team if published else lambda _: t("integrity_one_team"))
            return t("operations_audit_exclusion", votes=len(data["battles"]), grounds=why)
        case "entrant.left_draw" | "entrant.still_out" | "entrant.back_in_draw":
            return f"{seen.team(data['entrant'])}: {facts.outage(cause_in(data), t)}"
        case "entrant.version":
            return f"{seen.team(data['entrant'])}: {data['version']}"
        case "proxies.unexpected" | "proxies.missing":
            return facts.mismatch(event.kind, data["setting"], t)
        case "pairing.paused":
            return str(data.get("reason", ""))
        case "ratings.seen":
            return ""
        case "stage.opened":
            return t("operations_audit_opened", sha256=str(data.get("file_sha256", ""))[:16])
        case "stage.frozen":
            return t("operations_audit_frozen", votes=data["votes"], draws=data["draws"], root=data["root"][:16])
        case "review.decided":
            return str(data.get("why", ""))
        case "export.made" | "review.looked":
            return str(data.get("export_id", ""))
        case exports.VERIFIED:
            check = exports.Check.model_validate(data)
            return ": ".join(filter(None, [check.folder, check.told(t)]))
        case "organizer.login":
            return t(f"entrance_{data['entrance']}")
        case "organizer.password" | "organizer.removed":
            return t("operations_audit_sessions", **data)
        case "organizer.added":
            return str(data["organizer"])
        case "simulation":
            return t("operations_audit_simulation", votes=data["votes"], voters=data["voters"], seed=data["seed"])
    return ", ".join(f"{key} {_short(value)}" for key, value in data.items())


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:40] + "…"


def _rate(by_minute: Mapping[datetime, int], now: datetime) -> float:
    """Compute a minute's count over the last five whole minutes and the running one."""
    since = now - timedelta(minutes=5)
    return sum(count for minute, count in by_minute.items() if minute >= since) / 5


def _state(seen: OperationFacts, entrant: str) -> str:
    """One word where all processes see the same; else each process with its own."""
    by_process = {
        process.name: seen.t(f"breaker_{process.entrants[entrant].state}")
        for process in seen.processes
        if entrant in process.entrants
    }
    states = set(by_process.values())
    return states.pop() if len(states) == 1 else ", ".join(f"{name}: {state}" for name, state in by_process.items())


def _seconds(latency: Latency, t: Messages) -> str:
    middle, late = latency.recent(0.5), latency.recent(0.95)
    return "–" if middle is None or late is None else t("operations_latency", p50=middle, p95=late)
