"""Writes the reference pages of docs/ from the code: `python docs/generate.py`; `--check` says which are out of date.

Nothing here depends on the width of a terminal, on the version of Python, or on that of click.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
import pyarrow as pa
from pydantic import BaseModel

import schemas.document
from detectors.ai_text.artefacts import ARTEFACTS
from detectors.ai_text.evasion import DENSE_NATS
from detectors.ai_text.page_marks import (
    AI_META_WEIGHT,
    ASSISTED_WEIGHT,
    GENERATOR_WEIGHT,
    MANIFEST_WEIGHT,
    PASTED_MARKS,
    PASTED_WEIGHT,
    SOURCE_TYPES,
)
from detectors.features.datatrove_minhash import LONG
from detectors.features.minhash import LANGUAGE_SHINGLES
from detectors.features.sketch import DEFAULT_SIZE as DEFAULT_SKETCH
from detectors.features.sketch import standard_error
from detectors.machine_translation.literal import lexicon
from detectors.machine_translation.page_marks import HARD_NATS, RULES, SITE_TRANSLATORS
from detectors.machine_translation.residue import RULES as RESIDUE_RULES
from detectors.machine_translation.residue import WRONG_DIGITS_LEAST, WRONG_DIGITS_NATS
from detectors.quality.profiles import PROFILES
from pipeline.annotate import Annotator
from pipeline.cli import cli
from pipeline.decide import PAIRS
from pipeline.judge import fusion_of
from pipeline.mix.rows import MIX_ROW
from pipeline.mix.weights import WEIGHTS
from pipeline.synthesize.ingest_schema import LINEAGE
from pipeline.tabulate import output_schema
from pipeline.write import INDEX
from schemas.config import CurateConfig
from schemas.document import DROPPED, PROVENANCE, data_schema
from schemas.failure import FAILURES
from schemas.manifest import run_manifest
from schemas.recipe import Floor, MixRecipe, RunSource, SyntheticSource

DOCS = Path(__file__).resolve().parent
HEAD = "<!-- Written by docs/generate.py from the code. Do not edit: change the code and run it again. -->\n\n"

# Members of structs and columns that say nothing of themselves in the code.
MEMBERS = {
    "cuts.end": "where the span ends, likewise",
    "page.canonical": "address that the page names as its own",
    "page.generator": "software that the page names as its maker",
    "page.modified_at": "as `published_at`, for the last change",
    "languages.language": "as in `language`",
    "languages.share": "share of the characters, 0 to 1",
    "evidence.detector": "name of the detector",
    "evidence.signal": "rule of the detector that matched",
    "evidence.value": "strength as the rule counts it, often a number of occurrences",
    "evidence.weight": "nats of log-odds that the finding adds to its class; null for a note, which is not fused",
    "evidence.start": "first character in `text`; null where the finding is not in the text",
    "evidence.end": "character behind the last one",
    "scores.name": "name of the column",
    "scores.value": "its value; null where the row has none",
    "personal_data.kind": "`email`, `ipv4` or `ipv6`",
    "personal_data.start": "first character in `text`",
    "personal_data.end": "character behind the last one",
    "rights.licence_url": "address of the licence, as the page gives it",
    "benchmarks.benchmark": "name of the benchmark",
    "benchmarks.item": "item of the benchmark",
    "benchmarks.overlap": "share of the item that the text holds, 0 to 1",
    "benchmarks.start": "first character in `text`",
    "benchmarks.end": "character behind the last one",
    "pairs.doc_id": "a page of this run",
    "pairs.matched": "the page that it is like",
    "pairs.matched_run": "earlier run of `matched`; null for this one",
    "pairs.similarity": "verified similarity; 1 for equal text",
    "pairs.kind": "text: Jaccard similarity of shingles; meaning: cosine of embeddings (`policy.duplicates.semantic`)",
    "index.doc_id": "id of the document",
    "index.source_file": "input file as given",
    "index.source_offset": "byte offset of the record; row number in text tables",
    "index.fetched_at": "capture time, UTC",
    "index.url_key": "hash of the normalised address",
    "index.content_hash": "hash of the words of the text; null without words",
    "index.bands": "keys of the MinHash bands, 8 bytes each, little-endian; null without shingles",
    "index.shingles": "number of different shingles",
    "index.sketch": "smallest shingle hashes, uint32, little-endian: all, up to `policy.duplicates.sketch`",
    "index.cluster_id": "doc_id of the page that stands for the cluster",
    "index.cluster_run": "earlier run that published what stands for the cluster; null for this one",
    "index.reason": "why the page was dropped; null where it is in `data/`",
    "index.role": (
        "in matching: 0 took no part, 1 another capture of its address stands, 2 another page of equal text stands, "
        "3 took part with its bands, 4 taken down"
    ),
    "scored.quality": "signals of the quality rules, by name",
    "scored.words": "number of words",
}

REASONS = {
    "http_status": "the status of the response is not 200",
    "not_html": "the payload is no HTML, by media type and first bytes",
    "url_domain": "the domain, or one above it, is on a list",
    "url_listed": "the address, or one above it, is on a list",
    "url_banned_word": "a banned word in the address",
    "url_soft_words": "two or more soft words in the address",
    "url_banned_subword": "a banned part of a word in the address",
    "opt_out": "the page states an opt-out of `policy.drop_opt_outs`",
    "provenance_LABEL": "the label is one of `policy.drop_labels`",
    "language": "not one of `policy.languages.keep`",
    "language_score": "the language is too uncertain",
    "no_text": "fewer words than `policy.minimum_words`",
    "gopher_*, c4_*, fineweb_*, refinedweb_*": (
        "the first rule of the quality profile that failed; see [quality](quality.md)"
    ),
    "url_duplicate": "another capture of the address was kept",
    "exact_duplicate": "the normalised text is that of `matched`, which was kept or dropped as a near duplicate",
    "near_duplicate": "another page of the cluster was kept; `matched` is the most similar one, `similarity` says how",
    "semantic_duplicate": "likewise, by the meaning of the text (`policy.duplicates.semantic`)",
    "taken_down": "the page, or one of its address or text in an earlier run, was taken down (`headwater seen remove`)",
}

CODES = {
    "read": {
        "gzip_corrupt": "a gzip member with a damaged stream, length or checksum",
        "zstd_corrupt": "a damaged zstd frame",
        "xz_corrupt": "a damaged xz stream",
        "parquet_corrupt": "a Parquet file, or a part of it, that cannot be read",
        "truncated": "the file ends too early",
        "garbage_between_records": "bytes that begin no record",
        "not_an_archive": "compressed data that holds no WARC or ARC record",
        "unsupported_format": "a file of no known format",
        "no_record_at_offset": "no record where a table of offsets names one",
        "header_malformed": "a record header without type or length",
        "header_too_large": "a record header over the limit",
        "record_truncated": "the data ends inside the record",
        "record_too_large": "a record over `read.max_record_bytes`",
        "record_unreadable": "a record that breaks the format in another way",
        "too_many_records": "one gzip member with more records than are read",
        "http_malformed": "a response without an HTTP status line",
        "http_header_too_large": "HTTP headers over the limit",
        "body_too_large": "a payload over `read.max_body_bytes` once decoded",
        "content_encoding_corrupt": "a damaged content coding",
        "content_encoding_unsupported": "a content coding that is not known",
        "too_many_encodings": "more than three content codings on one payload",
        "row_malformed": "a line of JSONL that is no object",
        "text_missing": "a row without text",
    },
    "extract": {
        "too_large": "more HTML than is parsed",
        "too_many_nodes": "more elements than are parsed",
        "too_many_attributes": "an element with more attributes than are parsed",
        "too_deep": "elements nested so deep that extraction would not end",
        "out_of_memory": "the parser ran out of memory",
        "extractor_failed": "the extractor raised an error",
        "extraction_error": "another error in extraction",
    },
    "any": {
        "cpu_limit": "the page burned its CPU budget",
        "crash": "the page crashed a native parser",
        "killed": "the process on this page was killed twice from outside",
    },
}

RUN_KEYS = {
    "version": "version of headwater",
    "manifest_version": "version of this file's format",
    "config": "the configuration with every default spelled out",
    "config_fingerprint": "digest of `config`",
    "inputs_fingerprint": "digest of names and sizes of the input files",
    "detectors": "fingerprint of each detector, by `name/version`",
    "counts": "account of all sources together",
    "sources": "account of each source file, in order of name",
    "flagged_clusters": (
        "clusters of more different texts than `policy.duplicates.cluster_limit`: a page, texts (`nodes`), pairs "
        "(`edges`), what they were split into, and the similarity that it took (`level`)"
    ),
    "files": "every published file but run.json itself",
    "execution": "what varies from run to run; no other file depends on it",
}
ACCOUNT_KEYS = {
    "records": "records by type",
    "pages": "records that can become a document; equals kept + dropped + failed",
    "kept": "pages in `data/`",
    "dropped": "pages by reason",
    "failed": "failed pages by code",
    "regions": "damaged stretches by code",
}
FILE_KEYS = {
    "path": "relative to the run",
    "rows": "rows of a Parquet file; 0 for others",
    "bytes": "size",
    "sha256": "digest",
}
EXECUTION_KEYS = {
    "finished_at": "time of the end, UTC",
    "seconds": "duration of the dataflow",
    "host": "name of the machine",
    "python": "version of Python",
    "platform": "operating system",
    "beam": "version of Apache Beam",
    "workers": "child processes",
    "split_size_bytes": "input bytes of a split",
    "splits": "number of splits",
    "splits_reused": "splits that an earlier attempt had finished",
    "component_rounds": "edges before and after each round of connected components",
    "beam_options": "options given to Beam",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; `|` in cells is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines) + "\n"


def code(text: str) -> str:
    """Text as inline code; nothing for nothing."""
    return f"`{text}`" if text else ""


# Commands


def command_page() -> str:
    """docs/commands.md."""
    parts = [
        HEAD,
        "# Commands\n\n",
        "Results go to files or standard output, progress and messages to standard error.\n\n",
    ]
    for path, command in commands(cli, ("headwater",)):
        parts += [f"{'##' if len(path) < 3 else '###'} {' '.join(path)}\n\n", *_command(path, command)]
    return "".join(parts)


def commands(group: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its full name, groups first, in order of name."""
    yield path, group
    if isinstance(group, click.Group):
        for name in sorted(group.commands):
            yield from commands(group.commands[name], (*path, name))


