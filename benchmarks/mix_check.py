"""Recounts finished mixes from their rows alone: constraints, repeats, hosts, lineage, splits, supersets, equal bytes.

    python benchmarks/mix_check.py SMALLER LARGER …        each mix, and each one within the next
    python benchmarks/mix_check.py MIX --same AGAIN        the same bytes in both

Prints a line a check; exit code 1 where one fails. Mixes must be Parquet. Shares are exact fractions; lower bounds of
human text are those of mix.json, taken at nine digits to the strict side.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from detectors.features.url_key import host_of

COLUMNS = [
    "doc_id", "copy", "source", "origin", "fresh", "group", "language", "page_type", "url", "tokens", "parents",
    "depth", "cluster_id",
]  # fmt: skip
Row = dict[str, Any]


def rows_of(mix: Path, split: str = "train") -> Iterator[Row]:
    for file in sorted((mix / "data").glob(f"{split}-*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(columns=COLUMNS):
            yield from batch.to_pylist()


def share(value: float) -> Fraction:
    return Fraction(str(value))


def check_mix(mix: Path) -> Iterator[tuple[str, bool]]:
    manifest = json.loads((mix / "mix.json").read_text(encoding="utf-8"))
    recipe = manifest["recipe"]
    bounds = {
        (b["source"], b["language"], b["fresh"], b["group"], b["page_type"]): (b["human_low"], b["ai_high"])
        for b in manifest["bounds"]
    }
    total, origin, hosts, human = 0, Counter[str](), Counter[str](), Fraction(0)
    suspected, strata, stratum_human = Fraction(0), Counter[tuple[str, str]](), defaultdict[Any, Fraction](Fraction)
    seen, parents, most, depth = set(), set(), 0, 0
    for row in rows_of(mix):
        tokens, language = row["tokens"], (row["language"] or "und")[:3]
        total += tokens
        origin[row["origin"]] += tokens
        key = (row["doc_id"], row["copy"], row["source"])
        yield from [("a copy stands once", False)] if key in seen else []
        seen.add(key)
        most, depth = max(most, row["copy"] + 1), max(depth, row["depth"])
        parents.update(row["parents"] or ())
        values = {"language": language, "page_type": row["page_type"] or "none", "source": row["source"]}
        for stratum in values.items():
            strata[stratum] += tokens
        if row["origin"] != "real":
            continue
        if host := host_of(row["url"]) if row["url"] else None:
            hosts[host] += tokens
        at = (row["source"], language, row["fresh"], row["group"])
        low, high = bounds.get((*at, values["page_type"])) or bounds[(*at, "")]
        suspected += tokens * share(high)
        if row["fresh"] and row["copy"] == 0:
            human += tokens * share(low)
            for stratum in values.items():
                stratum_human[stratum] += tokens * share(low)
    yield (
        f"{total:,} tokens, as planned and within the budget",
        total == manifest["plan"]["tokens"] and (recipe["budget"] is None or total <= recipe["budget"]),
    )
    slack = Fraction(total, 10**8)  # of rounding bounds
    for number, floor in enumerate(recipe["floors"]):
        wanted = floor["fresh_human"]
        if wanted is None:
            wanted = 1 - (1 - 1 / floor["error_multiplier"]) ** 0.5
        where = list(floor["where"].items())
        if floor["each"]:
            inside = [one for one in strata if one[0] == floor["each"] and not where]
        else:
            inside = where if len(where) == 1 else []
        if not floor["where"] and not floor["each"]:
            yield f"floors.{number}: {float(human / total):.4f} >= {wanted}", human + slack >= share(wanted) * total
        for one in inside:
            enough = stratum_human[one] + slack >= share(wanted) * strata[one]
            yield f"floors.{number} {one[1]}: {float(stratum_human[one] / strata[one]):.4f} >= {wanted}", enough
    caps = recipe["caps"]
    for name, tokens in (
        ("grounded", Fraction(origin["grounded"])),
        ("ungrounded", origin["ungrounded"] + (suspected if caps["suspected"] else 0)),
        ("host", Fraction(max(hosts.values(), default=0))),
    ):
        if caps[name] is not None:
            yield (
                f"caps.{name}: {float(tokens / total):.4f} <= {caps[name]:g}",
                tokens <= share(caps[name]) * total + slack,
            )
    yield f"repeats: {most} <= {recipe['repeats']}", most <= recipe["repeats"]
    yield f"depth: {depth} <= {recipe['depth']}", depth <= recipe["depth"]
    held_out = {value for row in rows_of(mix, "validation") for value in (row["doc_id"], row["cluster_id"])}
    yield f"none of {len(parents):,} parents is held out", not parents & held_out


def digests(mix: Path) -> dict[str, str]:
    folders = ("data", "weights", "index")
    files = (file for folder in folders for file in sorted((mix / folder).glob("*")))
    return {str(file.relative_to(mix)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mixes", nargs="+", type=Path)
    parser.add_argument("--same", type=Path, help="another mix by the same recipe")
    arguments = parser.parse_args()
    failed = 0

    def say(name: str, right: bool) -> None:
        nonlocal failed
        failed += not right
        print("ok  " if right else "FAIL", name)

    for mix in arguments.mixes:
        print(mix)
        for name, right in check_mix(mix):
            say(name, right)
    for small, large in zip(arguments.mixes, arguments.mixes[1:], strict=False):
        chosen = [{(row["doc_id"], row["copy"]) for row in rows_of(mix)} for mix in (small, large)]
        say(f"{small} ({len(chosen[0]):,} rows) is within {large} ({len(chosen[1]):,} rows)", chosen[0] <= chosen[1])
    if arguments.same:
        say(
            f"{arguments.mixes[0]} and {arguments.same} have the same bytes",
            digests(arguments.mixes[0]) == digests(arguments.same),
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
