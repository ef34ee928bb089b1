"""Native code of rendering: what kind of block each one is, and which tables hold data. Imported late."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from pipeline.extract.blocks._measure import HEADING as LEVEL_OF
from pipeline.extract.columns import BLOCK_NODE, BLOCK_WORDS, PARENT, PLACE, TAG_OF
from pipeline.extract.vocabulary import TAG

KIND, LEVEL, ITEM, NUMBER, LIST, QUOTES, CODE, ROW, CELL_NODE, TABLE_NODE = range(10)
COLUMNS: Final = 10
PARAGRAPH, HEADING, LIST_ITEM, CELL, PREFORMATTED = range(5)
MAX_CELL_WORDS: Final = 60  # a table with a longer cell is there for the layout

_LI, _UL, _OL, _TD, _TH, _TR, _PRE, _BLOCKQUOTE, _TABLE = (
    TAG[n] for n in ("li", "ul", "ol", "td", "th", "tr", "pre", "blockquote", "table")
)


@njit("void(i4[:,::1],i4[:,::1],i4[:,::1])", cache=True)
def describe(blocks: Any, nodes: Any, found: Any) -> None:
    """Kind of each block, from the elements around it.

    LEVEL is that of a heading, or the number of lists around an item; ITEM, LIST and CODE are the nodes of the list
    item, list and `pre` around the block, or -1; NUMBER is the place in an ordered list, else 0. ROW, CELL_NODE and
    TABLE_NODE are filled by `find_tables`.
    """
    for b in range(len(blocks)):
        kind, level, item, number, quotes, code, inner = PARAGRAPH, 0, -1, 0, 0, -1, -1
        lists = 0
        node = blocks[b, BLOCK_NODE]
        while node >= 0:
            tag = nodes[node, TAG_OF]
            if LEVEL_OF[tag] and kind == PARAGRAPH:
                kind, level = HEADING, LEVEL_OF[tag]
            elif tag == _PRE:
                code = node
            elif tag == _LI and item < 0:
                item, number = node, nodes[node, PLACE]
            elif tag in (_UL, _OL):
                if lists == 0:
                    inner = node
                    if tag == _UL:
                        number = 0
                lists += 1
            elif tag == _BLOCKQUOTE:
                quotes += 1
            node = nodes[node, PARENT]
        if code >= 0:
            kind, level = PREFORMATTED, 0
        elif kind == PARAGRAPH and item >= 0:
            kind, level = LIST_ITEM, max(lists, 1)
        found[b, KIND], found[b, LEVEL], found[b, ITEM], found[b, NUMBER] = kind, level, item, number
        found[b, LIST], found[b, QUOTES], found[b, CODE] = inner, quotes, code
        found[b, ROW] = found[b, CELL_NODE] = found[b, TABLE_NODE] = -1


@njit("void(i4[:,::1],i4[:,::1],i4[:,::1],u1[::1],i4[:,::1])", cache=True)
def find_tables(blocks: Any, nodes: Any, found: Any, kept: Any, around: Any) -> None:
    """Blocks in tables of data: kind CELL, with row, cell and table; and `kept` settled by rows.

    A table holds data if it has a row of two cells, no table and no `pre` in it, and no cell of more than
    MAX_CELL_WORDS words; all others are there for the layout. A row of data is kept whole if half of its words are to
    be kept, else not at all; a row of `th` follows its table. `around` is scratch: nodes x (table, row, cell).
    """
    size = len(nodes)
    layout = np.zeros(size, np.uint8)
    cells = np.zeros(size, np.int32)  # of a row
    heads = np.zeros(size, np.int32)
    wide = np.zeros(size, np.uint8)
    words = np.zeros(size, np.int32)  # of a table, a row or a cell
    wanted = np.zeros(size, np.int32)
    for node in range(size):
        parent, tag = nodes[node, PARENT], nodes[node, TAG_OF]
        table, row, cell = -1, -1, -1
        if parent >= 0:
            table, row, cell = around[parent, 0], around[parent, 1], around[parent, 2]
        if tag == _TABLE:
            if table >= 0:
                layout[table] = 1
            table, row, cell = node, -1, -1
        elif tag == _TR:
            row, cell = node, -1
        elif tag in (_TD, _TH):
            cell = node
            if row >= 0:
                cells[row] += 1
                heads[row] += tag == _TH
                if cells[row] > 1 and table >= 0:
                    wide[table] = 1
        elif tag == _PRE and table >= 0:
            layout[table] = 1
        around[node, 0], around[node, 1], around[node, 2] = table, row, cell
    for b in range(len(blocks)):
        node = blocks[b, BLOCK_NODE]
        table, row, cell = around[node, 0], around[node, 1], around[node, 2]
        if table < 0 or row < 0 or cell < 0:
            continue  # no table; a caption, or text between rows
        count = blocks[b, BLOCK_WORDS]
        words[cell] += count
        if words[cell] > MAX_CELL_WORDS:
            layout[table] = 1
        words[row] += count
        words[table] += count
        if kept[b]:
            wanted[row] += count
            wanted[table] += count
    for b in range(len(blocks)):
        node = blocks[b, BLOCK_NODE]
        table, row, cell = around[node, 0], around[node, 1], around[node, 2]
        if table < 0 or row < 0 or cell < 0 or layout[table] or not wide[table]:
            continue
        found[b, KIND], found[b, ROW], found[b, CELL_NODE], found[b, TABLE_NODE] = CELL, row, cell, table
        judge = table if heads[row] == cells[row] else row
        kept[b] = 2 * wanted[judge] >= words[judge]