def _command(path: tuple[str, ...], command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        usage = [*path, "COMMAND"]
    else:
        positional = [_positional(p) for p in command.params if isinstance(p, click.Argument)]
        usage = [*path, "[OPTIONS]", *positional]
    yield f"```\n{' '.join(usage)}\n```\n\n"
    yield _prose(command.help or "")
    rows = [_option(option) for option in command.params if isinstance(option, click.Option) and not option.hidden]
    if isinstance(command, click.Group):
        yield table(
            ["command", "does"],
            [[code(name), _prose(sub.help or "").split("\n\n")[0]] for name, sub in sorted(command.commands.items())],
        )
    if rows:
        yield table(["option", "value", "meaning"], rows)
    if command.epilog:
        yield _prose(command.epilog)


def _positional(argument: click.Argument) -> str:
    name = (argument.name or "").upper()
    return argument.metavar or (name if argument.required else f"[{name}]")


def _option(option: click.Option) -> list[str]:
    names = ", ".join(code(name) for name in [*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else option.type.name.partition(" ")[0].upper()
    if isinstance(option.type, click.Choice):
        value = " \\| ".join(str(choice) for choice in option.type.choices)
    notes = [option.help or ""]
    if option.required:
        notes.append("Required.")
    if option.multiple:
        notes.append("May be given several times.")
    return [names, value, " ".join(notes)]


def _prose(text: str) -> str:
    """Help text as Markdown; paragraphs that click keeps as they are (`\\b`) become code."""
    parts = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            parts.append("```\n" + paragraph.lstrip("\b\n") + "\n```")
        else:
            parts.append(" ".join(paragraph.split()))
    return "\n\n".join(parts) + "\n\n"


# Configuration


def configuration_page() -> str:
    """docs/configuration.md."""
    parts = [
        HEAD,
        "# Configuration\n\n",
        f"{_first_paragraph(CurateConfig)} A file names only what differs from the defaults:\n\n",
        "```yaml\npolicy:\n  languages: {keep: [eng, deu], minimum_score: 0.5}\nquality:\n  profile: fineweb\n```\n\n",
        "`headwater curate … --config FILE` reads it; `headwater config show [FILE]` prints it with "
        "every default, and\n"
        "`headwater config schema` prints the JSON Schema for editors. An unknown key is an error.\n\n",
    ]
    for name, field in CurateConfig.model_fields.items():
        parts += _model(name, field.annotation)
    parts.append("Quality profiles and the names of their rules: [quality](quality.md).\n\n")
    parts.append(
        "## Recipes\n\nRecipes of `headwater mix` ([mixes](mix.md)). `headwater mix --schema` prints their JSON "
        "Schema.\n\n"
    )
    parts += _keys("", MixRecipe, "### Recipes: ")
    parts += _model("sources", RunSource, "### Recipes: kind run of ")
    parts += _model("sources", SyntheticSource, "### Recipes: kind synthetic of ")
    return "".join(parts).rstrip("\n") + "\n"


def _model(path: str, model: Any, heading: str = "## ") -> Iterator[str]:
    yield f"{heading}{path}\n\n{_first_paragraph(model)}\n\n"
    yield from _keys(f"{path}.", model, heading.partition("kind ")[0])


def _keys(path: str, model: Any, heading: str) -> Iterator[str]:
    """A table of the keys of a model, and the models inside it."""
    rows, nested = [], []
    for name, field in model.model_fields.items():
        kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        inner = next((kind for kind in kinds if issubclass(kind, BaseModel)), None)
        if inner is not None:
            nested.append((f"{path}{name}", inner))
        if inner is None or inner is not field.annotation:
            default = "required" if field.is_required() else default_text(field.default)
            rows.append([code(f"{path}{name}"), type_text(field.annotation), default, field.description or ""])
    if rows:
        yield table(["key", "type", "default", "meaning"], rows)
    for name, inner in nested:
        yield from _model(name, inner, heading)


def type_text(kind: Any) -> str:
    """A type in the words of a YAML file."""
    origin, args = get_origin(kind), get_args(kind)
    if kind in (RunSource, SyntheticSource, Floor):
        return "mappings, see below"
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(type_text(part) for part in args))
    if origin is Annotated:
        return "ISO 639-3 code" if args[0] is str else type_text(args[0])
    if origin is Literal:
        return ", ".join(code(str(value)) for value in args)
    if origin is tuple:
        return f"list of {type_text(args[0])}"
    if origin is dict:
        return f"map of {type_text(args[0])} to {type_text(args[1])}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return " and ".join(code(name) for name in kind.model_fields)
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null"}
    return names[kind]


def default_text(value: Any) -> str:
    """A default as YAML writes it, with sizes in binary units too."""
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        value = [one.model_dump(exclude_defaults=True) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1 << 20 and value % (1 << 20) == 0:
        return f"`{value}` ({value >> 20} MiB)"
    return code(json.dumps(value))


def _first_paragraph(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


# Columns


def dictionary_page() -> str:
    """docs/data-dictionary.md."""
    annotator = Annotator(CurateConfig())
    parts = [
        HEAD,
        "# Data dictionary\n\n",
        "A finished run holds:\n\n",
        "```\n"
        "run.json                                     account of the run; written last\n"
        "data/LABEL/SPLIT-NNNNN-of-NNNNN.parquet      kept documents, by provenance label and split\n"
        "dropped/*.parquet                            pages that were not kept, and why\n"
        "failures/*.parquet                           pages and regions that could not be read\n"
        "index/*.parquet                              keys and signatures of what has been seen\n"
        "report/index.html  report/figures.json       the report\n"
        "README.md  croissant.json                    dataset card, for people and for machines\n"
        "```\n\n",
        "No column is inferred: every file of a group has the same schema. Only columns marked *never "
        "null* are sure to\n"
        "have a value.\n\n",
        "## data\n\n",
        *columns("", data_schema([])),
        "The members of `quality` are the signals of the profile, and those of `fineweb` where both define repetition\n"
        "alike; see [quality](quality.md).\n\n",
        "## dropped\n\n",
        *columns("", DROPPED),
        "### Reasons\n\n",
        table(["reason", "meaning"], [[_codes(name), text] for name, text in REASONS.items()]),
        "Reasons are tried in this order, and the first one counts; duplicates are looked for among the "
        "pages that are\n"
        "left.\n\n",
        "## failures\n\n",
        *columns("", FAILURES),
        "### Codes\n\n",
        table(
            ["stage", "code", "meaning"],
            [[s, code(c), text] for s, codes in CODES.items() for c, text in codes.items()],
        ),
        "## index\n\n",
        "`index/part-*`: every page that was scored, for later runs ([duplicates](duplicates.md#earlier-runs)).\n\n",
        *columns("index", INDEX),
        "`index/pairs-*`: pages that were compared and are alike, once a pair.\n\n",
        *columns("pairs", PAIRS),
        "`index/index.json`: version of the index, name of the run, parameters that its keys depend on, number of "
        "documents, and the earlier runs that it was compared with.\n\n",
        "## run.json\n\n",
        *_manifest(),
        "## What `headwater mix` writes\n\n",
        "`data/train-*` and `data/validation-*` ([mixes](mix.md), [formats](formats.md)):\n\n",
        *columns("mix", MIX_ROW),
        "`weights/*.parquet`:\n\n",
        *columns("weights", WEIGHTS),
        "`index/` has the columns of a run's index.\n\n",
        "## What `headwater synthesize ingest` writes\n\n",
        "`data/synthetic-*` has the columns of `data` that say something of a text, and "
        "([synthetic text](synthetic.md)):\n\n",
        *columns("synthetic", pa.schema(LINEAGE)),
        "## What `headwater extract` writes\n\n",
        _names(output_schema("extract", annotator)),
        "Columns that are not in `data`:\n\n",
        *columns("", _new(output_schema("extract", annotator), data_schema([]))),
        "## What `headwater score` writes\n\n",
        _names(output_schema("score", annotator)),
        "Columns that are neither in `data` nor written by `extract`:\n\n",
        *columns(
            "scored", _new(output_schema("score", annotator), data_schema([]), output_schema("extract", annotator))
        ),
    ]
    return "".join(parts).rstrip("\n") + "\n"


def _codes(names: str) -> str:
    return ", ".join(code(name) for name in names.split(", "))


def _names(schema: pa.Schema) -> str:
    return ", ".join(code(field.name) for field in schema) + ".\n\n"


def _new(schema: pa.Schema, *known: pa.Schema) -> pa.Schema:
    names = {name for other in known for name in other.names}
    return pa.schema([field for field in schema if field.name not in names])


def columns(prefix: str, schema: pa.Schema) -> Iterator[str]:
    """Tables of the columns of a schema and of the members of its structs."""
    rows, structs = [], []
    for field in schema:
        text = (field.metadata or {}).get(b"description", b"").decode() or _member(f"{prefix}.{field.name}", field.name)
        rows.append([code(field.name), type_name(field.type), text + ("" if field.nullable else "; never null")])
        inner = field.type.value_type if pa.types.is_list(field.type) else field.type
        if pa.types.is_struct(inner) and inner.num_fields and field.name not in ("quality",):
            structs.append((field.name, inner))
    if not rows:
        yield "None.\n\n"
        return
    yield table(["column", "type", "meaning"], rows)
    for name, struct in structs:
        yield f"Members of `{name}`:\n\n"
        yield table(
            ["member", "type", "meaning"],
            [[code(f.name), type_name(f.type), _member(f"{name}.{f.name}", f.name)] for f in struct],
        )


def type_name(kind: pa.DataType) -> str:
    """A type in words; names of the members where a struct has no table of its own."""
    if pa.types.is_list(kind):
        return f"list of {type_name(kind.value_type)}"
    if pa.types.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        return f"struct({', '.join(names)})" if 0 < len(names) <= 3 else "struct"
    if pa.types.is_timestamp(kind):
        return "timestamp, microseconds, UTC"
    return "bytes" if pa.types.is_fixed_size_binary(kind) or kind == pa.binary() else str(kind)


def _member(path: str, name: str) -> str:
    if path in MEMBERS:
        return MEMBERS[path]
    found: str | None = comments().get(name)
    if not found:
        raise SystemExit(f"{path} has no description: comment it in schemas/document.py or name it in MEMBERS")
    return re.sub(r"(<\w+>)", r"`\1`", found)


def comments() -> Mapping[str, str]:
    """Comments of struct members in schemas/document.py: `("name", type),  # comment`."""
    source = inspect.getsource(schemas.document)
    return dict(re.findall(r'^ +\("(\w+)", .*\),  # (.+)$', source, re.MULTILINE))


def _manifest() -> Iterator[str]:
    made = run_manifest(
        version="", config={}, config_fingerprint="", inputs_fingerprint="", detectors={}, sources={}, files=(),
        execution={},
    )  # fmt: skip
    _same("run.json", made, RUN_KEYS)
    _same("counts", made["counts"], ACCOUNT_KEYS)
    yield table(["key", "meaning"], [[code(key), RUN_KEYS[key]] for key in made])
    yield "Members of `counts`, and of each of `sources` beside `source_file` and `bytes`:\n\n"
    yield table(["key", "meaning"], [[code(key), ACCOUNT_KEYS[key]] for key in made["counts"]])
    yield "Members of each of `files`:\n\n"
    yield table(["key", "meaning"], [[code(key), text] for key, text in FILE_KEYS.items()])
    yield "Members of `execution`:\n\n"
    yield table(["key", "meaning"], [[code(key), text] for key, text in EXECUTION_KEYS.items()])


def _same(what: str, found: Mapping[str, Any], described: Mapping[str, str]) -> None:
    if list(found) != list(described):
        raise SystemExit(f"{what} has the keys {list(found)}, described are {list(described)}")


# Quality and detectors


def quality_page() -> str:
    """docs/quality.md."""
    parts = [
        HEAD,
        "# Quality profiles\n\n",
        "A profile is a list of rules. A page is dropped with the name of the first rule that fails. A "
        "signal that is null\n"
        "(not applicable) never fails. `quality.thresholds` changes a threshold by the name of its rule,\n"
        "`quality.language_thresholds` does so for one language (ISO 639-3), and `null` switches a rule off:\n\n",
        "```yaml\nquality:\n  profile: gopher\n  thresholds: {gopher_top_2_gram: 0.25}\n"
        "  language_thresholds:\n    deu: {gopher_stop_words: null}\n```\n\n",
        "`quality.repetition` chooses whose definition of the repetition signals is computed, because "
        "tools that name them\n"
        "alike measure different things: `datatrove`, `dolma`, `dclm` or `rpv2`.\n\n",
    ]
    for profile in PROFILES.values():
        parts.append(f"## {profile.name}\n\n")
        if not profile.rules:
            parts.append("No rules: every page passes.\n\n")
            continue
        parts.append(f"Definition of the repetition signals: `{profile.variant}`.")
        parts.append(f" Lines are cut by the rules of `{profile.cut}`.\n\n" if profile.cut else "\n\n")
        parts.append(
            table(
                ["rule", "drops where"],
                [[code(r.reason), f"`{r.signal}` {r.op} {_number(r.threshold)}"] for r in profile.rules],
            )
        )
        changed: dict[str, list[str]] = {}
        for language, values in profile.overrides.items():
            text = ", ".join(f"{code(rule)} {'off' if v is None else _number(v)}" for rule, v in values.items())
            changed.setdefault(text, []).append(language)
        if changed:
            parts.append(table(["languages", "rules"], [[", ".join(codes), text] for text, codes in changed.items()]))
    return "".join(parts).rstrip("\n") + "\n"


def _number(value: float | None) -> str:
    return "off" if value is None else f"{value:,}"


def detectors_page() -> str:
    """docs/detectors.md."""
    annotator = Annotator(CurateConfig())
    fusion = fusion_of(CurateConfig())
    parts = [
        HEAD,
        "# Detectors\n\n",
        "Detectors run in this order on every document. Their findings are in `evidence`, their other "
        "results in columns.\n"
        f"A weight is in nats of log-odds; from {HARD_NATS:g} up a mark is *hard* and may give a label "
        "by itself. A weight\n"
        "of none is a note that is not fused. Weights of marks are set by rule; those of scores are fitted\n"
        "([provenance](provenance.md)).\n"
        "`headwater detectors list` prints the detectors of a configuration with their fingerprints.\n\n",
    ]
    for detector in annotator.detectors:
        outputs = "the members of `quality`" if detector.name == "quality" else ", ".join(map(code, detector.outputs))
        parts += [
            f"## {detector.name}\n\n",
            f"{_first_paragraph(sys.modules[type(detector).__module__])}\n\n",
            f"Version {detector.version}. Reads {', '.join(code(c) for c in sorted(detector.columns))}. ",
            f"Returns {outputs or 'evidence only'}.\n\n",
            *_marks(detector.name),
        ]
    parts += [
        f"## {fusion.name}\n\n",
        f"{_first_paragraph(sys.modules[type(fusion).__module__])}\n\n",
        f"Version {fusion.version}. Runs last, over the evidence of all detectors and of the run. ",
        f"Returns {', '.join(code(field.name) for field in PROVENANCE)}. See [provenance](provenance.md).\n",
    ]
    return "".join(parts)


SHINGLES = (
    """A shingle is five words in a row, case-folded, without symbols; all words of a shorter text are one. In scripts
    without spaces each letter with its marks is a word, so shingles of some languages are as long as what five English
    words take there (NTREX-128; the Universal Declaration of Human Rights):""",
    """`policy.duplicates.shingle` sets other sizes, for all other languages and by language; languages that it does not
    name keep those above. It can count characters: code points of the case-folded text without format characters, where
    every run of what is no letter, number or mark of one is one space, and none at the ends. So characters see spaces,
    and words do not.""",
    """`sketch` holds the smallest 32-bit hashes of the shingles, `shingles` the number of different ones. Two sketches
    give the Jaccard similarity of their texts: exact up to {size} shingles in both (`policy.duplicates.sketch`), beyond
    that with a standard error of at most {error:.3f} at a similarity of 0.75. `headwater minhash` prints what each
    shape of the signature catches.""",
    """Under `policy.duplicates.scheme: datatrove` (extra `compatible`), `minhash` is datatrove's signature, bit for
    bit: its normalisation, its English word tokeniser (spaCy) whatever the language, shingles of five tokens, xxh64, 64
    bits a value. Texts of less than five tokens have none. `policy.duplicates.shingle` then changes the sketch only.
    One difference is on purpose: a run of more than {long:,} characters without a space that begins or ends with
    symbols is cut, as spaCy would take quadratic time for it.""",
)


def _shingles() -> Iterator[str]:
    facts = {"size": DEFAULT_SKETCH, "error": standard_error(0.75, DEFAULT_SKETCH), "long": LONG}
    first, *rest = (fill(" ".join(text.format(**facts).split()), 118) + "\n\n" for text in SHINGLES)
    yield first
    by_size: dict[int, list[str]] = {}
    for language, shingle in LANGUAGE_SHINGLES.items():
        by_size.setdefault(shingle.size, []).append(language)
    yield table(
        ["languages", "letters; syllables in Tibetan script"],
        [[", ".join(names), str(size)] for size, names in by_size.items()],
    )
    yield from rest


def _marks(name: str) -> Iterator[str]:
    if name == "duplicates":
        yield from _shingles()
    elif name == "translation_marks":
        yield table(
            ["signal", "looked for in", "weight", "from how many", "weight below"],
            [
                [
                    code(r.name),
                    code(r.where),
                    _nats(r.weight),
                    str(r.at_least),
                    "" if r.at_least == 1 else _nats(r.weight_below),
                ]
                for r in RULES
            ],
        )
        yield "Site translators count where the language of the page is not that of the site:\n\n"
        yield table(
            ["signal", "weight", "weight where the site's language is not known"],
            [[code(t.mark), _nats(t.active), _nats(t.unsure)] for t in SITE_TRANSLATORS],
        )
    elif name == "ai_page_marks":
        pasted = ", ".join(sorted(PASTED_MARKS))
        yield table(
            ["what the page says", "weight"],
            [
                *([f"digital source type `{kind}`, of a text", _nats(weight)] for kind, weight in SOURCE_TYPES.items()),
                ["a meta element that says the text is generated", _nats(AI_META_WEIGHT)],
                ["a meta element that says a model assisted", _nats(ASSISTED_WEIGHT)],
                ["generator or author is a writing model", _nats(GENERATOR_WEIGHT)],
                ["signed manifest in the text that names trainedAlgorithmicMedia", _nats(MANIFEST_WEIGHT)],
                [f"markup of an assistant's web page ({pasted})", _nats(PASTED_WEIGHT)],
            ],
        )
    elif name == "ai_artefacts":
        yield table(
            ["signal", "weight", "phrases", "where"],
            [
                [code(a.name), _nats(a.weight), str(len(a.phrases)) if a.phrases else "pattern", a.scope]
                for a in ARTEFACTS
            ],
        )
    elif name == "translation_residue":
        notes = [("wrong_digits", WRONG_DIGITS_NATS, WRONG_DIGITS_LEAST), ("untranslated_lines", None, 1)]
        yield table(
            ["signal", "weight", "from how many"],
            [
                [code(signal), _nats(weight), str(least)]
                for signal, weight, least in [*((r.name, r.weight, r.at_least) for r in RESIDUE_RULES), *notes]
            ],
        )
    elif name == "literal_translation":
        languages = ", ".join(
            f"{count} in {name}" for name, count in sorted(Counter(c.language for c in lexicon()).items())
        )
        yield f"Signals are `LANGUAGE:WORD` of the source. The lexicon has {len(lexicon())} entries: {languages}.\n\n"
    elif name == "evasion":
        yield table(
            ["signal", "weight where dense", "else"],
            [[code(signal), _nats(DENSE_NATS), "none"] for signal in ("hidden_characters", "homoglyphs")],
        )


def _nats(weight: float | None) -> str:
    return "none" if weight is None else f"{weight:g}"


PAGES = {
    "commands.md": command_page,
    "configuration.md": configuration_page,
    "data-dictionary.md": dictionary_page,
    "quality.md": quality_page,
    "detectors.md": detectors_page,
}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` compare them; returns the exit code."""
    stale = []
    for name, make in PAGES.items():
        text, path = make(), DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(text, encoding="utf-8")
    print(", ".join(stale) or "nothing", "out of date" if "--check" in arguments else "written")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
