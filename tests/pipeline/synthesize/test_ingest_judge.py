"""Similarity to parents, language, and rows of mapped files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.synthesize.ingest_judge import is_wrong_language, similarities
from pipeline.synthesize.ingest_mapped import MappedRows
from pipeline.synthesize.lineage_parents import Sketcher, _parts
from schemas.config import CurateConfig

WORDS = [f"{a}{b}{c}" for a in ("ba", "do", "li", "mu", "re") for b in "aeiou" for c in ("n", "r", "st", "l", "m")]
TEXT = " ".join(np.random.default_rng(1).choice(WORDS, 400))
KNOWN = frozenset({"eng", "deu", "isl", "zho", "nor"})


def pair(child: str, parent: str) -> tuple[float, float]:
    known = Sketcher(CurateConfig())(pa.chunked_array([pa.array([child, parent], pa.string())]))
    similarity, containment = similarities(known.slice(0, 1), known.slice(1, 1))
    return float(similarity[0]), float(containment[0])


def test_copies_are_contained_whatever_their_case_spaces_and_length() -> None:
    assert pair(TEXT, TEXT) == (1, 1)
    assert pair("  \n".join(TEXT.upper().split()), TEXT) == (1, 1)
    assert pair("Bread, rye!", "bread   RYE") == (1, 1)
    assert pair("Bread", "Water") == (0, 0)


def test_an_excerpt_is_contained_in_a_long_text_and_not_the_other_way() -> None:
    words = TEXT.split()
    similarity, containment = pair(" ".join(words[50:80]), TEXT)
    assert containment == pytest.approx(1, abs=1e-6)
    assert similarity == pytest.approx(26 / 396, rel=0.02), "of the shingles, some of which repeat"
    assert pair(TEXT, " ".join(words[50:80]))[1] == pytest.approx(26 / 396, rel=0.02)
    long = " ".join(np.random.default_rng(2).choice(WORDS, 20_000))
    assert pair(" ".join(long.split()[7000:7020]), long)[1] == pytest.approx(1, abs=1e-4), "counted, not estimated"


def test_text_without_words_is_no_copy() -> None:
    assert pair("...", "...") == (0, 0)
    assert pair("", TEXT) == (0, 0)


def test_writing_without_spaces_is_compared_too() -> None:
    japanese = "古い港町は冬になるとゆっくり目を覚まし、漁船は岸につながれたままで、かもめだけが何かを言い争っている。"
    assert pair(japanese[:40], japanese)[1] == 1
    assert (
        pair("夏には川辺に釣り人が座り、冬にはからすが座って、どちらも濁った水を辛抱強く眺めている。", japanese)[1]
        < 0.1
    )


@pytest.mark.parametrize(
    ("expected", "language", "score", "words", "wrong"),
    [
        ({"eng"}, "deu", 0.99, 50, True),
        ({"eng"}, "eng", 0.99, 50, False),
        ({"eng"}, "deu", 0.5, 50, False),
        ({"eng"}, "deu", 0.99, 5, False),
        ({"eng", "deu"}, "deu", 0.99, 50, False),
        (set(), "deu", 0.99, 50, False),
        ({"eng"}, None, None, 50, False),
        ({"cmn"}, "zho_Hans", 0.99, 50, False),
        ({"cmn"}, "eng", 0.99, 50, True),
        ({"fao"}, "isl", 0.99, 50, False),
    ],
)
def test_a_language_is_wrong_where_the_model_is_sure(
    expected: set[str | None], language: str | None, score: float | None, words: int, wrong: bool
) -> None:
    assert is_wrong_language(expected, language, score, words, KNOWN) is wrong


def test_the_model_says_which_languages_it_knows() -> None:
    known = Sketcher(CurateConfig()).languages()
    assert {"eng", "deu", "jpn"} <= known
    assert "fao" not in known


def test_batches_are_bounded_and_whole() -> None:
    texts = pa.chunked_array([pa.array(["x"] * 300 + [None, "y" * (5 << 20), "z"])])
    parts = list(_parts(texts))
    assert pa.chunked_array(parts).to_pylist() == texts.to_pylist()
    assert max(map(len, parts)) == 128
    assert list(_parts(pa.chunked_array([], pa.string()))) == []


def test_rows_of_a_mapped_file_come_in_the_order_asked(tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64()), ("m", pa.map_(pa.string(), pa.float64()))])
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for begin in range(0, 12, 5):
            rows = [{"n": n, "m": [("x", n / 2)]} for n in range(begin, min(begin + 5, 12))]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    rows = MappedRows(tmp_path / "a.arrow")
    places = np.array([11, 0, 5, 5, 4], np.int64)
    assert len(rows) == 12
    assert rows.take(places).column("n").to_pylist() == places.tolist()
    assert rows.take(places, ["m"]).to_pylist()[0] == {"m": [("x", 5.5)]}
    assert rows.take(np.zeros(0, np.int64)).num_rows == 0
