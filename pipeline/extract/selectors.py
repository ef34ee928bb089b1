"""The few forms of CSS selectors that the rules of `marks` use, matched over a page table.

Forms: `tag`, `[a]`, `[a="v"]`, `[a*="v"]`, `[a^="v"]`, `[a~="v"]`, `.class`, `#id`, compounds of them, a list with
commas, and one descendant combinator. Names ignore case, as the scanner reads them; values do not. A value is looked
for in the bytes of the page, and where it is found decides which attribute holds it: pages have thousands of
attributes and few such places. So a value that the page writes with character references is not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.extract.columns import ATTR_ID, ATTR_NODE, ATTR_VALUE, ATTR_VALUE_END, TAG_OF
from pipeline.extract.page_table import PageTable
from pipeline.extract.survey import seen_attribute, seen_tag
from pipeline.extract.vocabulary import ATTRIBUTE, TAG

_Nodes = npt.NDArray[np.int32]
_TOKEN: Final = re.compile(
    r"""(?P<list>\s*,\s*)|(?P<inside>\s+)|\.(?P<class>[\w-]+)|\#(?P<id>[\w-]+)|(?P<tag>[a-z][a-z0-9-]*)
    |\[(?P<name>[\w:-]+)(?:(?P<how>[*^~]?=)"(?P<value>[^"]*)")?\]""",
    re.VERBOSE,
)
_SPACE: Final = np.isin(np.arange(256), [9, 10, 12, 13, 32])
# Attributes that are searched for patterns, and of which tags; () is all.
SEARCHED: Final[dict[int, tuple[str, ...]]] = {
    ATTRIBUTE["class"]: (),
    ATTRIBUTE["id"]: (),
    ATTRIBUTE["style"]: ("font",),
    ATTRIBUTE["onclick"]: ("a",),
}
NO_NODES: Final = np.zeros(0, np.int32)


class Condition(NamedTuple):
    """What an attribute must be; `how` is "" where it need only be there."""

    attribute: int
    how: str
    value: bytes


class Compound(NamedTuple):
    """One element: its tag, or -1, and its attributes."""

    tag: int
    tests: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Selector:
    """Alternatives, each of one compound or of an outer and an inner one."""

    alternatives: tuple[tuple[Compound, ...], ...]
    needed: tuple[frozenset[int], ...]  # by each alternative, of what a survey sees

    def possible(self, seen: set[int]) -> bool:
        """Whether a page with these attributes, tags and patterns (`Survey.seen`) may have such elements."""
        return any(needed <= seen for needed in self.needed)

    def match(self, table: PageTable) -> _Nodes:
        """The elements in document order, each once."""
        if len(self.alternatives) == 1:
            return _chain(table, self.alternatives[0])
        return np.unique(np.concatenate([_chain(table, chain) for chain in self.alternatives]))


def _number(names: dict[str, int], name: str, selector: str) -> int:
    if name not in names:
        raise ValueError(f"{name!r} in the selector {selector!r} is not in pipeline.extract.vocabulary: add it there")
    return names[name]


def parse_selector(selector: str, patterns: Mapping[bytes, int] | None = None) -> Selector:
    """Read a selector. `patterns` are values with their numbers in `Survey.seen`.

    Raises ValueError for other forms and for names that the scanner does not tell apart.
    """
    lists: list[list[tuple[int, list[Condition]]]] = [[(-1, [])]]
    at = 0
    while at < len(selector):
        found = _TOKEN.match(selector, at)
        if found is None:
            raise ValueError(f"not one of the forms of selectors that are known: {selector!r}, from character {at}")
        at = found.end()
        tests = lists[-1][-1][1]
        if found["list"]:
            lists.append([(-1, [])])
        elif found["inside"]:
            lists[-1].append((-1, []))
        elif found["tag"]:
            lists[-1][-1] = (_number(TAG, found["tag"], selector), tests)
        elif found["class"]:
            tests.append(Condition(ATTRIBUTE["class"], "~=", found["class"].encode()))
        elif found["id"]:
            tests.append(Condition(ATTRIBUTE["id"], "=", found["id"].encode()))
        else:
            number = _number(ATTRIBUTE, found["name"], selector)
            tests.append(Condition(number, found["how"] or "", (found["value"] or "").encode()))
    chains = tuple(tuple(Compound(tag, tuple(tests)) for tag, tests in chain) for chain in lists)
    if any(len(chain) > 2 or Compound(-1, ()) in chain for chain in chains):
        raise ValueError(f"expected tags and attributes, and at most one descendant, in the selector {selector!r}")
    return Selector(chains, tuple(_needed(chain, patterns or {}) for chain in chains))


