"""Cutting spans: the text is exactly what its cuts leave, lines go whole, and findings move with the text."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.features.tokens import tokenise
from detectors.quality.profiles import spans_for
from detectors.quality.spans import join_spans
from pipeline.cuts import SUBSTRING, cut_table, lay, move, read_repeats, snap, without
from pipeline.decide import write_arrow
from schemas.config import DuplicatePolicy
from schemas.document import BENCHMARK_STRUCT, CUT_STRUCT, PERSONAL_DATA
from schemas.evidence import EVIDENCE_STRUCT


def cut(text: str, *stages: Any, profile: str | None = None) -> tuple[str, list[tuple[str, int, int]]]:
    laid = lay(text, profile, list(stages))
    laid.finish()
    cuts = laid.cuts()
    return without(text, cuts), [(c["rule"], c["start"], c["end"]) for c in cuts]


def test_whole_lines_go_with_one_line_end() -> None:
    text = "first\nmenu\nlast"
    assert cut(text, ("line_site", [(6, 10)])) == ("first\nlast", [("line_site", 6, 11)])
    assert cut(text, ("line_site", [(0, 5)])) == ("menu\nlast", [("line_site", 0, 6)])
    assert cut(text, ("line_site", [(11, 15)])) == ("first\nmenu", [("line_site", 10, 15)])
    assert cut(text, ("line_site", [(6, 10), (11, 15)])) == ("first", [("line_site", 5, 15)])


def test_a_text_is_never_cut_to_nothing() -> None:
    text = "menu\n— 1 —\n..."
    assert cut(text, ("line_c4", [(0, 4), (5, 10)])) == (text, [])
    later = cut(text, ("line_c4", [(0, 4)]), (SUBSTRING, [(7, 8)]))
    assert later == ("— 1 —\n...", [("line_c4", 0, 5)]), "the first rule stands where the second would leave nothing"
    assert cut("", ("line_c4", [])) == ("", [])


def test_a_span_over_lines_leaves_one_line_end() -> None:
    text = "one two three\nfour five\nsix seven eight"
    left, cuts = cut(text, (SUBSTRING, [(8, 33)]))
    assert left == "one two\neight"
    assert [rule for rule, _, _ in cuts] == [SUBSTRING] * len(cuts)
    assert cut("a b\n\nc d", (SUBSTRING, [(2, 6)]))[0] == "a\nd", "an empty line inside a cut goes"


def test_overlaps_keep_the_first_rule() -> None:
    text = "one two three four\nfive"
    left, cuts = cut(text, ("line_site", [(4, 8)]), (SUBSTRING, [(4, 13), (6, 13)]))
    assert left == "one four\nfive"
    assert cuts == [("line_site", 4, 8), (SUBSTRING, 8, 14)]


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("Before. The repeated run here. After", (1, 5), "Before. After"),
        ('She said "the run" loudly', (2, 4), "She said loudly"),
        ("kept (the run) kept", (1, 3), "kept kept"),
        ("kept the run", (1, 3), "kept"),
        ("the run, kept", (0, 2), "kept"),
        ("a/the run b", (1, 3), "a/ b"),
        ("see x/the run/b", (2, 4), "see x/b"),
        ("see 漢.the run", (2, 3), "see 漢. run"),
        ("漢字。同文。漢", (2, 4), "漢字。漢"),
        ("abc漢字def", (1, 3), "abc字def"),
        ("- the run\nkept", (0, 2), "kept"),
    ],
)
def test_ends_of_substrings(text: str, words: tuple[int, int], left: str) -> None:
    tokens = tokenise([text])
    is_word = (tokens.kind & 1) != 0
    starts, ends = tokens.start[is_word], tokens.end[is_word]
    span = (int(starts[words[0]]), int(ends[words[1] - 1]))
    assert cut(text, (SUBSTRING, [span]))[0] == left


@settings(max_examples=200, deadline=None)
@given(st.text('ab1 .,("\n漢é\u0301-', max_size=60), st.data())
def test_words_outside_a_cut_stay_as_they_are(text: str, data: st.DataObject) -> None:
    def words_of(value: str) -> list[int]:
        tokens = tokenise([value])
        return [int(value) for value in tokens.exact[(tokens.kind & 1) != 0]]

    tokens = tokenise([text])
    mask = (tokens.kind & 1) != 0
    starts, ends, hashes = (array[mask].tolist() for array in (tokens.start, tokens.end, tokens.exact))
    if not starts:
        return
    begin = data.draw(st.integers(0, len(starts) - 1))
    end = data.draw(st.integers(begin + 1, len(starts)))
    left, cuts = cut(text, (SUBSTRING, [(starts[begin], ends[end - 1])]))
    found = words_of(left)
    assert cuts or left == text
    stays = len(found) - begin - (len(hashes) - end)  # words at the end of the cut that keep two others apart
    assert found == (hashes[:begin] + hashes[end - stays :] if cuts else hashes)


@settings(max_examples=200, deadline=None)
@given(st.text("ab \n.", max_size=50), st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=6))
def test_cuts_are_ordered_apart_and_exact(text: str, pairs: list[tuple[int, int]]) -> None:
    spans = [(min(pair), min(max(pair), len(text))) for pair in pairs if min(pair) < min(max(pair), len(text))]
    left, cuts = cut(text, ("line_site", spans[:3]), (SUBSTRING, spans[3:]))
    at = 0
    for _, start, end in cuts:
        assert at <= start < end <= len(text)
        at = end
    if cuts:
        assert any(char.isalnum() for char in left)
    assert len(left) == len(text) - sum(end - start for _, start, end in cuts)


PROSE = (
    "Home\nThis is a line of prose that ends well.[12] It goes on here, as one line does.\n\nMenu items here\n"
    "  Another line of prose stands in this place, and ends.  \nShare\nThe last line of prose is this one here."
)


@pytest.mark.parametrize("profile", ["c4", "c4_paper", "c4_fineweb", "refinedweb"])
@pytest.mark.parametrize(
    "text", [PROSE, PROSE + "\n", "\n" + PROSE + "\nShare", "Share\n3 likes\n\nSome words in a line"]
)
def test_line_rules_of_profiles(profile: str, text: str) -> None:
    left, cuts = cut(text, profile=profile)
    kept = spans_for(profile, text)
    expected = join_spans(text, kept) if any(char.isalnum() for char in join_spans(text, kept)) else text
    assert left == expected
    assert {rule for rule, _, _ in cuts} <= {"profile_refinedweb" if profile == "refinedweb" else "profile_c4"}


def test_a_text_that_a_profile_would_empty_stays() -> None:
    assert cut("no sentence here", profile="c4") == ("no sentence here", [])


def test_findings_move() -> None:
    cuts = [{"rule": "x", "start": 0, "end": 3}, {"rule": "x", "start": 10, "end": 12}]
    assert move({"start": 4, "end": 8}, cuts) == {"start": 1, "end": 5}
    assert move({"start": 3, "end": 10}, cuts) == {"start": 0, "end": 7}
    assert move({"start": 12, "end": 20}, cuts) == {"start": 7, "end": 15}
    assert move({"start": 9, "end": 13}, cuts) == {"start": None, "end": None}
    assert move({"start": 2, "end": 3}, cuts) == {"start": None, "end": None}
    assert move({"start": None, "end": None}, cuts) == {"start": None, "end": None}


def pages(texts: list[str], found: list[list[tuple[int, int]]]) -> pa.Table:
    evidence = [[{"detector": "d", "signal": "s", "start": a, "end": b} for a, b in row] for row in found]
    personal = [[{"kind": "email", "start": a, "end": b} for a, b in row] for row in found]
    items = [[{"benchmark": "b", "item": "i", "overlap": 1.0, "start": a, "end": b} for a, b in row] for row in found]
    return pa.table(
        {
            "text": texts,
            "evidence": pa.array(evidence, pa.list_(EVIDENCE_STRUCT)),
            "personal_data": pa.array(personal, pa.list_(PERSONAL_DATA)),
            "benchmarks": pa.array(items, pa.list_(BENCHMARK_STRUCT)),
        }
    )


def test_tables() -> None:
    table = pages(["menu\nmail a@b.org now", "menu\nmail a@b.org now"], [[(0, 4), (10, 17)]] * 2)
    plain = cut_table(table, None, {})
    assert plain.drop_columns("cuts").equals(table)
    assert plain.column("cuts").to_pylist() == [[], []]
    assert plain.schema.field("cuts").type == pa.list_(CUT_STRUCT)
    found = cut_table(table, None, {1: [("line_site", [(0, 4)])]}).to_pylist()
    assert found[0] == {**table.to_pylist()[0], "cuts": []}
    assert found[1]["text"] == "mail a@b.org now"
    assert found[1]["cuts"] == [{"rule": "line_site", "start": 0, "end": 5}]
    for name in ("evidence", "benchmarks"):
        assert [(f["start"], f["end"]) for f in found[1][name]] == [(None, None), (5, 12)]
    assert found[1]["personal_data"] == [{"kind": "email", "start": 5, "end": 12}]
    assert found[1]["text"][5:12] == "a@b.org"
    assert cut_table(table.slice(0, 0), "c4", {}).num_rows == 0


def test_cuts_of_another_run_are_not_read(tmp_path: Any) -> None:
    from pipeline.cuts import CUTS, line_cuts_path, substring_cuts_path

    write_arrow(line_cuts_path(tmp_path, "s"), pa.table([[3], [0], [4]], schema=CUTS))
    write_arrow(substring_cuts_path(tmp_path, "s"), pa.table([[3, 5], [6, 1], [8, 2]], schema=CUTS))
    both = {"lines": {"rule": "c4"}, "substrings": {"words": 50}}
    lines, spans = ("line_c4", [(0, 4)]), (SUBSTRING, [(6, 8)])
    assert read_repeats(tmp_path, "s", DuplicatePolicy.model_validate(both)) == {
        3: [lines, spans],
        5: [(SUBSTRING, [(1, 2)])],
    }
    assert read_repeats(tmp_path, "s", DuplicatePolicy()) == {}


def test_long_runs_of_marks_are_linear() -> None:
    text = "word " + "!" * 200_000 + " word"
    assert snap(text, [(0, 4)]) == [(0, 5)]
    assert cut(text, (SUBSTRING, [(0, 4)]))[0] == "!" * 200_000 + " word"
