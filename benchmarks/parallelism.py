"""Multi-way parallelism against archives whose pages say which document they are a version of.

    python benchmarks/parallelism.py --staged DIR --pages pages.jsonl.gz [ARCHIVE...] [--random-urls] [--json FILE]
    python benchmarks/parallelism.py --lines ntrex128.tsv.xz

Archives are staged once into DIR and kept. A row of PAGES has `record_id`, `lang`, `parallel` (the document), `kind`,
and where they apply `untranslated`, `lang_suspect`, `shared_with_en`. `--random-urls` replaces host and path of every
page, and the addresses of the versions that it names, by random ones, so that only the text is left.

What is counted:

truth       pages with one `parallel` are versions of one document.
target      pages that are truly translated (`lang` present, neither `untranslated` nor `lang_suspect`, `shared_with_en`
            under one half) of documents that have such pages in five languages or more.
recall      share of target pages that are in a group with another language's version of their document; `recall_five`:
            and whose group has five languages or more; `pair_recall`: share of pairs of target pages in two languages.
precision   of the pairs of pages in one group whose truth is known (pages of documents, and wild pages, which are
            versions of nothing), the share of one document; `page_precision`: share of pages of groups of five
            languages or more that belong to the document of most of them.

`--lines` reads tab-separated language, role, line, document, text of human translations, builds documents from them,
and shows that they are found and yet not called machine-made.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import lzma
import math
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from detectors.api import FeatureCache
from detectors.duplicates import Duplicates
from detectors.laws import make_batch
from detectors.machine_translation.parallel_score import parallel_nats
from detectors.machine_translation.parallelism import Parallelism
from detectors.provenance import PRIOR
from pipeline.annotate import Annotator, ShardReport, StagePlan, annotate_split, read_report
from pipeline.host import close_shared_host
from pipeline.packing import unpack
from pipeline.parallel_match import prepare_parallel_keys
from pipeline.parallelism import FindParallelGroups
from pipeline.read.sources import list_sources, plan_splits
from schemas.config import CurateConfig

SHARED_LIMIT = 0.5
COLUMNS = ("parallel_keys", "parallel_sketch", "parallel_source")


def stage(archives: Sequence[str], folder: Path) -> list[ShardReport]:
    """Reports of the staged archives; what is there is taken, without archives all that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not archives:
        found = [read_report(folder, path.stem) for path in sorted(folder.glob("*.json")) if "." not in path.stem]
        return [report for report in found if report is not None]
    config = CurateConfig()
    plan = StagePlan(config, str(folder), Annotator(config).setup().fingerprint())
    reports = []
    for split in plan_splits(list_sources(archives), 1 << 40):
        reports.append(annotate_split(plan, split, lost={}, careful=False, progress=None))
        reports[-1].number = split.number
    return reports


def random_address(record: str, address: str) -> str:
    """An address that says nothing, the same whenever asked."""
    digest = hashlib.sha256(f"{record} {address}".encode()).hexdigest()
    return f"https://{digest[:10]}.example/{digest[10:22]}"


def detect(table: pa.Table, is_random: bool) -> tuple[pa.Table, float]:
    """The table with the columns of the detector made anew, and CPU seconds; `is_random`: from random addresses."""
    detector = Parallelism()
    detector.setup()
    parts, seconds = [], 0.0
    for batch in table.drop_columns(list(COLUMNS)).to_batches(max_chunksize=128):
        if is_random:
            records, pages = batch.column("record_id").to_pylist(), batch.column("page").to_pylist()
            for record, page in zip(records, pages, strict=True):
                for link in (page or {}).get("links") or ():
                    if link and link["href"]:
                        link["href"] = random_address(record, link["href"])
            names = batch.schema.names
            columns = list(batch.columns)
            columns[names.index("url")] = pa.array([random_address(record, "") for record in records])
            columns[names.index("page")] = pa.array(pages, batch.column("page").type)
            batch = pa.RecordBatch.from_arrays(columns, names=names)
        features = FeatureCache(batch)
        features.put("signal:language", batch.column("language"))
        from detectors.features.tokens import tokens

        tokens(features)
        began = time.process_time()
        found = detector(batch, features)
        seconds += time.process_time() - began
        part = pa.Table.from_batches([batch])
        for name in COLUMNS:
            part = part.append_column(name, found.columns[name])
        parts.append(part)
    return pa.concat_tables(parts), seconds


