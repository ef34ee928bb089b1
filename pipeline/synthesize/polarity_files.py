"""Polarity triplets of runs and text tables: files are mined one by one, then one pass chooses what is written.

A part holds what a file gave, in the order of `key`, a hash of seed and content. The parts are merged by key, so that
the triplets of `--limit N` are the first that the caps admit, and a larger N only adds to them.
"""

from __future__ import annotations

import heapq
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.host import Host, HostTask
from pipeline.keys import read_arrow, write_arrow
from pipeline.read.formats import detect_format
from pipeline.read.gzip_members import Window
from pipeline.read.storage import InputError, file_size, open_file
from pipeline.read.tables import _lines, open_lines
from pipeline.runs import RunError
from pipeline.synthesize.polarity import VERSION, Triplet, mine
from pipeline.synthesize.polarity_language import Language, read_language

GENERATOR = f"headwater-polarity/{VERSION}"
SKETCH = 1 << 22  # counters of attested words, 16 MB; a collision can only raise a count
LABELS = ("human", "unknown")  # what people wrote, or may have written; text of a machine is no ground truth
TABLES = (".parquet", ".jsonl", ".jsonl.gz", ".jsonl.xz", ".jsonl.zst", ".json", ".ndjson")
TWO_LETTERS = {"en": "eng", "de": "deu", "es": "spa", "fr": "fra"}
MAX_LINE = 64 << 20  # bytes of a JSON line
FREE = 20  # triplets of a pattern that its share never stops
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
        pa.field("template", pa.string(), False, {"description": "PATTERN/TEMPLATE that made positive and negative"}),
        pa.field("polarity", pa.string(), False, {"description": "of the anchor: negative or affirmative"}),
        pa.field("parent", pa.string(), False, {"description": "doc_id of the document; id of the row in a text table"}),
        pa.field("start", pa.int32(), False, {"description": "where the anchor begins in the parent's text, characters"}),
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
class Caps:
    """Largest numbers of triplets of one document and host, and share of one pattern, in a language."""

    document: int = 5
    host: int = 100
    pattern: float = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What a child needs to know."""

    languages: tuple[str, ...]
    seed: int = 0
    labels: tuple[str, ...] = LABELS
    columns: Mapping[str, str] = field(default_factory=dict)  # id, text, language, url, split: names in text tables


@dataclass(slots=True)
class Mined:
    """What a file gave: its parts, counts of attested words as (hashes, counts), and totals by language."""

    parts: list[str]
    hashes: npt.NDArray[np.uint64]
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
    window = Window(open_file(path))
    seen = False
    for number, line in enumerate(_lines(open_lines(window, detect_format(window).codec), MAX_LINE)):
        if isinstance(line, tuple):
            raise InputError(f"{path}: row {number}: {line[1]}")
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise InputError(f"{path}: row {number} is no JSON object; repair the table, or leave the row out")
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
                f"{path}: no column {names[key]!r}; columns are {', '.join(sorted(have))}; choose one with --{key}-column"
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
    counts: Counter[int] = Counter()
    mined = Mined([], np.zeros(0, np.uint64), np.zeros(0, np.uint32), Counter(), Counter(), Counter())

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
    mined.hashes = np.array(sorted(counts), np.uint64)
    mined.counts = np.array([counts[key] for key in sorted(counts)], np.uint32)
    return mined


def _count(text: str, language: Language, counts: Counter[int]) -> None:
    assert language.counted is not None
    code = language.data.language
    for found in language.counted.finditer(text):
        words = found[0].lower().split()
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


def choose(
    parts: Sequence[str], attested: npt.NDArray[np.uint32], limit: int | None, caps: Caps, minimum: float
) -> Iterator[dict[str, Any]]:
    """Triplets in the order of their keys, those that are attested often enough and that the caps admit.

    Every decision depends on what came before alone, so that a larger `limit` keeps what a smaller one gave.
    """
    streams = [_rows(part) for part in parts]
    seen: set[int] = set()
    kept: Counter[str] = Counter()
    documents: Counter[tuple[str, str]] = Counter()
    hosts: Counter[tuple[str, str]] = Counter()
    patterns: Counter[tuple[str, str]] = Counter()
    for row in heapq.merge(*streams, key=lambda row: (row["key"], row["id"], row["parent"], row["start"])):
        code = row["language"]
        times = int(attested[row["flip"]]) if row["flips"] else None
        if times is not None and times < row["needed"]:
            continue
        confidence = row["confidence"] if not times else 1 - (1 - row["confidence"]) / 2
        anchor = xxhash.xxh3_64_intdigest(f"{code} {row['anchor'].lower().rstrip('.!')}".encode())
        if confidence < minimum or anchor in seen or (limit is not None and kept[code] >= limit):
            continue
        document, pattern = (code, row["parent"]), (code, row["pattern"])
        host = (code, urlsplit(row["url"]).hostname or "" if row["url"] else "")
        share = max(FREE, caps.pattern * (kept[code] + 1))
        if documents[document] >= caps.document or (host[1] and hosts[host] >= caps.host) or patterns[pattern] >= share:
            continue
        seen.add(anchor)
        kept[code] += 1
        documents[document] += 1
        hosts[host] += 1
        patterns[pattern] += 1
        yield {**row, "attested": times, "confidence": confidence}


def _rows(part: str) -> Iterator[dict[str, Any]]:
    table = read_arrow(Path(part))
    for batch in table.to_batches(max_chunksize=256):
        yield from batch.to_pylist()


def _finished(rows: Iterable[dict[str, Any]], seed: int) -> Iterator[dict[str, Any]]:
    versions: dict[str, int] = {}
    for row in rows:
        code = row["language"]
        if code not in versions:
            versions[code] = read_language(code).data.version
        row |= {
            "generator": GENERATOR,
            "prompt": f"{code}/{versions[code]}/{row['template']}",
            "seed": str(seed),
            "parents": [row["parent"]],
            "depth": 1,
            "grounded": True,
        }
        yield {name: row[name] for name in OUTPUT.names}


@dataclass(frozen=True, slots=True)
class Result:
    """Counts by language: documents, characters, triplets found and written; written by (language, pattern)."""

    documents: dict[str, int]
    characters: dict[str, int]
    found: dict[str, int]
    written: dict[str, int]
    patterns: dict[tuple[str, str], int]


def synthesize_polarity(
    files: Sequence[str],
    output: str,
    options: Options,
    *,
    limit: int | None = None,
    caps: Caps | None = None,
    minimum: float = 0.0,
    workers: int = 1,
    say: Callable[[str], None] = lambda message: None,
) -> Result:
    """Mine files and write their triplets, Parquet or JSONL by the suffix of `output`.

    Raises:
        InputError: a file that cannot be read, or lacks its columns.
        ConfigError: a language without patterns.
    """
    for code in options.languages:
        read_language(code)
    target = Path(output)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="headwater-", dir=target.parent) as folder:
        results: dict[int, Mined] = {}
        for number, mined in _run(files, options, folder, workers):
            results[number] = mined
            say(f"{files[number]}: {sum(mined.documents.values())} documents, {sum(mined.found.values())} candidates")
        attested = np.zeros(SKETCH, np.uint32)
        totals: tuple[Counter[str], Counter[str], Counter[str]] = (Counter(), Counter(), Counter())
        for mined in results.values():
            attested[mined.hashes] += mined.counts
            for total, part in zip(totals, (mined.documents, mined.characters, mined.found), strict=True):
                total.update(part)
        parts = [part for number in sorted(results) for part in results[number].parts]
        written: Counter[tuple[str, str]] = Counter()
        rows = _finished(choose(parts, attested, limit, caps or Caps(), minimum), options.seed)
        _write(target, rows, written)
    by_language: Counter[str] = Counter()
    for (code, _), number in written.items():
        by_language[code] += number
    return Result(dict(totals[0]), dict(totals[1]), dict(totals[2]), dict(by_language), dict(written))


def _run(files: Sequence[str], options: Options, folder: str, workers: int) -> Iterator[tuple[int, Mined]]:
    if workers == 1 or len(files) == 1:
        for number, path in enumerate(files):
            yield number, mine_file(number, path, options, folder)
        return
    host = Host(min(workers, len(files)), preload="pipeline.synthesize.polarity_files")
    done = False
    try:
        tasks = [HostTask(n, mine_file, (n, path, options, folder), name=path) for n, path in enumerate(files)]
        yield from host.run(tasks)
        done = True
    finally:
        host.close(kill=not done)


def _write(target: Path, rows: Iterator[dict[str, Any]], written: Counter[tuple[str, str]]) -> None:
    temporary = target.with_name(f".{target.name}.writing")
    try:
        if target.suffix == ".jsonl":
            with temporary.open("w", encoding="utf-8") as sink:
                for row in rows:
                    written[row["language"], row["pattern"]] += 1
                    sink.write(json.dumps(row, ensure_ascii=False) + "\n")
        else:
            with pq.ParquetWriter(temporary, OUTPUT, compression="zstd") as writer:
                while held := list(islice(rows, _PART_ROWS)):
                    written.update((row["language"], row["pattern"]) for row in held)
                    writer.write_table(pa.Table.from_pylist(held, OUTPUT))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
