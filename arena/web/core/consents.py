"""What a citizen is asked to agree to, with the stage's own facts in its places: the teams by name, and how long what is kept."""

from arena.domain.declared import Bilingual
from arena.domain.operator import Recipient
from arena.domain.stage import PROVISION_CONSENT, Consent, Detail, Stage
from arena.i18n.catalogue import Language, messages


def asked(stage: Stage) -> tuple[Consent, ...]:
    """Write out the stage's consents; the one to the provision tells of the operator's other recipients, too."""
    return tuple(_written(consent, stage) for consent in stage.consents)


def teams_period(stage: Stage, language: Language) -> str:
    """Say how long a team may keep what its model was asked."""
    t, days = messages(language), stage.retention.teams_days
    return t("period_days", days=days) if days else t("period_answering")


def _written(consent: Consent, stage: Stage) -> Consent:
    ko, en = _facts(stage, "ko"), _facts(stage, "en")

    def written(text: Bilingual) -> Bilingual:
        return Bilingual(ko=text.ko.format(**ko), en=text.en.format(**en))

    others = (stage.operator.recipients or ()) if consent.id == PROVISION_CONSENT else ()
    details = (
        *(Detail(term=written(detail.term), text=written(detail.text)) for detail in consent.details),
        *(Detail(term=other.name, text=Bilingual(ko=_given(other, "ko"), en=_given(other, "en"))) for other in others),
    )
    told = {"title": written(consent.title), "text": written(consent.text), "details": details}
    return consent.model_copy(update=told)


def _facts(stage: Stage, language: Language) -> dict[str, str | int]:
    """Fill `CONSENT_PLACES`."""
    t, kept = messages(language), stage.retention
    return {
        "teams": t.listed([t.pick(entrant.team) for entrant in stage.entrants]),
        "texts_days": kept.texts_days,
        "unjudged_days": kept.unjudged_days,
        "teams_period": teams_period(stage, language),
    }


def _given(recipient: Recipient, language: Language) -> str:
    t = messages(language)
    purpose, items, retention = (t.pick(each) for each in (recipient.purpose, recipient.items, recipient.retention))
    return t("consent_recipient", purpose=purpose, items=items, retention=retention)
