"""From what a synthetic row declares to its lineage: parents by document id, depth, split. Pure; no Beam.

A parent is named by document id, record id (`id` of a text table) or address. Real documents have depth 0; a synthetic
text is one deeper than its deepest parent, or as deep as it declares where that is more. Its split is that of its
parents, so that no parent and child, and no two children of one text, are on both sides of train and validation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

NO_PARENT_SPLIT = "train"  # of texts that no real text is the ground of
CYCLE = "parent_cycle"


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A document that rows name as parent; its place in `Pedigree.ancestors` is that of its sketch too.

    `run` is the earlier run that it is of.
    `names` are the parents that a row of the ingested tables names itself; null for documents of earlier runs, whose
    depth and splits are known. `reason` says why a document cannot be a parent.
    """

    doc_id: str
    place: int
    depth: int = 0  # of rows that are not settled: the declared one, 0 where there is none
    splits: frozenset[str] = frozenset()
    languages: frozenset[str | None] = frozenset()
    reason: str | None = None
    names: tuple[str, ...] | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """What follows from the parents of a row: all of it, or a `reason` to refuse the row."""

    parents: tuple[Ancestor, ...] = ()
    depth: int = 1
    split: str = NO_PARENT_SPLIT
    languages: frozenset[str | None] = frozenset()
    reason: str | None = None


@dataclass(slots=True)
class Pedigree:
    """Documents that rows name as parents, and by which names."""

    ancestors: list[Ancestor] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=dict)

    def add(self, ancestor: Ancestor, names: Iterable[str]) -> None:
        """Take a document in under all the names that rows gave; `ancestor.place` is the number of those before it."""
        self.ancestors.append(ancestor)
        for name in dict.fromkeys(names):
            self.places.setdefault(name, []).append(ancestor.place)

    def find(self, name: str, child: str) -> Ancestor | str:
        """The document that a row of id `child` names, or the reason why there is none.

        What a run kept goes before what it dropped: of the captures of an address one is kept. A row may have the id of
        its parent; then the other document is meant.
        """
        found = [self.ancestors[place] for place in self.places.get(name, ())]
        found = [one for one in found if one.doc_id != child or one.names is None] or found
        kept = [one for one in found if one.reason is None]
        if not found:
            return "unknown_parent"
        if not kept:
            own = all(one.names is not None and one.reason == CYCLE for one in found)
            return CYCLE if own else "dropped_parent"
        if len({one.doc_id for one in kept}) > 1:
            return "ambiguous_parent"
        real = [one for one in kept if one.names is None] or kept  # a row that is a real record is that record
        return real[0] if len(real) == 1 else _merged(real)

    def trace(self, names: Iterable[str], declared_depth: int | None, child: str) -> Lineage:
        """The lineage of a row of id `child` that names these parents."""
        parents: dict[str, Ancestor] = {}
        for name in names:
            found = self.find(name, child)
            if isinstance(found, str):
                return Lineage(reason=found)
            if found.doc_id == child and found.names is not None:
                return Lineage(reason=CYCLE)
            parents[found.doc_id] = found
        splits = frozenset().union(*(parent.splits for parent in parents.values()))
        if len(splits) > 1:
            return Lineage(reason="parents_straddle")
        return Lineage(
            tuple(parents.values()),
            max(1 + max((parent.depth for parent in parents.values()), default=0), declared_depth or 0),
            next(iter(splits), NO_PARENT_SPLIT),
            frozenset().union(*(parent.languages for parent in parents.values())),
        )

    def settle(self) -> None:
        """Give the rows of the ingested tables depth, splits and languages from their own parents.

        Those that are their own ancestors, or descend from such rows, have the reason `parent_cycle`. Time is linear in
        the links, however long a chain is: a row is settled when all that it may descend from are.
        """
        own = [one.place for one in self.ancestors if one.names is not None]
        waiting: dict[int, int] = {}
        children: dict[int, list[int]] = {}
        for place in own:
            before = self._before(self.ancestors[place])
            waiting[place] = len(before)
            for other in before:
                children.setdefault(other, []).append(place)
        ready = [place for place in own if not waiting[place]]
        for place in ready:  # grows while it is gone through
            self.ancestors[place] = self._settled(self.ancestors[place])
            for child in children.get(place, ()):
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
        for place in set(own).difference(ready):
            self.ancestors[place] = replace(self.ancestors[place], reason=CYCLE)

    def _before(self, one: Ancestor) -> set[int]:
        """Places of the ingested rows that a row may descend from."""
        found = {place for name in one.names or () for place in self.places.get(name, ())}
        others = (self.ancestors[place] for place in found)
        return {other.place for other in others if other.names is not None and other.doc_id != one.doc_id}

    def _settled(self, one: Ancestor) -> Ancestor:
        if one.reason is not None:
            return one
        found = self.trace(one.names or (), one.depth, one.doc_id)
        languages = one.languages or found.languages
        return replace(
            one, depth=found.depth, splits=frozenset({found.split}), languages=languages, reason=found.reason
        )


def _merged(documents: Sequence[Ancestor]) -> Ancestor:
    """One record that several runs kept, or several rows hold: in the splits of all of them."""
    return replace(
        documents[0],
        depth=max(one.depth for one in documents),
        splits=frozenset().union(*(one.splits for one in documents)),
        languages=frozenset().union(*(one.languages for one in documents)),
    )
