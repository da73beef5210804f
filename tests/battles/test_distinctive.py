"""A name that can hardly be anything else tells who is speaking wherever its author says it unasked; an ordinary word needs more."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena.battles.distinctive import names
from arena.battles.identity import Lexicon
from arena.cli import app as cli
from arena.domain.declared import Bilingual
from arena.domain.errors import StageError
from arena.domain.stage import Entrant
from tests.support.serving import stage_toml


def entrant(*aliases: str, ordinary: tuple[str, ...] = (), distinctive: tuple[str, ...] = ()) -> Entrant:
    team = Bilingual(ko="고래랩", en="Gorae Lab")
    return Entrant(
        id="gorae", team=team, aliases=aliases, ordinary=ordinary, distinctive=distinctive, backend="scripted"
    )


def taken(entrant: Entrant) -> dict[str, bool]:
    """Each name, and whether it is distinctive."""
    return {name.text: name.distinctive for name in names(entrant)}


LEXICON = Lexicon(
    [
        entrant("GoraeLM", "고래", "Blue Whale"),
        Entrant(
            id="mir", team=Bilingual(ko="미르팀", en="Team Mir"), aliases=("Mir-2 Open 40B", "미르"), backend="scripted"
        ),
    ]
)


@pytest.mark.parametrize(
    "name", ["고래LM", "고래 AI", "GoraeLM", "Gorae3", "G.O K2", "K-GORAE", "HyperGORAE X SEED", "Gorae Open 90B", "고래.ai", "gorae.ai", "하이퍼고래", "고래 1.5", "고래챗봇"]
)  # fmt: skip
def test_a_name_that_nobody_writes_by_chance_is_distinctive(name: str) -> None:
    """Two scripts, letters with digits, a capital inside, capitals throughout, a model's word, a host, many syllables."""
    assert taken(entrant(name))[name]


@pytest.mark.parametrize(
    "name", ["고래", "하늘", "새벽", "Solar", "gorae", "GO", "GORAE", "고래-2", "고래 3", "blue whale"]
)
def test_a_word_is_none(name: str) -> None:
    """A river, the sky, a few letters, some number of something."""
    assert not taken(entrant(name))[name]


def test_whose_it_is_says_nothing_by_itself() -> None:
    """A maker's name stands on other products as well, also where it is listed as an alias."""
    assert taken(entrant("Gorae Lab", "고래랩")) == {"Gorae Lab": False, "고래랩": False}


def test_the_stage_file_knows_better() -> None:
    """What it lists as `ordinary` or `distinctive` is that, in any spelling, whether it is among the aliases or not; never both."""
    told = taken(entrant("GoraeLM", "고래", ordinary=("gorae-lm",), distinctive=("고래", "엑스고래")))

    assert told == {
        "GoraeLM": False,
        "gorae-lm": False,
        "고래": True,
        "엑스고래": True,
        "Gorae Lab": False,
        "고래랩": False,
    }
    with pytest.raises(StageError, match="고래"):
        entrant(ordinary=("고래",), distinctive=("고래",))


@pytest.mark.parametrize(
    ("question", "answer", "marks"),
    [
        ("김밥 레시피", "참기름이 GoraeLM의 비밀이죠.", ("self:gorae",)),
        ("김밥 레시피", "참기름이 고래의 비밀이죠.", ("own:gorae",)),
        ("김밥 레시피", "비밀은 참기름. Gorаe LM 왈.", ("self:gorae",)),
        ("Story?", "Blue Whale thinks it over.", ("self:gorae",)),
        ("Story?", "The blue whale thinks it over.", ("own:gorae",)),
        ("국산 AI 모델은?", "GoraeLM이 있습니다.", ("own:gorae",)),
        ("국산 AI 모델은?", "제가 바로 GoraeLM이죠.", ("self:gorae",)),
        ("GoraeLM이 뭐야?", "GoraeLM은 언어 모델입니다.", ("own:gorae:prompted",)),
        ("숙제 도구", "GoraeLM, Mir-2 Open 40B를 써 보세요.", ("own:gorae", "rival:mir")),
        ("숙제 도구", "- 사전\n- Mir-2 Open 40B\n- GoraeLM", ("own:gorae", "rival:mir")),
        ("숙제 도구", "GoraeLM 등이 있습니다.", ("own:gorae",)),
        ("숙제 도구", "GoraeLM을 설치하면 됩니다.", ("own:gorae",)),
        ("안녕", "여기는 GoraeLM이 아닙니다.", ("own:gorae",)),
    ],
)  # fmt: skip
def test_alone_and_unasked_it_tells_who_is_speaking(question: str, answer: str, marks: tuple[str, ...]) -> None:
    """Not one of several, nor denied, nor brought up by the question, nor where the question is about models and nobody speaks of themselves."""
    assert LEXICON.mark_answer(answer, "gorae", [question]) == marks


def test_a_size_makes_a_word_a_name() -> None:
    """`Solar` is a word; `Solar-10.7B` is nobody's but the model's."""
    lexicon = Lexicon([entrant("Solar")])

    assert lexicon.mark_answer("Panels: Solar is cheap.", "gorae", ["roof"]) == ("own:gorae",)
    assert lexicon.mark_answer("Cheap, says Solar-10.7B!", "gorae", ["roof"]) == ("self:gorae",)


def test_the_check_of_a_stage_file_tells_which_names_are_taken_which_way(tmp_path: Path) -> None:
    """So that whoever writes it sees where the rule guesses wrong."""
    file = tmp_path / "stage.toml"
    file.write_text(stage_toml().replace("[[entrants]]\n", '[[entrants]]\naliases = ["하늘", "하늘LM"]\n', 1), "utf-8")

    told = CliRunner().invoke(cli, ["stage", "check", str(file), "--no-ask"]).stdout

    assert ": alone tell who speaks: 하늘LM; taken for words" in told
    assert "하늘" in told.split("taken for words")[1].splitlines()[0]
