"""Samples: bounded, mergeable, and the same in any order."""

from __future__ import annotations

import pickle
import random
from typing import Any

import pytest

from pipeline.diversity.sample import DOCUMENT_WORDS, Sample, empty, measure, merge
from pipeline.runs import RunError

Row = tuple[str, str, str | None, str | None]


def rows(count: int, seed: int = 0) -> list[Row]:
    """Documents of two languages: id, text, host, language."""
    draw = random.Random(seed)
    made: list[Row] = []
    for n in range(count):
        text = " ".join(f"w{draw.randrange(500)}" for _ in range(draw.randrange(1, 40)))
        host = f"h{n % 7}.example" if n % 3 else None
        made.append((f"d{seed}-{n}", text, host, ("eng_Latn", "de-AT", None)[n % 3]))
    return made


def sample(found: list[Row], **options: Any) -> Sample:
    ids, texts, hosts, languages = zip(*found, strict=True)
    return measure(ids, texts, hosts=hosts, languages=languages, **options)


def same(one: Sample, other: Sample) -> bool:
    return one.rows.equals(other.rows) and dict(one.documents) == dict(other.documents)


def test_merge_is_the_whole_in_any_split_and_order() -> None:
    found = rows(300)
    whole = sample(found, words=700)
    assert whole.rows.num_rows < 300
    for seed in range(5):
        draw = random.Random(seed)
        mixed = draw.sample(found, len(found))
        cuts = sorted(draw.sample(range(1, 300), 4))
        parts = [sample(mixed[a:b], words=700) for a, b in zip([0, *cuts], [*cuts, 300], strict=True)]
        draw.shuffle(parts)
        assert same(merge(parts), whole)
        assert same(parts[0].merge(parts[1].merge(parts[2], empty(700)), parts[3], parts[4]), whole)


def test_within_leaves_out_only_what_cannot_enter() -> None:
    found = rows(400)
    grown = empty(500)
    for at in range(0, 400, 50):
        grown = grown.merge(sample(found[at : at + 50], words=500, within=grown))
    assert same(grown, sample(found, words=500))


def test_the_whole_is_a_bounded_sample_of_all_languages() -> None:
    whole = sample(rows(300), words=700)
    keys = whole.all_languages().column("key").to_pylist()
    assert keys == sorted(keys)
    together = sample([(i, t, h, None) for i, t, h, _ in rows(300)], words=700)
    assert keys == together.rows.column("key").to_pylist()
    assert dict(whole.documents) == {"deu": 100, "eng": 100, "und": 100}


def test_copies_count_and_stay_together() -> None:
    once = measure(["a", "b"], ["one two", "three"], copies=[3, 0])
    assert once.rows.column("copies").to_pylist() == [3]
    assert dict(once.documents) == {"und": 3}
    thrice = measure(["a"] * 3, ["one two"] * 3)
    assert len(set(thrice.rows.column("key").to_pylist())) == 1


def test_a_huge_document_is_cut() -> None:
    found = measure(["a"], ["word " * 5_000_000], hosts=["h.example"])
    assert found.rows.column("kept").to_pylist() == [DOCUMENT_WORDS]
    assert len(found.rows.column("text")[0].as_py()) == 5 * DOCUMENT_WORDS - 1


def test_empty_texts_lone_surrogates_and_missing_ids() -> None:
    found = measure([None, "b", "c", None], [None, "", "...", "a\ud800 b"], languages=["en", None, "xx", "zzz"])
    assert found.rows.num_rows == 1
    assert found.rows.column("language").to_pylist() == ["zzz"]
    assert sum(found.documents.values()) == 4
    assert merge([]).rows.num_rows == 0
    assert same(pickle.loads(pickle.dumps(found)), found)  # noqa: S301


def test_hosts_may_be_hashes() -> None:
    found = measure(["a", "b"], ["x", "y"], hosts=[17, 0])
    assert sorted(found.rows.column("host").to_pylist()) == [0, 17]
    assert found.rows.column("unit").to_pylist().count(17) == 1


def test_samples_of_different_bounds_do_not_merge() -> None:
    with pytest.raises(RunError, match="same number of words"):
        empty(10).merge(empty(20))
