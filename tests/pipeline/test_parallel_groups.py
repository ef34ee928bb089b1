"""FindParallelGroups on generated documents in several languages, for any number of shards, buckets and any order."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that

from detectors.api import FeatureCache
from detectors.features.minhash import SHAPES, signatures
from detectors.features.tokens import tokenise
from detectors.laws import make_batch
from detectors.machine_translation.parallelism import Parallelism
from pipeline.annotate import ShardReport
from pipeline.host import close_shared_host
from pipeline.keys import read_arrow
from pipeline.packing import unpack
from pipeline.parallel_confirm import missing_encoders
from pipeline.parallel_groups import PARALLEL, source_language
from pipeline.parallel_match import (
    KEYED,
    comparable,
    keyed_rows,
    match_pairs,
    parallel_path,
    prepare_parallel_keys,
)
from pipeline.parallelism import FindParallelGroups, find_groups

SYLLABLES = {
    "eng_Latn": ["the", "ing", "er", "on", "at", "re", "st", "com", "per", "ble"],
    "deu_Latn": ["ung", "ein", "sch", "ver", "ich", "gen", "auf", "lich", "keit", "zu"],
    "spa_Latn": ["cion", "los", "mente", "ar", "que", "por", "dad", "una", "es", "do"],
    "rus_Cyrl": ["про", "ние", "ать", "ска", "во", "ли", "ста", "пре", "ому"],
    "jpn_Jpan": list("日本語文書設定方法確認利用"),
}
LANGUAGES = list(SYLLABLES)
DATE = datetime(2023, 5, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Doc:
    """A generated page; `truth` names the document that it is a version of."""

    truth: str
    language: str
    text: str
    url: str | None = None
    fetched_at: datetime | None = DATE
    language_score: float = 0.99

    @property
    def doc_id(self) -> str:
        return str(xxhash.xxh3_128_hexdigest(f"{self.truth} {self.language} {self.url} {self.text}".encode()))


def words(language: str, seed: str, count: int) -> str:
    rng = random.Random(f"{language} {seed}")
    made = ["".join(rng.choices(SYLLABLES[language], k=rng.randint(1, 3))) for _ in range(count)]
    return ("" if language == "jpn_Jpan" else " ").join(made)


def version(document: str, language: str, lines: int = 14) -> str:
    """Text of a document in a language: its words are the language's, its numbers, code and lengths the document's."""
    shape = random.Random(document)
    made = []
    for line in range(lines):
        number, code = shape.randint(100, 99_999), "".join(shape.choices("BCDFGHKLMNPRST", k=5))
        before, after = shape.randint(2, 20), shape.randint(1, 14)
        made.append(
            f"{words(language, f'{document} {line}', before)} {number} {code}_X {words(language, f'{line}', after)}"
        )
    return "\n".join(made)


def corpus(documents: int = 20, url: bool = False) -> list[Doc]:
    """Documents in all languages, on two sites."""
    found = []
    for number in range(documents):
        for language in LANGUAGES:
            site = f"https://site{number % 2}.example/{language[:2]}/page{number}.html"
            found.append(Doc(f"d{number}", language, version(f"d{number}", language), site if url else None))
    return found


def prepare(folder: Path, docs: Sequence[Doc], shards: int) -> list[tuple[int, str]]:
    """Stage the documents in so many shards, and leave their keys beside them."""
    detector = Parallelism()
    detector.setup()
    names = []
    for number in range(shards):
        part = docs[number::shards]
        batch = make_batch([{"doc_id": doc.doc_id, "text": doc.text, "url": doc.url} for doc in part])
        features = FeatureCache(batch)
        features.put("signal:language", pa.array([doc.language for doc in part], pa.string()))
        columns: dict[str, Any] = dict(detector(batch, features).columns)
        found = signatures(tokenise([doc.text for doc in part]), SHAPES["14x8"]).astype("<u4")
        columns |= {
            "doc_id": [doc.doc_id for doc in part],
            "language": pa.array([doc.language for doc in part], pa.string()),
            "language_score": pa.array([doc.language_score for doc in part], pa.float32()),
            "fetched_at": pa.array([doc.fetched_at for doc in part], pa.timestamp("us", tz="UTC")),
            "minhash": [row.tobytes() for row in found],
        }
        name = f"s{number}"
        pq.write_table(pa.table(columns), folder / f"{name}.documents.parquet")
        report = ShardReport(number, "a.warc.gz", 1, 0, name)
        assert prepare_parallel_keys(str(folder), report) == name
        names.append((number, name))
    return names


def run(folder: Path, names: list[tuple[int, str]], buckets: int, embeddings: bool = False) -> list[dict[str, Any]]:
    """The transform's answer by doc_id."""
    answer = folder / f"answer-{buckets}.json"

    def check(actual: list[tuple[int, bytes]]) -> None:
        rows = []
        for number, packed in actual:
            table = unpack(packed)
            assert table.schema.equals(PARALLEL)
            rows += table.to_pylist()
            assert all(row["reference"] >> 32 == number for row in table.to_pylist())
        answer.write_text(json.dumps(rows))

    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        shards = pipeline | beam.Create(names)
        assert_that(shards | FindParallelGroups(str(folder), buckets, embeddings=embeddings), check)
    rows: list[dict[str, Any]] = json.loads(answer.read_text())
    prepared = {number: read_arrow(parallel_path(folder, name)) for number, name in names}
    for row in rows:
        reference = row.pop("reference")
        row["doc_id"] = prepared[reference >> 32].column("doc_id")[reference & 0xFFFFFFFF].as_py()
    return sorted(rows, key=lambda row: row["doc_id"])


