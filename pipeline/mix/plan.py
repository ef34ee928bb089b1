"""The plan of a mix: how far into the order of each cell every pass goes, so that all constraints hold exactly.

Pure: stocks and a recipe in, thresholds and reports out. See docs/planning.md for the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.mix.candidates import Cell
from pipeline.mix.infeasible import (
    InfeasibleRecipe,
    check_possible,
    explain_impossible,
    explain_too_large,
    explain_too_small,
)
from pipeline.mix.ladder import choose, top_of
from pipeline.mix.plan_model import I64, ONE, Stock, build_model
from pipeline.mix.plan_pool import Pool
from pipeline.mix.plan_report import (
    MULTIPLIERS,
    STEPS,
    ConstraintReport,
    WhatIf,
    ask_what_if,
    cell_sums,
    error_multiplier,
    finite,
    floor_of_multiplier,
    report_constraints,
)
from schemas.recipe import MixRecipe

__all__ = [
    "CellCounts",
    "CellThresholds",
    "ConstraintReport",
    "InfeasibleRecipe",
    "Plan",
    "Stock",
    "WhatIf",
    "copies_of",
    "describe_plan",
    "plan_mix",
]


@dataclass(frozen=True, slots=True)
class CellThresholds:
    """A document has as many copies as there are passes with key <= threshold; -1 takes none.

    Attributes:
        passes: thresholds of the first, second … pass, descending.
        hosts: thresholds of hosts that have their own, by the host's hash.
    """

    passes: tuple[int, ...]
    hosts: Mapping[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class CellCounts:
    """What a plan takes of a cell.

    Attributes:
        documents: chosen documents.
        copies: documents, each as often as it is repeated.
        tokens: tokens of all copies.
        fresh_tokens: tokens of the first copies, where the cell is fresh.
        stock_tokens: tokens of all documents of the cell.
    """

    documents: int
    copies: int
    tokens: int
    fresh_tokens: int
    stock_tokens: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a mix takes. Tokens are in the recipe's unit.

    Attributes:
        thresholds: by cell, also of cells of which nothing is taken.
        counts: by cell.
        tokens: of the mix, at most `budget`.
        budget: as asked; None: the largest mix.
        max_budget: tokens of the largest mix under these constraints.
        fresh_human_share: lower bound of the share of fresh human tokens.
        error_multiplier: of that share; infinite at 0.
        constraints: every constraint, how it stands and what it costs.
        what_if: what would change if a limit moved.
    """

    thresholds: Mapping[Cell, CellThresholds]
    counts: Mapping[Cell, CellCounts]
    unit: str
    tokens: int
    budget: int | None
    max_budget: int
    fresh_human_share: float
    error_multiplier: float
    constraints: tuple[ConstraintReport, ...]
    what_if: tuple[WhatIf, ...]

    @property
    def documents(self) -> int:
        """Chosen documents."""
        return sum(count.documents for count in self.counts.values())

    @property
    def copies(self) -> int:
        """Rows of the mix."""
        return sum(count.copies for count in self.counts.values())

    @property
    def shortfall(self) -> int:
        """Tokens that the mix has less than the budget."""
        return 0 if self.budget is None else self.budget - self.tokens

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready values. Keys of documents and hosts are whole numbers of up to 64 bits."""
        return {
            "unit": self.unit,
            "tokens": self.tokens,
            "documents": self.documents,
            "copies": self.copies,
            "budget": self.budget,
            "max_budget": self.max_budget,
            "shortfall": self.shortfall,
            "fresh_human_share": self.fresh_human_share,
            "error_multiplier": finite(self.error_multiplier),
            "floor_by_multiplier": {str(k): round(floor_of_multiplier(k), 4) for k in MULTIPLIERS},
            "cells": [
                {name: getattr(cell, name) for name in Cell.__slots__}
                | {name: getattr(self.counts[cell], name) for name in CellCounts.__slots__}
                | {
                    "thresholds": list(thresholds.passes),
                    "hosts": [{"host": h, "thresholds": list(t)} for h, t in sorted(thresholds.hosts.items())],
                }
                for cell, thresholds in self.thresholds.items()
            ],
            "constraints": [report.as_dict() for report in self.constraints],
            "what_if": [answer.as_dict() for answer in self.what_if],
        }


def plan_mix(stocks: Sequence[Stock], recipe: MixRecipe, steps: Sequence[float] = STEPS) -> Plan:
    """Choose how much of each cell a mix takes.

    Every floor and cap holds exactly for the documents chosen. A larger budget takes all that a smaller one takes, as
    long as stocks and the rest of the recipe are the same.

    Args:
        stocks: one for each cell; those without tokens are left out.
        recipe: of which floors, caps, budget, repeats, weights of sources and language_temperature count.
        steps: by how much `what_if` moves each limit; none to save its time.

    Raises:
        InfeasibleRecipe: no mix keeps the constraints, or none of this size; names them and what would help.
        ValueError: a cell comes twice.
    """
    stocks = sorted((stock for stock in stocks if stock.tokens.sum() > 0), key=lambda stock: stock.cell)
    if len({stock.cell for stock in stocks}) < len(stocks):
        raise ValueError("a cell has two stocks; join them by key")
    model = build_model(stocks, recipe)
    check_possible(model, recipe, stocks)
    pool = Pool(stocks, model)
    top, largest = top_of(pool)
    snapshot = pool.copy()
    reached = pool.total(top)
    if not reached:
        raise explain_impossible(snapshot, recipe, largest)
    if recipe.budget is not None and recipe.budget > reached:
        raise explain_too_large(snapshot, recipe, reached, largest)
    chosen, larger = (top, reached) if recipe.budget is None else choose(pool, top, recipe.budget)
    chosen = pool.extend(chosen)
    tokens = pool.tokens(chosen)
    total = int(tokens.sum())
    if not total:
        raise explain_too_small(recipe, larger)
    first, _ = cell_sums(pool, tokens)
    fresh = sum(int(a) * int(x) for a, x in zip(model.human, first, strict=True)) / (ONE * total)
    return Plan(
        thresholds=_thresholds(pool, chosen),
        counts=_counts(pool, chosen, tokens),
        unit=recipe.tokens.unit,
        tokens=total,
        budget=recipe.budget,
        max_budget=reached,
        fresh_human_share=fresh,
        error_multiplier=error_multiplier(fresh),
        constraints=report_constraints(pool, chosen, recipe, largest, snapshot, reached),
        what_if=ask_what_if(snapshot, recipe, largest, steps),
    )


def _thresholds(pool: Pool, chosen: I64) -> dict[Cell, CellThresholds]:
    """Keys up to which each pass goes."""
    passes: dict[Cell, tuple[int, ...]] = {}
    hosts: dict[Cell, dict[int, tuple[int, ...]]] = {cell: {} for cell in pool.model.cells}
    for number, piece in enumerate(pool.pieces):
        cell, keys = pool.model.cells[piece.cell], pool.stocks[piece.cell].keys
        ends = chosen[number, : pool.passes[piece.cell]]
        found = tuple(int(keys[end - 1]) if end else -1 for end in ends.tolist())
        if piece.host < 0:
            passes[cell] = found
        else:
            hosts[cell][int(pool.hosts[piece.host])] = found
    return {cell: CellThresholds(passes[cell], hosts[cell]) for cell in pool.model.cells}


def _counts(pool: Pool, chosen: I64, tokens: I64) -> dict[Cell, CellCounts]:
    units = pool.units(chosen)
    documents = np.array([p.documents[row] for p, row in zip(pool.pieces, units, strict=True)], np.int64)
    counts = {}
    for number, cell in enumerate(pool.model.cells):
        mine = pool.cell_of == number
        first = int(tokens[mine, 0].sum())
        counts[cell] = CellCounts(
            documents=int(documents[mine, 0].sum()),
            copies=int(documents[mine].sum()),
            tokens=int(tokens[mine].sum()),
            fresh_tokens=first if cell.fresh and pool.model.real[number] else 0,
            stock_tokens=int(pool.model.stock[number]),
        )
    return counts


def copies_of(candidates: pa.Table, source: str, plan: Plan) -> npt.NDArray[np.int32]:
    """Copies of each candidate of a source, int32[rows]; 0 is not chosen. Rows with a reason take no part."""
    copies = np.zeros(candidates.num_rows, np.int32)
    if not candidates.num_rows:
        return copies
    cells = [cell for cell in plan.thresholds if cell.source == source]
    keys = candidates["key"].to_numpy()
    names = ("origin", "fresh", "language", "page_type", "group")
    codes = np.zeros(candidates.num_rows, np.int64)
    values: list[dict[Any, int]] = []
    for name in names:
        column = pc.dictionary_encode(candidates[name].combine_chunks())
        known = {value: place for place, value in enumerate(column.dictionary.to_pylist())}
        # a null, or a value of no cell, is one more code
        codes = codes * (len(known) + 1) + pc.fill_null(column.indices, len(known)).to_numpy(zero_copy_only=False)
        values.append(known)
    takes_part = pc.is_null(candidates["reason"]).to_numpy()
    hosts = candidates["host"].to_numpy()
    for cell in cells:
        code = 0
        for name, known in zip(names, values, strict=True):
            code = code * (len(known) + 1) + known.get(getattr(cell, name), len(known) + 1)
            if getattr(cell, name) not in known:
                break
        else:
            rows = np.flatnonzero((codes == code) & takes_part)
            thresholds = plan.thresholds[cell]
            copies[rows] = _passes(keys[rows], thresholds.passes)
            if thresholds.hosts and len(rows):
                own = np.array(sorted(thresholds.hosts), np.uint64)
                place = np.minimum(np.searchsorted(own, hosts[rows]), len(own) - 1)
                theirs = np.flatnonzero(own[place] == hosts[rows])
                table = np.array([[max(t, 0) for t in thresholds.hosts[int(h)]] for h in own], np.uint64)
                taken = np.array([[t >= 0 for t in thresholds.hosts[int(h)]] for h in own])
                chosen, at = rows[theirs], place[theirs]
                copies[chosen] = ((keys[chosen][:, None] <= table[at]) & taken[at]).sum(axis=1)
    return copies


def _passes(keys: npt.NDArray[np.uint64], thresholds: Sequence[int]) -> npt.NDArray[np.int32]:
    copies = np.zeros(len(keys), np.int32)
    for threshold in thresholds:
        if threshold >= 0:
            copies += keys <= np.uint64(threshold)
    return copies


def describe_plan(plan: Plan) -> list[str]:
    """The plan in lines for people."""
    asked = "the largest mix" if plan.budget is None else f"of a budget of {plan.budget:,}"
    lines = [
        f"{plan.tokens:,} {plan.unit} ({asked}; at most {plan.max_budget:,}), "
        f"{plan.documents:,} documents, {plan.copies:,} rows",
        f"fresh human text: at least {plan.fresh_human_share:.3f}; error multiplier at most"
        f" {plan.error_multiplier:.2f}",
    ]
    for report in plan.constraints:
        if report.name == "budget":
            continue
        where = "".join(f" {column} {value}" for column, value in report.stratum.items())
        if report.value is None:
            lines.append(f"{report.name}{where}: left out, nothing of it can be taken")
            continue
        if report.name == "repeats":
            text = f"repeats: {report.value:.0f} of {report.limit:.0f} passes"
        else:
            sign = ">=" if report.kind == "floor" else "<="
            text = f"{report.name}{where}: {report.value:.4f} {sign} {report.limit:.4f}"
        text += ", binding" if report.binding else ""
        if report.price >= 1:
            step = "one pass more" if report.name == "repeats" else "0.01"
            text += f"; {step} is worth {report.price:,.0f} {plan.unit}"
        lines.append(text)
    for answer in plan.what_if:
        text = f"{answer.name} at {answer.limit:.3f}: at most {answer.max_budget:,} {plan.unit}"
        if answer.fresh_human_share is not None:
            multiplier = "without limit" if answer.error_multiplier is None else f"{answer.error_multiplier:.2f}"
            text += f", fresh human text {answer.fresh_human_share:.3f}, error multiplier {multiplier}"
        lines.append(text + ("" if answer.feasible else ", too little for the budget"))
    return lines
