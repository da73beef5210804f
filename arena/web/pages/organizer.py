"""The organizer's console: Gradio gives the frame and the tabs; `assets/console/` fills them from our own routes (`arena.web.console`).

The page is ours (`console.html`) and holds Gradio's web component, which draws these Blocks. No Gradio event stands in them: an event can be
called by whoever reaches the queue, so none may decide anything; and one refresh through the queue costs more than ten through a route,
which fifty open consoles would feel.
"""

from html import escape
from typing import Final

import gradio as gr
from fastapi import APIRouter, Request, Response

from arena.domain.stage import Stage
from arena.i18n.catalogue import LANGUAGES, messages
from arena.web.core.frontend import FRONTEND
from arena.web.core.static import modules
from arena.web.pages.layout import Layout

MODULES: Final = ("battle/dom.js", "battle/words.js", *modules("console"))
TABS: Final = {
    "live": ("live", "trends", "groups"),
    "operations": ("operations",),
    "integrity": ("integrity",),
    "exports": ("exports",),
}
"""The documents of each tab."""


def routes(layout: Layout) -> APIRouter:
    """Serve the page that holds the Blocks, to organizers only (`OrganizerGate`); has to stand before they are mounted."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/organizer", methods=["GET", "HEAD"])
    @router.api_route("/organizer/", methods=["GET", "HEAD"])
    def page(request: Request) -> Response:
        return layout.page(request, "console.html", title="console_title", gradio=FRONTEND, modules=MODULES)

    return router


def build(stage: Stage) -> gr.Blocks:
    """Build the console of this stage. The tabs have their names here; the script sets the words of the reader's language."""
    title = messages("ko")("console_title", stage=stage.title.ko)
    with gr.Blocks(title=title, analytics_enabled=False, fill_width=True) as page:
        gr.Markdown(f"<h1>{_both('console_title', stage)}</h1>", elem_id="console-title")
        if stage.synthetic:
            gr.Markdown(f"<p>{_both('console_synthetic', stage)}</p>", elem_id="console-synthetic")
        gr.Markdown('<div id="console-bar"></div>', elem_id="console-bar-frame")
        with gr.Tabs(elem_id="console-tabs"):
            for tab, documents in TABS.items():
                with gr.Tab(tab, id=tab, elem_id=f"console-tab-{tab}", render_children=True):
                    for document in documents:
                        gr.Markdown(f'<div id="console-{document}"></div>', elem_classes="console-document")
    return page


def _both(key: str, stage: Stage) -> str:
    """Say something of the stage in both languages; `console.css` shows the words of the page's."""
    said = {t.language: t(key, stage=t.pick(stage.title)) for t in map(messages, LANGUAGES)}
    return "".join(f'<span class="c-{language}">{escape(words)}</span>' for language, words in said.items())