def find(
    folder: Path, names: list[tuple[int, str]], buckets: int, embeddings: bool = False
) -> dict[tuple[int, int], dict[str, Any]]:
    """Rows of the transform's answer by shard and row."""
    answer = folder / "answer.json"

    def keep(parts: list[tuple[int, bytes]]) -> None:
        rows = [row for _, packed in parts for row in unpack(packed).to_pylist()]
        answer.write_text(json.dumps(rows))

    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        shards = pipeline | beam.Create(names)
        groups = shards | FindParallelGroups(str(folder), buckets, embeddings=embeddings)
        _ = groups | beam.combiners.ToList() | beam.Map(keep)
    return {(row["reference"] >> 32, row["reference"] & 0xFFFFFFFF): row for row in json.loads(answer.read_text())}


def cpu_seconds() -> float:
    """CPU time of this process and of its ended children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def is_translated(page: dict[str, Any]) -> bool:
    """Whether a row of PAGES is truly in its language."""
    suspect = page.get("untranslated") or page.get("lang_suspect")
    return bool(page.get("lang")) and not suspect and (page.get("shared_with_en") or 0.0) < SHARED_LIMIT


def measure(pages: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures; `pages` holds rows of PAGES with `found` (a row of the answer, or None)."""
    documents: dict[str, set[str]] = defaultdict(set)
    for page in pages:
        if page.get("parallel") and is_translated(page):
            documents[page["parallel"]].add(page["lang"])
    target = [
        page for page in pages if page.get("parallel") and is_translated(page) and len(documents[page["parallel"]]) >= 5
    ]
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for page in pages:
        if page["found"]:
            groups[page["found"]["group"]].append(page)
    right = wrong = 0
    confused: Counter[str] = Counter()
    met: set[int] = set()
    majority = fives = 0
    for members in groups.values():
        for a, b in combinations(members, 2):
            if a.get("parallel") and a.get("parallel") == b.get("parallel"):
                right += 1
                if a.get("lang") != b.get("lang"):
                    met |= {id(a), id(b)}
            elif all(page.get("parallel") or page.get("kind") == "wild" for page in (a, b)):
                wrong += 1
                confused[" ".join(sorted({manual(a), manual(b)}))] += 1
        known = [page for page in members if page.get("parallel") or page.get("kind") == "wild"]
        if known and members[0]["found"]["languages"] >= 5:
            fives += len(known)
            majority += Counter(page.get("parallel") or id(page) for page in known).most_common(1)[0][1]
    pairs: Counter[str] = Counter()
    found_pairs: Counter[str] = Counter()
    by_document: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for page in target:
        by_document[page["parallel"]].append(page)
    for members in by_document.values():
        for a, b in combinations(members, 2):
            if a["lang"] != b["lang"]:
                pairs[manual(a)] += 1
                found_pairs[manual(a)] += bool(a["found"] and b["found"] and a["found"]["group"] == b["found"]["group"])
    of_manual = Counter(manual(page) for page in target)
    met_of_manual = Counter(manual(page) for page in target if id(page) in met)
    return {
        "pages": len(pages),
        "groups": len(groups),
        "grouped_pages": sum(map(len, groups.values())),
        "target_pages": len(target),
        "recall": share(met_of_manual.total(), len(target)),
        "recall_five": share(sum(id(p) in met and p["found"]["languages"] >= 5 for p in target), len(target)),
        "pair_recall": share(found_pairs.total(), pairs.total()),
        "precision": share(right, right + wrong),
        "page_precision": share(majority, fives),
        "recall_by_manual": {name: share(met_of_manual[name], count) for name, count in sorted(of_manual.items())},
        "pair_recall_by_manual": {name: share(found_pairs[name], count) for name, count in sorted(pairs.items())},
        "confused": dict(confused.most_common(8)),
        "source_languages": dict(Counter(p["found"]["source_language"] for p in target if p["found"]).most_common(5)),
    }


def manual(page: dict[str, Any]) -> str:
    """The manual (or other source) that a page is of: what figures are split by."""
    return str(page.get("parallel") or page.get("kind")).partition("/")[0]


def share(part: int, whole: int) -> float | None:
    """Rounded share; None of nothing."""
    return round(part / whole, 4) if whole else None


