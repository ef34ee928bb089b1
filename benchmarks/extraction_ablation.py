"""What the parts of the block extractor are worth: the model, groups of features, human against silver labels.

    python benchmarks/extraction_ablation.py ARCHIVE... --truth gt.jsonl.xz --benchmark wcxb-dev [--json FILE]

Every variant is cross-validated by registered domain on the pages of the benchmark that have a text, and measured as
word F1, mean over pages. A group of features is taken away by making its columns constant; what other groups say of the
same thing stays, so that the losses do not add up. `rules` needs no model: it keeps the densest run of blocks, or what
is inside Readability's best container. Silver labels are those of other extractors on pages without a truth. All
variants but the first forest have `--trees` trees, to be quick: compare them with the second, "all features".
Needs headwater[train,trafilatura].
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from pipeline.extract.blocks import corpus, names, train
from pipeline.extract.blocks.extractor import choose
from pipeline.extract.blocks.features import CONTEXT, feature_names
from pipeline.extract.extractors import make_extractor
from pipeline.extract.measure import count_f1, words_of
from schemas.config import ExtractConfig

NAMES = feature_names()
NEIGHBOURS = {f"{offset:+d}" for offset in names.NEIGHBOURS}
OWN = set(NAMES[NAMES.index("characters") : NAMES.index("heading") + 1])  # all but the number of words
GROUPS: dict[str, Callable[[str], bool]] = {
    "kind and wording of the block itself": lambda n: n in OWN or n.startswith(("is_", "inline_")),
    "words of class names": lambda n: n.startswith("near_"),
    "elements around the block": lambda n: n.startswith("in_") and n not in ("in_best", "in_run"),
    "sizes of the containers": lambda n: n[:-1].endswith(("_of_", "_in_", "_to_")),
    "Readability's container": lambda n: (
        n in ("in_best", "best_share", "from_best", "to_best_end") or n.startswith("score")
    ),
    "densest run": lambda n: n in ("in_run", "from_run", "to_run_end"),
    "repeated texts and shapes": lambda n: n.startswith(("same_", "shape_")),
    "sections": lambda n: n.startswith("section_") or n in ("since_heading", "heading_before"),
    "neighbours": lambda n: n[-2:] in NEIGHBOURS or n.startswith(("words_before_", "words_after_")),
    "place on the page": lambda n: n in ("position", "index", "word_position", "words_left", "from_h1"),
    "title and description": lambda n: n in ("title_share", "title_cover", "description_share"),
    "the page as a whole (counts)": lambda n: n.startswith("page_"),
    "the page's own words (og, schema.org, generator)": lambda n: n in CONTEXT,
}


def columns(wanted: Callable[[str], bool]) -> list[int]:
    """Columns of a group."""
    return [number for number, name in enumerate(NAMES) if wanted(name)]


def without(examples: Sequence[train.Example], dropped: list[int]) -> list[train.Example]:
    """The examples with columns made constant."""
    found = []
    for example in examples:
        x = example.x.copy()
        x[:, dropped] = 0
        found.append(replace(example, x=x))
    return found


class Judge:
    """Word F1 of kept blocks against the truth."""

    def __init__(self, truth: corpus.Truth, benchmark: str, examples: Sequence[train.Example]) -> None:
        self.truth: dict[str, Counter[str]] = {}
        self.blocks: dict[str, list[Counter[str]]] = {}
        for example in examples:
            row = truth.to_learn_from(example.record_id, benchmark)
            assert row is not None
            self.truth[example.record_id] = Counter(words_of(row["text"]))
            self.blocks[example.record_id] = [Counter(words_of(text)) for text in example.texts]

    def f1(self, example: train.Example, kept: Any) -> float:
        """F1 of one page."""
        got: Counter[str] = Counter()
        for words, keep in zip(self.blocks[example.record_id], kept, strict=True):
            if keep:
                got.update(words)
        return count_f1(got, self.truth[example.record_id])

    def of_shares(self, examples: Sequence[train.Example], shares_of: Callable[[train.Example], Any]) -> float:
        """Mean F1 where a model says the shares."""
        at = NAMES.index("words")
        return mean(self.f1(e, choose(shares_of(e), e.x[:, at])[0]) if len(e.x) else 0.0 for e in examples)


def shares(model: Any, example: train.Example) -> Any:
    """Shares of main text by block."""
    return 1 / (1 + np.exp(-model.sums(example.x)[:, 0]))


def main() -> int:
    """Print the table; write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+")
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--benchmark", default="wcxb-dev")
    parser.add_argument("--teachers", default="trafilatura,resiliparse")
    parser.add_argument("--silver-weights", default=str(train.SILVER_WEIGHT), help="comma-separated")
    parser.add_argument("--trees", type=int, default=80, help="of every variant but the first")
    parser.add_argument("--groups", action="store_true", help="take away every group of features in turn (slow)")
    parser.add_argument("--json", type=Path, default=Path("extraction-ablation.json"))
    options = parser.parse_args()
    out = sys.stdout
    truth = corpus.read_truth([options.truth])
    teachers = [make_extractor(ExtractConfig(extractor=name)) for name in options.teachers.split(",") if name]
    for teacher in teachers:
        teacher.setup()
    human, silver = corpus.gather(
        options.archives, truth, benchmark=options.benchmark, teachers=teachers, silver_weight=1.0, say=print
    )
    if not human:
        parser.error(f"no page of the archives has a text in {options.benchmark}")
    judge = Judge(truth, options.benchmark, human)
    at = {name: number for number, name in enumerate(NAMES)}
    report: dict[str, float] = {}

    def tell(name: str, value: float, base: float | None = None) -> float:
        report[name] = round(value, 4)
        out.write(f"{value:.4f}  {'' if base is None else f'{value - base:+.4f}':7}  {name}\n")
        out.flush()
        return value

    def validated(
        name: str, examples: Sequence[train.Example], extra: Sequence[train.Example] = (), *, trees: int,
        base: float | None = None,
    ) -> float:  # fmt: skip
        models = train.cross_validate(examples, extra, trees=trees)
        return tell(name, judge.of_shares(examples, lambda e: shares(models[e.record_id].block, e)), base)

    tell("oracle: the best blocks by the truth", mean(
        max(judge.f1(e, e.label >= cut) for cut in (0.3, 0.5, 0.7)) if len(e.x) else 0.0 for e in human))  # fmt: skip
    tell("all text, hidden too", mean(judge.f1(e, np.ones(len(e.x))) for e in human))
    tell("all visible text", mean(judge.f1(e, e.x[:, at["hidden"]] == 0) for e in human))
    tell("rules: the densest run", mean(judge.f1(e, e.x[:, at["in_run"]] > 0) for e in human))
    tell("rules: Readability's best container", mean(judge.f1(e, e.x[:, at["in_best"]] > 0) for e in human))
    validated(f"human truth, {train.TREES} trees of depth 6 (shipped)", human, trees=train.TREES)
    base = validated(f"all features, {options.trees} trees", human, trees=options.trees)
    if silver:
        for weight in map(float, options.silver_weights.split(",")):
            weighed = [replace(e, weight=weight) for e in silver]
            name = f"with {len(silver):,} pages of silver labels too, weight {weight:g}"
            validated(name, human, weighed, trees=options.trees, base=base)
        only = train.fit_blocks(silver, options.trees)
        value = judge.of_shares(human, lambda e: shares(only, e))
        tell(f"silver labels of other pages only ({options.teachers})", value, base)
    if options.groups:
        for name, wanted in GROUPS.items():
            found = columns(wanted)
            validated(f"without {name} ({len(found)} features)", without(human, found), trees=options.trees, base=base)
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
