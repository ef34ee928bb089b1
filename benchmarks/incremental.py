"""A second snapshot after a first one: the same pages and clusters as both at once, at the cost of its own size.

    python benchmarks/incremental.py [--documents 10000] [--times 1,4,10] [--json FILE]

Generated text tables with addresses and dates. The second snapshot holds captures of addresses of the first one (same
text, edited text, other text), copies and near copies of its texts under other addresses, copies within itself, texts
between two unlike texts of the first one, and new ones. Policy: the oldest page and the oldest capture are kept.

`headwater curate` ($HEADWATER, or the one on PATH) runs on the first, on the second with `--seen` of the first, and on
both at once: kept pages and clusters must be the same. Then the second runs alone and after first snapshots of 1, 4 and
10 times its size, of which it shares the same part, one after the other: CPU seconds of the whole process tree.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from peers.measure import Usage, run_measured

Words = npt.NDArray[np.int64]  # numbers of words in the vocabulary

VOCABULARY = 30_000
MEAN_WORDS = 250
FAR_EDITS = 0.05  # of the words; over word 5-grams a similarity of about 0.6, so that such texts are no copies
NEAR_EDITS = 0.01  # about 0.9
# The second snapshot: shares of its documents by what they are to the first one. The rest is new.
SHARES = {
    "captured_again": 0.15,  # address and text of a page of the first
    "captured_edited": 0.05,
    "captured_changed": 0.05,  # address of a page of the first, new text
    "copy": 0.10,
    "near_copy": 0.10,
    "between": 0.05,  # halfway between two texts of the first that are too unlike to be copies
    "own_copy": 0.05,  # of a text of the second itself
    "own_near_copy": 0.05,
}
CONFIG: dict[str, Any] = {
    "quality": {"profile": "none"},
    "provenance": {"hosts": False, "parallel": False},
    "policy": {"duplicates": {"keep": "oldest", "keep_capture": "oldest"}},
}


class Writer:
    """Texts of made-up words, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        fixed = np.random.default_rng(0)
        syllables = [a + b for a in "bdfgklmnprstvw" for b in ("a", "e", "i", "o", "u", "ai", "en", "or")]
        counts = fixed.integers(1, 5, VOCABULARY)
        self._words = ["".join(fixed.choice(syllables, count)) for count in counts]
        self._weights = np.cumsum(1.0 / np.arange(10, VOCABULARY + 10))

    def draw(self, count: int) -> Words:
        """`count` words as often as in natural text (Zipf)."""
        return np.searchsorted(self._weights, self.random.random(count) * self._weights[-1])

    def new(self) -> Words:
        """A text that is like no other."""
        return self.draw(int(self.random.integers(MEAN_WORDS // 2, 2 * MEAN_WORDS)))

    def edit(self, text: Words, share: float) -> Words:
        """A copy with a share of the words replaced, evenly spread."""
        edited = text.copy()
        places = np.linspace(0, len(text) - 1, max(1, round(share * len(text)))).astype(np.int64)
        edited[places] = self.draw(len(places))
        return edited

    def text(self, words: Words) -> str:
        """Words as sentences of ten."""
        parts = (words[i : i + 10] for i in range(0, len(words), 10))
        return " ".join(" ".join(self._words[w] for w in part).capitalize() + "." for part in parts)


def first_snapshot(documents: int, seed: int) -> Iterator[tuple[str, Words]]:
    """(address, words): one in five is an edited text of another that is too unlike to be a copy, one in ten a copy."""
    writer, past = Writer(seed), [Writer(seed).new()]
    for number in range(documents):
        kind = number % 10
        if kind in (3, 6):
            words = writer.edit(past[-1], FAR_EDITS)
        elif kind == 9:
            words = writer.edit(past[int(writer.random.integers(len(past)))], NEAR_EDITS)
        else:
            words = writer.new()
        past = [*past[-50:], words]
        yield f"https://first-{seed}-{number % 97}.example/page/{number}", words


def second_snapshot(first: list[tuple[str, Words]], documents: int) -> Iterator[tuple[str, Words]]:
    """(address, words) of a later snapshot that shares texts and addresses with `first`."""
    writer, own = Writer(2), [Writer(2).new()]
    kinds = writer.random.choice([*SHARES, "new"], documents, p=[*SHARES.values(), 1 - sum(SHARES.values())])
    for number, kind in enumerate(kinds.tolist()):
        place = int(writer.random.integers(1, len(first)))
        address, words = first[place]
        elsewhere = f"https://second-{number % 97}.example/page/{number}"
        if kind == "captured_edited":
            words = writer.edit(words, NEAR_EDITS)
        elif kind == "captured_changed":
            words = writer.new()
        elif kind == "near_copy":
            words = writer.edit(words, NEAR_EDITS)
        elif kind == "between":
            place -= place % 10 - 3  # a text that was edited from the one before it
            one, other = first[max(place - 1, 0)][1], first[min(place, len(first) - 1)][1]
            if len(one) == len(other):
                changed = np.flatnonzero(one != other)
                words = one.copy()
                words[changed[::2]] = other[changed[::2]]
        elif kind == "own_copy":
            words = own[int(writer.random.integers(len(own)))]
        elif kind == "own_near_copy":
            words = writer.edit(own[int(writer.random.integers(len(own)))], NEAR_EDITS)
        elif kind == "new":
            words = writer.new()
            own.append(words)
        yield (address if kind.startswith("captured") else elsewhere), words


def write_table(path: Path, rows: Iterable[tuple[str, Words]], prefix: str, begin: datetime) -> None:
    """JSON lines with `id`, `text`, `url` and `fetched_at`; every row has a second of its own."""
    writer = Writer(0)
    with path.open("w", encoding="utf-8") as sink:
        for number, (address, words) in enumerate(rows):
            fetched = (begin + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
            row = {"id": f"{prefix}-{number}", "text": writer.text(words), "url": address, "fetched_at": fetched}
            sink.write(json.dumps(row) + "\n")


def curate(inputs: list[Path], output: Path, seen: list[Path], config: Path, workers: int) -> Usage:
    """One measured run."""
    program = shlex.split(os.environ.get("HEADWATER", "headwater"))
    command = [*program, "curate", *map(str, inputs), "--output", str(output), "--config", str(config), "--quiet"]
    for folder in seen:
        command += ["--seen", str(folder)]
    command += ["--workers", str(workers)]
    return run_measured(command, os.environ, output.parent, output.with_suffix(".log"))


def decisions(run: Path) -> dict[str, tuple[str, str | None]]:
    """(cluster, reason) by document id, out of the index of a run; no reason: kept."""
    found: dict[str, tuple[str, str | None]] = {}
    for path in sorted((run / "index").glob("part-*.parquet")):
        table = pq.read_table(path, columns=["doc_id", "cluster_id", "reason"], partitioning=None)
        for row in table.to_pylist():
            found[row["doc_id"]] = (row["cluster_id"], row["reason"])
    return found


def index_bytes(run: Path) -> int:
    """Bytes of the index of a run."""
    return sum(path.stat().st_size for path in (run / "index").iterdir())


def compare(first: Path, second: Path, both: Path) -> dict[str, Any]:
    """Kept pages and clusters of two runs, one after the other, against those of one run on both."""
    apart, together = {**decisions(first), **decisions(second)}, decisions(both)
    kept, kept_together = ({name for name, row in part.items() if row[1] is None} for part in (apart, together))
    clusters = sum(apart[name][0] != row[0] for name, row in together.items() if name in apart)
    reasons: dict[str, int] = {}
    for _, reason in together.values():
        reasons[reason or "kept"] = reasons.get(reason or "kept", 0) + 1
    changed: dict[str, int] = {}
    for name, (_, reason) in together.items():
        if name in apart and apart[name][1] != reason:
            pair = f"{apart[name][1]} apart, {reason} together"
            changed[pair] = changed.get(pair, 0) + 1
    return {
        "documents": len(together),
        "same_documents": set(apart) == set(together),
        "kept": len(kept_together),
        "kept_only_apart": len(kept - kept_together),
        "kept_only_together": len(kept_together - kept),
        "other_cluster": clusters,
        "other_reason": changed,
        "by_reason": reasons,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=10_000, help="of the second snapshot")
    parser.add_argument("--times", default="1,4,10", help="sizes of the first snapshot, in sizes of the second")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="runs of the second snapshot; the cheapest counts")
    parser.add_argument("--work", type=Path, help="folder of the runs (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="write every figure here")
    options = parser.parse_args()
    times = sorted(int(value) for value in options.times.split(","))
    work = Path(tempfile.mkdtemp(prefix="incremental-", dir=options.work))
    try:
        report = measure(work, options.documents, times, options.workers, options.rounds)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    report["command"] = " ".join(sys.argv)
    print(render(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if not report["is_same"]:
        raise SystemExit("the two ways differ")


def measure(work: Path, documents: int, times: list[int], workers: int, rounds: int) -> dict[str, Any]:
    """All runs; `work` is an empty folder."""
    config = work / "config.yaml"
    config.write_text(json.dumps(CONFIG))  # JSON is YAML
    shared = list(first_snapshot(documents, 1))
    parts, runs = [], {}
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    for number in range(max(times)):
        path = work / f"first-{number:03d}.jsonl"
        rows = shared if number == 0 else first_snapshot(documents, 1000 + number)
        write_table(path, rows, f"f{number}", begin + timedelta(days=number))
        parts.append(path)
    later = work / "second.jsonl"
    write_table(later, second_snapshot(shared, documents), "s", datetime(2025, 1, 1, tzinfo=UTC))

    def second(name: str, seen: list[Path]) -> dict[str, Any]:
        usages = []
        for _ in range(rounds):
            shutil.rmtree(work / name, ignore_errors=True)
            usages.append(curate([later], work / name, seen, config, workers))
        best = min(usages, key=lambda usage: usage.cpu)
        entry = {"seen_documents": sum(len(decisions(run)) for run in seen), **best.plain()}
        _say(f"second after {entry['seen_documents']} documents: {best.cpu:.1f} CPU s, {best.wall:.1f} s")
        return entry

    costs = [second("second-alone", [])]
    for count in times:
        run = work / f"run-{count}"
        usage = curate(parts[:count], run, [], config, workers)
        runs[count] = {**usage.plain(), "documents": count * documents, "index_bytes": index_bytes(run)}
        _say(f"first of {count * documents} documents: {usage.cpu:.1f} CPU s, {usage.wall:.1f} s")
        costs.append(second(f"second-{count}", [run]))
    least = times[0]
    curate([*parts[:least], later], work / "both", [], config, workers)
    agreement = compare(work / f"run-{least}", work / f"second-{least}", work / "both")
    same = agreement["same_documents"] and not any(
        agreement[name] for name in ("kept_only_apart", "kept_only_together", "other_cluster")
    )
    return {
        "documents": documents,
        "first": runs,
        "second": costs,
        "agreement": agreement,
        "is_same": same,
        "slope_microseconds": slope(costs),
    }


def slope(costs: list[dict[str, Any]]) -> float:
    """CPU microseconds that each document seen adds to the second run (least squares)."""
    seen = np.array([cost["seen_documents"] for cost in costs], np.float64)
    return float(1e6 * np.polyfit(seen, [cost["cpu"] for cost in costs], 1)[0]) if len(costs) > 1 else 0.0


def render(report: dict[str, Any]) -> str:
    """The figures as text."""
    lines = ["second run after | documents seen | CPU s | wall s | MB/process"]
    for cost in report["second"]:
        seen = cost["seen_documents"]
        lines.append(
            f"{seen / report['documents']:g} x its size | {seen} | {cost['cpu']:.1f} | {cost['wall']:.1f} | "
            f"{cost['peak_process_bytes'] / 1e6:.0f}"
        )
    for count, cost in report["first"].items():
        share = cost["index_bytes"] / cost["documents"]
        lines.append(f"first run of {count} x: {cost['cpu']:.1f} CPU s; its index has {share:.0f} bytes a document")
    lines.append(f"each document seen costs the second run {report['slope_microseconds']:.1f} us")
    found = ", ".join(f"{name} {value}" for name, value in report["agreement"].items())
    lines.append(f"one after the other against both at once: {found}")
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
