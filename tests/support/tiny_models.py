"""Tiny random checkpoints of five architectures, for tests and benchmarks: real transformers models that have learned nothing."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    Exaone4Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

SPECIAL = ["<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TEXT = [
    "안녕하세요? 저는 인공지능입니다. 무엇을 도와드릴까요?",
    "대한민국의 수도는 서울입니다. 하늘은 파랗고 바다는 넓습니다.",
    "The capital of Korea is Seoul. A dog is an animal.",
]
ARCHITECTURES = ("llama", "qwen3", "exaone4", "gemma3", "gpt2")


def tokenizer(vocabulary: int = 512) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer with chat markers; most Hangul syllables take several of its tokens."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXT, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<|pad|>", eos_token="<|end|>", additional_special_tokens=SPECIAL[1:4]
    )
    fast.chat_template = TEMPLATE
    return fast


def config(architecture: str, *, width: int, layers: int, context: int, vocabulary: int) -> Any:
    """One architecture in this size; Gemma 3 with a sliding window shorter than most conversations."""
    shape: Any = {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": 3 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        "bos_token_id": None,
        "eos_token_id": 4,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    }
    head: Any = {"head_dim": width // 4}
    kinds = ["sliding_attention", "full_attention"]
    match architecture:
        case "llama":
            return LlamaConfig(**shape)
        case "qwen3":
            return Qwen3Config(**shape, **head)
        case "exaone4":
            return Exaone4Config(**shape, **head, sliding_window=None, layer_types=["full_attention"] * layers)
        case "gemma3":
            mixed = [kinds[n % 2] for n in range(layers)]
            return Gemma3TextConfig(**shape, **head, sliding_window=16, layer_types=mixed)
        case _:
            return GPT2Config(
                vocab_size=vocabulary, n_embd=width, n_layer=layers, n_head=4, n_positions=context,
                bos_token_id=None, eos_token_id=4, pad_token_id=0,
            )  # fmt: skip


def save(
    folder: Path, architecture: str, *, width: int = 64, layers: int = 2, context: int = 512, vocabulary: int = 512
) -> Path:
    """Writes a random checkpoint that never ends by itself unless it happens to say `<|end|>`."""
    torch.manual_seed(len(architecture))
    made = config(architecture, width=width, layers=layers, context=context, vocabulary=vocabulary)
    made.initializer_range = (
        0.2  # sharp enough that two ways of adding up the same numbers agree on the likeliest token
    )
    model: Any = AutoModelForCausalLM.from_config(made)
    model.save_pretrained(folder)
    tokenizer(min(vocabulary, 512)).save_pretrained(folder)
    return folder
