"""The stranger's proof that a review kept to its sealed rule, and that an export is final only once it had."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from arena.domain.coded import Fault
from arena.domain.stage import Stage
from arena.results.export.proofs import Passed, VerificationError
from arena.results.export.review_schema import Act, ProposalPart
from arena.results.export.schema import UserScore
from arena.results.votes.exclusions import ExclusionReason

PROPOSED = {reason.value for reason in ExclusionReason} - {ExclusionReason.OPERATOR.value}
"""The reasons that only a test gives."""


def review(document: UserScore, stage: Stage) -> Iterator[Passed]:
    """Show that what was proposed was decided on by the rule that the stage sealed, before publication and after the freeze, and what each decision did.

    Raises:
        VerificationError: names what contradicts the rule.
    """
    _status(document)
    proposals, acts = document.review.proposals, document.exclusion_acts
    by_key = {proposal.key: proposal for proposal in proposals}
    if len(by_key) != len(proposals):
        raise VerificationError("review", Fault("proposal_twice"))
    if document.stage.frozen_at is None and (proposals or acts or document.review.looks):
        raise VerificationError("review", Fault("review_while_open"))
    published = document.stage.published_at
    for n, act in enumerate(acts):
        _linked(n, act, by_key, published)
    for proposal in proposals:
        _proposal(proposal, document, stage)
        _decision(proposal, acts, document)
    until = published or document.created_at
    if any(not _between(document.stage.frozen_at, look.at, until) for look in document.review.looks):
        raise VerificationError("review", Fault("look_out_of_time"))
    undecided = [proposal for proposal in proposals if proposal.decision is None]
    declined = [proposal for proposal in proposals if proposal.decision == "declined"]
    if document.final and undecided:
        raise VerificationError("review", Fault("final_undecided", key=undecided[0].key))
    if document.review.rule == "follow_all" and declined:
        raise VerificationError("review", Fault("review_declined", key=declined[0].key))
    yield Passed(
        "review",
        proposals=len(proposals),
        undecided=len(undecided),
        declined=len(declined),
        looks=len(document.review.looks),
        late=document.review.late,
    )


def _status(document: UserScore) -> None:
    """Hold against each other where the stage stood, whether the export is final, and what it takes the place of."""
    stage = document.stage
    if len({stage.status == "published", document.final, stage.published_at is not None}) > 1:
        raise VerificationError("stage", Fault("final_contradicts"))
    if stage.published_at is not None and not _between(stage.frozen_at, stage.published_at, document.created_at):
        raise VerificationError("stage", Fault("published_out_of_time"))
    corrects = document.supersedes is not None
    if corrects != bool(document.correction) or (corrects and not document.final):
        raise VerificationError("stage", Fault("correction_contradicts"))
    if document.final and not corrects and document.created_at != stage.published_at:
        raise VerificationError("stage", Fault("published_out_of_time"))


def _linked(n: int, act: Act, proposals: dict[str, ProposalPart], published: datetime | None) -> None:
    """Hold an act against the proposal that it follows: the same votes, for the same reason; without one it has another reason."""
    if published is not None and act.at > published:
        if act.proposal is not None or act.reason in PROPOSED:
            raise VerificationError("review", Fault("act_after_review", act=n))
        return
    if act.proposal is None:
        if act.reason in PROPOSED:
            raise VerificationError("review", Fault("act_without_proposal", act=n, reason=act.reason))
        return
    proposal = proposals.get(act.proposal)
    if proposal is None or (act.root, act.votes) != (proposal.root, proposal.votes):
        raise VerificationError("review", Fault("act_beyond_proposal", act=n, key=act.proposal))
    if act.reason not in (None, proposal.reason):
        raise VerificationError("review", Fault("act_beyond_proposal", act=n, key=act.proposal))


def _proposal(proposal: ProposalPart, document: UserScore, stage: Stage) -> None:
    """Hold a proposal against the rates that the stage sealed."""
    sealed = stage.review
    rate = sealed.campaign_rate if proposal.reason == ExclusionReason.CAMPAIGN.value else sealed.voter_rate
    if proposal.reason not in PROPOSED or proposal.q > rate:
        raise VerificationError("review", Fault("proposal_beyond_rate", key=proposal.key, q=proposal.q, rate=rate))


def _decision(proposal: ProposalPart, acts: Sequence[Act], document: UserScore) -> None:
    """Hold what is said to have become of a proposal against the acts that follow it."""
    own = [act for act in acts if act.proposal == proposal.key]
    out = bool(own) and own[-1].action == "exclude"
    if out != (proposal.decision == "followed") or (own and proposal.decision is None):
        raise VerificationError("review", Fault("decision_contradicts", key=proposal.key))
    if (proposal.decision is None) != (proposal.decided_at is None) or (proposal.decision == "declined") != bool(
        proposal.why
    ):
        raise VerificationError("review", Fault("decision_incomplete", key=proposal.key))
    if proposal.decided_at is None:
        return
    until = document.stage.published_at or document.created_at
    if not _between(document.stage.frozen_at, proposal.decided_at, until) or (own and proposal.decided_at < own[-1].at):
        raise VerificationError("review", Fault("decision_out_of_time", key=proposal.key))


def _between(begins: datetime | None, at: datetime, ends: datetime) -> bool:
    return begins is not None and begins <= at <= ends
