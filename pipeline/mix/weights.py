"""The manifest of weights: which documents a mix has and how often, so that a reader needs no copy of their texts.

Part k of `weights/` is of the k-th data file of the mix, its rows ascending.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.mix.rows import order_keys
from pipeline.mix.source_rows import Ints, check_documents, read_rows, spans
from pipeline.runs import RunError
from pipeline.write import file_path, write_tables
from schemas.manifest import FileEntry

GROUP_ROWS = 1 << 17  # of a row group of the manifest
SEED_KEY = b"headwater.seed"  # metadata of a part: the seed that the order of the mix is of
READ_BYTES = 64 << 20  # of text that a reader holds
OF_MIX = "mix:"  # before folders inside the mix, which are moved with it


def _field(name: str, kind: pa.DataType, description: str, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


WEIGHTS = pa.schema(
    [
        _field("doc_id", pa.string(), "document"),
        _field("source", pa.string(), "name of the source in the recipe"),
        _field("run", pa.string(), "folder of the run or of what was ingested, as given; `mix:` is that of the mix"),
        _field("file", pa.string(), "data file, from that folder"),
        _field("row", pa.int64(), "row of the file"),
        _field("copies", pa.int32(), "how often the mix has it"),
        _field("tokens", pa.int64(), "size of one copy in the unit of the recipe"),
        _field("split", pa.string(), "train or validation"),
        _field("origin", pa.string(), "real, grounded or ungrounded"),
        _field("fresh", pa.bool_(), "real text that no earlier run or mix held"),
        _field("group", pa.string(), "what is known of the human share of its like"),
        _field("language", pa.string(), "ISO 639-3; `und` where there is none"),
        _field("page_type", pa.string(), "`none` where there is none"),
        _field("provenance_label", pa.string(), "human, machine_translated, ai_generated or unknown"),
    ]
)
_ENCODED = tuple(field.name for field in WEIGHTS if field.name not in ("doc_id", "row", "tokens"))


def manifest_rows(
    candidates: pa.Table,
    copies: npt.NDArray[np.int32],
    held_out: npt.NDArray[np.bool_],
    places: Mapping[str, str],
) -> pa.Table:
    """WEIGHTS of the chosen candidates of a data file; `places` are source, run and file of all of them."""
    columns = {
        **{name: pa.repeat(pa.scalar(value), len(copies)) for name, value in places.items()},
        **{name: candidates.column(name) for name in ("doc_id", "row", "tokens", "origin", "fresh", "group")},
        **{name: candidates.column(name) for name in ("language", "page_type")},
        "provenance_label": candidates.column("label"),
        "copies": pa.array(copies, pa.int32()),
        "split": pa.array(np.where(held_out, "validation", "train").tolist(), pa.string()),
    }
    return pa.table([columns[name] for name in WEIGHTS.names], schema=WEIGHTS)


def write_manifest(root: str, part: int, count: int, rows: pa.Table, seed: str) -> FileEntry:
    """Write part `part` of `count` of the manifest."""
    name = file_path("weights/part", part, count)
    (Path(root) / name).parent.mkdir(parents=True, exist_ok=True)
    groups = (rows.slice(begin, GROUP_ROWS) for begin in range(0, rows.num_rows, GROUP_ROWS))
    return write_tables(Path(root), name, WEIGHTS.with_metadata({SEED_KEY: seed.encode()}), groups, _ENCODED)


@dataclass(frozen=True, slots=True)
class WeightedText:
    """A copy of a document of a mix, read from where it came from."""

    doc_id: str
    copy: int
    source: str
    tokens: int
    text: str


def read_weighted(
    mix: str | Path,
    root: str | Path = ".",
    order: Literal["file", "mix"] = "file",
    split: Literal["train", "validation"] = "train",
    window_bytes: int = READ_BYTES,
) -> Iterator[WeightedText]:
    """Texts of a mix by its manifest, from the files of its sources.

    Args:
        mix: folder of the mix, or of its `weights/`.
        root: folder that the folders of the sources were given from.
        order: `file` reads each file once, the copies of a document one after the other. `mix` is the order of the
            shards, for which the manifest is held in memory and the files are read once for every `window_bytes`
            of text; make these as many as memory allows.
        split: `train` or `validation`.
        window_bytes: text that is held at a time, in the unit of `tokens`.

    Raises:
        RunError: no manifest, or the sources are not what they were when the mix was made.
    """
    folder = Path(mix) / "weights" if (Path(mix) / "weights").is_dir() else Path(mix)
    parts = sorted(folder.glob("part-*.parquet"))
    if not parts:
        raise RunError(f"{mix} holds no manifest of weights; give the folder of a mix")
    places = _Places(Path(root), folder.parent if folder.name == "weights" else folder)
    if order == "file":
        for part in parts:
            for batch in pq.ParquetFile(part).iter_batches(GROUP_ROWS):
                rows = pa.Table.from_batches([batch])
                yield from _texts(rows.filter(pa.compute.equal(rows.column("split"), split)), places, window_bytes)
        return
    yield from _in_order(parts, places, split, window_bytes)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where folders of sources are."""

    root: Path
    mix: Path

    def of(self, run: str) -> Path:
        return self.mix / run.removeprefix(OF_MIX) if run.startswith(OF_MIX) else self.root / run


