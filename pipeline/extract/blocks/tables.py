"""Rows of the tables of a page as lists of cells, every cell in its column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from pipeline.extract.columns import ATTR_ID, ATTR_NODE, ATTR_VALUE, ATTR_VALUE_END, PARENT, TAG_OF
from pipeline.extract.page_table import PageTable
from pipeline.extract.vocabulary import ATTRIBUTE, TAG

MAX_COLUMNS: Final = 200  # of a row; what is behind is joined to the last


def _spans(table: PageTable, name: str) -> dict[int, int]:
    """Value of colspan or rowspan by node, where it is a number over 1."""
    found: dict[int, int] = {}
    rows = table.attributes[table.attributes[:, ATTR_ID] == ATTRIBUTE[name]]
    for row in rows.tolist():
        value = table.source[row[ATTR_VALUE] : row[ATTR_VALUE_END]].strip()
        if value.isdigit() and len(value) < 5 and int(value) > 1:
            found.setdefault(row[ATTR_NODE], min(int(value), MAX_COLUMNS))
    return found


def lay_out(table: PageTable, rows: Sequence[int], text_of: dict[int, str]) -> dict[int, list[str]]:
    """Cells of these rows (nodes of `tr`, in document order): every cell, the empty ones too, in its column.

    `text_of` is the text by node of the cell. A cell that spans columns or rows is written once; the places that it
    covers are empty.
    """
    wanted = set(rows)
    tags = table.nodes[:, TAG_OF]
    cells = np.flatnonzero((tags == TAG["td"]) | (tags == TAG["th"]))
    of_row: dict[int, list[int]] = defaultdict(list)
    for cell, row in zip(cells.tolist(), table.nodes[cells, PARENT].tolist(), strict=True):
        if row in wanted:
            of_row[row].append(cell)
    columns, following = _spans(table, "colspan"), _spans(table, "rowspan")
    found: dict[int, list[str]] = {}
    covered: dict[int, int] = {}  # by column: rows that a cell above still covers
    group = -1
    for row in rows:
        if (parent := int(table.nodes[row, PARENT])) != group:
            covered, group = {}, parent
        line: list[str] = []
        after: dict[int, int] = {column: left - 1 for column, left in covered.items() if left > 1}
        for cell in of_row[row]:
            while covered.get(len(line), 0) and len(line) < MAX_COLUMNS:
                line.append("")
            text = text_of.get(cell, "")
            if len(line) >= MAX_COLUMNS:
                line[-1] = f"{line[-1]} {text}".strip()
                continue
            width = columns.get(cell, 1)
            if cell in following:
                after.update((len(line) + step, following[cell] - 1) for step in range(width))
            line += [text, *[""] * (width - 1)][: MAX_COLUMNS - len(line)]
        covered = after
        found[row] = line
    return found