def _needed(chain: tuple[Compound, ...], patterns: Mapping[bytes, int]) -> frozenset[int]:
    needed = {seen_tag(compound.tag) for compound in chain if compound.tag >= 0}
    for test in (test for compound in chain for test in compound.tests):
        needed.add(seen_attribute(test.attribute))
        pattern = patterns.get(test.value)
        if pattern is not None and test.attribute in SEARCHED:
            needed.add(pattern)
    return frozenset(needed)


def _chain(table: PageTable, chain: tuple[Compound, ...]) -> _Nodes:
    inner = _compound(table, chain[-1])
    if len(chain) == 1 or not len(inner):
        return inner
    outer: list[int] = _compound(table, chain[0]).tolist()
    return inner[_inside(table, inner, outer)]


def _inside(table: PageTable, nodes: _Nodes, outer: list[int]) -> npt.NDArray[np.bool_]:
    """Which nodes are descendants of one of `outer`."""
    spans = np.array(table.spans(outer), np.int32).reshape(-1, 2)
    span = np.searchsorted(spans[:, 0], nodes) - 1  # the last that begins before the node
    found: npt.NDArray[np.bool_] = (span >= 0) & (nodes < np.append(spans[:, 1], 0)[span])
    return found


def _compound(table: PageTable, compound: Compound) -> _Nodes:
    if not compound.tests:
        return np.flatnonzero(table.nodes[:, TAG_OF] == compound.tag).astype(np.int32)
    nodes = _having(table, compound.tests[0])
    for test in compound.tests[1:]:
        nodes = np.intersect1d(nodes, _having(table, test), assume_unique=True)
    return nodes if compound.tag < 0 else nodes[table.nodes[nodes, TAG_OF] == compound.tag]


def _having(table: PageTable, test: Condition) -> _Nodes:
    """Elements with such an attribute."""
    rows = table.attributes[table.attributes[:, ATTR_ID] == test.attribute]
    nodes = rows[:, ATTR_NODE]
    if len(nodes) > 1:  # only the first of a name counts
        first = np.append(True, nodes[1:] != nodes[:-1])
        if not first.all():
            rows, nodes = rows[first], nodes[first]
    if not test.how:
        held_by: _Nodes = nodes
        return held_by
    begins, ends = rows[:, ATTR_VALUE], rows[:, ATTR_VALUE_END]
    if not test.value:
        return nodes[begins == ends] if test.how == "=" else NO_NODES
    places = _places(table.source, test.value) if len(nodes) else NO_NODES
    if not len(places):
        return NO_NODES
    row = np.searchsorted(begins, places, "right") - 1
    after = places + len(test.value)
    held = (row >= 0) & (after <= ends[row])
    places, row, after = places[held], row[held], after[held]
    kept = _HOW[test.how](np.frombuffer(table.source, np.uint8), places, after, begins[row], ends[row])
    matched: _Nodes = np.unique(nodes[row[kept]])
    return matched


def _places(source: bytes, value: bytes) -> npt.NDArray[np.int32]:
    """Where a value begins in the page."""
    found: list[int] = []
    at = source.find(value)
    while at >= 0:
        found.append(at)
        at = source.find(value, at + 1)
    return np.array(found, np.int32)


def _is_word(source: Any, places: Any, after: Any, begins: Any, ends: Any) -> Any:
    left = (places == begins) | _SPACE[source[np.maximum(places, 1) - 1]]
    return left & ((after == ends) | _SPACE[source[np.minimum(after, len(source) - 1)]])


_HOW: Final[dict[str, Callable[..., Any]]] = {
    "*=": lambda source, places, after, begins, ends: np.ones(len(places), np.bool_),
    "^=": lambda source, places, after, begins, ends: places == begins,
    "=": lambda source, places, after, begins, ends: (places == begins) & (after == ends),
    "~=": _is_word,
}
