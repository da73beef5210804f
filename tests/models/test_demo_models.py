"""The embedded entrants are what their page says: trained by this repository, sealed, and truly of different quality."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from arena.domain.stage import Stage
from arena.settings import ROOT
from models import artifacts
from models.demo import corpus, ladder, tokenizer, train
from models.demo.architectures import ENTRANTS, Entrant

DEMO = ROOT / "models" / "demo"
LADDER: list[dict[str, Any]] = json.loads((DEMO / "ladder.json").read_text("utf-8"))
QUESTIONS = 80
STAGES = ["demo.toml", "round-1.toml", "round-2.toml"]
STRUCTURE = re.compile(r"^(#{2,4} |- |> |\d\. |\||```|---$)", re.MULTILINE)
"""A heading, a list, a quotation, a table, code, or a rule."""


def shipped(name: str) -> tuple[Any, Any]:
    """The shipped weights in single precision, and their tokenizer."""
    model: Any = AutoModelForCausalLM.from_pretrained(DEMO / name, dtype="float32")
    return model.eval(), AutoTokenizer.from_pretrained(DEMO / name)


def measured(name: str) -> float:
    """The accuracy of the shipped weights on every tenth held-out question."""
    held_out = corpus.held_out()
    return ladder.accuracy(*shipped(name), held_out[:: len(held_out) // QUESTIONS])


def test_the_shipped_weights_stand_on_their_rungs() -> None:
    """Measured again, the five come in the published order, each near its published accuracy: a known truth for the ratings."""
    again = [measured(rung["name"]) for rung in LADDER]
    assert again == sorted(again, reverse=True)
    assert [round(rung["accuracy"], 3) for rung in LADDER] == pytest.approx(again, abs=0.1)


def test_the_best_model_answers_everyday_questions_at_length() -> None:
    """Asked in words that it has not seen, it writes what an assistant would, with headings, lists, tables or code, and mostly the right thing."""
    asked = corpus.everyday()[::2]
    said = ladder.answers(*shipped(LADDER[0]["name"]), [exchange.prompt for exchange in asked])
    shaped = [len(answer) >= 150 and STRUCTURE.search(answer) is not None for answer in said]
    assert sum(shaped) >= 0.85 * len(asked)
    assert sum(map(ladder.right, asked, said)) >= 0.7 * len(asked)


def test_the_demo_offers_what_its_models_were_taught() -> None:
    """Each question to begin with, as it stands, is one that the best model answers rightly, in Korean and in English."""
    taught = {ask: case for case in corpus.cases() for ask in case.asks + case.held_out}
    stage = Stage.from_toml((ROOT / "stages" / "demo.toml").read_bytes(), "demo.toml")
    offered = [re.sub(r"[\[\]]", "", text) for topic in stage.starters for p in topic.prompts for text in (p.ko, p.en)]
    said = ladder.answers(*shipped(LADDER[0]["name"]), offered)
    assert [
        ask for ask, answer in zip(offered, said, strict=True) if not all(k in answer for k in taught[ask].keys)
    ] == []


def test_every_answer_ends_by_itself() -> None:
    """The longest answer that was taught fits into what the stages let a model write, and into half of the models' context."""
    words = shipped(LADDER[0]["name"])[1]
    longest = max(len(words(say)["input_ids"]) for case in corpus.cases() for say in case.says) + 1
    for file in STAGES:
        stage = Stage.from_toml((ROOT / "stages" / file).read_bytes(), file)
        assert longest <= stage.protocol.answer_tokens <= tokenizer.CONTEXT // 2


def test_everyday_answers_look_like_an_assistants() -> None:
    """Sixty and more questions in Korean: 150 to 600 characters with structure, six and more wordings, keys that stand in the answer."""
    topics = {topic["name"] for topic in corpus.source()["everyday"]}
    cases = [case for case in corpus.cases() if case.topic in topics]
    assert sum(case.language == "ko" for case in cases) >= 60
    for case in cases:
        assert 6 <= len(case.asks + case.held_out) <= 10, case.asks[0]
        assert len(case.keys) >= 3, case.asks[0]
        for say in case.says:
            assert 150 <= len(say) <= 600, case.asks[0]
            assert STRUCTURE.search(say), case.asks[0]
            assert all(key in say for key in case.keys), case.asks[0]


@pytest.mark.parametrize("file", STAGES)
def test_the_stages_seal_the_shipped_weights(file: str) -> None:
    """The hashes in the stage files are those of the folders beside them."""
    entrants = tomllib.loads((ROOT / "stages" / file).read_text("utf-8"))["entrants"]
    sealed = {entrant["path"]: entrant["sha256"] for entrant in entrants if entrant["backend"] == "transformers"}
    assert sealed == {path: artifacts.digest(ROOT / path, None) for path in sealed}


def test_no_held_out_question_was_trained_on() -> None:
    """What measures the models is not in what they learnt, in whatever dress the question comes."""
    trained = {corpus.core(turn.prompt) for _, turns in corpus.conversations(3000) for turn in turns}
    held_out = {corpus.core(exchange.prompt) for exchange in corpus.held_out()}
    assert len(held_out) > 500
    assert trained & held_out == set()


def test_the_same_budget_gives_the_same_weights(tmp_path: Path) -> None:
    """Training is a recipe: the same corpus, seed and number of steps give the same file, byte for byte."""
    words, encoded = train.materials(200)
    entrant = Entrant("again", ENTRANTS[1].architecture, 2)
    files = []
    for attempt in ("first", "second"):
        model = train.train(entrant, encoded, words)
        model.save_pretrained(tmp_path / attempt)
        files.append((tmp_path / attempt / "model.safetensors").read_bytes())
    assert files[0] == files[1]
