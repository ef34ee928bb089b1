"""The limit: the work of a Headwater worker as one loop in one process. No Beam, pool, guard, staging or deduplication.

Runs in Headwater's environment, with the checkout on PYTHONPATH:

    python bare_loop.py --config headwater.yaml --output FOLDER ARCHIVE...

Both read and extract as Headwater does: its reader (isal, HTTP, payload hash), decoding, the one pass over the page,
page signals, title, the default extractor, text in one form. Without `--all-detectors` the rest is the floor of the
recipe that datatrove runs too: URL filter, the language of the first 1,000 characters, the signals of the quality
rules, MinHash, and Parquet with zstd. With it every detector of Headwater runs instead: the distance to
`headwater curate` is what the framework, the sandbox, staging and decisions cost.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 128
ROW_GROUP_BYTES = 8 << 20
LANGUAGE_CHARACTERS = 1000


class Work(Protocol):
    """What the loop does to the pages of an archive."""

    schema: pa.Schema

    def documents(self, path: Path, counts: Counter[str]) -> Iterator[Any]:
        """Pages with text; `counts` gets `read`, `extracted` and the rest."""

    def score(self, documents: Sequence[Any]) -> pa.Table:
        """Columns of `schema` of a batch."""


def pages(path: Path, counts: Counter[str]) -> Iterator[Any]:
    """Pages of an archive; `counts` gets `read` and `regions`."""
    from pipeline.read.records import Region, Split
    from pipeline.read.splits import SplitReader

    size = path.stat().st_size
    for item in SplitReader(Split(0, str(path), 0, size, size)):
        if isinstance(item, Region):
            counts["regions"] += 1
            continue
        counts["read"] += 1
        yield item


class Floor:
    """The recipe with nothing around it."""

    def __init__(self, config: Any) -> None:
        import fasttext_new

        from detectors.duplicates import Duplicates
        from detectors.language import LanguageModel
        from detectors.quality.detector import Quality
        from detectors.quality.url import UrlFilter
        from pipeline.extract.extractors import make_extractor
        from schemas.document import DOCUMENT_INPUT, quality_struct

        shape = config.policy.duplicates.shape
        self.quality = Quality((config.quality.profile,), variant=config.quality.repetition)
        self.duplicates = Duplicates(shape=shape, seed=config.policy.duplicates.seed)
        self.urls = UrlFilter(**config.url_filter.model_dump())
        self.extractor = make_extractor(config.extract)
        for part in (self.quality, self.duplicates, self.urls, self.extractor):
            part.setup()
        self.predict = fasttext_new.load_model(str(LanguageModel().path())).f.predict
        self.signals = list(self.quality.outputs)
        self.struct = quality_struct(self.signals)
        self.input = DOCUMENT_INPUT
        self.schema = pa.schema(
            [
                *DOCUMENT_INPUT,
                pa.field("language", pa.string()),
                pa.field("language_score", pa.float32()),
                pa.field("quality", self.struct),
                *(pa.field(name, kind) for name, kind in self.duplicates.outputs.items()),
            ]
        )

    def documents(self, path: Path, counts: Counter[str]) -> Iterator[dict[str, Any]]:
        """Rows of DOCUMENT_INPUT."""
        from pipeline.extract.charset import decode
        from pipeline.extract.errors import ExtractionError
        from pipeline.extract.limits import check_size
        from pipeline.extract.normalise import normalise_text
        from pipeline.extract.page_table import scan_page
        from pipeline.extract.signals import page_signals, page_title
        from pipeline.read.http import is_html
        from schemas.document import document_id

        for page in pages(path, counts):
            if page.error is not None:
                counts["failed"] += 1
                continue
            if page.status not in (None, 200):
                counts["dropped_http_status"] += 1
                continue
            if page.url and (reason := self.urls.check(page.url)):
                counts[f"dropped_{reason}"] += 1
                continue
            if page.body is None or not is_html(page.media_type, page.body[:1024]):
                counts["dropped_not_html"] += 1
                continue
            try:
                check_size(page.body)
                html = decode(page.body, page.charset).text
                table = scan_page(html)
                signals = page_signals(table, page.url, page.headers, fetched_at=page.fetched_at)
                title = page_title(table, signals)
                main = self.extractor.extract(html, table, signals, title)
                text = normalise_text(main.text)
            except ExtractionError:
                counts["failed"] += 1
                continue
            if not text.strip():
                counts["dropped_no_text"] += 1
                continue
            counts["extracted"] += 1
            yield {
                "doc_id": document_id(page.url, page.fetched_at, page.payload_digest),
                "record_id": page.record_id,
                "url": page.url,
                "source_file": page.source_file,
                "source_offset": page.source_offset,
                "fetched_at": page.fetched_at,
                "title": title,
                "text": text,
                "page": signals,
                "page_type": main.page_type,
                "extraction_confidence": main.confidence,
            }

    def score(self, documents: Sequence[dict[str, Any]]) -> pa.Table:
        """Language, quality signals and MinHash of a batch."""
        from detectors.api import FeatureCache
        from detectors.language_codes import normalise_label

        batch = pa.RecordBatch.from_pylist(list(documents), schema=self.input)
        features = FeatureCache(batch)
        features.put("column:text", [row["text"] for row in documents])
        found = [self.predict(row["text"][:LANGUAGE_CHARACTERS].replace("\n", " "), 1) for row in documents]
        language = pa.array([normalise_label(labels[0]) if labels else None for labels, _ in found], pa.string())
        score = pa.array([float(scores[0]) if labels else None for labels, scores in found], pa.float32())
        features.put("signal:language", language)
        features.put("signal:language_score", score)
        quality = self.quality(batch, features).columns
        struct = pa.StructArray.from_arrays([quality[name] for name in self.signals], fields=list(self.struct))
        keys = self.duplicates(batch, features).columns
        return pa.table(
            [*batch.columns, language, score, struct, *(keys[name] for name in self.duplicates.outputs)],
            schema=self.schema,
        )


class AllDetectors:
    """Headwater's own decisions on a page, and all of its detectors."""

    def __init__(self, config: Any) -> None:
        from pipeline.annotate import Annotator

        self.config = config
        self.annotator = Annotator(config).setup()
        self.schema = self.annotator.staged_schema()

    def documents(self, path: Path, counts: Counter[str]) -> Iterator[Any]:
        """Outcomes with text."""
        for item in pages(path, counts):
            outcome = self.annotator.outcome(item)
            item.body = None
            if outcome.code is not None:
                counts["failed"] += 1
            elif outcome.reason is not None:
                counts[f"dropped_{outcome.reason}"] += 1
            elif not outcome.text.strip():
                counts["dropped_no_text"] += 1
            else:
                counts["extracted"] += 1
                yield outcome

    def score(self, documents: Sequence[Any]) -> pa.Table:
        """Every column that Headwater stages."""
        return self.annotator.score(documents)