def measure_archives(arguments: argparse.Namespace) -> dict[str, Any]:
    """Figures of staged archives."""
    with gzip.open(arguments.pages, "rt", encoding="utf-8") as lines:
        truth = {row["record_id"]: row for row in map(json.loads, lines)}
    folder = Path(arguments.staged)
    reports = stage(arguments.archives, folder)
    working = folder / ("random" if arguments.random_urls else "as-they-are")
    working.mkdir(exist_ok=True)
    seconds, count, names = 0.0, 0, []
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for number, report in enumerate(reports):
        table = pq.read_table(folder / f"{report.name}.documents.parquet", partitioning=None)
        table, spent = detect(table, arguments.random_urls)
        seconds, count = seconds + spent, count + table.num_rows
        pq.write_table(table, working / f"{report.name}.documents.parquet")
        report.number = number
        names.append((number, prepare_parallel_keys(str(working), report)))
        for row, record in enumerate(table.column("record_id").to_pylist()):
            rows[number, row] = dict(truth.get(record, {}))
    began, wall = cpu_seconds(), time.monotonic()
    answer = find(working, names, arguments.buckets, arguments.embeddings)
    close_shared_host()  # so that the time of its children counts
    spent, wall = cpu_seconds() - began, time.monotonic() - wall
    for place, page in rows.items():
        page["found"] = answer.get(place)
    return {
        "random_urls": arguments.random_urls,
        **measure(list(rows.values())),
        "detector_cpu_ms_per_page": round(1000 * seconds / max(1, count), 4),
        "matching_cpu_seconds": round(spent, 2),
        "matching_wall_seconds": round(wall, 2),
    }


def read_lines(path: Path) -> Iterator[tuple[str, str, str]]:
    """(language, document, text) of the lines of human translations, the first translation of each."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            if len(fields) >= 5 and fields[1] in ("src", "ref"):
                yield fields[0], fields[3], fields[4]


def measure_lines(path: Path, folder: Path) -> dict[str, Any]:
    """Figures of human translations: found, and not called machine-made."""
    texts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for language, document, text in read_lines(path):
        texts[language, document].append(text)
    places = sorted(texts)
    columns = table_of([("\n".join(texts[place]), place[0].partition("-")[0]) for place in places])
    folder.mkdir(parents=True, exist_ok=True)
    report = ShardReport(0, path.name, 0, 0, "lines")
    pq.write_table(columns, folder / "lines.documents.parquet")
    prepare_parallel_keys(str(folder), report)
    answer = find(folder, [(0, report.name)], 1)
    pages = [
        {"lang": lang, "parallel": f"lines/{document}", "found": answer.get((0, row))}
        for row, (lang, document) in enumerate(places)
    ]
    figures = measure(pages)
    nats = [parallel_nats(r["languages"], r["is_source"], r["confidence"]) for r in answer.values()]
    prior = math.log(PRIOR["machine_translated"] / PRIOR["human"])
    odds = math.exp(prior + max(nats, default=0.0))
    figures["largest_nats"] = round(max(nats, default=0.0), 3)
    figures["largest_p_machine_translated"] = round(odds / (1 + odds), 3)
    figures["called_machine_translated"] = sum(prior + value > 0 for value in nats)
    return figures


def table_of(rows: Iterable[tuple[str, str]]) -> pa.Table:
    """Staged columns of (text, language) rows without addresses."""
    rows = list(rows)
    parts = []
    detectors = [Duplicates(), Parallelism()]
    for detector in detectors:
        detector.setup()
    for begin in range(0, len(rows), 128):
        part = rows[begin : begin + 128]
        ids = [hashlib.md5(f"{begin + n}".encode()).hexdigest() for n in range(len(part))]
        batch = make_batch([{"doc_id": i, "text": text, "url": None} for i, (text, _) in zip(ids, part, strict=True)])
        features = FeatureCache(batch)
        features.put("signal:language", pa.array([f"{language}_" for _, language in part]))
        columns: dict[str, Any] = {"doc_id": ids, "fetched_at": pa.nulls(len(part), pa.timestamp("us", tz="UTC"))}
        columns["language"] = pa.array([f"{language}_" for _, language in part])
        columns["language_score"] = pa.array([1.0] * len(part), pa.float32())
        for detector in detectors:
            columns |= dict(detector(batch, features).columns)
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="*", help="archives to stage; none: what DIR holds")
    parser.add_argument("--staged", required=True, type=Path, help="folder of staged shards and of work")
    parser.add_argument("--pages", type=Path, help="truth by record_id, JSON lines, gzip")
    parser.add_argument("--random-urls", action="store_true", help="replace hosts, paths and named versions")
    parser.add_argument("--buckets", type=int, default=1, help="parts of a shuffle")
    parser.add_argument("--embeddings", action="store_true", help="decide undecided pairs by sentence embeddings")
    parser.add_argument("--lines", type=Path, help="human translations by line, xz")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    arguments = parser.parse_args()
    if (arguments.pages is None) == (arguments.lines is None):
        parser.error("give --pages or --lines")
    figures = measure_lines(arguments.lines, arguments.staged) if arguments.lines else measure_archives(arguments)
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
