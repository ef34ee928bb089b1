"""Columns of the arrays of a page table, and the state of a scan; apart from compiled code, which is imported late."""

from __future__ import annotations

from typing import Final

from pipeline.extract.vocabulary import TAGS

# Columns of a node.
(PARENT, TAG_OF, DEPTH, NAME_START, ATTR_FIRST, ATTR_END, CONTENT_START, CONTENT_END, PLACE, CHILDREN, HIDDEN,
 SIGNATURE, BLOCK_PARENT) = range(13)  # fmt: skip
NODE_COLUMNS: Final = 13
# Columns of an attribute: number of the name, then byte ranges of name and value in the source.
ATTR_NODE, ATTR_ID, ATTR_NAME, ATTR_NAME_END, ATTR_VALUE, ATTR_VALUE_END = range(6)
ATTR_COLUMNS: Final = 6
# Columns of a block; positions are bytes in the text.
BLOCK_NODE, BLOCK_START, BLOCK_END, BLOCK_WORDS, BLOCK_LINK_WORDS, BLOCK_LINKS, BLOCK_INLINE, BLOCK_BREAKS = range(8)
BLOCK_COLUMNS: Final = 8

# The state of a scan: numbers, the open elements, and by tag how many are open and whether no end tag follows.
(NODES, ATTRS, TEXT, BLOCKS, HEIGHT, OVERFLOW, START, WORD_COUNT, LINK_WORDS, LINKS, STARTED, INLINE, LINK, BREAKS,
 RUN, SPACE, BODY, PRE, ALNUM, DEEPEST, INLINE_WORDS, SELF_CLOSED) = range(22)  # fmt: skip
MAX_HEIGHT: Final = 512  # open elements that are told apart; text below stays, in the element at this height
STACK: Final = 22
OPENED: Final = STACK + MAX_HEIGHT + 2
UNCLOSED: Final = OPENED + len(TAGS)
STATE: Final = UNCLOSED + len(TAGS)

SOFT_BLOCKS: Final = 3_072  # later blocks must hold ever more words, so that a page has few thousand blocks
SOFT_STEP: Final = 192
MAX_BLOCKS: Final = SOFT_BLOCKS + 24 * SOFT_STEP
