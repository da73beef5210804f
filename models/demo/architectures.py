"""Five small architectures of about one size: 128 wide, 3 layers, about a million parameters each."""

from dataclasses import dataclass
from typing import Any

from transformers import (
    AutoModelForCausalLM,
    Exaone4Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen3Config,
)

from models.demo.tokenizer import CONTEXT

WIDTH, LAYERS, HEADS = 128, 3, 4


@dataclass(frozen=True, slots=True)
class Entrant:
    """One embedded entrant: an invented team, an architecture, and the budget of training steps that sets its quality."""

    name: str
    architecture: str
    steps: int


ENTRANTS = (
    Entrant("garam", "EXAONE 4", 1500),
    Entrant("narae", "Llama", 1000),
    Entrant("dasom", "Qwen3", 650),
    Entrant("maru", "Gemma 3", 450),
    Entrant("hanbit", "GPT-2", 750),
)


def config(architecture: str, vocabulary: int, end: int, pad: int) -> PreTrainedConfig:
    """Return the configuration of this architecture.

    Raises:
        KeyError: an architecture that is not one of the five.
    """
    tokens: dict[str, Any] = {"vocab_size": vocabulary, "eos_token_id": end, "pad_token_id": pad, "bos_token_id": None}
    shape: dict[str, Any] = {
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS // 2,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": True,
    }
    head: dict[str, Any] = {"head_dim": WIDTH // HEADS}
    full: dict[str, Any] = {"layer_types": ["full_attention"] * LAYERS}
    made = {
        # The layer types have to be named: without them this version of Exaone4Config divides by a window that is not there.
        "EXAONE 4": lambda: Exaone4Config(**tokens, **shape, **head, **full, sliding_window=None),
        "Llama": lambda: LlamaConfig(**tokens, **shape),
        "Qwen3": lambda: Qwen3Config(**tokens, **shape, **head),
        "Gemma 3": lambda: Gemma3TextConfig(**tokens, **shape, **head, **full, query_pre_attn_scalar=WIDTH // HEADS),
        "GPT-2": lambda: GPT2Config(
            **tokens, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=CONTEXT, n_inner=3 * WIDTH
        ),
    }
    return made[architecture]()


def make(architecture: str, vocabulary: int, end: int, pad: int) -> PreTrainedModel:
    """Make an untrained model of this architecture; its weights come from torch's own seed."""
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config(architecture, vocabulary, end, pad))
    model.generation_config.eos_token_id = end
    model.generation_config.pad_token_id = pad
    return model
