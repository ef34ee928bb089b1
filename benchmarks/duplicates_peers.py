"""Deduplication against peers on the same documents in one run: documents per CPU second, memory, and clusters.

    python benchmarks/duplicates_peers.py --archives 'warc/*.warc.gz' --texts FILE.jsonl.xz... --json peers.json
    python benchmarks/duplicates_peers.py --extracted pool.jsonl --documents 5000        # smoke test

The corpus is made here, the same for the same arguments: 20 % real texts (`--texts`: JSON lines with `text`;
`--archives`: pages as `headwater extract` extracts them), 35 % generated texts of random words with the frequencies of
the real ones, 45 % copies of both with 0 to 10 % of the words changed. Real texts are cut at 6,000 characters.

CPU seconds are those of the command and of all its descendants, start included. Arms run one after the other, each
first on a few documents, which is not measured: it fills caches. Needs Headwater's development environment and Linux;
environments of datatrove and text-dedup are made with pip under `--environments`. The Headwater that is measured is
$HEADWATER, or the `headwater` on PATH, or this checkout.

Where the work differs: datatrove's fourth stage reads the documents again and writes those that stay; Headwater writes
pairs with their similarity and clusters, no texts, and is compared with the first three stages too. text-dedup writes
what stays as well. In their favour: datatrove's processes are forked and its output is not compressed; text-dedup
hashes with xxh3 in place of its default SHA-1, and has 112 permutations like the others in place of 250.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peers.corpus import Corpus, build_corpus
from peers.duplicate_arms import ARMS, WORDS, Arm, Clusters, make_arms
from peers.environments import headwater_command
from peers.exact import jaccard, read_documents, shingles
from peers.measure import ArmFailed
from peers.partition import compare, describe, labels, pairs_in_one_only

WARM_DOCUMENTS = 300
SAMPLED_PAIRS = 1000
LIKE = 0.75  # smallest similarity of Headwater's default


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", nargs="+", default=[], help="real texts: JSON lines with `text`, plain, .gz or .xz")
    parser.add_argument("--archives", nargs="+", default=[], help="real texts: archives, extracted with Headwater")
    parser.add_argument("--extracted", type=Path, help="where the texts of --archives are kept between runs")
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--arms", default=",".join(ARMS), help=f"comma-separated: {', '.join(ARMS)}")
    parser.add_argument("--workers", type=int, default=2, help="processes of each arm that has any")
    parser.add_argument("--environments", type=Path, default=Path(".benchmark-environments"))
    parser.add_argument("--work", type=Path, help="folder of inputs and logs; default: work in --environments")
    parser.add_argument("--json", type=Path, help="write every figure here")
    options = parser.parse_args(arguments)
    options.arms = options.arms.split(",")
    if unknown := [name for name in options.arms if name not in ARMS]:
        parser.error(f"unknown arm {', '.join(unknown)}; arms are {', '.join(ARMS)}")
    if not (options.texts or options.archives or options.extracted):
        parser.error("give real texts: --texts, --archives or --extracted")
    return options


def real_texts(options: argparse.Namespace, work: Path) -> list[Path]:
    """Files of real texts, archives extracted."""
    files = sorted({Path(name).resolve() for pattern in options.texts for name in glob.glob(pattern)})
    extracted = options.extracted or work / "extracted.jsonl"
    if options.archives and not extracted.exists():
        archives = sorted({name for pattern in options.archives for name in glob.glob(pattern)})
        command = headwater_command(options.environments.resolve())
        subprocess.run([command, "extract", *archives, "--output", extracted, "--quiet"], check=True)
    return [*([extracted] if extracted.exists() else []), *files]


def measure(arm: Arm, corpus: Corpus, folder: Path) -> tuple[dict[str, Any], Clusters]:
    """One run of an arm: what it cost, and its clusters."""
    try:
        usage, found, figures = arm.run(Path(corpus.files[0]).parent, folder)
    except ArmFailed as error:
        raise SystemExit(f"{arm.name}: {error}") from None
    if usage.sampled_cpu > 1.03 * usage.cpu + 0.5:
        _say(f"warning: {arm.name}: /proc shows {usage.sampled_cpu:.1f} CPU s, the kernel charged {usage.cpu:.1f}")
    return {**usage.plain(), "documents_per_cpu_second": corpus.documents / usage.cpu, **figures}, found


def like_pairs(corpus: Corpus, pairs: list[tuple[int, int]]) -> dict[str, Any]:
    """Exact similarity of pairs of documents (places in the corpus)."""
    wanted = {place for pair in pairs for place in pair}
    grams = {
        place: shingles(text)
        for place, (_, text) in enumerate(read_documents(Path(corpus.files[0]).parent))
        if place in wanted
    }
    found = [jaccard(grams[first], grams[second]) for first, second in pairs]
    return {
        "pairs": len(found),
        "mean_similarity": sum(found) / len(found) if found else None,
        f"share_of_{LIKE}": sum(value >= LIKE for value in found) / len(found) if found else None,
    }


def agreement(corpus: Corpus, clusters: dict[str, Clusters], base: str = "datatrove") -> dict[str, dict[str, Any]]:
    """Clusters of every arm, and how they agree with those of `base`."""
    ids = [name for name, _ in read_documents(Path(corpus.files[0]).parent)]
    by_arm = {name: labels(ids, found) for name, found in clusters.items()}
    report: dict[str, dict[str, Any]] = {}
    for name, found in by_arm.items():
        report[name] = describe(found)
        if base in by_arm and name != base:
            report[name][f"against_{base}"] = {
                **compare(found, by_arm[base]),
                "sample_only_peer": like_pairs(corpus, pairs_in_one_only(found, by_arm[base], SAMPLED_PAIRS)),
                "sample_only_this": like_pairs(corpus, pairs_in_one_only(by_arm[base], found, SAMPLED_PAIRS)),
            }
    return report


def ratios(costs: dict[str, dict[str, Any]], base: str = "datatrove") -> dict[str, dict[str, float]]:
    """How many times the documents per CPU second of `base` each arm does: of all stages, and of those to clusters."""
    if base not in costs:
        return {}
    whole = costs[base]["cpu"]
    clusters = whole - costs[base].get("cpu_by_stage", {}).get("filter", 0.0)
    return {
        name: {"all_stages": whole / cost["cpu"], "up_to_clusters": clusters / cost["cpu"]}
        for name, cost in costs.items()
        if name != base
    }


def render(costs: dict[str, dict[str, Any]], found: dict[str, dict[str, Any]]) -> str:
    """The table as text."""
    against = ratios(costs)
    lines = ["arm | documents/CPU s | x datatrove (to clusters) | CPU s | wall s | MB/process | MB all | kept | "]
    lines[0] += "largest | pairs as datatrove: precision, recall | partition"
    for name, cost in costs.items():
        ratio, clusters = against.get(name), found[name]
        other = clusters.get("against_datatrove")
        cells = [
            name,
            f"{cost['documents_per_cpu_second']:.0f}",
            f"{ratio['all_stages']:.2f} ({ratio['up_to_clusters']:.2f})" if ratio else "",
            f"{cost['cpu']:.1f}",
            f"{cost['wall']:.1f}",
            f"{cost['peak_process_bytes'] / 1e6:.0f}",
            f"{cost['peak_tree_bytes'] / 1e6:.0f}",
            str(clusters["kept"]),
            str(clusters["largest"]),
            f"{other['pair_precision']:.4f}, {other['pair_recall']:.4f}" if other else "",
            ("equal" if other["equal"] else f"{other['documents_in_differing_clusters']} differ") if other else "",
        ]
        lines.append(" | ".join(cells))
    return "\n".join([*lines, "", *(f"{name}: {WORDS[name]}" for name in costs)])


def main() -> None:
    """Command line."""
    options = parse()
    environments = options.environments.resolve()
    work = (options.work or environments / "work").resolve()
    work.mkdir(parents=True, exist_ok=True)
    texts = real_texts(options, work)
    corpus = build_corpus(work, texts, options.documents, options.workers)
    warm = build_corpus(work, texts, WARM_DOCUMENTS, options.workers)
    _say(
        f"corpus: {corpus.documents} documents ({corpus.real} real, {corpus.generated} generated, {corpus.copies} "
        f"copies), {corpus.utf8_bytes / corpus.documents:.0f} bytes on average"
    )
    arms = make_arms(options.arms, environments, work, options.workers)
    for arm in arms:
        measure(arm, warm, work / "runs" / f"{arm.name}-warm")
    load = os.getloadavg()
    costs: dict[str, dict[str, Any]] = {}
    clusters: dict[str, Clusters] = {}
    for arm in arms:
        costs[arm.name], clusters[arm.name] = measure(arm, corpus, work / "runs" / arm.name)
        cost = costs[arm.name]
        _say(f"{arm.name}: {cost['documents_per_cpu_second']:.0f} documents/CPU s, {cost['wall']:.0f} s")
    found = agreement(corpus, clusters)
    print(render(costs, found))
    if options.json:
        report = {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": " ".join(sys.argv),
            "machine": {
                "cores": os.cpu_count(),
                "platform": platform.platform(),
                "load_before": load,
                "load_after": os.getloadavg(),
            },
            "corpus": corpus.plain(),
            "workers": options.workers,
            "versions": {arm.name: arm.versions for arm in arms},
            "costs": costs,
            "times_datatrove": ratios(costs),
            "clusters": found,
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
