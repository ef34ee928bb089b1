"""What `headwater collapse` finds on text of people, and how far its calculable cases are from theory.

    HEADWATER_TEST_DATA=data python benchmarks/collapse.py
    python benchmarks/collapse.py --texts FILE.jsonl --json

Without --texts the human texts of ai/detectrl_clean.jsonl.xz in HEADWATER_TEST_DATA (rows with `label` human). Prints a
table, or one JSON object with --json: figures of the last generation with their 95 % intervals, CPU and wall seconds,
and the memory of the process at its largest.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from pipeline.collapse.job import Options, collapse_figures
from pipeline.progress import Reporter


def human_texts(folder: Path) -> Path:
    """The human texts of the folder as a JSON lines file of its own."""
    with lzma.open(folder / "ai" / "detectrl_clean.jsonl.xz", "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["label"] == "human"]
    path = Path(tempfile.mkdtemp(prefix="collapse-")) / "human.jsonl"
    path.write_text("".join(json.dumps({"id": row["id"], "text": row["text"]}) + "\n" for row in rows))
    return path


def last(figure: dict[str, Any]) -> str:
    """Mean and interval of the last generation."""
    mean, low, high = (figure[name][-1] for name in ("mean", "low", "high"))
    form = "{:,.0f}" if mean >= 10 else "{:.3f}"
    return f"{form.format(mean)} ({form.format(low)}-{form.format(high)})"


def print_tables(figures: dict[str, Any], costs: dict[str, float]) -> None:
    """Markdown tables of the documentation."""
    print("| regression, generation 25 | simulated | theory | in the end | largest distance, any generation |")
    print("| --- | --- | --- | --- | --- |")
    for case in figures["regression"]["cases"]:
        end = f"{case['limit']:.3f}" if case["limit"] else "none"
        error = case["error"]
        print(
            f"| {case['title']} | {last(error)} | {error['theory'][-1]:.3f} | {end} "
            f"| {100 * error['deviation']:.1f} % |"
        )
    print("\n| normal distribution, generation 50 | variance | theory | error of the mean | theory |")
    print("| --- | --- | --- | --- | --- |")
    for case in figures["gaussian"]["cases"]:
        shown = [f"{case[key]['theory'][-1]:.3f}" if case[key]["theory"] else "-" for key in ("variance", "mean_error")]
        print(f"| {case['title']} | {last(case['variance'])} | {shown[0]} | {last(case['mean_error'])} | {shown[1]} |")
    text = figures["text"]
    print(f"\n{text['documents']:,} documents, {text['tokens_by_use']}, vocabulary {text['vocabulary']:,}\n")
    names = ("vocabulary", "tail", "distinct_3", "data_vocabulary", "data_tail")
    print(f"| T | workflow | perplexity | of the first | {' | '.join(names)} | collapses |")
    print("| --- " * (5 + len(names)) + "|")
    for case in text["cases"]:
        shown = [f"{100 * case['figures'][name]['mean'][-1]:.1f} %" for name in names]
        print(
            f"| {case['temperature']:g} | {case['title']} | {last(case['figures']['perplexity'])} "
            f"| {case['growth']:.2f} | {' | '.join(shown)} | {'yes' if case['collapses'] else 'no'} |"
        )
    first = text["cases"][0]["figures"]["perplexity"]["mean"][0]
    print(f"\nFirst generation: perplexity {first:,.0f}. {json.dumps(costs)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, help="JSON lines with a column `text`")
    parser.add_argument("--generations", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    texts = given.texts or human_texts(Path(os.environ["HEADWATER_TEST_DATA"]))
    began, cpu = time.monotonic(), time.process_time()
    options = Options(generations=given.generations, seeds=given.seeds)
    figures = collapse_figures([str(texts)], "text", options, given.workers, Reporter(quiet=True))
    costs = {
        "wall_seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    if given.json:
        print(json.dumps({"costs": costs, **figures}, indent=1))
    else:
        print_tables(figures, costs)


if __name__ == "__main__":
    main()
