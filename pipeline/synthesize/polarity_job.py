"""The job of `headwater synthesize polarity`: files are mined one by one, then one pass chooses what is written.

Parts of files are in the order of `key`, a hash of seed and content, and are merged by it, so that the triplets of
`--limit N` are the first that the caps admit, and a larger N only adds to them.
"""

from __future__ import annotations

import heapq
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
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
from pipeline.keys import read_arrow
from pipeline.synthesize.polarity import VERSION
from pipeline.synthesize.polarity_files import OUTPUT, SKETCH, Mined, Options, mine_file
from pipeline.synthesize.polarity_language import read_language

GENERATOR = f"headwater-polarity/{VERSION}"
FREE = 20  # triplets of a pattern that its share never stops
_GROUP_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Caps:
    """Largest numbers of triplets of one document and host, and share of one pattern, in a language."""

    document: int = 5
    host: int = 100
    pattern: float = 0.5


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
        attested = np.zeros(SKETCH, np.uint32)
        totals: tuple[Counter[str], Counter[str], Counter[str]] = (Counter(), Counter(), Counter())
        parts: list[str] = []
        for number, mined in _run(files, options, folder, workers):
            attested[mined.slots] += mined.counts
            parts += mined.parts
            for total, part in zip(totals, (mined.documents, mined.characters, mined.found), strict=True):
                total.update(part)
            say(f"{files[number]}: {sum(mined.documents.values())} documents, {sum(mined.found.values())} candidates")
        parts.sort()
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
    host = Host(min(workers, len(files)), preload="pipeline.synthesize.polarity_job")
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
                while held := list(islice(rows, _GROUP_ROWS)):
                    written.update((row["language"], row["pattern"]) for row in held)
                    writer.write_table(pa.Table.from_pylist(held, OUTPUT))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
