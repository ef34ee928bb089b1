"""What signals and marks need of a page table, found in one compiled pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.extract.page_table import PageTable
from pipeline.extract.vocabulary import ATTRIBUTES, TAG, TAGS

MAX_ROWS: Final = 60_000  # attributes that are read of a page
GRAM: Final = 4  # least bytes of a pattern
_GRAM_STEP: Final = 0x9E3779B1  # as in `_survey`
_GRAM_BITS: Final = 12
_TAGS: Final = len(ATTRIBUTES)
_PATTERNS: Final = _TAGS + len(TAGS)
_TEMPLATE: Final = TAG["template"]
_native: Any = None


def seen_attribute(number: int) -> int:
    """An attribute, in `Survey.seen`."""
    return number


def seen_tag(number: int) -> int:
    """A tag, in `Survey.seen`."""
    return _TAGS + number


def seen_pattern(number: int) -> int:
    """A pattern, in `Survey.seen`."""
    return _PATTERNS + number


class Patterns(NamedTuple):
    """Byte strings that are looked for at once: four bytes of each, at a place of their own in a hash table.

    Case is ignored by setting the bit that tells small letters from capitals, which joins a few other bytes too.
    """

    slots: npt.NDArray[np.int16]  # by hash of four bytes: pattern + 1, or 0
    letters: npt.NDArray[np.uint8]  # patterns x length
    ends: npt.NDArray[np.int32]  # last of the four bytes in the pattern
    lengths: npt.NDArray[np.int32]


def build_patterns(patterns: tuple[bytes, ...]) -> Patterns:
    """Choose four bytes of each pattern, none of which share a place."""
    slots = np.zeros(1 << _GRAM_BITS, np.int16)
    letters = np.zeros((len(patterns), max(map(len, patterns))), np.uint8)
    ends = np.zeros(len(patterns), np.int32)
    for number, pattern in enumerate(bytes(byte | 32 for byte in pattern) for pattern in patterns):
        letters[number, : len(pattern)] = list(pattern)
        for first in range(len(pattern) - GRAM, -1, -1):
            gram = int.from_bytes(pattern[first : first + GRAM], "big")
            slot = (gram * _GRAM_STEP & 0xFFFFFFFF) >> (32 - _GRAM_BITS)
            if not slots[slot]:
                slots[slot] = number + 1
                ends[number] = first + GRAM - 1
                break
        else:
            raise ValueError(f"{pattern!r} has no four bytes that other patterns lack: it cannot be looked for")
    return Patterns(slots, letters, ends, np.array([len(pattern) for pattern in patterns], np.int32))


@dataclass(frozen=True, slots=True)
class Plan:
    """What to look for."""

    read: npt.NDArray[np.bool_]  # tags x attributes that are read
    searched: npt.NDArray[np.bool_]  # tags x attributes whose values are searched for patterns
    patterns: Patterns


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found; lists, because a scalar of an array costs more than all else that is done with it.

    What is in a template is no part of the page until a script puts it there: it is inert, and neither read nor seen.
    """

    rows: list[list[int]]  # tag, node, attribute, start and end of its name, start and end of its value
    seen: set[int]  # attributes, tags and patterns of the page
    inert: npt.NDArray[np.uint8]  # by node


def survey_page(table: PageTable, plan: Plan) -> Survey:
    """Look through a page."""
    global _native
    if _native is None:
        from pipeline.extract import _survey

        _native = _survey
    inert = np.empty(len(table.nodes), np.uint8)
    seen = np.zeros(_PATTERNS + len(plan.patterns.lengths), np.uint8)
    rows = np.empty((min(len(table.attributes), MAX_ROWS), 7), np.int32)
    source = np.frombuffer(table.source, np.uint8)
    count = _native.survey(
        source, table.nodes, table.attributes, _TEMPLATE, plan.read, plan.searched, tuple(plan.patterns),
        (inert, seen, rows),
    )  # fmt: skip
    return Survey(rows[:count].tolist(), set(np.flatnonzero(seen).tolist()), inert)
