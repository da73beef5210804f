"""A citizen's own battles, what they preferred, and the way out: for whoever carries the cookie, and nobody else."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from fastapi import APIRouter, Request, Response

from arena.battles.blind_view import reveals_votes
from arena.domain.battle import BattleState
from arena.domain.clock import KST
from arena.domain.stage import Stage
from arena.i18n.catalogue import messages
from arena.record.votes import OwnDecision
from arena.results.export.schema import UserScore
from arena.results.publish.publications import Publications
from arena.results.votes.taste import Preference, preferences
from arena.web.api.battles import BATTLES_LISTED
from arena.web.core.dependencies import Here
from arena.web.core.negotiation import language_of
from arena.web.core.provenance import account
from arena.web.core.standing import Standing
from arena.web.pages.layout import Layout

RECEIPT_SHORT = 8


def routes(layout: Layout, stage: Stage, publications: Publications) -> APIRouter:
    """Build the route of this page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/my")
    def mine(request: Request, here: Here) -> Response:
        standing, citizen = layout.standing(), here.citizen(request)
        if citizen:
            here.reads.take(account(request.scope, citizen.id))
        listed = here.arena.own(citizen, BATTLES_LISTED) if citizen else []
        # A battle that was opened and never asked anything is nothing to look at.
        shown = [own for own in listed if own.turns or own.state is not BattleState.OPEN]
        decisions = here.arena.store.votes.of_citizen(citizen.id) if citizen else []
        t, teams = messages(language_of(request)), {entrant.id: entrant.team for entrant in stage.entrants}
        response = layout.page_at(
            standing,
            request,
            "my.html",
            title="title_my",
            known=citizen is not None,
            waiting=[own for own in shown if own.votable],
            battles=[own for own in shown if not own.votable],
            votes=len(decisions),
            votes_today=_today(decisions, here.arena.now()),
            taste=_taste(stage, standing, decisions, publications),
            named=teams,
            names=lambda rows: [t.pick(teams[row.entrant]) for row in rows],
            short=lambda receipt: f"{receipt[: RECEIPT_SHORT // 2]} {receipt[RECEIPT_SHORT // 2 : RECEIPT_SHORT]} …",
        )
        response.headers["cache-control"] = "no-store"
        return response

    return router


def _today(decisions: Sequence[OwnDecision], now: datetime) -> int:
    """Count the votes of this day in Korea."""
    return sum(each.cast_at.astimezone(KST).date() == now.astimezone(KST).date() for each in decisions)


def _taste(
    stage: Stage, standing: Standing | None, decisions: Sequence[OwnDecision], publications: Publications
) -> Sequence[Preference]:
    """Compare what a citizen preferred in this stage; nothing before they may know whom they judged."""
    if standing is None or standing.record is None or not reveals_votes(stage, standing.record.status):
        return []
    here = [each for each in decisions if each.stage_id == stage.id]
    score = publications.result(stage.id).score if standing.state == "published" else None
    return preferences(here, stage.entrant_ids, None if score is None else _everybody(score))


def _everybody(score: UserScore) -> Mapping[str, float]:
    """Work out how often everybody preferred each entrant, a tie counting half, from the published pairs."""
    won: dict[str, float] = {}
    judged: dict[str, float] = {}
    for pair in score.pairwise:
        for entrant, wins in ((pair.a, pair.wins_a), (pair.b, pair.wins_b)):
            won[entrant] = won.get(entrant, 0) + wins + pair.ties / 2
            judged[entrant] = judged.get(entrant, 0) + pair.wins_a + pair.wins_b + pair.ties
    return {entrant: won[entrant] / n for entrant, n in judged.items() if n}
