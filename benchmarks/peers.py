"""Headwater, datatrove and a bare loop on the same archives in one run: pages per CPU second and memory.

    python benchmarks/peers.py --archives 'warc/*.warc.gz' --json peers.json
    python benchmarks/peers.py --index warc/pages.jsonl.gz --kinds wild,versions --rounds 3
    python benchmarks/peers.py --index warc/pages.jsonl.gz --kinds wild --pages 100 --rounds 1   # smoke test

Needs Python 3.11 or newer on Linux, and nothing else: environments are made with pip under `--environments`.
The Headwater that is measured is $HEADWATER, or the `headwater` on PATH, or this checkout.
What each arm does, and what was changed in datatrove's favour: `benchmarks/peers/README.md`.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peers import archives
from peers.arms import ARMS, WORDS, Arm, make_arms
from peers.measure import ArmFailed
from peers.table import ratios, render, summarise

WARM_PAGES = 100


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", nargs="+", help="WARC files or globs; with --index, the folder that holds them")
    parser.add_argument("--index", type=Path, help="pages.jsonl.gz: use only the pages that it lists")
    parser.add_argument("--kinds", default="", help="with --index: kinds of page to use, comma-separated; default all")
    parser.add_argument("--pages", type=int, help="use only the first N pages")
    parser.add_argument("--limit", action="append", default=[], metavar="ARM=N", help="only the first N pages in ARM")
    parser.add_argument("--part", type=float, default=0.2, help="share of the pages in the short run of the slope")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--arms", default=",".join(ARMS), help=f"comma-separated: {', '.join(ARMS)}")
    parser.add_argument("--languages", choices=["en", "any"], default="en", help="pages that reach the rules")
    parser.add_argument("--environments", type=Path, default=Path(".benchmark-environments"))
    parser.add_argument("--work", type=Path, help="folder of inputs and logs; default: work in --environments")
    parser.add_argument("--json", type=Path, help="write every figure here")
    options = parser.parse_args(arguments)
    options.arms = options.arms.split(",")
    if unknown := [name for name in options.arms if name not in ARMS]:
        parser.error(f"unknown arm {', '.join(unknown)}; arms are {', '.join(ARMS)}")
    options.limit = {name: int(number) for name, _, number in (item.partition("=") for item in options.limit)}
    if not options.archives and not options.index:
        parser.error("give --archives or --index")
    if options.rounds < 1 or not 0 < options.part < 1:
        parser.error("--rounds is at least 1, --part between 0 and 1")
    return options


def choose_input(options: argparse.Namespace, cache: Path) -> archives.Input:
    """The archives that the options name."""
    if options.index:
        folder = Path(options.archives[0]) if options.archives else options.index.parent
        kinds = frozenset(kind for kind in options.kinds.split(",") if kind)
        source = archives.select(options.index, kinds, folder, cache)
    else:
        files = sorted({Path(name).resolve() for pattern in options.archives for name in glob.glob(pattern)})
        if not files:
            raise SystemExit(f"no file matches {' '.join(options.archives)}")
        source = archives.whole(files)
    return archives.first(source, options.pages, cache) if options.pages else source


def measure(arm: Arm, source: archives.Input, folder: Path) -> dict[str, Any]:
    """One run of an arm, as plain values."""
    try:
        usage, counts = arm.run(source, folder)
    except ArmFailed as error:
        raise SystemExit(f"{arm.name}: {error}") from None
    if usage.sampled_cpu > 1.03 * usage.cpu + 0.5:
        _say(f"warning: {arm.name}: /proc shows {usage.sampled_cpu:.1f} CPU s, the kernel charged {usage.cpu:.1f}")
    return {"pages": source.pages, "page_bytes": source.page_bytes, **usage.plain(), "counts": counts}


def run_rounds(
    arms: list[Arm], inputs: dict[str, tuple[archives.Input, archives.Input]], rounds: int, work: Path
) -> dict[str, list[dict[str, Any]]]:
    """Every arm on part and whole of its input, round by round; a round starts with another arm each time."""
    found: dict[str, list[dict[str, Any]]] = {arm.name: [] for arm in arms}
    for number in range(rounds):
        shift = number % len(arms)
        for arm in arms[shift:] + arms[:shift]:
            row: dict[str, Any] = {}
            for kind, source in zip(("part", "full"), inputs[arm.name], strict=True):
                row[kind] = measure(arm, source, work / "runs" / f"{arm.name}-{number}-{kind}")
                used: dict[str, Any] = row[kind]
                kept, peak = used["counts"].get("kept"), used["peak_process_bytes"] / 1e6
                _say(
                    f"round {number + 1}: {arm.name} {kind}: {source.pages} pages, {used['cpu']:.1f} CPU s, "
                    f"{used['wall']:.1f} s, {peak:.0f} MB, kept {kept}"
                )
            found[arm.name].append(row)
    return found


def main() -> None:
    """Command line."""
    options = parse()
    environments = options.environments.resolve()
    work = (options.work or environments / "work").resolve()
    work.mkdir(parents=True, exist_ok=True)
    source = choose_input(options, work / "inputs")
    _say(f"input: {source.pages} pages, {source.page_bytes / 1e6:.0f} MB of records, {len(source.files)} files")
    arms = make_arms(options.arms, environments, work, options.languages)
    inputs = {}
    for arm in arms:
        full = archives.first(source, options.limit.get(arm.name, source.pages), work / "inputs")
        inputs[arm.name] = (archives.first(full, max(1, int(full.pages * options.part)), work / "inputs"), full)
    warm = archives.first(source, min(WARM_PAGES, source.pages), work / "inputs")
    for arm in arms:  # compiled code, unpacked lists and the page cache: once, not measured
        measure(arm, warm, work / "runs" / f"{arm.name}-warm")
    load = os.getloadavg()
    rounds = run_rounds(arms, inputs, options.rounds, work)
    summary = {name: summarise(rows) for name, rows in rounds.items()}
    print(render(summary, WORDS))
    if options.json:
        report = {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {
                "cpu": _cpu_model(),
                "cores": os.cpu_count(),
                "platform": platform.platform(),
                "load_before": load,
                "load_after": os.getloadavg(),
            },
            "options": {key: str(value) for key, value in vars(options).items()},
            "input": {"pages": source.pages, "page_bytes": source.page_bytes, "files": len(source.files)},
            "versions": {arm.name: arm.versions for arm in arms},
            "arms": summary,
            "headwater_ratio": ratios(summary),
            "rounds": rounds,
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
