"""CPU time of every step from the archive to the staged shard, one process.

    python benchmarks/steps.py ARCHIVE... [--index pages.jsonl.gz --kinds wild,versions] [--rounds 3] [--json FILE]

Functions of the pipeline are wrapped with a clock of CPU time, and the archives are staged as `headwater curate` stages
them. A step counts what is inside it and in no other step that is listed. With an index (JSON lines with `warc`,
`offset` and `kind`), an archive of only those pages is written first. The smallest of the rounds is shown.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline import judge, stage
from pipeline.annotate import Annotator, StagePlan, annotator_for
from pipeline.read.sources import list_sources, plan_splits
from schemas.config import CurateConfig

# step: module and function; a dot in the function is a method of a class
STEPS = {
    "decode": "pipeline.extract.extract:decode",
    "page table": "pipeline.extract.extract:scan_page",
    "page signals": "pipeline.extract.extract:page_signals",
    "title": "pipeline.extract.extract:page_title",
    "block features": "pipeline.extract.blocks.extractor:block_features",
    "forest": "pipeline.extract.blocks.forest:Forest.sums",
    "choose blocks": "pipeline.extract.blocks.extractor:choose",
    "render": "pipeline.extract.blocks.extractor:render",
    "normalise": "pipeline.extract.extract:normalise_text",
    "URL filter": "detectors.quality.url:UrlFilter.check",
    "tokens": "detectors.features.tokens:tokenise",
    "batch": "pipeline.annotate:document_batch",
    "keys of parallelism": "pipeline.stage:prepare_parallel_keys",
    "judge": "pipeline.judge:judge_shard",
    "write the shard": "pyarrow.parquet:ParquetWriter.write_table",
}


class Clock:
    """CPU seconds by step; time inside an inner step is not counted for the outer one."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def wrap(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a clock."""

        def timed(*args: Any, **options: Any) -> Any:
            self._inner.append(0.0)
            began = time.process_time()
            try:
                return function(*args, **options)
            finally:
                took = time.process_time() - began
                self.spent[step] += took - self._inner.pop()
                self._inner[-1] += took

        return timed

    def iterate(self, step: str, items: Iterator[Any]) -> Iterator[Any]:
        """The items, with what it takes to get each."""
        following = self.wrap(step, lambda: next(items, items))
        while (item := following()) is not items:
            yield item


def install(clock: Clock, annotator: Annotator) -> None:
    """Wrap the steps, the reader and every detector."""
    for step, place in STEPS.items():
        module_name, _, path = place.partition(":")
        owner: Any = importlib.import_module(module_name)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        setattr(owner, name, clock.wrap(step, getattr(owner, name)))
    annotate = importlib.import_module("pipeline.annotate")
    open_split = annotate.open_split

    def reading(*args: Any) -> Any:
        reader = open_split(*args)

        class Timed:
            def __iter__(self) -> Iterator[Any]:
                return clock.iterate("read", iter(reader))

            def __getattr__(self, name: str) -> Any:
                return getattr(reader, name)

        return Timed()

    annotate.open_split = reading
    for detector in annotator.detectors:
        kind = type(detector)
        kind.__call__ = clock.wrap(f"detector {detector.name}", kind.__call__)


def select(archives: list[Path], index: Path, kinds: set[str], target: Path) -> None:
    """Copy the gzip members of the pages of some kinds into one archive."""
    wanted: dict[str, list[tuple[int, int]]] = defaultdict(list)
    with gzip.open(index, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["kind"] in kinds:
                wanted[row["warc"]].append((row["offset"], row["length"]))
    with target.open("wb") as sink:
        for archive in archives:
            with archive.open("rb") as source:
                for offset, length in sorted(wanted[archive.name]):
                    source.seek(offset)
                    sink.write(source.read(length))


def main() -> int:
    """Print the table; write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", type=Path)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--kinds", default="wild,versions")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    config = CurateConfig()
    annotator = annotator_for(config)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        archives = sorted(options.archives)
        if options.index:
            chosen = Path(folder) / "chosen.warc.gz"
            select(archives, options.index, set(options.kinds.split(",")), chosen)
            archives = [chosen]
        splits = plan_splits(list_sources([str(path) for path in archives]), 1 << 62)
        best: dict[str, float] = {}
        total = pages = 0.0
        for number in range(options.rounds + 1):  # the first warms up: native code, models
            staged = Path(folder) / str(number)
            staged.mkdir()
            clock.spent.clear()
            began = time.process_time()
            plan = StagePlan(config, str(staged), annotator.fingerprint())
            reports = [stage.stage_split(plan, split, lost={}, careful=False, progress=None) for split in splits]
            for report in reports:
                judge.judge_shard(str(staged), report, config, judge.Surroundings())
            took = time.process_time() - began
            pages = sum(report.account.pages for report in reports)
            if number == 0:
                install(clock, annotator)
            elif not best or took < total:
                total, best = took, dict(clock.spent)
    best["everything else"] = total - sum(best.values())
    sys.stdout.write(f"{pages:.0f} pages, {1000 * total / pages:.3f} ms a page\n")
    for step, seconds in sorted(best.items(), key=lambda item: -item[1]):
        sys.stdout.write(f"{1000 * seconds / pages:8.3f} ms {100 * seconds / total:5.1f} %  {step}\n")
    if options.json:
        rows = {step: 1000 * seconds / pages for step, seconds in best.items()}
        options.json.write_text(json.dumps({"pages": pages, "ms": rows}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