def grouped(folder: Path, docs: Sequence[Doc]) -> dict[str, dict[str, Any]]:
    """Rows of the answer in one call, by doc_id."""
    names = prepare(folder, docs, 1)
    prepared = read_arrow(parallel_path(folder, names[0][1]))
    ids = prepared.column("doc_id").to_pylist()
    return {ids[row["reference"]]: row for row in find_groups(prepared).to_pylist()}


def truth_of(docs: Sequence[Doc]) -> dict[str, str]:
    return {doc.doc_id: doc.truth for doc in docs}


def check_groups(rows: list[dict[str, Any]], docs: Sequence[Doc]) -> None:
    truth = truth_of(docs)
    members = defaultdict(list)
    for row in rows:
        members[row["group"]].append(row["doc_id"])
    for name, inside in members.items():
        assert name == min(inside)
        assert len({truth[doc_id] for doc_id in inside}) == 1


@pytest.mark.parametrize("url", [True, False])
def test_versions_of_a_document_are_one_group(tmp_path: Path, url: bool) -> None:
    docs = corpus(url=url)
    rows = run(tmp_path, prepare(tmp_path, docs, 3), 1)
    check_groups(rows, docs)
    assert len(rows) == len(docs)
    assert {row["languages"] for row in rows} == {len(LANGUAGES)}
    assert min(row["confidence"] for row in rows) > 0.9


def test_order_shards_and_buckets_do_not_matter(tmp_path: Path) -> None:
    docs = corpus(12)
    expected = None
    for seed, (shards, buckets) in enumerate([(1, 1), (4, 1), (4, 7), (3, 7)]):
        folder = tmp_path / str(seed)
        folder.mkdir()
        shuffled = random.Random(seed).sample(docs, len(docs))
        found = run(folder, prepare(folder, shuffled, shards), buckets)
        expected = expected or found
        assert found == expected
    assert list(grouped(tmp_path, docs)) != []
    alone = sorted(({**row, "doc_id": key} for key, row in grouped(tmp_path, docs).items()), key=lambda r: r["doc_id"])
    assert [{k: v for k, v in row.items() if k != "reference"} for row in alone] == expected


def test_one_language_or_one_page_is_no_group(tmp_path: Path) -> None:
    docs = [Doc(f"d{n}", "eng_Latn", version("d0", "eng_Latn")[n:]) for n in range(6)]
    docs += [Doc("alone", "deu_Latn", version("alone", "deu_Latn"))]
    assert grouped(tmp_path, docs) == {}


@pytest.mark.parametrize(("language", "score"), [("und", 0.99), ("ltz_Latn", 0.2)])
def test_a_page_of_unsure_language_counts_as_none(tmp_path: Path, language: str, score: float) -> None:
    docs = [Doc("d", known, version("d", known)) for known in LANGUAGES[:3]]
    unsure = replace(docs[0], language=language, language_score=score, text=version("d", "spa_Latn") + " x")
    found = grouped(tmp_path, [*docs, unsure])
    assert set(found) == {doc.doc_id for doc in [*docs, unsure]}
    assert {row["languages"] for row in found.values()} == {3}
    assert grouped(tmp_path, [docs[0], unsure]) == {}  # one sure language


def test_near_duplicates_in_one_language_share_the_group(tmp_path: Path) -> None:
    docs = corpus(6)
    copy = replace(docs[0], text=docs[0].text + "\nend", url="https://elsewhere.example/copy")
    found = grouped(tmp_path, [*docs, copy])
    assert found[copy.doc_id]["group"] == found[docs[0].doc_id]["group"]
    assert found[copy.doc_id]["languages"] == len(LANGUAGES)


