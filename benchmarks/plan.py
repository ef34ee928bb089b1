"""Seconds and memory of planning a mix, by cells, hosts and entries of stock.

    python benchmarks/plan.py [--cells 200] [--hosts 5000] [--entries 1000000] [--host-cap 0.01] [--budget-share 0.1]

Stocks are drawn: documents of about 3,000 bytes (log-normal), hosts by a Zipf law, a third of the cells synthetic,
languages of unequal size with a floor in each.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np

from pipeline.mix.candidates import Cell
from pipeline.mix.plan import Stock, plan_mix
from schemas.recipe import MixRecipe


def draw_stocks(cells: int, hosts: int, entries: int, seed: int = 0) -> list[Stock]:
    """Stocks of that many cells and entries in all."""
    rng = np.random.default_rng(seed)
    names = []
    for number in range(cells):
        language = "x" + chr(97 + number // 12 % 26) + "x"
        kind = number % 6
        origin = "grounded" if kind == 4 else "ungrounded" if kind == 5 else "real"
        source = "pool" if origin == "real" else "generated"
        page = f"type{number // 6 % 2}"
        group = ("measured", "dated", "measured", "dated", "", "")[kind]
        names.append(Cell(source, origin, kind < 2, language, page, group))
    sizes = rng.dirichlet(np.full(len(names), 0.5)) * entries
    weights = 1.0 / np.arange(1, hosts + 1)
    stocks = []
    for cell, size in zip(sorted(set(names)), sizes, strict=False):
        n = max(1, int(size))
        keys = np.sort((-np.log(rng.random(n)) * 2**32).astype(np.uint64))
        tokens = (rng.lognormal(7.5, 1.0, n)).astype(np.int64) + 1
        chosen = rng.choice(hosts, n, p=weights / weights.sum()).astype(np.uint64) + 1
        real = cell.origin == "real"
        low = {"measured": 0.85, "dated": 0.97}.get(cell.group, 0.0)
        high = {"measured": 0.04, "dated": 0.0}.get(cell.group, 0.0)
        stocks.append(Stock(cell, keys, tokens, np.ones(n, np.int64), chosen if real else chosen * 0, low, high))
    return stocks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--hosts", type=int, default=5000)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--host-cap", type=float, default=0.01)
    parser.add_argument("--budget-share", type=float, default=0.1, help="of all tokens in stock")
    options = parser.parse_args()
    stocks = draw_stocks(options.cells, options.hosts, options.entries)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tokens = sum(int(stock.tokens.sum()) for stock in stocks)
    recipe = MixRecipe.model_validate(
        {
            "sources": [
                {"kind": "run", "name": "pool", "run": "pool"},
                {"kind": "synthetic", "name": "generated", "files": ["generated.parquet"]},
            ],
            "budget": int(tokens * options.budget_share),
            "floors": [{"fresh_human": 0.3}, {"fresh_human": 0.2, "each": "language"}],
            "caps": {"host": options.host_cap or None},
        }
    )
    start, used = time.perf_counter(), time.process_time()
    plan = plan_mix(stocks, recipe)
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    result = {
        "cells": len(stocks),
        "hosts": options.hosts,
        "entries": sum(len(stock.keys) for stock in stocks),
        "split_hosts": len({host for known in plan.thresholds.values() for host in known.hosts}),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "grown_mb": round(grown / 1024),
        "tokens": plan.tokens,
        "shortfall": plan.shortfall,
        "max_budget": plan.max_budget,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
