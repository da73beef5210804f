"""Writes the pages that come from the code: docs/export-format.md and docs/schemas/. `make docs` runs it; a test holds them current."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pydantic import BaseModel  # noqa: E402
from pydantic.fields import FieldInfo  # noqa: E402

from arena.results.export import document, result, schema, tables  # noqa: E402
from arena.results.programme import letter  # noqa: E402
from arena.results.programme import schema as programme  # noqa: E402

SCHEMA_FILE = "docs/schemas/kai.user-score-2.schema.json"
RESULT_FILE = "docs/schemas/kai.result-1.schema.json"
LETTER_FILE = "docs/schemas/kai.letter-1.schema.json"
TOTAL_FILE = "docs/schemas/kai.total-1.schema.json"
PAGE_FILE = "docs/export-format.md"

INTRO = """\
# The export, field by field

This page is made from the code by `make docs`; a test holds it current. The JSON Schema is
[`schemas/kai.user-score-2.schema.json`](schemas/kai.user-score-2.schema.json); how to check an export, with our code or without it, is in
[`verify.md`](verify.md).

## The folder

`python -m arena export STAGE` writes a folder of its own and points `latest` at it. Everything is written aside, flushed to disk and verified
before one rename puts it in place: a full disk or a killed process leaves the last good export as it was.

| file | what it is |
|---|---|
| `export.json` | the score and everything that goes with it: canonical JSON (RFC 8785), signed (below) |
| `votes.parquet` | every sealed vote, a row each, in the order of the ledger; those that are left out too, with the reason |
| `draws.parquet` | every draw, voted on or not |
| `checkpoints.jsonl` | every signed tree head of the stage, one a line, smallest first |
| `cosignatures.jsonl` | what the stage's witnesses have signed of them, one a line, by size and witness (`Cosignature` below); empty where there is none |
| `timestamps.jsonl` | what time-stamping authorities have answered about them (RFC 3161), one a line, by size and time (`Timestamp` below); empty where there is none |
| `stage.toml` | the stage file that was sealed when the stage opened |
| `scores.csv` | the scores for people: UTF-8 with BOM, and no cell that a spreadsheet would run as a formula |
| `jwks.json` | the public keys, retired ones too (RFC 7517) |
| `SHA256SUMS` | the hash of each of them; `sha256sum -c SHA256SUMS` |

`strata.parquet`, what each voter said of themselves, is not among them: the document has only its hash (`provenance.strata_file`).

While a stage is open an export is preliminary, while it is frozen provisional: two of a frozen stage, between which nobody decided anything, differ only in `export_id`, `created_at`,
`review.looks` and the signature. Publication makes the final one, which is kept: it is given out byte for byte, and only a correction takes its place (`supersedes`, `correction`).

**One chain.** `GET /api/v1/stages/{id}/exports` and `python -m arena exports STAGE` sign the list of a stage's final exports, `kai.exports/1`: `stage`, `created_at` (of the list),
`finals[]` with `export_id`, `sha256` (of its `export.json`), `created_at`, `supersedes`, `reason` (of the correction; null for the first), and `integrity`, in canonical form. The last is the result.
Moments are RFC 3339 in Korean time (`+09:00`). A number is never NaN or infinite; what is not known is `null`.

**Signature.** `integrity.signature` is a detached JWS (RFC 7515, appendix F), ES256, over the canonical form of the document without
`integrity.signature`. The key with `integrity.kid` is in `jwks.json` and, for whoever trusts no file, at `/.well-known/jwks.json`.

**Personal data.** There is none in the document. The evidence has a row for each vote under a pseudonym that means nothing outside the arena;
groups of fewer than ten people are shown as `null`. What voters said of themselves is in neither: auditors alone are given it. Since the release of votes is a choice of each citizen, the evidence goes to the aggregator
and to auditors, by key; what everybody may have is the release (consented votes only), not this file.

## Over HTTP

`GET /api/v1/stages/{id}/export?format=json|csv|parquet|zip`

| reader | gets |
|---|---|
| `Authorization: Bearer kai_…`, scope `export` | `json`, `csv` of a published stage; of a frozen one provisional, and the look is published |
| the same, scope `votes` | also `parquet` (the votes) and `zip` (the whole folder, ready to verify) |
| scope `audit` | none of these: `strata.parquet` at `GET /api/v1/stages/{id}/strata`, from the freeze until the stage's retention ends; each time is logged |
| the same, scope `evidence`: an entrant's own key | all of these of its stage once it is published, whatever `disclosure` says, and not what `audit` opens; before, 403 with the sentence when (`evidence_from`, `evidence_later`) |
| everybody, once published | where the stage file's `disclosure` is `full`: `json` and `csv` |
| organizers | everything, and before the freeze a preliminary export that says `"status":"open"` |

