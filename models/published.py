"""What a stage file must not hold, because it is published as it stands, comments included: whatever looks like a key.

Shapes find what has the shape of a key, or stands where keys stand. A password of plain words in a free text has neither; `docs/models.md` says so.
"""

import base64
import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from models.errors import RosterError

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""How an environment variable is called."""
_HARMLESS_HEADER = re.compile(
    r"accept|accept-(?:charset|encoding|language)|cache-control|content-(?:encoding|language|type)|http-referer|openai-beta|prefer"
    r"|priority|referer|user-agent|x-(?:app|client|region|team|title)|x-request-(?:id|priority|source|timeout)|[a-z-]+-request-id|[a-z-]+-version",
    re.IGNORECASE,
)
_IN_KOREAN = (
    r"\ube44\ubc00|\ube44\ubc88|\uc554\ud638|\ud1a0\ud070|\ud328\uc2a4\uc6cc\ub4dc|\uc2dc\ud06c\ub9bf|\ucfe0\ud0a4"
    r"|(?:^|[a-z_-]|\uc778\uc99d|\uc811\uc18d|\uc11c\uba85|\uac1c\uc778|\ubcf4\uc548)\ud0a4$"
)
"""Secret, PIN, password (also as the English word), token, cookie; a key alone, or for authentication, access, signing, of one's own."""
_SECRET_NAME = re.compile(
    r"auth(?!or(?!i))|key|token|cookie|secret|passw|passphrase|\bpass\b|pwd|credential|\bcreds?\b|session|signature|\bsig\b"
    r"|\bjwt|bearer|hmac|\botp\b|" + _IN_KOREAN,
    re.IGNORECASE,
)
_KNOWN = re.compile(
    r"""(?<![A-Za-z0-9])(?:
        (?:sk|pk|rk)[-_](?:proj|ant|live|test|or|svcacct|admin|service|lf)[-_][A-Za-z0-9_-]{4,}
        | (?:nvapi|glpat|github_pat|lsv2_pt|pypi)[-_](?=[A-Za-z0-9_-]*[A-Z0-9])[A-Za-z0-9_-]{16,}
        | (?:sk|gsk|csk|xai|hf|r8|pplx|fw|up|flp|tgp_v1|gh[pousr]|dop_v1|whsec|npm)[-_](?=[a-z]*[A-Z0-9])[A-Za-z0-9]{16,}
        | nv-[0-9a-f]{32}
        | (?:AKIA|ASIA)[A-Z0-9]{16}
        | AIza[A-Za-z0-9_-]{30,}
        | ya29\.[A-Za-z0-9_-]{10,}
        | xox[abeoprs]-[A-Za-z0-9-]{8,}
        | dapi[0-9a-f]{32}
        | eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)?
    ) | -----BEGIN[ A-Z]*PRIVATE[ ]KEY""",
    re.VERBOSE,
)
"""Keys that say by their beginning whose they are; JSON Web Tokens; private keys."""
_SCHEME_VALUE = re.compile(
    r"[\s\"'(]*(?:bearer|basic|digest|token|api-?key|key|negotiate|ntlm|hmac[\w-]*|hawk|oauth|dpop|aws4[\w-]*|private-?token)\b[\s:=\"']",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(?:bearer|api-?key)\b[\s:=\"']+(?P<given>[A-Za-z0-9._~+/-]{6,}=*)", re.IGNORECASE)
_BASIC = re.compile(r"\bbasic\s+(?P<given>[A-Za-z0-9+/]{8,}={0,2})(?![\w+/=])", re.IGNORECASE)
_WITH_PASSWORD = re.compile(
    r"://[^\s/:@?#\"'<>{}]*:[^\s/@?#\"'<>{}$]+@|\bcurl\b[^\n]*?\s(?:-u|--user)[\s=]*[\"']?[^\s:\"'$]+:[^\s\"'$]"
)
"""An address, or a call of curl, with a user's password in it; one that names variables has none."""
_NEGOTIATE = re.compile(r"\b(?:negotiate|ntlm)\s+(?:YII|TlR)", re.IGNORECASE)
_RUN = re.compile(r"[A-Za-z0-9]{20,}")
_DIGEST = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")
_MEMBER = re.compile(r'\s*"(?:[0-9a-f]{32}|[0-9a-f]{64})",?')
"""A line of a long list of digests, such as a panel's."""
_COMMENT = re.compile(r"""(?:[^"'#]|"(?:\\.|[^"\\])*"|'[^']*')*#""")
_ASSIGNED = re.compile(
    r"""["']?(?P<name>[A-Za-z\uac00-\ud7a3][\w-]*)["']?\s*[=:]\s*(?:"(?P<double>[^"]+)"|'(?P<single>[^']+)'|(?P<plain>[^\s"'{}\[\],\uac00-\ud7a3]{8,}))"""
)
_NAMED = re.compile(r"([\w-]+)[\"']?\s*[=:]")
_PARAMETER = re.compile(r"[;?&/](?P<name>[\w.-]+)=")
_HINT = "the stage file is published: name the environment variable that holds it in api_key_env or headers_env"


def is_secret_name(name: str) -> bool:
    """Tell whether what is called so holds a secret."""
    return _SECRET_NAME.search(name.replace("_", "-")) is not None


def is_secret(text: str) -> bool:
    """Tell whether a text holds what has the shape of a key, or of what goes over the wire with one."""
    if (
        _KNOWN.search(text)
        or _NEGOTIATE.search(text)
        or _WITH_PASSWORD.search(text)
        or any(map(_is_random, _RUN.findall(text)))
    ):
        return True
    if any(_is_mixed(found["given"]) for found in _BEARER.finditer(text)):
        return True
    return any(_is_user_and_password(found["given"]) for found in _BASIC.finditer(text))


def harmless_header(name: str, value: str) -> bool:
    """Tell whether a header may be published: a name that is known for carrying no secret, and a value that looks like none."""
    if not _HARMLESS_HEADER.fullmatch(name) or is_secret_name(name):
        return False
    named = any(is_secret_name(name) for name in _NAMED.findall(value))
    return not (named or _SCHEME_VALUE.match(value) or is_secret(value) or any(map(_is_mixed, _RUN.findall(value))))


def secret_parameter(path: str) -> bool:
    """Tell whether a path has a parameter that is called like a secret, such as `;key=…`."""
    return any(is_secret_name(found["name"]) for found in _PARAMETER.finditer(path))


def is_variable(name: str) -> bool:
    """Tell whether this may be an environment variable's name, and is not its value put in the wrong place."""
    return bool(VARIABLE.fullmatch(name)) and not is_secret(name) and not any(map(_is_mixed, _RUN.findall(name)))


def refuse_secrets(file: bytes) -> None:
    """Refuse a stage file that holds what looks like a key, anywhere in it.

    Raises:
        RosterError: names the line, or the key of the table, and never what stands there.
    """
    text = file.decode("utf-8", "replace")
    for n, line in enumerate(text.splitlines(), 1):
        if _MEMBER.fullmatch(line):
            continue
        if is_secret(line) or _shows_in_a_comment(line):
            raise RosterError(f"line {n} holds what looks like a key or a password, perhaps in a comment; {_HINT}")
    try:
        declared = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # whoever reads it says so
    for place, value in _strings(declared, ""):
        if not _DIGEST.fullmatch(value) and is_secret(value):
            raise RosterError(f"{place} holds what looks like a key or a password; {_HINT}")


def _shows_in_a_comment(line: str) -> bool:
    """Whether a comment gives a value to what is called like a secret, or a header that could not stand in `headers`."""
    if "#" not in line:
        return False
    before = _COMMENT.match(line)
    for found in _ASSIGNED.finditer(line, before.end() if before else line.index("#")):
        name, quoted = found["name"], found["double"] or found["single"]
        secret = is_secret_name(name) and not name.endswith("_env")
        if not secret and not name.lower().startswith("x-"):
            continue
        if quoted is None:
            if secret and _is_mixed(found["plain"]) and "://" not in found["plain"]:
                return True
        elif not re.fullmatch(r"[A-Z][A-Z0-9_]*", quoted) and not harmless_header(name, quoted):
            return True
    return False


def _strings(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Give every text in a table, with the key that leads to it."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _strings(each, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for n, each in enumerate(value):
            yield from _strings(each, f"{place}.{n}")


def _is_mixed(run: str) -> bool:
    return any(c.isdigit() for c in run) and any(c.isalpha() for c in run)


def _is_random(run: str) -> bool:
    """Whether letters, capitals and digits follow each other as by lot: words, names, years and versions keep together, digests are known by their lengths.

    By lot 62 % of all neighbours differ in kind where there are capitals, 40 % where there are none.
    """
    if not _is_mixed(run) or _DIGEST.fullmatch(run):
        return False
    kinds = ["digit" if c.isdigit() else "capital" if c.isupper() else "small" for c in run]
    changes = sum(left != right for left, right in pairwise(kinds))
    return changes >= (0.45 if len(set(kinds)) == 3 else 0.3) * (len(run) - 1)


def _is_user_and_password(text: str) -> bool:
    try:
        return b":" in base64.b64decode(text, validate=True)
    except ValueError:
        return False
