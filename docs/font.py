"""Makes the page's font out of Pretendard GOV: few and small files, so that a cold page loads only what it shows.

    npm pack pretendard-gov && tar xzf pretendard-gov-*.tgz
    python docs/font.py package/

Regular to bold in one variable file. The first slice holds the letters of the front page, from the first visit to the thanks, the second
what our other pages have besides; the other syllables of KS X 1001 follow by how common they are, in the order of the package's own slices.
Run it again when words have changed: a letter that the first slice lacks costs a first visit a slice more. A subset is a modified version,
and the licence reserves the name, so the family is called "Arena Sans" here.
"""

import hashlib
import re
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "arena" / "web" / "assets" / "fonts"
FAMILY = "Arena Sans"
WEIGHTS = (400, 700)
FRONT_WORDS = ("page", "site", "time")
OTHER_WORDS = ("lists", "errors", "api")
"""Of the catalogue; an organizer's words come with the other slices."""
SLICE = 150
LATIN = "".join(chr(c) for c in range(0x20, 0x7F)) + "·…“”‘’–—→←×%✓•\u00a0"
TITLES = "시험 체험 예선 본선 결선 대회"
"""Words that a stage's own title may have."""
SIGNS = "↑↓÷±≤≥≈°‰‱※○●◎△▲▽▼□■☆★♡♥〈〉《》「」『』【】"


def ks_x_1001() -> list[str]:
    """The 2,350 syllables that everyday Korean is written with."""
    return [bytes((row, cell)).decode("euc-kr") for row in range(0xB0, 0xC9) for cell in range(0xA1, 0xFF)]


def letters(*patterns: str) -> set[str]:
    """Every letter in files of ours."""
    shown = [path for pattern in patterns for path in ROOT.glob(pattern)]
    return {character for path in shown for character in path.read_text("utf-8") if character.isprintable()}


def front() -> set[str]:
    """Every letter that a first visit may see."""
    words = (f"arena/i18n/*/{name}.json" for name in FRONT_WORDS)
    return letters(*words, "arena/domain/starters.toml", "arena/domain/stage.toml", "stages/*.toml") | set(
        LATIN + TITLES
    )


def others() -> set[str]:
    """Every letter of our other pages."""
    words = (f"arena/i18n/*/{name}.json" for name in OTHER_WORDS)
    return letters(*words, "arena/web/pages/*.toml", "arena/web/pages/templates/*.html") | set(SIGNS)


def by_frequency(package: Path) -> list[str]:
    """Syllables in the order of the package's slices, the commonest first."""
    css = (package / "dist/web/static/pretendard-gov-dynamic-subset.css").read_text("utf-8")
    slices: dict[int, str] = {}
    for number, ranges in re.findall(r"subset\.(\d+)\.woff2.*?unicode-range: ([^;}]+)", css, re.DOTALL):
        slices.setdefault(int(number), ranges)
    ordered: list[str] = []
    for number in sorted(slices, reverse=True):
        for part in re.findall(r"U\+([0-9a-fA-F]+)(?:-([0-9a-fA-F]+))?", slices[number]):
            first, last = int(part[0], 16), int(part[1] or part[0], 16)
            ordered += [chr(code) for code in range(first, last + 1)]
    return ordered


def ranges(characters: set[str]) -> str:
    """A CSS unicode-range."""
    runs: list[list[int]] = []
    for code in sorted(map(ord, characters)):
        if runs and code == runs[-1][1] + 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return ",".join(f"U+{a:x}" if a == b else f"U+{a:x}-{b:x}" for a, b in runs)


def cut(source: Path, characters: set[str], name: str) -> str:
    """Writes one slice; returns its file's name, which holds a hash of what is in it."""
    font = TTFont(source, recalcTimestamp=False)
    options = subset.Options(
        flavor="woff2", layout_features=["kern", "ccmp", "tnum"], hinting=False, desubroutinize=True
    )
    options.name_IDs = [0, 1, 2, 13, 14]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=map(ord, characters))
    subsetter.subset(font)
    for record in font["name"].names:
        if record.nameID == 1:
            record.string = FAMILY.encode(record.getEncoding())
    path = OUT / "slice.woff2"
    subset.save_font(font, path, options)
    final = f"{name}.{hashlib.sha256(path.read_bytes()).hexdigest()[:10]}.woff2"
    path.rename(OUT / final)
    return final


def main(package: Path) -> None:
    """Writes the slices, their style sheet and the licence."""
    for old in OUT.glob("*.woff2"):
        old.unlink()
    wanted = set(ks_x_1001()) | front() | others()
    have = {
        chr(code) for code in TTFont(package / "dist/public/variable/PretendardGOVVariable.ttf").getBestCmap() or ()
    }
    wanted &= have
    small = OUT / "limited.ttf"
    variable = TTFont(package / "dist/public/variable/PretendardGOVVariable.ttf", recalcTimestamp=False)
    instancer.instantiateVariableFont(variable, {"wght": WEIGHTS}, inplace=True)
    variable.save(small)
    first = front() & wanted
    second = (others() & wanted) - first
    rest = [c for c in dict.fromkeys([*by_frequency(package), *sorted(wanted)]) if c in wanted - first - second]
    slices = {"ours": first, "pages": second}
    slices |= {f"more-{n // SLICE + 1:02d}": set(rest[n : n + SLICE]) for n in range(0, len(rest), SLICE)}
    css = ["/* Made by docs/font.py from Pretendard GOV (SIL OFL 1.1, see LICENSE.txt). */"]
    for slice_name, characters in slices.items():
        name = cut(small, characters, slice_name)
        css.append(
            f'@font-face{{font-family:"{FAMILY}";font-weight:{WEIGHTS[0]} {WEIGHTS[1]};font-display:swap;'
            f'src:url(/arena-assets/fonts/{name}) format("woff2");unicode-range:{ranges(characters)}}}'
        )
        print(f"{name:28} {len(characters):5} letters {(OUT / name).stat().st_size:7,} bytes")
    small.unlink()
    (OUT / "fonts.css").write_text("\n".join(css) + "\n", "utf-8")
    (OUT / "LICENSE.txt").write_bytes((package / "dist/LICENSE.txt").read_bytes())
    print(f"{sum(p.stat().st_size for p in OUT.iterdir()):,} bytes in all")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