Keys are made and revoked with `python -m arena api-key new|list|revoke`, shown once, kept as a digest, bound to one stage or to all. Every answer has
an `ETag`; with `If-None-Match` an unchanged export is `304`. A refusal is RFC 9457 with a code: `api_key_needed`, `api_key_unknown` (401),
`api_key_scope`, `not_disclosed` (403), `stage_not_found` (404), `not_frozen` (409); of the strata also `audit_key_needed` (401), `strata_none`,
`strata_erased` (404). `GET /api/v1/stages` says what everybody may know of each
stage: status, the sealed file's hash, and the commitment to the draws.

## What everybody may read

`GET /api/v1/stages/{id}/result`, from publication on and for every stage: `kai.result/1`
([`schemas/kai.result-1.schema.json`](schemas/kai.result-1.schema.json)), canonical JSON and signed like the document, made once, at publication. The
stage file's `disclosure`, sealed before the first vote, says what of the scores is in it; the steps are those in which the programme has published:

| `disclosure` | open to everybody |
|---|---|
| `full` | `disclosed.scores`, every team with its interval and possible ranks, and all of the below; besides, `export.json` and `scores.csv`, the report, the public dataset |
| `winners_and_means` | `disclosed.winners`: who has the most points, how many, with the interval, and whether they are first beyond chance; `disclosed.mean_points` |
| `means_and_gaps` | `disclosed.mean_points` and `disclosed.gaps`: how far each place lies from the next, and whether the two are apart beyond chance; no team by name |
| `sealed` | how many voted |

**It binds the public, not the entrants.** The programme and each entrant get everything whatever it says. A stage whose disclosure is not `full` cannot have
`public_leaderboard`.

**What stays closed is committed to.** `files` names every file of the published export. `sha256` is its hash where nobody can make the file up who does not have it:
`export.json` holds a signature that the arena's key alone can make, and each row of `votes.parquet` a random battle number and keyed pseudonyms. Of the others
`sha256` is `null`: a table of a few points, or of draws whose seed is public, could be tried out against its hash until it fits, so their hashes stand in
`export.json` and nowhere else. Opened later, one file or all of them, they are checked by

```
python -m arena verify FOLDER --published result.json --jwks pinned.json
```

which also holds what was disclosed against the opened `export.json`. The result is kept with the act of publication; the export's files have to be kept by
the operator, for a remade export carries another signature and is not what was committed to.

## The entrants' keys and letters

Opening a stage makes each entrant a key of the scope `evidence`. The opening act, whose hash stands in every checkpoint from the one over no votes on, names each key's
id and SHA-256, and not whose it is; `evidence_keys` here says that. Whoever holds a key can show that it was promised before the first vote. Such a key is neither made nor revoked by hand; `python -m arena api-key rotate STAGE ENTRANT --reason …` (or the console) puts
another in its place, and `evidence_keys` then tells when and why, behind those of the opening.

`python -m arena letters STAGE --out DIR` writes, once the stage is published, a folder for each team: `letter.json` (`kai.letter/1`,
[`schemas/kai.letter-1.schema.json`](schemas/kai.letter-1.schema.json), signed like the document), `letter.html` (the same to read and print, Korean and English), `jwks.json`. A letter holds the
team's score with intervals and possible ranks, its results under other choices, how the votes on its answers were decided, which were left out, why, and
by which decisions, its exposure, outages, failures and leaks, its keys, and of other teams what `disclosure` opens to everybody. `python -m arena verify letter.json`
checks its signature; with `--against FOLDER` every number in it is made again from the export, but for the causes of outages and the
counts of failed answers, which the signature alone vouches for.

## Pushed

With `ARENA_WEBHOOKS` set, `python -m arena stage publish` also puts the score into an outbox, and the serving arena (or `python -m arena push STAGE`)
POSTs it to each address until it is answered with 2xx: after 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h and then every 4 h for more than three days.
Redirects are not followed; `410` ends it. The outbox is in the database, so restarts lose nothing.

