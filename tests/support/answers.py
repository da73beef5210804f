"""Answers as real models write them: headings, lists, tables, code, mathematics, from a word to 4,000 characters."""

import json

from tests.support.serving import SAYS, stage_toml

TAXES = """## 연말정산에서 놓치기 쉬운 항목

연말정산에서 가장 많이 놓치는 것은 **월세 세액공제(연 1,000만 원까지)**와 *기부금* 영수증입니다. 회사에 서류를 내기 전에 `간소화 서비스`에서 자료를 내려받아 빠진 것이 없는지 살펴보세요.

### 1. 준비 순서

1. **1월 15일**: 홈택스에서 간소화 자료를 내려받습니다.
2. **1월 20일**까지 회사에 제출합니다.
3. 빠진 것은 [홈택스](https://www.hometax.go.kr/)에서 5월에 다시 신고할 수 있습니다.

### 2. 자주 빠지는 것

- **안경·콘택트렌즈 구입비**: 한 사람당 연 50만 원까지 의료비로 인정됩니다.
- **교복 구입비**: 중·고등학생 한 명당 50만 원까지입니다.
- **월세**: 총급여 8,000만 원 이하 무주택 세대주가 대상입니다.
  - 임대차 계약서 사본
  - 계좌 이체 내역

| 공제 항목 | 한도 | 챙길 서류 |
|---|---:|---|
| 월세 세액공제 | 1,000만 원 | 계약서, 이체 내역 |
| 연금계좌 | 900만 원 | 납입 증명서 |
| 기부금 | 소득의 30% | 기부금 영수증 |

세액공제율 $r$은 총급여에 따라 달라지고, 공제액은 $x \\times r$로 계산합니다.

```python
def 공제액(월세: int, 공제율: float) -> int:
    # 연 1,000만 원까지만 인정됩니다.
    return int(min(월세 * 12, 10_000_000) * 공제율)
```

> 기한을 넘겼더라도 5년 안에는 경정청구를 할 수 있습니다.

정리하면, 간소화 자료만 믿지 말고 위 표의 서류를 따로 챙기는 것이 가장 확실합니다.
"""
WALK = """저녁 산책으로 가기 좋은 곳을 세 군데 골라 보았습니다.

- **한강공원**: 강바람이 시원하고, 밤에는 다리 조명이 켜집니다.
- **동네 둘레길**: 집에서 가깝고, 계단이 적어 무릎에 부담이 덜합니다.
- **고궁 야간 개장**: 예매가 필요하지만 한 번쯤 가 볼 만합니다.

편한 신발과 물 한 병을 챙기세요. 비가 온 뒤에는 *둘레길이 미끄러울 수* 있습니다.
"""
BOOK = TAXES + "".join(f"\n### {n}. 한 걸음 더\n\n" + WALK.replace("세 군데", f"{n}번째로") for n in range(3, 17))
WORD = "네."


def answering(*texts: str, protocol: str = "") -> str:
    """A stage whose three entrants always answer with these texts, in a round."""
    toml = stage_toml(protocol=protocol)
    for n, said in enumerate(SAYS.values()):
        quoted = json.dumps(texts[n % len(texts)], ensure_ascii=False)
        toml = toml.replace(json.dumps(said, ensure_ascii=False), quoted)
    return toml
