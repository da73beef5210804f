"""The citizen's page: Gradio gives frame, text box and buttons; `assets/arena.js` does what they do, over our own HTTP routes.

No Gradio event stands here: an event can be called by anyone, so none may decide anything, and no token travels through a queue.
"""

import gradio as gr
from gradio.themes import Base

from arena.domain.stage import Stage

HEAD = """
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/arena-assets/arena.css">
<script src="/arena-assets/arena.js" defer></script>
"""


def theme() -> Base:
    """Calm, in the system's own fonts: nothing is fetched from anywhere."""
    return Base(
        primary_hue="blue",
        neutral_hue="slate",
        font=["Pretendard GOV", "system-ui", "Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans CJK KR", "sans-serif"],
        font_mono=["ui-monospace", "Consolas", "monospace"],
        radius_size="md",
    )


def build(stage: Stage) -> gr.Blocks:
    """The page of this stage. Its words are Korean here; the script sets those of the reader's language."""
    with gr.Blocks(title=f"K-AI Arena · {stage.title.ko}", analytics_enabled=False, fill_width=True) as page:
        gr.Markdown('<div id="arena-top"></div>', elem_id="arena-top-frame")
        gr.Markdown('<div id="arena-turns"></div>', elem_id="arena-turns-frame")
        with gr.Row(elem_id="arena-ask"):
            gr.Textbox(
                label="질문",
                placeholder="무엇이든 물어보세요",
                lines=2,
                max_lines=8,
                max_length=stage.protocol.prompt_chars,
                elem_id="arena-prompt",
                scale=6,
            )
            with gr.Column(scale=1, min_width=160):
                gr.Button("보내기", variant="primary", elem_id="arena-send")
                gr.Button("멈추기", elem_id="arena-stop", interactive=False)
        with gr.Row(elem_id="arena-votes"):
            gr.Button("A가 더 좋아요", elem_id="arena-vote-model_a", interactive=False)
            gr.Button("B가 더 좋아요", elem_id="arena-vote-model_b", interactive=False)
            gr.Button("비슷해요", elem_id="arena-vote-tie", interactive=False)
            gr.Button("둘 다 별로예요", elem_id="arena-vote-both_bad", interactive=False)
        gr.Markdown('<div id="arena-after"></div>', elem_id="arena-after-frame")
        gr.Button("새 대결", elem_id="arena-new")
    return page
