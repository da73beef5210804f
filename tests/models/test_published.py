"""A stage file is published as it stands: what looks like a key is refused wherever it stands in it, and never quoted; what stage files really hold passes."""

import random
import string
from pathlib import Path

import pytest

from models.errors import RosterError
from models.published import is_secret, refuse_secrets
from models.specification import parse_entrant

ROOT = Path(__file__).resolve().parents[2]
REMOTE = {"backend": "openai", "base_url": "https://team.example/v1", "model": "m"}
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc"
KEY = "sk-proj-HUSHhush"


@pytest.mark.parametrize(
    "keys",
    [
        {"api_key_env": KEY},
        {"api_key_env": "sk_live_HUSHhush"},
        {"api_key_env": "hush hush"},
        {"api_key_env": "AKIAIOSFODNN7HUSHHUS"},
        {"api_key_env": "hush4d5f6a7b8c9d0e1f2a3b"},
        {"api_key_en": "hush"},
        {"headers_env": {"X-Gate": KEY}},
        {"headers_env": {KEY: "GATE"}},
        *(
            {"headers": {f"X-{name}": "hush"}}
            for name in ("Pass", "Pwd", "Bearer", "Cred", "Hmac", "License", "Vendor")
        ),
        {"headers": {KEY: "x"}},
        *(
            {"headers": {"X-Team": value}}
            for value in (
                KEY,
                JWT,
                "ApiKey hush",
                "Negotiate YIIhush",
                '"Bearer hush"',
                "Bearer: hush",
                "Bearer\u00a0hush",
                "token=hush",
                "team; key=hush",
                "hush45678901234567890",
            )
        ),
        {"headers": {"X-Key-Version": "hush"}},
        {"base_url": "https://team.example/v1;key=hush"},
        {"base_url": "https://team.example/v1/%3Ftoken=hush"},
        {"base_url": f"https://team.example/{KEY}/v1"},
        {"base_url": "https://team.example/v1#hush"},
        {"base_url": "https://:hush@team.example/v1"},
    ],
)
def test_a_key_in_the_wrong_place_is_refused_and_not_quoted(keys: dict[str, object]) -> None:
    """Instead of a variable's name, as a header, in an address or under a key that is written wrong: the sentence says where, never what."""
    with pytest.raises(RosterError, match=r"^entrants\.garam\.") as raised:
        parse_entrant("garam", {**REMOTE, **keys})
    assert not any(part in str(raised.value) for part in ("hush", "HUSH", "eyJ"))


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "text/event-stream", "Accept-Language": "ko", "User-Agent": "arena/1.0 (+https://arena.example)"},
        {"OpenAI-Beta": "assistants=v2", "X-Api-Version": "2026-12-01", "HTTP-Referer": "https://arena.example"},
        {"X-Request-Id": "123e4567-e89b-12d3-a456-426614174000", "X-Title": "K-AI Arena", "X-Team": "narae"},
    ],
)
def test_harmless_headers_stand_in_the_file(headers: dict[str, str]) -> None:
    """What carries no secret anywhere needs no variable."""
    parse_entrant("garam", {**REMOTE, "headers": headers, "api_key_env": "NARAE_KEY_2026"})


@pytest.mark.parametrize(
    "line",
    [
        '# headers = { Authorization = "Bearer abc" }',
        '# old: headers = { "X-Pass" = "hunter2" }',
        'model = "m"  # api_key = "hunter2"',
        "# token: a1b2c3d4e5",
        f"# {KEY}",
        f'model = "{KEY}"',
        f'version = "{JWT}"',
        'version = "\\u0073k-proj-HUSHhush"',
        "# Authorization: Bearer a1b2c3d4",
        "# Basic dXNlcjpwYXNzd29yZA==",
        "# zX9kQ2mB7vT4nR8pL5wY",
        "# -----BEGIN PRIVATE KEY-----",
        "# 비밀번호: a1b2c3d4!",
        "# 인증키 = zX9kQ2mB7v",
        "# API키: a1b2c3d4e5",
        "# curl -u team:hunter2 https://h.example/v1",
        "# postgres://arena:hunter2@db.example/arena",
        'version = "https://team:hunter2@h.example/v1"',
    ],
)
def test_a_key_anywhere_in_the_file_is_refused_by_its_line(line: str) -> None:
    """Comments and texts are published too: the line, or the key, is named, and nothing of what stands there."""
    with pytest.raises(RosterError, match=r"^(line 2|version) holds what looks like a key") as raised:
        refuse_secrets(f"round = 1\n{line}\n".encode())
    assert not any(part in str(raised.value) for part in ("hunter2", "HUSH", "eyJ", "a1b2", "dXNl", "zX9k"))


@pytest.mark.parametrize("file", sorted(ROOT.glob("stages/**/*.toml")), ids=lambda path: path.name)
def test_our_stage_files_pass(file: Path) -> None:
    """Seals, members, paths and consents are no keys."""
    refuse_secrets(file.read_bytes())


def test_what_stage_files_hold_passes() -> None:
    """Digests, revisions, members, deployments, long model names, and comments on where keys belong."""
    digests = random.Random(13)
    members = "\n".join(f'  "{digests.getrandbits(256):064x}",' for _ in range(200))
    refuse_secrets(
        f"""
# api_key_env = "NARAE_KEY", headers_env = {{ X-Api-Key = "NARAE_GATE" }}: Bearer tokens belong into the environment
# answer_tokens = 288; key: value pairs, see https://wiki.example/2026
# 최대 토큰: 4096(기본); 키: 값; 비밀번호는 환경 변수에; https://$USER:$PASSWORD@h.example, http://h.example:8080/a@b, ops@h.example
a = ["SolarPro2Preview20250710Instruct", "sk-telecom-ax-4-0-light", "K-EXAONE-236B-A23B", "Qwen3Next80BA3BInstructFP8Dynamic"]
b = ["https://h.example/accounts/0123456789abcdef0123456789abcdef/ai/v1", "https://xk3j5h2lq9d8f7aa.us-east-1.example/v1"]
c = ["ft:gpt-4o-mini-2024-07-18:org::AbCdEf12", "0123456789abcdef0123456789abcdef01234567", "up_to_2026_questions_a_day"]
d = "Explain basic JavaScript, C# and HTML5CSS3; what is a JWT, and why is my API key a secret?"
members = [
{members}
]
""".encode()
    )


def test_most_keys_without_a_name_are_found() -> None:
    """Of random letters and digits, 20 to 48 of them, more than nine in ten with capitals and three in four without are seen, whoever made them."""
    lot = random.Random(13)
    for letters, share in ((string.ascii_letters + string.digits, 0.9), (string.ascii_lowercase + string.digits, 0.75)):
        for length in (20, 32, 48):
            found = sum(is_secret("".join(lot.choices(letters, k=length))) for _ in range(500))
            assert found >= share * 500, (letters, length)
