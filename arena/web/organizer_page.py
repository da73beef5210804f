"""The organizer's console: Gradio gives the frame and the tabs; `assets/console.js` fills them from our own routes (`arena.web.console`).

No Gradio event stands here. An event can be called by whoever reaches the queue, so none may decide anything; and one refresh through the
queue costs more than ten through a route, which fifty open consoles would feel.
"""

from html import escape

import gradio as gr

from arena.domain.stage import Stage
from arena.web.assets import url

HEAD = f"""
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="{url("console.css")}">
<script src="{url("console.js")}" defer></script>
"""
TABS = {
    "live": ("실시간", ("live", "trends")),
    "operations": ("운영", ("operations",)),
    "integrity": ("무결성", ("integrity",)),
    "exports": ("내보내기", ("exports",)),
}


def _both(ko: str, en: str) -> str:
    """Words in both languages; `console.css` shows those of the page's."""
    return f'<span class="c-ko">{escape(ko)}</span><span class="c-en">{escape(en)}</span>'


def build(stage: Stage) -> gr.Blocks:
    """The console of this stage. The tabs' labels are Korean here; the script sets those of the reader's language."""
    with gr.Blocks(title=f"운영 콘솔 · {stage.title.ko}", analytics_enabled=False, fill_width=True) as page:
        title = _both(f"운영 콘솔 · {stage.title.ko}", f"Organizers' console · {stage.title.en}")
        gr.Markdown(f"<h1>{title}</h1>", elem_id="console-title")
        if stage.synthetic:
            synthetic = _both(
                "시연 데이터(synthetic) · 참가팀과 투표는 모두 지어낸 것입니다.",
                "Synthetic data · all teams and votes are invented.",
            )
            gr.Markdown(f"<p>{synthetic}</p>", elem_id="console-synthetic")
        gr.Markdown('<div id="console-bar"></div>', elem_id="console-bar-frame")
        with gr.Tabs(elem_id="console-tabs"):
            for tab, (label, documents) in TABS.items():
                with gr.Tab(label, id=tab, elem_id=f"console-tab-{tab}", render_children=True):
                    for document in documents:
                        gr.Markdown(f'<div id="console-{document}"></div>', elem_classes="console-document")
    return page