The body is canonical JSON: `schema` (`kai.push/1`), `id` (the same for a repetition: deliver-once is the receiver's to decide by it), `event`
(`stage.published`, or `stage.corrected` where it takes the place of another), `at`, `stage`, `export_id`, `export_sha256` (of `export.json`), `export` (the signed document). The header `KAI-Signature` is a
detached ES256 JWS over exactly the body's bytes.
"""

STRATA = """\
## `strata.parquet`

For auditors alone, never in the folder: what each voter said of themselves, as it was at the freeze. Its own metadata say `schema` (`kai.strata/1`), `stage` and a
`nonce`, without which few voters' answers could be tried out against the hash.

| column | type | meaning |
|---|---|---|
| `judge` | string | the voter, as in `votes.parquet`: each voter of a sealed vote once, in the order of the alphabet |
| a stratum of the stage file, by its id; all of them, in its order | string or null | the category's id; empty for who did not say |
"""


def files() -> dict[str, str]:
    """What is to be written, by path."""
    schemas = {
        SCHEMA_FILE: schema.json_schema(),
        RESULT_FILE: result.json_schema(),
        LETTER_FILE: letter.json_schema(),
        TOTAL_FILE: programme.json_schema(),
    }
    made = {name: json.dumps(held, ensure_ascii=False, indent=2) + "\n" for name, held in schemas.items()}
    return {**made, PAGE_FILE: "\n".join(_page()) + "\n"}


def _page() -> Iterator[str]:
    yield INTRO
    yield "## `export.json`\n"
    for part in _parts(schema.UserScore):
        yield from _described(part)
    yield "## `checkpoints.jsonl`, `cosignatures.jsonl`, `timestamps.jsonl`\n\nA line is a `Checkpoint` (above), a `Cosignature` or a `Timestamp`.\n"
    for part in (schema.CosignaturePart, schema.TimestampPart):
        yield from _described(part)
    yield from _columns("`votes.parquet`", tables.VOTES, tables.VOTE_COLUMNS)
    yield from _columns("`draws.parquet`", tables.DRAWS, tables.DRAW_COLUMNS)
    yield STRATA
    yield "## `scores.csv`\n\n" + ", ".join(f"`{name}`" for name in document.COLUMNS) + "."


def _described(part: type[BaseModel]) -> Iterator[str]:
    name = part.__name__.removesuffix("Part").removesuffix("_")
    title = "The document" if part is schema.UserScore else name
    yield f"### {title}\n\n{(part.__doc__ or '').strip()}\n\n| field | type | meaning |\n|---|---|---|"
    for field, info in _fields(part):
        optional = "" if info.is_required() else " (may be missing)"
        yield f"| `{info.alias or field}` | {_type(part, field)} | {_cell(info.description or '')}{optional} |"
    yield ""


def _columns(title: str, table: Any, words: dict[str, str]) -> Iterator[str]:
    yield f"## {title}\n\n| column | type | meaning |\n|---|---|---|"
    for field in table:
        yield f"| `{field.name}` | {field.type}{' or null' if field.nullable else ''} | {_cell(words[field.name])} |"
    yield ""


def _parts(root: type[BaseModel]) -> list[type[BaseModel]]:
    """The document's types in the order in which they first stand in it."""
    found = [root]
    for part in found:
        for _, info in _fields(part):
            found += [inner for inner in _models(info.annotation) if inner not in found]
    return found


def _fields(part: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """Its fields in their order; the signature is over all the others, so it stands last."""
    return sorted(part.model_fields.items(), key=lambda named: named[0] == "integrity")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models(inner)


def _type(part: type[BaseModel], field: str) -> str:
    made = part.model_json_schema(by_alias=True, ref_template="{model}")
    info = part.model_fields[field]
    return _named(made["properties"][info.alias or field])


def _named(node: dict[str, Any]) -> str:
    if "$ref" in node:
        return node["$ref"].removesuffix("Part").removesuffix("_")
    if "anyOf" in node:
        return " or ".join(_named(inner) for inner in node["anyOf"])
    if "const" in node:
        return f"`{json.dumps(node['const'])}`"
    if "enum" in node:
        return " · ".join(f"`{value}`" for value in node["enum"])
    match node.get("type"):
        case "array":
            size = (
                f" of {node['minItems']}" if node.get("minItems") == node.get("maxItems") and "minItems" in node else ""
            )
            return (
                f"list{size} of {_named(node['items'])}"
                if not size
                else f"{node['minItems']} × {_named(node['items'])}"
            )
        case "string" if node.get("format") == "date-time":
            return "moment"
        case "string" if "pattern" in node:
            return f"string `{node['pattern']}`".replace("|", "\\|")
        case kind:
            return str(kind or "any")


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


if __name__ == "__main__":
    for name, text in files().items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(text, "utf-8")
        print(name)