def _texts(rows: pa.Table, places: _Places, window_bytes: int) -> Iterator[WeightedText]:
    """Texts of WEIGHTS of one file, each as often as it has copies."""
    if not rows.num_rows:
        return
    path = str(places.of(rows.column("run")[0].as_py()) / rows.column("file")[0].as_py())
    numbers = np.asarray(rows.column("row"))
    for begin, table, here in read_rows(path, numbers, ("doc_id", "text"), window_bytes):
        found = table.column("doc_id").take(pa.array(here))
        check_documents(path, numbers[begin:], rows.column("doc_id")[begin:], found)
        for at, place in enumerate(here.tolist(), begin):
            doc_id = rows.column("doc_id")[at].as_py()
            source, tokens = rows.column("source")[at].as_py(), rows.column("tokens")[at].as_py()
            text = table.column("text")[place].as_py()
            for copy in range(rows.column("copies")[at].as_py()):
                yield WeightedText(doc_id, copy, source, tokens, text)


def _in_order(parts: list[Path], places: _Places, split: str, window_bytes: int) -> Iterator[WeightedText]:
    """Texts in the order of the mix, in windows that each take one pass over the files that they need."""
    seed = (pq.read_schema(parts[0]).metadata or {}).get(SEED_KEY, b"").decode()
    table = pa.concat_tables([pq.read_table(part, partitioning=None) for part in parts])
    table = table.filter(pa.compute.equal(table.column("split"), split))
    entry = np.repeat(np.arange(table.num_rows), np.asarray(table.column("copies")))
    starts = np.searchsorted(entry, np.arange(table.num_rows))
    copy = np.arange(len(entry)) - starts[entry]
    doc_ids = np.array(table.column("doc_id").to_pylist(), object)
    order = np.argsort(order_keys(seed, doc_ids[entry].tolist(), copy.tolist()), kind="stable")
    entry, copy = entry[order], copy[order]
    sources = table.column("source").to_pylist()
    sizes: Ints = np.asarray(table.column("tokens"), np.int64)[entry]
    for begin, end in spans(sizes, window_bytes):
        wanted = np.unique(entry[begin:end])
        part = table.take(pa.array(wanted))
        held: dict[tuple[str, str], WeightedText] = {}
        for run, file in dict.fromkeys(zip(part["run"].to_pylist(), part["file"].to_pylist(), strict=True)):
            mask = pa.compute.and_(pa.compute.equal(part["run"], run), pa.compute.equal(part["file"], file))
            held.update(((one.source, one.doc_id), one) for one in _texts(part.filter(mask), places, window_bytes))
        for at, number in zip(entry[begin:end].tolist(), copy[begin:end].tolist(), strict=True):
            one = held[sources[at], doc_ids[at]]
            yield WeightedText(one.doc_id, number, one.source, one.tokens, one.text)
