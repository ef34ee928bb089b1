"""Kept blocks as text: plain lines, or Markdown with their structure."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from pipeline.extract.blocks.tables import lay_out
from pipeline.extract.columns import BLOCK_END, BLOCK_START, TAG_OF
from pipeline.extract.page_table import PageTable
from pipeline.extract.vocabulary import TAG

RENDER_VERSION: Final = 1
MAX_LEVEL: Final = 8  # lists and quotes that nest deeper are written at this level
Markup = Literal["plain", "markdown"]
_BULLETS: Final = ("- ", "* ", "\u2022 ", "\u00b7 ")
_ANCHOR: Final = "\u00b6"  # that documentation tools put behind headings


def describe(table: PageTable, kept: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """What each block is (columns of `_render`), and which blocks stay: rows of tables are kept whole or not at all."""
    from pipeline.extract.blocks import _render

    found = np.empty((len(table.blocks), _render.COLUMNS), np.int32)
    _render.describe(table.blocks, table.nodes, found)
    if kept.any() and (table.nodes[:, TAG_OF] == TAG["table"]).any():
        settled = kept.astype(np.uint8)
        around = np.empty((len(table.nodes), 3), np.int32)
        _render.find_tables(table.blocks, table.nodes, found, settled, around)
        kept = settled.astype(bool)
    return found, kept


def render(table: PageTable, kept: npt.NDArray[np.bool_], markup: Markup = "plain") -> str:
    """Text of the kept blocks, in document order.

    `plain`: a line a block; the rows of a table of data are lines, their cells joined by tabs; code as written.
    `markdown`: headings, nested lists, quotes, fenced code and tables as in CommonMark and GitHub's tables. Text is not
    escaped, because it is meant to be learned from and not to be displayed.
    """
    from pipeline.extract.blocks import _render

    found, kept = describe(table, kept)
    chosen = np.flatnonzero(kept)
    blocks = table.blocks[chosen]
    raw = table.text.tobytes()
    spans = zip(blocks[:, BLOCK_START].tolist(), blocks[:, BLOCK_END].tolist(), strict=True)
    if markup == "plain" and not (found[chosen, _render.ROW] >= 0).any():
        return b"\n".join([raw[start:end] for start, end in spans]).decode("utf-8", "replace")
    texts = [raw[start:end].decode("utf-8", "replace") for start, end in spans]
    kinds = found[chosen].tolist()
    lines = _rows(table, texts, kinds)
    return _plain(texts, kinds, lines) if markup == "plain" else _markdown(texts, kinds, lines)


def _rows(table: PageTable, texts: list[str], kinds: list[list[int]]) -> dict[int, list[str]]:
    """Cells by row, for the rows of the kept blocks."""
    from pipeline.extract.blocks._render import CELL_NODE, ROW

    text_of: dict[int, str] = {}
    rows: dict[int, None] = {}
    for text, kind in zip(texts, kinds, strict=True):
        if kind[ROW] >= 0:
            rows[kind[ROW]] = None
            text = " ".join(text.split())
            cell = kind[CELL_NODE]
            text_of[cell] = f"{text_of[cell]} {text}" if cell in text_of else text
    return lay_out(table, sorted(rows), text_of) if rows else {}


def _plain(texts: list[str], kinds: list[list[int]], lines: dict[int, list[str]]) -> str:
    from pipeline.extract.blocks._render import ROW

    parts: list[str] = []
    last = -1
    for text, kind in zip(texts, kinds, strict=True):
        row = kind[ROW]
        if row < 0:
            parts.append(text)
        elif row != last:
            parts.append("\t".join(lines[row]))
        last = row
    return "\n".join(parts)


def _markdown(texts: list[str], kinds: list[list[int]], lines: dict[int, list[str]]) -> str:
    from pipeline.extract.blocks._render import (
        CELL,
        CODE,
        HEADING,
        ITEM,
        KIND,
        LEVEL,
        LIST,
        LIST_ITEM,
        NUMBER,
        PREFORMATTED,
        QUOTES,
        ROW,
        TABLE_NODE,
    )

    parts: list[str] = []
    at = 0
    last_item = -1
    while at < len(texts):
        kind, text, end = kinds[at], texts[at], at + 1
        gap = "\n\n"
        if kind[KIND] == PREFORMATTED:
            while end < len(texts) and kinds[end][CODE] == kind[CODE]:
                end += 1
            body = "\n".join(texts[at:end])
            fence = "```" if "```" not in body else "~~~~"
            block = f"{fence}\n{body}\n{fence}"
        elif kind[KIND] == CELL:
            while end < len(texts) and kinds[end][TABLE_NODE] == kind[TABLE_NODE]:
                end += 1
            block = _table([lines[row] for row in dict.fromkeys(k[ROW] for k in kinds[at:end])])
        elif kind[KIND] == HEADING:
            block = f"{'#' * kind[LEVEL]} {' '.join(text.split()).rstrip(_ANCHOR).rstrip()}"
        elif kind[KIND] == LIST_ITEM:
            indent = "  " * (min(kind[LEVEL], MAX_LEVEL) - 1)
            mark = f"{kind[NUMBER]}. " if kind[NUMBER] else "- "
            if text.startswith(_BULLETS):
                text = text[2:].lstrip()
            block = indent + (mark if kind[ITEM] != last_item else "  ") + text.replace("\n", "\n" + indent + "  ")
            last_item = kind[ITEM]
            if end < len(texts) and kinds[end][KIND] == LIST_ITEM and _is_one_list(kind, kinds[end], LEVEL, LIST):
                gap = "\n"
        else:
            block = text.replace("\n", "  \n")
        quote = "> " * min(kind[QUOTES], MAX_LEVEL) if kind[KIND] != CELL else ""
        if quote:
            block = "\n".join(quote + line for line in block.split("\n"))
            if end < len(texts) and kinds[end][QUOTES] == kind[QUOTES] and kinds[end][KIND] != CELL and gap != "\n":
                gap = f"\n{quote.rstrip()}\n"
        parts += [block, gap]
        at = end
    return "".join(parts[:-1])


def _is_one_list(one: list[int], other: list[int], level: int, node: int) -> bool:
    """Whether two items that follow each other are of one list, or of a list and one inside it."""
    return one[node] == other[node] or one[level] != other[level]


def _table(lines: list[list[str]]) -> str:
    """Rows of cells as a table; the first row is the head. Rows of very unequal length are written as lines."""
    width = max(map(len, lines))
    if width * len(lines) > 4 * sum(map(len, lines)) + 1_000:
        return "\n\n".join(" | ".join(line) for line in lines)
    escaped = [[cell.replace("|", "\\|") for cell in line] + [""] * (width - len(line)) for line in lines]
    escaped.insert(1, ["---"] * width)
    return "\n".join("| " + " | ".join(line) + " |" for line in escaped)
