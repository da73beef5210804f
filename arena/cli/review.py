"""The review of integrity between freeze and publication: what was proposed at the freeze, and who decides what becomes of it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arena.cli.common import battles_in, opened, operator
from arena.domain.clock import kst
from arena.i18n import facts
from arena.i18n.terminal import t

app = typer.Typer(no_args_is_help=True, help=t("help_review"))

Key = Annotated[str, typer.Argument(help=t("argument_proposal"))]


@app.command("show", help=t("help_review_show"))
def show(stage_id: str) -> None:
    """Say what was proposed when a stage froze, what became of it, and every act; never what any of it does to the ranking."""
    from arena.results.integrity.review import decisions_in, proposals_of
    from arena.results.votes.exclusions import acts_in
    from arena.results.votes.sealed import sealed_stage

    with opened() as store:
        stage, events = sealed_stage(store, stage_id), store.events.of_stage(stage_id)
        proposals, decided, acts = proposals_of(store, stage_id), decisions_in(events), acts_in(events)
    typer.echo(t("review_rule", rule=stage.review.rule, decides=t.pick(stage.review.decides), hours=stage.review.hours))
    for proposal in proposals:
        found = decided.get(proposal.key)
        state = "review_undecided" if found is None else "review_followed" if found.followed else "review_declined"
        told = {
            "reason": t(f"exclusion_{proposal.reason}"),
            "votes": len(proposal.battles),
            "grounds": facts.grounds(proposal.grounds, t, lambda _: t("review_one_team")),
        }
        typer.echo(t("review_proposal", proposal=proposal.key, state=t(state), **told))
        if found is not None and found.why:
            typer.echo(t("review_why", why=found.why))
    for n, act in enumerate(acts):
        what = t("review_took_back") if act.reason is None else t("review_left_out")
        typer.echo(t("review_act", n=n, what=what, votes=len(act.battles), at=kst(act.at), who=act.organizer))


@app.command("follow", help=t("help_review_follow"))
def follow(
    stage_id: str, key: Annotated[str | None, typer.Argument(help=t("argument_proposal_or_all"))] = None
) -> None:
    """Leave out what is proposed under this key; without one, whatever is proposed and not decided on."""
    from arena.results.integrity import review

    with opened() as store:
        made = review.follow(store, stage_id, key, organizer=operator(), now=datetime.now(UTC))
    typer.echo(t("review_done_left_out", votes=sum(len(act.battles) for act in made)))


@app.command("decline", help=t("help_review_decline"))
def decline(stage_id: str, key: Key, reason: Annotated[str, typer.Option(prompt=t("stage_reason"))]) -> None:
    """Let what is proposed under this key count, and say why."""
    from arena.results.integrity import review

    with opened() as store:
        review.decline(store, stage_id, key, why=reason, organizer=operator(), now=datetime.now(UTC))
    typer.echo(t("review_done_declined", proposal=key))


@app.command("leave-out", help=t("help_review_leave_out"))
def leave_out(
    stage_id: str,
    receipts: Annotated[Path, typer.Argument(help=t("argument_receipts"), exists=True, dir_okay=False)],
    grounds: Annotated[str, typer.Option(prompt=t("review_grounds"))],
) -> None:
    """Leave out votes that no test proposes: cast by a team, an organizer or a test."""
    from arena.results.integrity import review

    with opened() as store:
        battles = battles_in(store, stage_id, receipts)
        act = review.leave_out(store, stage_id, battles, grounds=grounds, organizer=operator(), now=datetime.now(UTC))
    typer.echo(t("review_done_left_out", votes=len(act.battles)))


@app.command("take-back", help=t("help_review_take_back"))
def take_back(
    stage_id: str,
    act: Annotated[int, typer.Argument(help=t("argument_act"), min=0)],
    grounds: Annotated[str, typer.Option(prompt=t("review_grounds"))],
) -> None:
    """Take back what an act of its own left out; what follows a proposal is declined instead."""
    from arena.results.integrity import review

    with opened() as store:
        made = review.take_back(store, stage_id, act, grounds=grounds, organizer=operator(), now=datetime.now(UTC))
    typer.echo(t("review_done_taken_back", votes=len(made.battles)))
