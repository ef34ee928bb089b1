"""Pages and truths to train and to measure on: archives of any kind that `headwater extract` reads, and JSON lines."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from pipeline.extract.api import Extractor, PageInput
from pipeline.extract.blocks.train import Example, TrainingError, make_example, registered_domain
from pipeline.extract.errors import ExtractionError
from pipeline.extract.extract import extract_page
from pipeline.read.http import is_html
from pipeline.read.records import Page
from pipeline.read.sources import list_sources, plan_splits
from pipeline.read.splits import SplitReader

_OPENERS: Final[dict[str, Any]] = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}


@dataclass(slots=True)
class Truth:
    """What is known of the pages: rows by record id, as the files have them."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def to_learn_from(self, record_id: str, benchmark: str | None) -> dict[str, Any] | None:
        """The row with a text, of the benchmark if one is named."""
        for row in self.rows.get(record_id, ()):
            if row.get("text") and benchmark in (None, row.get("benchmark")):
                return row
        return None


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON lines file, plain or compressed (.gz, .bz2, .xz)."""
    opener: Callable[..., IO[str]] = _OPENERS.get(path.suffix, open)
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict) or not isinstance(row.get("record_id"), str):
                    raise TrainingError(f"{path}, line {number}: expected an object with `record_id`")
                yield row
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise TrainingError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except ValueError as error:
        raise TrainingError(f"{path}: not JSON lines in UTF-8 ({error})") from None


def read_truth(paths: Sequence[Path]) -> Truth:
    """Rows of truth files: `record_id`, `benchmark`, and `text` (with `page_type`) or `must_contain` and so on."""
    truth = Truth()
    for path in paths:
        for row in read_lines(path):
            checked = {**row, "benchmark": row.get("benchmark") or "truth"}
            _check_row(path, checked)
            truth.rows[row["record_id"]].append(checked)
    return truth


def _check_row(path: Path, row: dict[str, Any]) -> None:
    """Raise TrainingError for values that are no text, or no list of texts."""
    for name in ("benchmark", "text", "page_type"):
        if not _is_text(row.get(name)):
            raise TrainingError(f"{path}: `{name}` of {row['record_id']} is no text")
    for name in ("must_contain", "must_not_contain"):
        snippets = row.get(name) or []
        if not isinstance(snippets, list) or not all(snippet and _is_text(snippet) for snippet in snippets):
            raise TrainingError(f"{path}: `{name}` of {row['record_id']} is no list of texts")


def _is_text(value: object) -> bool:
    """Null, or a string that can be written as UTF-8."""
    if value is None:
        return True
    try:
        return isinstance(value, str) and bool(value.encode() or True)
    except UnicodeEncodeError:
        return False


def read_teacher(path: Path) -> dict[str, str]:
    """Texts by record id that another tool has extracted."""
    found: dict[str, str] = {}
    for row in read_lines(path):
        _check_row(path, row)
        found[row["record_id"]] = row.get("text") or ""
    return found


def read_pages(inputs: Sequence[str]) -> Iterator[tuple[str, PageInput]]:
    """HTML pages with status 200 that have a record id, in the order of the inputs."""
    for split in plan_splits(list_sources(list(inputs)), 1 << 62):
        for page in SplitReader(split):
            if not isinstance(page, Page) or page.body is None or page.record_id is None or page.error is not None:
                continue
            if page.status in (None, 200) and is_html(page.media_type, page.body[:1024]):
                yield page.record_id, PageInput(page.body, page.url, page.charset, tuple(page.headers))


def gather(
    inputs: Sequence[str],
    truth: Truth,
    *,
    benchmark: str | None = None,
    teachers: Sequence[Extractor] = (),
    written: Sequence[dict[str, str]] = (),
    silver_per_domain: int = 20,
    silver_weight: float,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[list[Example], list[Example]]:
    """Examples with human truth, and examples with silver labels.

    Silver labels are the mean over `teachers`, which are run here, and over texts `written` before. A page that any
    row of the truth names is never a silver example, so that what is measured on stays unseen; and no domain gives
    more than `silver_per_domain` of them, because archives hold whole sites of one template.
    """
    human: list[Example] = []
    silver: list[Example] = []
    of_domain: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for record_id, page in read_pages(inputs):
        row = truth.to_learn_from(record_id, benchmark)
        try:
            if row is not None:
                human.append(make_example(record_id, page, [row["text"]], row.get("page_type"), 1.0))
                continue
            if record_id in truth.rows or not (teachers or written):
                continue
            domain = registered_domain(page.url)
            if of_domain[domain] >= silver_per_domain:
                continue
            texts = [extract_page(page, teacher).text for teacher in teachers]
            texts += [texts_of[record_id] for texts_of in written if record_id in texts_of]
            if texts:
                of_domain[domain] += 1
                silver.append(make_example(record_id, page, texts, None, silver_weight))
        except ExtractionError as error:
            lost[error.code] += 1
    say(f"{len(human):,} pages with human truth, {len(silver):,} with silver labels")
    if lost:
        say("left out: " + ", ".join(f"{code} {count}" for code, count in sorted(lost.items())))
    return human, silver
