"""The citizen's page: Gradio gives frame, text box and buttons; `assets/battle/` does what they do, over our own HTTP routes.

No Gradio event stands here: an event can be called by anyone, so none may decide anything, and no token travels through a queue.
What is said around it (head, header, footer) is `layout.py`'s. The empty columns are places that the script fills.
"""

import gradio as gr
from gradio.themes import Base

from arena.domain.stage import Stage

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


def build(stage: Stage) -> gr.Blocks:
    """The page of this stage. Its words are Korean here; the script sets those of the reader's language."""
    with gr.Blocks(title=f"K-AI 아레나 · {stage.title.ko}", analytics_enabled=False, fill_width=True) as page:
        gr.Column(elem_id="arena-turns")
        with gr.Column(elem_id="arena-ballot"), gr.Row(elem_id="arena-votes"):
            gr.Button("A가 더 좋아요", elem_id="arena-vote-model_a", interactive=False)
            gr.Button("비슷해요", elem_id="arena-vote-tie", interactive=False)
            gr.Button("둘 다 별로예요", elem_id="arena-vote-both_bad", interactive=False)
            gr.Button("B가 더 좋아요", elem_id="arena-vote-model_b", interactive=False)
        gr.Column(elem_id="arena-after")
        with gr.Column(elem_id="arena-ask"):
            gr.Textbox(
                label="질문",
                placeholder="무엇이든 물어보세요",
                lines=2,
                max_lines=8,
                elem_id="arena-prompt",
            )
            with gr.Row(elem_id="arena-send-row"):
                gr.Button("멈추기", elem_id="arena-stop", interactive=False)
                gr.Button("보내기", variant="primary", elem_id="arena-send")
        gr.Button("새 대결", elem_id="arena-new")
        gr.Column(elem_id="arena-starters")
    return page
