"""Parents, depth and split of synthetic rows, as pure functions."""

from __future__ import annotations

from pipeline.synthesize.lineage import Ancestor, Lineage, Pedigree


class Family:
    """A pedigree that is made of names."""

    def __init__(self) -> None:
        self.pedigree = Pedigree()

    def real(self, doc_id: str, *names: str, split: str = "train", reason: str | None = None) -> Family:
        splits = frozenset() if reason else frozenset({split})
        place = len(self.pedigree.ancestors)
        self.pedigree.add(Ancestor(doc_id, place, 0, splits, frozenset({"eng"}), reason), [doc_id, *names])
        return self

    def row(self, doc_id: str, *parents: str, depth: int = 0, names: tuple[str, ...] = ()) -> Family:
        place = len(self.pedigree.ancestors)
        self.pedigree.add(Ancestor(doc_id, place, depth, names=parents), [doc_id, *names])
        return self

    def trace(self, *parents: str, depth: int | None = None, child: str = "child") -> Lineage:
        self.pedigree.settle()
        return self.pedigree.trace(parents, depth, child)


def ids(lineage: Lineage) -> list[str]:
    return [parent.doc_id for parent in lineage.parents]


def test_a_row_without_parents_is_of_depth_one_and_in_train() -> None:
    assert Family().trace() == Lineage((), 1, "train", frozenset(), None)
    assert Family().trace(depth=3).depth == 3


def test_parents_go_by_id_record_and_address_and_count_once() -> None:
    family = Family().real("a", "urn:1", "http://x.example/")
    found = family.trace("urn:1", "http://x.example/", "a")
    assert ids(found) == ["a"]
    assert (found.depth, found.split, found.languages) == (1, "train", {"eng"})


def test_the_split_is_that_of_the_parents_and_they_must_agree() -> None:
    family = Family().real("a", split="validation").real("b", split="validation").real("c", split="test")
    assert family.trace("a", "b").split == "validation"
    assert family.trace("a", "c").reason == "parents_straddle"


def test_a_record_that_two_runs_keep_in_other_splits_is_no_ground() -> None:
    assert Family().real("a").real("a").trace("a").split == "train"
    assert Family().real("a").real("a", split="test").trace("a").reason == "parents_straddle"


def test_what_is_unknown_dropped_or_ambiguous_is_said() -> None:
    family = Family().real("gone", "u", reason="gopher_short_doc").real("a", "name").real("b", "name")
    assert family.trace("nobody").reason == "unknown_parent"
    assert family.trace("gone").reason == "dropped_parent"
    assert family.trace("name").reason == "ambiguous_parent"
    assert family.trace("a", "nobody").reason == "unknown_parent", "one parent that is not known is enough"


def test_of_the_captures_of_an_address_the_kept_one_is_meant() -> None:
    family = Family().real("old", "http://x.example/", reason="url_duplicate").real("new", "http://x.example/")
    assert ids(family.trace("http://x.example/")) == ["new"]


def test_depth_is_one_more_than_the_deepest_parent_and_never_less_than_declared() -> None:
    family = Family().real("a").row("s1", "a").row("s2", "s1").row("s3", "s2", "a", depth=7)
    assert [family.trace(name).depth for name in ("a", "s1", "s2", "s3")] == [1, 2, 3, 8]
    assert family.trace("s1", depth=1).depth == 2
    assert family.trace("s1", depth=5).depth == 5


def test_synthetic_parents_hand_the_split_on() -> None:
    family = Family().row("s2", "s1").row("s1", "a").real("a", split="test")
    assert family.trace("s2").split == "test"
    family.real("b")
    assert family.trace("s2", "b").reason == "parents_straddle"


def test_cycles_and_what_descends_from_them_are_refused() -> None:
    family = Family().row("x", "y").row("y", "z").row("z", "x").row("below", "x").real("a").row("fine", "a")
    assert family.trace("x").reason == "parent_cycle"
    assert family.trace("below").reason == "parent_cycle"
    assert family.trace("fine").reason is None
    assert family.trace("child", child="child").reason == "unknown_parent"
    assert Family().row("self", "self").trace("self", child="self").reason == "parent_cycle"


def test_a_row_may_have_the_id_of_its_parent() -> None:
    family = Family().real("a", "7").row("child", "7", names=("7",))
    assert ids(family.trace("7", child="child")) == ["a"]
    assert family.trace("7", child="another").reason == "ambiguous_parent"


def test_a_child_of_a_refused_row_has_no_known_lineage() -> None:
    family = Family().row("s1", "nobody").row("s2", "s1")
    assert family.trace("s1").reason == "dropped_parent"
    assert family.trace("s2").reason == "dropped_parent"


def test_a_row_that_is_the_copy_of_a_real_record_is_that_record() -> None:
    found = Family().real("a", split="test").row("a", "nobody").trace("a")
    assert (ids(found), found.split, found.depth) == (["a"], "test", 1)


def test_long_chains_take_no_stack() -> None:
    family = Family().real("n0")
    for number in range(1, 5_000):
        family.row(f"n{number}", f"n{number - 1}")
    assert family.trace("n4999").depth == 5_000
