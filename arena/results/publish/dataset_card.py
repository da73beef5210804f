"""The card of a release: what it is, what is in it, what is not and by which rule. Markdown, Korean first."""

from collections.abc import Mapping
from typing import Any

from arena.results.publish.dataset import BATTLES, COLUMN_WORDS, LEFT_OUT, META

CARD = """\
---
language: [ko, en]
license: other
pretty_name: "{title_en}"
tags: [preference, arena, korean, human-feedback{synthetic_tag}]
configs:
  - config_name: battles
    data_files: {battles}
  - config_name: left_out
    data_files: {left_out}
---

# {title_ko} · {title_en}

{banner}> **AI** {ai_ko} {ai_en}

{programme}, {round}차(round {round}), 단계(stage) `{stage}`. 마감(frozen) {frozen}.
시민이 누구의 답인지 모르는 채 두 모델의 답을 견주어 투표한 기록입니다. 가명 처리했고, 투표 공개에 동의한 사람의 것만 들어 있습니다.
Blind side-by-side battles and the citizens' votes on them: pseudonymous, and only of those who agreed to the release.

## 파일 · Files

| file | what |
|---|---|
| `{battles}` | 레이팅에 들어간 투표 · votes that are in the fit |
| `{left_out}` | 레이팅에서 제외한 투표와 그 이유 · votes left out of the fit, with the reason |
| `{meta}` | 서명한 설명과 개수 · the signed description, with all counts |

```python
import pandas as pd
battles = pd.read_parquet("{battles}")
```

`python -m arena rate {battles} --prior {prior:g} --both-bad {both_bad}` 로 레이팅을 다시 계산합니다. rates them again.

## 들어 있지 않은 것 · What is not in it, and why

| rule | votes |
|---|---|
| 모든 투표 · all sealed votes | {votes:,} |
| 투표 공개에 동의하지 않음 · no consent to the release of votes | −{no_consent:,} |
| **공개한 투표 · released** | **{released:,}** |
{left_rows}
| rule | texts of released votes |
|---|---|
{text_rows}| **글까지 공개 · released with texts** | **{texts:,}** |

글은 질문 공개에 따로 동의하고, 개인정보 탐지기가 질문과 답 어디에서도 아무것도 찾지 못했을 때에만 공개합니다. 이름과 주소처럼 탐지기가 찾지 못하는 것도
있습니다. 의견(comment)과 참여자 특성은 동의 대상이 아니므로 공개하지 않습니다. 나중에 동의를 거두면 다음 공개본에서 빠집니다.
Texts are released only with a consent of their own, and where the finder of personal data found nothing in any prompt or answer (it does not
find names or addresses). Comments and what people said about themselves are never released. Who takes the consent back is not in the next release.

## 레이팅 · Ratings

공식 결과는 서명된 내보내기(export)입니다. {compared_ko}
The result is the signed export. {compared_en}

| entrant | export | 95 % | votes | this release | 95 % | votes |
|---|---|---|---|---|---|---|
{rating_rows}
## 열 · Columns

| column | meaning |
|---|---|
{column_rows}"""
TEXT_RULES = {
    "no_consent": "글 공개에 동의하지 않음 · no consent to the release of texts",
    "erased": "글을 이미 지움 · texts were erased",
    "personal_data": "개인정보가 발견됨 · personal data was found",
}
ALL = (
    "모두가 공개에 동의하여, 공개한 투표에서 같은 레이팅이 나옵니다.",
    "Everybody agreed to the release, so the released votes give the same ratings.",
)
SOME = (
    "모두가 공개에 동의하지는 않았으므로 공개한 투표만의 레이팅은 이와 다를 수 있습니다.",
    "Not everybody agreed to the release, so the ratings of the released votes alone may differ.",
)


def card(document: Mapping[str, Any], protocol: Mapping[str, Any]) -> str:
    """The card of this release; `protocol` is the stage's, for the command that rates it again."""
    stage, counts = document["stage"], document["counts"]
    everything = counts["votes_released"] == counts["votes"]
    return CARD.format(
        title_ko=stage["title"]["ko"],
        title_en=stage["title"]["en"],
        synthetic_tag=", synthetic" if document["synthetic"] else "",
        banner="> **SYNTHETIC** 모의 자료: 사람이 평가하지 않았습니다. Nothing in it was judged by people.\n>\n"
        if document["synthetic"]
        else "",
        ai_ko=document["ai_generated"]["ko"],
        ai_en=document["ai_generated"]["en"],
        programme=stage["programme"],
        round=stage["round"],
        stage=stage["id"],
        frozen=stage["frozen_at"],
        battles=BATTLES,
        left_out=LEFT_OUT,
        meta=META,
        prior=protocol["prior"],
        both_bad=protocol["both_bad"],
        votes=counts["votes"],
        no_consent=counts["votes_dropped"]["no_consent"],
        released=counts["votes_released"],
        compared_ko=ALL[0] if everything else SOME[0],
        compared_en=ALL[1] if everything else SOME[1],
        left_rows="".join(
            f"| 그중 `{LEFT_OUT}`에: {reason} · of these in `{LEFT_OUT}` | {count:,} |\n"
            for reason, count in counts["votes_left_out_of_the_fit"].items()
        ),
        texts=counts["texts_released"],
        text_rows="".join(f"| {TEXT_RULES[rule]} | −{count:,} |\n" for rule, count in counts["texts_dropped"].items()),
        rating_rows="".join(
            f"| {row['team_id']} | {_cells(row['exported'])} | {_cells(row['released'])} |\n"
            for row in document["ratings"]
        ),
        column_rows="".join(f"| `{name}` | {words} |\n" for name, words in COLUMN_WORDS.items()),
    )


def _cells(row: Mapping[str, Any]) -> str:
    if row["rating"] is None:
        return f"– | – | {row['n_votes']:g}"
    low, high = row["rating_ci95"]
    return f"{row['rating']:.1f} | {low:.1f}–{high:.1f} | {row['n_votes']:g}"
