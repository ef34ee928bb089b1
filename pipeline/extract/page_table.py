"""The page table: what one pass over the bytes of a page leaves, and all that text and signals are read from.

Nodes are elements in document order (node 0 is `html`), attributes are byte ranges of the source, and blocks are the
runs of visible text between block-level tags, with their words and links. Hidden text is kept and marked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from html.entities import html5
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.extract.columns import (
    ATTR_COLUMNS,
    ATTR_END,
    ATTR_FIRST,
    ATTRS,
    BLOCK_COLUMNS,
    BLOCK_END,
    BLOCK_NODE,
    BLOCK_START,
    BLOCKS,
    BODY,
    CONTENT_END,
    CONTENT_START,
    DEEPEST,
    DEPTH,
    MAX_BLOCKS,
    NODE_COLUMNS,
    NODES,
    PARENT,
    STACK,
    STATE,
    TAG_OF,
    TEXT,
)
from pipeline.extract.vocabulary import TAG, checksum

TABLE_VERSION: Final = 1
# In attributes a reference without semicolon is text where a letter, a digit or `=` follows (HTML standard).
_REFERENCE: Final = re.compile(r"&(?:#[xX]?[0-9a-fA-F]+;?|([a-zA-Z][a-zA-Z0-9]{1,31}(?:;|(?![=a-zA-Z0-9]))))")
_scanner: Any = None


def _load() -> Any:
    global _scanner
    if _scanner is None:
        from pipeline.extract import _scan

        if int(_scan.compiled_vocabulary()) != checksum():  # numba's cache looks at the compiled file only
            folder = Path(__file__).parent / "__pycache__"
            raise RuntimeError(f"compiled code is older than vocabulary.py: delete {folder}/*.nb? and start again")
        _scanner = _scan
    return _scanner


@dataclass(frozen=True, slots=True)
class PageTable:
    """Arrays of one page; columns are named in `columns`."""

    source: bytes  # UTF-8
    nodes: npt.NDArray[np.int32]
    node_words: npt.NDArray[np.uint64]  # groups of `vocabulary.WORDS` in class, id, … of the node
    attributes: npt.NDArray[np.int32]
    text: npt.NDArray[np.uint8]  # UTF-8 of all blocks
    blocks: npt.NDArray[np.int32]
    block_words: npt.NDArray[np.uint64]  # the same groups, of the inline elements in the block
    depth: int  # of the deepest element; `html` is 1
    body: int  # node, or -1

    def elements(self, *names: str) -> list[int]:
        """Nodes of these elements, in document order."""
        tags = self.nodes[:, TAG_OF]
        wanted = np.zeros(len(tags), np.bool_)
        for name in names:
            wanted |= tags == TAG[name]
        found: list[int] = np.flatnonzero(wanted).tolist()
        return found

    def attribute_values(self, node: int) -> dict[str, str]:
        """Attributes of a node by lower-case name; the first of a name wins."""
        first, end = self.nodes[node, ATTR_FIRST], self.nodes[node, ATTR_END]
        found: dict[str, str] = {}
        for _, _, name, name_end, value, value_end in self.attributes[first:end].tolist():
            key = self.source[name:name_end].decode("utf-8", "replace").lower()
            if key not in found:
                found[key] = self.value(value, value_end)
        return found

    def value(self, start: int, end: int) -> str:
        """An attribute's value, references decoded."""
        return decode_value(self.source[start:end].decode("utf-8", "replace"))

    def content(self, node: int) -> str:
        """Content of a raw-text element (script, style, title, textarea), as written."""
        return self.source[self.nodes[node, CONTENT_START] : self.nodes[node, CONTENT_END]].decode("utf-8", "replace")

    def spans(self, nodes: Sequence[int]) -> list[tuple[int, int]]:
        """The outermost of these nodes, which are in document order, each with the node after its last descendant."""
        found: list[tuple[int, int]] = []
        depths, total, step = self.nodes[:, DEPTH], len(self.nodes), 256
        end = 0
        for node in nodes:
            if node < end:
                continue
            end = node + 1
            while end < total:  # in steps, so that many small spans do not each cost the rest of the page
                outside = depths[end : end + step] <= depths[node]
                if outside.any():
                    end += int(outside.argmax())
                    break
                end = min(end + step, total)
            found.append((node, end))
        return found

    def is_within(self, node: int, name: str) -> bool:
        """Whether the node is a descendant of such an element."""
        while (node := int(self.nodes[node, PARENT])) > 0:
            if self.nodes[node, TAG_OF] == TAG[name]:
                return True
        return False

    def text_of(self, node: int, limit: int) -> str:
        """Text of the blocks in an element, up to about `limit` bytes."""
        (first, end), *_ = self.spans([node])
        owner = self.blocks[:, BLOCK_NODE]
        found: list[str] = []
        for block in np.flatnonzero((owner >= first) & (owner < end)).tolist():
            found.append(self.block_text(block))
            limit -= len(found[-1])
            if limit < 0:
                break
        return "\n".join(found)

    def block_text(self, block: int) -> str:
        """Text of a block."""
        return bytes(self.text[self.blocks[block, BLOCK_START] : self.blocks[block, BLOCK_END]]).decode(
            "utf-8", "replace"
        )


def decode_value(value: str) -> str:
    """An attribute's value from what is written: `\\n` for all line breaks, references decoded.

    `?a=1&copy=2` keeps its `&copy`.
    """
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    return _REFERENCE.sub(_decode_reference, value) if "&" in value else value


def _decode_reference(found: re.Match[str]) -> str:
    name = found[1]
    return html5.get(name, found[0]) if name else unescape(found[0])


def scan_page(html: str) -> PageTable:
    """Read a page once."""
    s = _load()
    source = html.encode("utf-8", "replace")
    tags = source.count(b"<")
    nodes = np.empty((tags + 4, NODE_COLUMNS), np.int32)
    words = np.empty(tags + 4, np.uint64)
    attributes = np.empty((min(source.count(b"=") + 2 * tags, 500_000) + 64, ATTR_COLUMNS), np.int32)
    text = np.empty(len(source) + len(source) // 4 + 2 * tags + 64, np.uint8)
    blocks = np.empty((min(tags + 1, MAX_BLOCKS) + 1, BLOCK_COLUMNS), np.int32)
    block_words = np.empty(len(blocks), np.uint64)
    state = np.empty(STATE, np.int64)
    s.scan(np.frombuffer(source, np.uint8), state, nodes, words, attributes, text, blocks, block_words)
    count: list[int] = state[:STACK].tolist()
    return PageTable(
        source,
        nodes[: count[NODES]],
        words[: count[NODES]],
        attributes[: count[ATTRS]],
        text[: count[TEXT]],
        blocks[: count[BLOCKS]],
        block_words[: count[BLOCKS]],
        count[DEEPEST],
        count[BODY],
    )
