"""What `stage check` and `stage show` print: what a stage file declares, how its entrants answered, and where a stage stands."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from arena.domain.clock import kst
from arena.domain.redaction import redacted
from arena.domain.stage import Protocol, Stage, file_sha256
from arena.i18n import facts
from arena.i18n.terminal import t
from ratings.score import BIASED

# `stage check --no-ask` waits for no model, and neither of them for a database.
if TYPE_CHECKING:
    from arena.record.outbox import Parcel
    from arena.record.stages import StageRecord
    from arena.record.store import Store
    from models.smoke_test import SmokeTest

_LABEL = 14
"""Columns of a terminal that a label takes, with the space after it."""
_SHOWN = 60
"""Characters of an answer that are shown."""


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Fill a text up to so many columns of a terminal, on which Hangul is two wide."""
    room = " " * max(0, columns - cell_len(text))
    return room + text if right else text + room


def described(stage: Stage, file: bytes) -> str:
    """Say what a stage file declares, for an organizer to read over."""
    declared, asked = stage.protocol, stage.population
    opens, closes = (kst(at) or t("stage_page_open_end") for at in (stage.opens, stage.closes))
    title = {"ko": stage.title.ko, "en": stage.title.en}
    lines = [
        t("stage_page_title", id=stage.id, round=stage.round, programme=stage.programme, **title),
        _line("stage_page_file", file_sha256(file)),
        _line("stage_page_window", t("stage_page_from_to", opens=opens, closes=closes)),
        _line("stage_page_closing", facts.closing(stage, t) or t("stage_page_no_closing")),
        _line(
            "stage_page_score",
            t(
                "stage_page_score_line",
                max=stage.component_max,
                transform=declared.transform.id,
                places=stage.planned_advance,
            ),
        ),
        *_biased(declared.transform.id),
        _line(
            "stage_page_pairing",
            t(
                "stage_page_pairing_line",
                pairing=declared.pairing,
                reveal=declared.reveal,
                both_bad=declared.both_bad,
            ),
        ),
        _line("stage_page_pacing", _pacing(declared)),
        _line(
            "stage_page_population",
            t("stage_page_population_line", kind=asked.kind, identity=asked.identity, age=asked.min_age),
        ),
        _line("stage_page_beacon", _beacon(stage)),
        *_answerable(stage),
        *_entrants(stage),
        *_names(stage),
    ]
    if stage.synthetic:
        lines.append(_line("stage_page_synthetic", t("stage_page_synthetic_line")))
    return "\n".join(lines)


def shown(store: "Store", stage_id: str | None = None) -> str:
    """Say where one stage stands, or all of them."""
    from arena.results.votes.sealed import known

    if stage_id is not None:
        record = known(store, stage_id)
        return "\n".join([_counts(store, record), *(f"  {line}" for line in _whole(store, record))])
    return "\n".join(_counts(store, each) for each in store.stages.all()) or t("stage_page_none")


def fared(parcel: "Parcel") -> str:
    """Say how a push to an aggregator fares, in a line."""
    if parcel.last_error:
        return t(
            "push_line_failed",
            event=parcel.event,
            url=redacted(parcel.url),
            state=parcel.state,
            attempts=parcel.attempts,
            problem=parcel.last_error,
        )
    return t("push_line", event=parcel.event, url=redacted(parcel.url), state=parcel.state, attempts=parcel.attempts)


def answered(trials: "Sequence[SmokeTest]") -> str:
    """Tell how each entrant answered in a line: first token, tokens per second, status, and the beginning of what it said or why it failed; then its quirks."""
    figures = t("trial_first"), t("trial_speed"), t("trial_tokens")
    lines = [_row(t("trial_entrant"), *figures, t("trial_status"), t("trial_answer"))]
    for trial in trials:
        cut = t("trial_truncated") if trial.finish == "length" else t("trial_complete")
        said = str(trial.error) if trial.error else " ".join(trial.text.split())
        lines.append(
            _row(
                trial.entrant_id,
                "–" if trial.first_token_s is None else f"{trial.first_token_s * 1000:.0f} ms",
                "–" if trial.tokens_per_s is None else f"{trial.tokens_per_s:.0f}",
                "–" if trial.usage is None else str(trial.usage.completion_tokens),
                t("trial_failed") if trial.failed else cut,
                said if len(said) <= _SHOWN else said[: _SHOWN - 1] + "…",
            )
        )
    for trial in trials:
        lines += [t("trial_quirk", entrant=trial.entrant_id, quirk=each) for each in trial.quirks]
    return "\n".join(lines)


def timed(stage: Stage, trials: "Sequence[Sequence[SmokeTest]]") -> Iterator[str]:
    """Tell which pacing hides how these entrants wrote, and whose tokens run out before the bound in characters."""
    from arena.battles.tempo import Tempo, proposed

    declared = stage.protocol
    written = {
        answers[0].entrant_id: Tempo.of([trial.pieces for trial in answers if not trial.error], declared.pacing_bar)
        for answers in trials
        if not all(trial.error for trial in answers)
    }
    if declared.pacing == "metronome" and written:
        grid_s, rate = proposed(written.values(), declared)
        first, bar = (max(written, key=lambda e: getattr(written[e], of)) for of in ("first_s", "bar_s"))
        yield t(
            "trial_tempo",
            times=len(trials[0]),
            first=written[first].first_s,
            first_entrant=first,
            bar=written[bar].bar_s,
            bar_entrant=bar,
            grid=grid_s,
            rate=rate,
            declared_grid=declared.pacing_grid_s,
            declared_rate=declared.pacing_graphemes_per_s,
        )
        if len(trials[0]) == 1:
            yield t("trial_once")
    for trial in (trial for answers in trials for trial in answers[-1:]):
        held = (
            len(trial.text) / trial.usage.completion_tokens if trial.usage and trial.usage.completion_tokens else None
        )
        if held and held * declared.answer_tokens < declared.answer_chars:
            yield t(
                "trial_tokens_first",
                entrant=trial.entrant_id,
                held=held,
                tokens=declared.answer_tokens,
                chars=declared.answer_chars,
                enough=math.ceil(declared.answer_chars / held),
            )


