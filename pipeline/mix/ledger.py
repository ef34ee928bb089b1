"""The ledger of a mix: what it used, in the layout of a run's index, so that later runs and mixes recognise it.

Its rows are those of the sources' own indexes: nothing is computed anew, and what recognises a text there recognises it
here. Documents that are held out for validation are used too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.index import INDEX_FILE, index_json
from pipeline.report.write import publish_text
from pipeline.runs import RunError
from pipeline.write import INDEX, Piece, conform, read_piece, write_tables
from schemas.manifest import FileEntry

GROUP_ROWS = 1 << 14  # about 16 MiB of sketches and bands


def index_files(folder: str | Path) -> tuple[str, ...]:
    """Index files of a run, of an ingest folder or of a mix.

    Raises:
        RunError: there are none.
    """
    found = tuple(sorted(str(path) for path in (Path(folder) / "index").glob("part-*.parquet")))
    if not found:
        raise RunError(f"{folder} has no index (index/part-*.parquet); curate or ingest it again")
    return found


def write_ledger_part(
    root: str, target: str, pieces: Sequence[Piece], indexes: Mapping[str, Sequence[str]]
) -> FileEntry:
    """Write a file of the ledger: index rows of the documents that pieces name, sorted by document.

    `indexes` has the index files of each source folder. Of these only row groups are read whose ids may be wanted.

    Raises:
        RunError: the index of a source lacks a document of it.
    """
    (Path(root) / target).parent.mkdir(parents=True, exist_ok=True)
    used: dict[str, list[pa.ChunkedArray]] = {}
    for piece in pieces:
        table = read_piece(piece)
        used.setdefault(table.column("folder")[0].as_py(), []).append(table.column("doc_id"))
    found = [INDEX.empty_table()]
    for folder in sorted(used):
        doc_ids = pa.chunked_array([chunk for column in used[folder] for chunk in column.chunks]).combine_chunks()
        rows = [row for path in indexes[folder] for row in _rows_of(path, doc_ids)]
        missing = len(pc.unique(doc_ids)) - sum(table.num_rows for table in rows)
        if missing > 0:
            raise RunError(f"{folder}: its index lacks {missing} of its documents; `headwater verify {folder}`")
        found += rows
    keys = [(name, "ascending") for name in ("doc_id", "source_file", "source_offset")]
    table = pa.concat_tables(found).sort_by(keys)
    groups = (table.slice(begin, GROUP_ROWS) for begin in range(0, table.num_rows, GROUP_ROWS))
    return write_tables(Path(root), target, INDEX, groups)


def _rows_of(path: str, doc_ids: pa.Array) -> Iterator[pa.Table]:
    """Rows of an index file with these ids; the cluster of each is that of this ledger."""
    smallest, largest = pc.min_max(doc_ids).values()
    with pq.ParquetFile(path, memory_map=True) as data:
        names = data.metadata.schema.names
        column = names.index("doc_id")
        for group in range(data.metadata.num_row_groups):
            statistics = data.metadata.row_group(group).column(column).statistics
            ranged = statistics is not None and statistics.has_min_max
            if ranged and (statistics.max < smallest.as_py() or statistics.min > largest.as_py()):
                continue
            ids = data.read_row_group(group, columns=["doc_id"], use_threads=False).column("doc_id")
            wanted = pc.is_in(ids, doc_ids)
            if pc.any(wanted).as_py():
                table = conform(data.read_row_group(group, use_threads=False).filter(wanted), INDEX)
                yield table.filter(pc.is_null(table.column("reason")))


def ledger_parameters(folders: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Parameters of the indexes of the sources, which must be alike, and the names of their runs and of what they saw.

    Raises:
        RunError: an index is of an older release or damaged, or cannot be compared with the first.
    """
    parameters: dict[str, Any] | None = None
    names: set[str] = set()
    for folder in folders:
        path = Path(folder) / INDEX_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            theirs, run, seen = dict(values["parameters"]), str(values["run"]), list(values["seen"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} cannot be read ({error}); `headwater verify {folder}` says more") from error
        if parameters is not None and theirs != parameters:
            different = sorted(name for name in {*theirs, *parameters} if theirs.get(name) != parameters.get(name))
            raise RunError(
                f"{folder} has an index with another {different[0]} than {folders[0]}; "
                "curate them with policy.duplicates alike"
            )
        parameters = theirs
        names.update([run, *seen])
    return parameters or {}, sorted(names)


def write_ledger_file(
    root: str | Path,
    entries: Sequence[FileEntry],
    recipe_fingerprint: str,
    inputs_fingerprint: str,
    folders: Sequence[str],
) -> FileEntry:
    """Write index/index.json of a mix whose ledger has the files `entries`, made of the sources in `folders`.

    The name of the mix, by which later runs call it, is a digest of its recipe, its inputs and its ledger.
    """
    parameters, names = ledger_parameters(folders)
    manifest = {"config_fingerprint": recipe_fingerprint, "inputs_fingerprint": inputs_fingerprint}
    documents, digests = sum(entry.rows for entry in entries), [entry.sha256 for entry in entries]
    return publish_text(Path(root), INDEX_FILE, index_json(manifest, parameters, documents, names, digests))
