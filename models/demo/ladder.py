"""How good each model is: the share of held-out questions whose greedy answer contains what a right answer must."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from models.demo.corpus import Exchange

SHORT_TOKENS, LONG_TOKENS = 72, 288
LONG = 150
"""An answer of so many characters is a long one."""
BATCH = 256


@torch.inference_mode()
def answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str], tokens: int = LONG_TOKENS
) -> list[str]:
    """Greedy answers to single questions."""
    said: list[str] = []
    for start in range(0, len(prompts), BATCH):
        inputs: Any = tokenizer.apply_chat_template(
            [[{"role": "user", "content": prompt}] for prompt in prompts[start : start + BATCH]],
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
            padding=True,
            tokenizer_kwargs={"padding_side": "left"},
        )
        out: Any = model.generate(**inputs, max_new_tokens=tokens, do_sample=False)  # type: ignore[operator]
        said += tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return said


def right(exchange: Exchange, answer: str) -> bool:
    """Tell whether the answer contains everything that it must."""
    return all(key in answer for key in exchange.keys)


def accuracy(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, held_out: Sequence[Exchange]) -> float:
    """Return the share of right answers, between 0 and 1; where the right one is short, no long one is waited for."""
    long = [exchange for exchange in held_out if len(exchange.answer) >= LONG]
    short = [exchange for exchange in held_out if len(exchange.answer) < LONG]
    hits = 0
    for asked, tokens in ((short, SHORT_TOKENS), (long, LONG_TOKENS)):
        said = answers(model, tokenizer, [exchange.prompt for exchange in asked], tokens)
        hits += sum(map(right, asked, said))
    return hits / len(held_out)