def _pacing(declared: Protocol) -> str:
    whole = declared.pacing == "metronome" and declared.pacing_bar == "answer"
    values = {"rate": declared.pacing_graphemes_per_s, "grid": declared.pacing_grid_s, "bar": declared.pacing_bar}
    return t("stage_page_pacing_whole" if whole else f"stage_page_pacing_{declared.pacing}", **values)


def _row(entrant: str, first: str, speed: str, tokens: str, status: str, answer: str) -> str:
    figures = padded(first, 12, right=True) + padded(speed, 10, right=True) + padded(tokens, 8, right=True)
    return f"{padded(entrant, 16)}{figures}  {padded(status, 10)}{answer}"


def _line(key: str, text: str) -> str:
    return padded(t(key) if key else "", _LABEL) + text


def _biased(transform: str) -> Iterator[str]:
    """Tell of a transform that is biased near ties what that costs."""
    if transform in BIASED:
        yield _line("", t(f"stage_page_transform_{transform}"))


def _answerable(stage: Stage) -> Iterator[str]:
    """Tell who runs the stage, and what the pages of law are made of."""
    told, kept = stage.operator, stage.retention
    reached = [t.pick(each) for each in (told.name, told.institution, told.address) if each]
    yield _line("stage_page_operator", " · ".join([*reached, *filter(None, (told.telephone, told.mail))]))
    if officer := told.privacy_officer:
        named = " ".join(t.pick(each) for each in (officer.department, officer.name) if each)
        yield _line("stage_page_officer", f"{named} · {officer.telephone} · {officer.mail}")
    if policy := told.policy:
        text = t("stage_page_policy_line", version=policy.version, effective=policy.effective)
        yield _line("stage_page_policy", text)
    days = {"texts": kept.texts_days, "unjudged": kept.unjudged_days, "teams": kept.teams_days}
    yield _line("stage_page_retention", t("stage_page_retention_line", **days))


def _entrants(stage: Stage) -> Iterator[str]:
    for entrant in stage.entrants:
        sealed = stage.artifacts[entrant.id] or t("stage_page_unsealed")
        text = f"{padded(entrant.id, 16)}{t.pick(entrant.team)}, {entrant.backend}, {sealed}"
        yield _line("stage_page_entrant", text)


def _names(stage: Stage) -> Iterator[str]:
    """Tell of each name an entrant has whether it tells by itself who is speaking."""
    from arena.battles.distinctive import names

    for entrant in stage.entrants:
        told = {kind: [n.text for n in names(entrant) if n.distinctive is kind] for kind in (True, False)}
        listed = {kind: ", ".join(each) or t("stage_page_names_none") for kind, each in told.items()}
        text = t("stage_page_names_line", entrant=entrant.id, distinctive=listed[True], ordinary=listed[False])
        yield _line("stage_page_names", text)


def _beacon(stage: Stage) -> str:
    if stage.beacon is None:
        return t("stage_page_no_beacon")
    return t("stage_page_beacon_line", source=t.pick(stage.beacon.source), at=kst(stage.beacon.at))


def _counts(store: "Store", record: "StageRecord") -> str:
    counts = t("stage_page_counts", votes=store.votes.count(record.id), draws=record.draws)
    return f"{record.id:<24}{record.status:<11}{counts}"


def _whole(store: "Store", record: "StageRecord") -> Iterator[str]:
    """Tell everything that is known of one stage, a line each."""
    from arena.record.outages import minutes
    from arena.results.votes.removals import removals
    from arena.results.votes.sealed import sealed_stage

    stage_id = record.id
    yield _line("stage_page_opened_at", kst(record.opened_at) or "-")
    yield _line("stage_page_frozen_at", kst(record.frozen_at) or "-")
    yield _line("stage_page_published_at", kst(record.published_at) or "-")
    yield _line("stage_page_file", record.file_sha256)
    yield _line("stage_page_draws", t("stage_page_committed", commitment=record.draw_commitment))
    yield from _entrants(sealed_stage(store, stage_id))
    for gone in removals(store, stage_id):
        text = t("stage_page_removed_line", entrant=gone.entrant, at=kst(gone.at), reason=gone.reason)
        yield _line("stage_page_removed", text)
    spells = store.outages.of_stage(stage_id)
    for spell in spells:
        span = {"began": kst(spell.began), "until": kst(spell.until)}
        text = t("stage_page_outage_line", entrant=spell.entrant, reason=facts.outage(spell.cause, t), **span)
        yield _line("stage_page_outage", text)
    for entrant, out in minutes(spells, record.frozen_at).items():
        yield _line("stage_page_out", t("stage_page_out_line", entrant=entrant, minutes=out))
    for parcel in store.outbox.of_stage(stage_id):
        yield _line("stage_page_push", fared(parcel))
