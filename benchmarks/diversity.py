"""Diversity alarms: how often human text raises one against human text, and from which share other text does.

    HEADWATER_TEST_DATA=DATA python benchmarks/diversity.py [TASK]... [--splits 100] [--json FILE]

DATA holds ai/detectrl_clean.jsonl.xz (arXiv, XSum, WritingPrompts, Yelp; four chat models), ai/outfox_essays.jsonl.xz
(essays) and ai/m4_ar_ru_zh.jsonl.xz. TASK `false-alarms` halves the human documents at random and compares one half
with the other, in three settings. `shares` replaces a share of one half by text of chat models from the same sources,
by samples of word bigram models of that half (of its own text, or of the samples of three models before it), or by a
tenth of its documents over and over. `languages` does the first in three languages. `speed` measures 20 MB of text.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.diversity.compare import Metric, compare
from pipeline.diversity.sample import Sample, measure, merge

Document = dict[str, Any]
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


def load(name: str, label: str) -> list[Document]:
    """Documents of a label, each id once."""
    path = Path(os.environ["HEADWATER_TEST_DATA"]) / "ai" / name
    rows = {}
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["label"] == label:
                rows.setdefault(row["id"], row)
    return list(rows.values())


def sample(documents: Iterable[Document], **options: Any) -> Sample:
    """Sample of documents."""
    rows = list(documents)
    languages = [row.get("lang") for row in rows]
    return measure([row["id"] for row in rows], [row["text"] for row in rows], languages=languages, **options)


def halves(documents: Sequence[Document], seed: int) -> tuple[list[Document], list[Document]]:
    """Two random halves."""
    order = np.random.default_rng(seed).permutation(len(documents))
    middle = len(order) // 2
    return [documents[n] for n in order[:middle]], [documents[n] for n in order[middle:]]


def replaced(human: Sequence[Document], other: Sequence[Document], share: float, seed: int) -> list[Document]:
    """A corpus of the words of `human`, a share of which is of `other`."""
    words = sum(len(row["text"].split()) for row in human)
    found: list[Document] = []
    for documents, wanted in ((human, (1 - share) * words), (other, share * words)):
        for place in np.random.default_rng(seed).permutation(len(documents)).tolist():
            if wanted <= 0:
                break
            found.append(documents[place])
            wanted -= len(documents[place]["text"].split())
    return found


def bigram_text(human: Sequence[Document], temperature: float, seed: int) -> list[Document]:
    """As many documents of the same lengths, from a bigram model of whole words.

    The next word is drawn from count ** (1 / temperature) of those that follow the last one.
    """
    follow: dict[str, Counter[str]] = defaultdict(Counter)
    for row in human:
        words = ["", *row["text"].split(), ""]
        for one, other in pairwise(words):
            follow[one][other] += 1
    tables = {}
    for word, counts in follow.items():
        weights = np.cumsum(np.array(list(counts.values()), float) ** (1 / temperature))
        tables[word] = (list(counts), weights / weights[-1])
    random = np.random.default_rng(seed)
    made = []
    for number, row in enumerate(human):
        last, words = "", []
        for chance in random.random(len(row["text"].split())).tolist():
            forms, weights = tables[last]
            last = forms[int(np.searchsorted(weights, chance))]
            if not last:
                forms, weights = tables[""]
                last = forms[int(np.searchsorted(weights, chance))]
            words.append(last)
        made.append({"id": f"bigram-{temperature}-{seed}-{number}", "text": " ".join(words), "lang": "en"})
    return made


def chain(human: Sequence[Document], temperature: float, seed: int, generations: int) -> list[Document]:
    """Text of the last of several models, each of the text of the one before it."""
    found = list(human)
    for generation in range(generations):
        found = bigram_text(found, temperature, seed * 100 + generation)
    return found


def alarms(metrics: Sequence[Metric]) -> list[str]:
    return [metric.name for metric in metrics if metric.alarm]


def false_alarms(splits: int) -> list[dict[str, Any]]:
    """Share of splits of human text in which any metric raises an alarm, or is outside."""
    found = []
    essays = load("outfox_essays.jsonl.xz", "human")
    mixed = load("detectrl_clean.jsonl.xz", "human")
    for name, documents, count in (
        ("DetectRL, four sources", mixed, len(mixed)),
        ("DetectRL, four sources", mixed, 1_000),
        ("OUTFOX, essays", essays, len(essays)),
    ):
        raised, outside, figures, names = 0, 0, 0, Counter[str]()
        for seed in range(splits):
            chosen = halves(documents, seed)[0] if count < len(documents) else documents
            one, other = halves(chosen[:count], seed + 10_000)
            metrics = compare(sample(one), sample(other), seed=seed)
            raised += bool(alarms(metrics))
            outside += any(metric.outside for metric in metrics)
            figures += len(metrics)
            names.update(metric.name for metric in metrics if metric.outside)
        found.append(
            {
                "text": name,
                "documents": count // 2,
                "splits": splits,
                "figures": figures // max(1, splits),
                "any_alarm": raised / splits,
                "any_outside": outside / splits,
                "which": dict(names.most_common()),
            }
        )
        print(found[-1], flush=True)
    return found


def shares(splits: int) -> list[dict[str, Any]]:
    """Alarms by share of other text."""
    human, machine = (load("detectrl_clean.jsonl.xz", label) for label in ("human", "ai"))
    essays, written = (load("outfox_essays.jsonl.xz", label) for label in ("human", "ai"))
    makers: dict[str, tuple[list[Document], Callable[[list[Document], int], list[Document]]]] = {
        "chat models, DetectRL": (human, lambda _, seed: machine),
        "chat models, OUTFOX": (essays, lambda _, seed: written),
        "bigrams, temperature 1": (human, lambda half, seed: chain(half, 1.0, seed, 1)),
        "bigrams, temperature 0.8": (human, lambda half, seed: chain(half, 0.8, seed, 1)),
        "bigrams, temperature 0.8, fourth generation": (human, lambda half, seed: chain(half, 0.8, seed, 4)),
        "a tenth of the documents again": (human, lambda half, seed: half[: len(half) // 10] * 10),
    }
    found = []
    for name, (documents, make) in makers.items():
        raised: Counter[float] = Counter()
        counts: dict[float, Counter[str]] = defaultdict(Counter)
        values: dict[float, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for seed in range(splits):
            one, other = halves(documents, seed)
            made, reference = make(one, seed), sample(other)
            for share in SHARES:
                metrics = compare(sample(replaced(one, made, share, seed)), reference, seed=seed)
                raised[share] += bool(alarms(metrics))
                counts[share].update(alarms(metrics))
                for metric in metrics:
                    values[share][metric.name].append(metric.value if metric.relative is None else metric.relative)
        for share in SHARES:
            one_row = {
                "text": name,
                "share": share,
                "any_alarm": raised[share] / splits,
                "alarms": {key: count / splits for key, count in counts[share].most_common()},
                "relative_or_bits": {key: round(float(np.mean(each)), 3) for key, each in values[share].items()},
            }
            found.append(one_row)
            print(one_row, flush=True)
    return found


def languages(splits: int) -> list[dict[str, Any]]:
    """Half human and half machine text in Arabic, Russian and Chinese: what each stratum says."""
    human, machine = (load("m4_ar_ru_zh.jsonl.xz", label) for label in ("human", "ai"))
    found = []
    for share in (0.0, 0.5, 1.0):
        counts: Counter[str] = Counter()
        for seed in range(splits):
            one, other = halves(human, seed)
            metrics = compare(sample(replaced(one, machine, share, seed)), sample(other), seed=seed)
            counts.update({metric.stratum for metric in metrics if metric.alarm})
        found.append(
            {"share": share, "alarm_in_stratum": {key: count / splits for key, count in sorted(counts.items())}}
        )
        print(found[-1], flush=True)
    return found


def speed(_: int) -> list[dict[str, Any]]:
    """Seconds to measure and compare 20 MB, after compiling; one thread."""
    human = load("detectrl_clean.jsonl.xz", "human")
    compare(sample(human[:400]), sample(human[400:800]), draws=2)
    rows: list[Document] = []
    size = 0
    while size < 20_000_000:
        for row in human:
            rows.append({**row, "id": f"{row['id']}-{len(rows)}"})
            size += len(row["text"].encode())
    began = time.process_time()
    whole = merge(sample(rows[at : at + 1024]) for at in range(0, len(rows), 1024))
    read = time.process_time() - began
    compare(whole, whole)
    both = time.process_time() - began
    found = {"bytes": size, "documents": len(rows), "measure_seconds": read, "compare_seconds": both - read}
    print(found, flush=True)
    return [found]


TASKS: dict[str, Callable[[int], list[dict[str, Any]]]] = {
    "false-alarms": false_alarms,
    "shares": shares,
    "languages": languages,
    "speed": speed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=list(TASKS), choices=[*TASKS, []])
    parser.add_argument("--splits", type=int, default=100)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = {task: TASKS[task](options.splits) for task in options.tasks or TASKS}
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
