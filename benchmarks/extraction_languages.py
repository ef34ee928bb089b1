"""Whether the block extractor decides alike in all languages, above all in those without spaces between words.

    python benchmarks/extraction_languages.py ARCHIVE... --index pages.jsonl.gz [--json FILE]

The index is JSON lines with `record_id`, `lang`, and `parallel`, which is the same for one document in several
languages. A page is compared with the English page of its document, block by block, where both have the same sequence
of blocks by element: then the template is the same, and ideally the decisions are. Agreement is the share of blocks
that are kept in both or in neither; blocks weigh as many words as they have in English, so that it does not matter how
words of a language are counted. Text kept is in characters. German and French are the control: what they differ by is
no matter of script.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from pipeline.extract.api import PageInput
from pipeline.extract.blocks import corpus
from pipeline.extract.blocks.extractor import BlockExtractor, choose
from pipeline.extract.blocks.features import block_features, feature_names
from pipeline.extract.charset import decode
from pipeline.extract.columns import BLOCK_NODE, TAG_OF
from pipeline.extract.page_table import scan_page
from pipeline.extract.signals import page_signals, page_title

NO_SPACES = ("zh", "ja", "th", "km", "lo", "my", "dz", "bo")
CONTROL = ("de", "fr")
FEW = 5  # pairs that a language needs for a row
DIFFERENT = 0.8  # agreement below which a pair counts as decided differently


@dataclass(slots=True)
class Decided:
    """What the extractor made of one page."""

    tags: list[int]  # of the elements of the blocks
    kept: Any
    words: Any
    characters: Any
    page_type: str | None

    @property
    def share(self) -> float:
        """Share of the characters that are kept."""
        return float(self.characters[self.kept].sum() / max(1, self.characters.sum()))


def decide(extractor: BlockExtractor, page: PageInput) -> Decided:
    """Blocks of a page and which of them are kept."""
    table = scan_page(decode(page.body, page.charset).text)
    signals = page_signals(table, page.url, page.headers)
    x = block_features(table, signals, page_title(table, signals))
    words = x[:, feature_names().index("words")]
    kept, _ = choose(extractor.shares(x), words)
    characters = np.array([len(table.block_text(block)) for block in range(len(x))], np.int64)
    return Decided(
        table.nodes[table.blocks[:, BLOCK_NODE], TAG_OF].tolist(), kept, words, characters, extractor.page_type(x)
    )


@dataclass(slots=True)
class Pairs:
    """Pages of one language beside the English ones."""

    agreement: list[float] = field(default_factory=list)  # by words
    blocks: list[float] = field(default_factory=list)
    shares: list[tuple[float, float]] = field(default_factory=list)  # here and in English, same template
    all_shares: list[tuple[float, float]] = field(default_factory=list)
    same_type: list[bool] = field(default_factory=list)

    def add(self, here: Decided, english: Decided) -> None:
        """Compare two pages."""
        self.all_shares.append((here.share, english.share))
        if here.tags != english.tags or not len(here.tags):
            return
        alike = here.kept == english.kept
        weight = np.maximum(english.words, 1)
        self.agreement.append(float(weight[alike].sum() / weight.sum()))
        self.blocks.append(float(alike.mean()))
        self.shares.append((here.share, english.share))
        self.same_type.append(here.page_type == english.page_type)

    def row(self) -> dict[str, Any]:
        """Means."""
        found: dict[str, Any] = {"pairs": len(self.all_shares), "same_template": len(self.agreement)}
        for name, pairs in (("kept", self.shares), ("kept_all", self.all_shares)):
            found[name] = round(mean(here for here, _ in pairs), 4) if pairs else None
            found[f"{name}_english"] = round(mean(english for _, english in pairs), 4) if pairs else None
        if self.agreement:
            found["agreement"] = round(mean(self.agreement), 4)
            found["agreement_blocks"] = round(mean(self.blocks), 4)
            found["different"] = round(mean(value < DIFFERENT for value in self.agreement), 4)
            found["same_type"] = round(mean(self.same_type), 4)
        return found


def read_index(path: Path, kind: str) -> dict[str, tuple[str, str]]:
    """Document and language by record id; regions (pt-br) are left out, scripts of Chinese too."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return {
            row["record_id"]: (row["parallel"], row["lang"].partition("-")[0])
            for row in map(json.loads, lines)
            if row.get("parallel") and row.get("lang") and row.get("kind") == kind
        }


def main() -> int:
    """Print the table; write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+")
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--kind", default="parallel-doc")
    parser.add_argument("--json", type=Path, default=Path("extraction-languages.json"))
    options = parser.parse_args()
    index = read_index(options.index, options.kind)
    extractor = BlockExtractor()
    english: dict[str, Decided] = {}
    others: dict[str, list[tuple[str, Decided]]] = defaultdict(list)
    for record_id, page in corpus.read_pages(options.archives):
        if record_id not in index:
            continue
        document, language = index[record_id]
        found = decide(extractor, page)
        if language == "en":
            english.setdefault(document, found)
        else:
            others[document].append((language, found))
    by_language: dict[str, Pairs] = defaultdict(Pairs)
    for document, pages in others.items():
        if document in english:
            for language, found in pages:
                by_language[language].add(found, english[document])
    report = {name: pairs.row() for name, pairs in by_language.items() if len(pairs.agreement) >= FEW}
    few = sorted(name for name in by_language if name not in report)
    order = [*CONTROL, *NO_SPACES, *sorted(report, key=lambda name: report[name]["agreement"])]
    print("              same      agreement by         below  same   text kept       of all pairs")
    print("lang  pairs  template   words  blocks  0.8    type   here   English  here   English")
    for name in dict.fromkeys(name for name in order if name in report):
        row = report[name]
        decided = (
            f"{row['agreement']:.3f}  {row['agreement_blocks']:.3f}  {row['different']:.3f}  {row['same_type']:.3f}"
        )
        same, everywhere = (f"{row[key]:.3f}  {row[key + '_english']:.3f}" for key in ("kept", "kept_all"))
        print(f"{name:4} {row['pairs']:6} {row['same_template']:7}    {decided}  {same}   {everywhere}")
    print(f"fewer than {FEW} pages of the English template: {', '.join(few) or 'none'}")
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