def batches(documents: Iterator[Any]) -> Iterator[list[Any]]:
    """Lists of at most BATCH_ROWS documents."""
    held: list[Any] = []
    for document in documents:
        held.append(document)
        if len(held) == BATCH_ROWS:
            yield held
            held = []
    if held:
        yield held


def run(work: Work, paths: Sequence[Path], output: Path) -> dict[str, int]:
    """Read, extract, score and write; returns counts."""
    counts: Counter[str] = Counter()
    output.mkdir(parents=True, exist_ok=True)
    pending: list[pa.Table] = []
    with pq.ParquetWriter(output / "documents.parquet", work.schema, compression="zstd") as writer:
        for path in paths:
            for held in batches(work.documents(path, counts)):
                pending.append(work.score(held))
                if sum(table.nbytes for table in pending) >= ROW_GROUP_BYTES:
                    writer.write_table(pa.concat_tables(pending))
                    pending = []
        if pending:
            writer.write_table(pa.concat_tables(pending))
    return dict(sorted(counts.items()))


def main() -> None:
    """Command line of the arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", type=Path)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--all-detectors", action="store_true")
    options = parser.parse_args()
    from schemas.config import load_config

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    config = load_config(options.config)
    counts = run(AllDetectors(config) if options.all_detectors else Floor(config), options.archives, options.output)
    (options.output / "result.json").write_text(json.dumps(counts))


if __name__ == "__main__":
    main()
