"""What polarity triplets are mined in: runs and text tables, read in batches. The triplets of a file stay in parts."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.keys import write_arrow
from pipeline.read.formats import detect_format
from pipeline.read.gzip_members import Window
from pipeline.read.storage import InputError, open_file
from pipeline.read.tables import json_objects
from pipeline.runs import RunError
from pipeline.synthesize.polarity import Triplet, mine
from pipeline.synthesize.polarity_language import Language, read_language

SKETCH = 1 << 22  # counters of attested words, 16 MB; a collision can only raise a count
LABELS = ("human", "unknown")  # what people wrote, or may have written; text of a machine is no ground truth
TABLES = (".parquet", ".jsonl", ".jsonl.gz", ".jsonl.xz", ".jsonl.zst", ".json", ".ndjson")
TWO_LETTERS = {"en": "eng", "de": "deu", "es": "spa", "fr": "fra"}
_BATCH_ROWS = 256
_PART_ROWS = 20_000  # triplets of a file that are held at once

CANDIDATES = pa.schema(
    [
        ("key", pa.uint64()), ("id", pa.string()), ("anchor", pa.string()), ("positive", pa.string()),
        ("negative", pa.string()), ("language", pa.string()), ("pattern", pa.string()), ("template", pa.string()),
        ("polarity", pa.string()), ("parent", pa.string()), ("start", pa.int32()), ("end", pa.int32()),
        ("url", pa.string()), ("flip", pa.uint64()), ("flips", pa.bool_()), ("needed", pa.int32()),
        ("confidence", pa.float32()), ("split", pa.string()),
    ]
)  # fmt: skip

OUTPUT = pa.schema(
    [
        pa.field("id", pa.string(), False, {"description": "32 hex digits of language, anchor, positive and negative"}),
        pa.field("anchor", pa.string(), False, {"description": "sentence or phrase of the parent as it stands"}),
        pa.field("positive", pa.string(), False, {"description": "the same meaning in other words, by the template"}),
        pa.field("negative", pa.string(), False, {"description": "the same words with the polarity turned"}),
        pa.field("language", pa.string(), False, {"description": "ISO 639-3"}),
        pa.field("pattern", pa.string(), False, {"description": "what was matched"}),
        pa.field("template", pa.string(), False, {"description": "PATTERN/TEMPLATE of positive and negative"}),
        pa.field("polarity", pa.string(), False, {"description": "of the anchor: negative or affirmative"}),
        pa.field("parent", pa.string(), False, {"description": "doc_id; id of the row in a text table"}),
        pa.field("start", pa.int32(), False, {"description": "where the anchor begins in the parent's text"}),
        pa.field("end", pa.int32(), False, {"description": "where it ends"}),
        pa.field("url", pa.string(), True, {"description": "address of the parent"}),
        pa.field("attested", pa.int32(), True, {
            "description": "times that the corpus has the turned phrase; null where the pattern turns a whole sentence"
        }),
        pa.field("confidence", pa.float32(), False, {"description": "prior of the pattern, raised where attested"}),
        pa.field("split", pa.string(), False, {"description": "of the parent; train in a text table without one"}),
        pa.field("generator", pa.string(), False, {"description": "headwater-polarity/VERSION: the row is synthetic"}),
        pa.field("prompt", pa.string(), False, {"description": "language, version of its patterns, template"}),
        pa.field("seed", pa.string(), False, {"description": "--seed"}),
        pa.field("parents", pa.list_(pa.string()), False, {"description": "the parent, as in ingest and mix"}),
        pa.field("depth", pa.int32(), False, {"description": "generations from real text: 1"}),
        pa.field("grounded", pa.bool_(), False, {"description": "true: made of its parent's words"}),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """What a child needs to know."""

    languages: tuple[str, ...]
    seed: int = 0
    labels: tuple[str, ...] = LABELS
    columns: Mapping[str, str] = field(default_factory=dict)  # id, text, language, url, split: names in text tables


@dataclass(slots=True)
class Mined:
    """What a file gave: its parts, counts of attested words (slots of the sketch, counts), and totals by language."""

    parts: list[str]
    slots: npt.NDArray[np.int64]
    counts: npt.NDArray[np.uint32]
    documents: Counter[str]
    characters: Counter[str]
    found: Counter[str]


def list_inputs(inputs: Sequence[str]) -> list[str]:
    """Data files of runs, and text tables; sorted, each once.

    Raises:
        InputError: no such file or folder, or a folder without tables.
        RunError: a run that has not finished.
    """
    files: list[str] = []
    for text in inputs:
        path = Path(text)
        if path.is_dir() and ((path / "run.json").exists() or (path / "_work").exists()):
            if not (path / "run.json").exists():
                raise RunError(f"{path}: the run has not finished; resume it with `headwater curate`")
            held = sorted(map(str, (path / "data").glob("*/*.parquet")))
        elif path.is_dir():
            held = sorted(str(p) for p in path.rglob("*") if p.is_file() and p.name.endswith(TABLES))
            if not held:
                raise InputError(f"{path}: neither a finished run nor a folder of tables (.parquet, .jsonl)")
        elif path.is_file():
            if not path.name.endswith(TABLES):
                raise InputError(f"{path}: not a text table; expected one of {', '.join(TABLES)}")
            held = [text]
        else:
            raise InputError(f"{text}: no such file or folder; give a run of `headwater curate` or a text table")
        files += held
    return list(dict.fromkeys(files))


def read_rows(path: str, options: Options) -> Iterator[dict[str, Any]]:
    """Rows as id, text, language (three letters, or None), url, split, closed (spans), of a data file or table."""
    if path.endswith(".parquet"):
        yield from _parquet_rows(path, options)
    else:
        yield from _json_rows(path, options)


def _parquet_rows(path: str, options: Options) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:
            have = set(file.schema_arrow.names)
            names = _columns(path, have, options)
            if "provenance_label" in have:
                names["label"] = "provenance_label"
            spans = [name for name in ("personal_data", "benchmarks") if name in have]
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=[*dict.fromkeys(names.values()), *spans]):
                for row in batch.to_pylist():
                    closed = [(s["start"], s["end"]) for name in spans for s in row[name] or ()]
                    yield from _usable({key: row[name] for key, name in names.items()}, closed, options)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]})") from None


def _json_rows(path: str, options: Options) -> Iterator[dict[str, Any]]:
    with contextlib.closing(open_file(path)) as file:
        window = Window(file)
        seen = False
        for row in json_objects(path, window, detect_format(window).codec):
            names = _columns(path, None if seen else set(row), options)
            seen = True
            yield from _usable({key: row.get(name) for key, name in names.items()}, [], options)


def _columns(path: str, have: set[str] | None, options: Options) -> dict[str, str]:
    """Columns to read, by what they are for."""
    names = {key: options.columns.get(key) or key for key in ("id", "text", "language", "url", "split")}
    if have is None:
        return names
    if "id" not in options.columns and "doc_id" in have:
        names["id"] = "doc_id"
    for key in ("id", "text"):
        if names[key] not in have:
            raise InputError(
                f"{path}: no column {names[key]!r}; columns are {', '.join(sorted(have))}; "
                f"choose one with --{key}-column"
            )
    return {key: name for key, name in names.items() if name in have}


def _usable(row: dict[str, Any], closed: list[tuple[int, int]], options: Options) -> Iterator[dict[str, Any]]:
    if "label" in row and row["label"] not in options.labels:
        return
    code = str(row.get("language") or "")
    code = TWO_LETTERS.get(code[:2], code[:2]) if len(code) == 2 or code[2:3] in ("-", "_") else code[:3]
    if not code and len(options.languages) == 1:
        code = options.languages[0]
    if code in options.languages and isinstance(row["text"], str) and row["text"] and row["id"] is not None:
        plain = {key: _plain(row[key]) for key in ("id", "url", "split") if row.get(key) is not None}
        yield {"text": row["text"], "language": code, "closed": closed, **plain}


def _plain(value: Any) -> str:
    """A name as text that Parquet can hold: JSON may hold halves of surrogate pairs."""
    return str(value).encode("utf-8", "replace").decode()


def mine_file(number: int, path: str, options: Options, folder: str) -> Mined:
    """Mine a file; its triplets stay in parts under `folder`, each in the order of their keys."""
    held: list[dict[str, Any]] = []
    counts = np.zeros(SKETCH, np.uint32)
    mined = Mined([], np.zeros(0, np.int64), np.zeros(0, np.uint32), Counter(), Counter(), Counter())

    def put() -> None:
        held.sort(key=lambda row: (row["key"], row["id"]))
        name = Path(folder) / f"{number:06d}-{len(mined.parts):06d}.arrow"
        write_arrow(name, pa.Table.from_pylist(held, CANDIDATES))
        mined.parts.append(str(name))
        held.clear()

    for row in read_rows(path, options):
        language = read_language(row["language"])
        mined.documents[row["language"]] += 1
        mined.characters[row["language"]] += len(row["text"])
        if language.counted:
            _count(row["text"], language, counts)
        for triplet in mine(row["text"], language, row["closed"]):
            held.append(_candidate(triplet, row, options.seed))
            mined.found[row["language"]] += 1
        if len(held) >= _PART_ROWS:
            put()
    if held:
        put()
    mined.slots = np.flatnonzero(counts)
    mined.counts = counts[mined.slots]
    return mined


def _count(text: str, language: Language, counts: npt.NDArray[np.uint32]) -> None:
    assert language.counted is not None
    code = language.data.language
    for found in language.counted.finditer(text):
        words = [word.lower() for word in found.groups() if word]
        for length in range(2, len(words) + 1):
            counts[_slot(code, words[:length])] += 1


def _slot(code: str, words: Sequence[str]) -> int:
    return xxhash.xxh3_64_intdigest(" ".join((code, *words)).encode("utf-8", "replace")) % SKETCH


def _candidate(triplet: Triplet, row: Mapping[str, Any], seed: int) -> dict[str, Any]:
    name = triplet.id
    return {
        "key": xxhash.xxh3_64_intdigest(name.encode(), seed),
        "id": name,
        "anchor": triplet.anchor,
        "positive": triplet.positive,
        "negative": triplet.negative,
        "language": triplet.language,
        "pattern": triplet.pattern,
        "template": triplet.template,
        "polarity": triplet.polarity,
        "parent": row["id"],
        "start": triplet.start,
        "end": triplet.end,
        "url": row.get("url"),
        "flip": _slot(triplet.language, triplet.flip.split()[:3]) if triplet.flip else 0,
        "flips": triplet.flip is not None,
        "needed": triplet.attested_at_least,
        "confidence": triplet.confidence,
        "split": row.get("split") or "train",
    }