def test_pages_of_one_template_stay_apart(tmp_path: Path) -> None:
    docs = []
    for product in range(8):
        for language in LANGUAGES:
            shared = version("template", language, 10).split("\n")
            own = version(f"product{product}", language, 8).split("\n")
            docs.append(
                Doc(f"p{product}", language, "\n".join(shared + own), f"https://shop.example/{language[:2]}/{product}")
            )
    found = grouped(tmp_path, docs)
    truth = truth_of(docs)
    members = defaultdict(set)
    for doc_id, row in found.items():
        members[row["group"]].add(truth[doc_id])
    assert all(len(inside) == 1 for inside in members.values())
    assert len(found) >= 0.9 * len(docs)


def test_ten_thousand_pages_with_the_same_numbers_make_no_work(tmp_path: Path) -> None:
    detector = Parallelism()
    detector.setup()
    pages = 10_000
    texts = [
        f"{words(LANGUAGES[n % 3], str(n % 50), 12)} 2023 404 DNS_X 1024\n{words(LANGUAGES[n % 3], str(n), 9)} 8080 99"
        for n in range(pages)
    ]
    languages = pa.array([LANGUAGES[n % 3] for n in range(pages)])
    batch = make_batch([{"text": text, "url": None} for text in texts])
    features = FeatureCache(batch)
    features.put("signal:language", languages)
    columns = detector(batch, features).columns
    prepared = pa.table(
        {
            "reference": pa.array(range(pages), pa.uint64()),
            "doc_id": [f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}" * 2 for n in range(pages)],
            "language": [comparable(label, 1.0) for label in languages.to_pylist()],
            "fetched_at": pa.nulls(pages, pa.int64()),
            "source": columns["parallel_source"],
            "keys": columns["parallel_keys"],
            "sketch": columns["parallel_sketch"],
            "signature": pa.nulls(pages, pa.binary()),
        }
    )
    began = time.process_time()
    keyed = keyed_rows(prepared)
    assert match_pairs(keyed).num_rows < 8 * pages
    assert find_groups(prepared).num_rows == 0
    assert time.process_time() - began < 20
    _, counts = np.unique(np.asarray(keyed.column("key")), return_counts=True)
    assert counts.max() <= 513  # a shard sends no more of a key than shows that it is too common


def test_a_key_over_its_cap_is_dropped_wherever_its_pages_lie() -> None:
    def keyed(count: int) -> pa.Table:
        return pa.table(
            {
                "key": pa.array([2] * count, pa.uint64()),
                "reference": pa.array(range(count), pa.uint64()),
                "document": pa.array(range(count), pa.uint32()),
                "language": pa.array([n % 3 for n in range(count)], pa.uint32()),
            },
            schema=KEYED,
        )

    assert match_pairs(keyed(513)).num_rows == 0
    pairs = match_pairs(keyed(512))
    assert 512 <= pairs.num_rows <= 6 * 512
    few = match_pairs(keyed(6)).to_pylist()
    assert len(few) == len({(row["left"], row["right"]) for row in few}) == 12  # of 15, 3 are in one language
    assert all(row["left"] < row["right"] for row in few)


def test_source_language() -> None:
    def page(language: str, source: int = 0, days: int = 0) -> dict[str, Any]:
        return {"language": language, "source": source, "fetched_at": int((DATE + timedelta(days)).timestamp())}

    assert source_language([page("deu"), page("fra")]) is None
    assert source_language([page("deu"), page("eng")]) == "eng"
    assert source_language([page("deu", 1), page("eng")]) == "deu"  # x-default
    assert source_language([page("deu", 4), page("eng", 8), page("fra", 8)]) == "deu"  # the site's own language
    assert source_language([page("deu", 2), page("fra")]) == "deu"  # alone without a language token
    assert source_language([page("deu", 2), page("fra", 2)]) is None  # no address has one
    assert source_language([page("deu"), page("fra", days=90)]) == "deu"
    assert source_language([page("deu"), page("fra", days=9)]) is None
    unknown = [{"language": language, "source": None, "fetched_at": None} for language in ("deu", "fra")]
    assert source_language(unknown) is None
    assert source_language([page("deu", 2), page("?", 1), page("fra")]) == "deu"


@pytest.mark.skipif(bool(missing_encoders()), reason="the extra `embeddings` is not installed")
def test_embeddings_reach_undecided_pairs_only(tmp_path: Path) -> None:
    docs = corpus(4)
    names = prepare(tmp_path, docs, 2)
    prepared = pa.concat_tables([read_arrow(parallel_path(tmp_path, name)) for _, name in names])
    without = run(tmp_path, names, 1)
    found = run(tmp_path, names, 1, embeddings=True)
    close_shared_host()
    check_groups(found, docs)
    assert prepared.num_rows == len(docs) == len(without)
    assert found == without  # all is decided by keys here
