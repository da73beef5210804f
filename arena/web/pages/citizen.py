"""The citizen's page: ours, in the reader's language, usable from the first paint; Gradio draws the four choices of the vote inside it.

The page (`battle.html`: head, header, question box, questions to begin with, footer) holds Gradio's web component, which draws these Blocks;
its script is asked for when the question box works already. No Gradio event stands in them: an event can be called by anyone, so none may
decide anything, and no token travels through a queue. `assets/battle/` does what the page does, over our own HTTP routes.
"""

from typing import Final

import gradio as gr
from fastapi import APIRouter, Request, Response
from gradio.themes import Base

from arena.domain.stage import Stage
from arena.domain.starters import starters_for, topics_of
from arena.i18n.catalogue import messages
from arena.web.core.dependencies import Here
from arena.web.core.frontend import FRONTEND
from arena.web.core.standing import TAKES_VOTES
from arena.web.core.static import modules
from arena.web.pages.layout import Layout

MODULES: Final = modules("battle")
CHOICES: Final = ("model_a", "tie", "both_bad", "model_b")
"""As they stand on the page: what the sides are is at its sides."""
LIVING_VOTES: Final = 100
"""From how many votes on the front page says how many there are."""
FONTS = [
    "Arena Sans",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
    "Noto Sans KR",
    "Noto Sans CJK KR",
    "system-ui",
    "sans-serif",
]


def theme() -> Base:
    """Calm, in our own font: nothing is fetched from anywhere else."""
    return Base(
        primary_hue="blue",
        neutral_hue="slate",
        font=FONTS,
        font_mono=["ui-monospace", "Consolas", "monospace"],
        radius_size="md",
    )


def routes(layout: Layout) -> APIRouter:
    """Serve the page that holds the Blocks; has to stand before they are mounted."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    def page(request: Request, here: Here) -> Response:
        standing = layout.standing()
        gathers = standing is not None and standing.state in TAKES_VOTES and standing.votes >= LIVING_VOTES
        return layout.page_at(
            standing,
            request,
            "battle.html",
            title="title_battle" if standing is None or standing.state == "open" else f"title_battle_{standing.state}",
            gradio=FRONTEND,
            modules=MODULES,
            living=standing.votes if standing and gathers else 0,
            topics=topics_of(here.arena.stage),
            starters=starters_for(here.arena.stage, here.arena.now()),
        )

    return router


def build(stage: Stage) -> gr.Blocks:
    """Build the vote of this stage. Its words are Korean here; the script sets those of the reader's language."""
    t = messages("ko")
    with (
        gr.Blocks(title=f"{t('brand')} · {stage.title.ko}", analytics_enabled=False, fill_width=True) as page,
        gr.Row(elem_id="arena-votes"),
    ):
        for choice in CHOICES:
            gr.Button(t(choice), elem_id=f"arena-vote-{choice}", interactive=False)
    return page
