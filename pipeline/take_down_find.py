"""Where documents are in a finished run: in which files, and which pages were dropped as their copies. No Beam."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.features.url_key import url_key
from pipeline.index import TAKEN_DOWN_FILE
from pipeline.parquet_rows import matching_groups
from pipeline.runs import RunError
from schemas.manifest import FileEntry

HIDDEN = ("url", "record_id")  # what a row of a dropped page or a failure loses
# Which other pages a row of a dropped page names, and what it says of them.
NAMED_COPIES = {"duplicate_of": ("duplicate_run",), "matched": ("matched_run", "similarity")}


@dataclass(slots=True)
class TakeDown:
    """What a take-down found in a run. `kept` and `dropped` were removed now, `already` before; all by doc_id."""

    folder: str
    kept: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    mentioned: list[str] = field(default_factory=list)  # of another run, and named by pages of this one
    missing: list[str] = field(default_factory=list)
    missing_urls: list[str] = field(default_factory=list)
    dependants: list[dict[str, str]] = field(default_factory=list)  # dropped as copies of what is removed
    files: list[str] = field(default_factory=list)  # rewritten, or to be


class RunFiles:
    """The files of a finished run, as run.json names them."""

    def __init__(self, root: Path, manifest: dict[str, Any], interrupted: bool = False) -> None:
        self.root, self.manifest, self.interrupted = root, manifest, interrupted
        self.files = {entry["path"]: FileEntry(**entry) for entry in manifest["files"]}
        for name, entry in self.files.items():
            path = root / name
            if not path.is_file() or (path.stat().st_size != entry.bytes and not interrupted):
                raise RunError(f"{root}: {name} is missing or changed; `headwater verify {root}` says more")
        if (root / TAKEN_DOWN_FILE).is_file() and interrupted:
            self.files.setdefault(TAKEN_DOWN_FILE, FileEntry(TAKEN_DOWN_FILE, 0, 0, ""))

    def named(self, prefix: str) -> list[str]:
        """Parquet files of a group, sorted."""
        return sorted(name for name in self.files if name.startswith(prefix) and name.endswith(".parquet"))

    def open(self, name: str) -> pq.ParquetFile:
        """A file of the run, read without buffering ahead."""
        try:
            return pq.ParquetFile(self.root / name, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise RunError(f"{self.root / name} is no Parquet file that can be read ({type(error).__name__})") from None

    def columns(self, name: str, columns: list[str]) -> Iterator[pa.Table]:
        """Columns of a file, row group by row group."""
        with self.open(name) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=columns)

    def find(self, ids: set[str], urls: Collection[str]) -> TakeDown:
        """Where the documents are; nothing is changed."""
        found = TakeDown(str(self.root))
        keys = {url_key(url): url for url in urls}
        met: set[int] = set()
        ids = ids | self._ids_of_addresses(keys, met)
        found.missing_urls = [url for key, url in keys.items() if key not in met]
        wanted = pa.array(sorted(ids), pa.string())
        kept: set[str] = set()
        others: set[str] = set()
        known: set[str] = set()
        mentioned: set[str] = set()
        for prefix, into in (("data/", kept), ("index/part-", others), ("dropped/", others), ("failures/", others)):
            for name in self.named(prefix):
                hit = self._ids_in(name, wanted)
                into |= hit
                if hit:
                    found.files.append(name)
        naming = {
            "index/pairs-": ("doc_id", "matched"),
            "index/part-": ("cluster_id",),
            "dropped/": tuple(NAMED_COPIES),
        }
        for prefix, columns in naming.items():
            for name in self.named(prefix):
                hit = self._ids_in(name, wanted, columns, hidden=None)
                mentioned |= hit
                if hit and name not in found.files:
                    found.files.append(name)
        for name in self.named("dropped/"):
            known |= self._ids_in(name, wanted, hidden=True)
        for name in self.named(TAKEN_DOWN_FILE):
            known |= self._ids_in(name, wanted)
        found.kept = sorted(kept)
        found.dropped = sorted(others - kept)
        found.mentioned = sorted(mentioned - kept - others)
        found.already = sorted(known - kept - others)
        found.missing = sorted(ids - kept - others - known)
        found.dependants = self._dependants(wanted, ids)
        return found

    def _ids_in(
        self, name: str, wanted: pa.Array, columns: Sequence[str] = ("doc_id",), hidden: bool | None = False
    ) -> set[str]:
        """Which documents have a row in a file; of dropped pages and failures, one that still names the page, or, with
        `hidden`, one that does not; with null, either.
        """
        ids: set[str] = set()
        with self.open(name) as file:
            for group, mask in matching_groups(file, columns, wanted):
                table = file.read_row_group(group, columns=[*columns, *self._naming(name)]).filter(mask)
                if self._naming(name) and hidden is not None:
                    table = table.filter(pc.invert(_names_page(table)) if hidden else _names_page(table))
                for column in columns:
                    ids.update(value for value in table.column(column).to_pylist() if value is not None)
        return ids.intersection(wanted.to_pylist())

    @staticmethod
    def _naming(name: str) -> tuple[str, ...]:
        return HIDDEN if name.startswith(("dropped/", "failures/")) else ()

    def _ids_of_addresses(self, keys: Mapping[int | None, str], met: set[int]) -> set[str]:
        """Documents of these addresses, by the index, and by `dropped/` for pages that never came so far."""
        ids: set[str] = set()
        if not keys:
            return ids
        wanted = pa.array(sorted(key for key in keys if key is not None), pa.uint64())
        for name in self.named("index/part-"):
            with self.open(name) as file:
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, columns=["doc_id", "url_key"])
                    table = table.filter(pc.is_in(table.column("url_key"), wanted))
                    ids.update(table.column("doc_id").to_pylist())
                    met.update(table.column("url_key").to_pylist())
        for name in (*self.named("dropped/"), *self.named("failures/")):
            with self.open(name) as file:
                for group in range(file.num_row_groups):
                    for row in file.read_row_group(group, columns=["doc_id", "url"]).to_pylist():
                        key = url_key(row["url"])
                        if key in keys and key is not None and row["doc_id"]:
                            ids.add(row["doc_id"])
                            met.add(key)
        return ids

    def _dependants(self, wanted: pa.Array, ids: Collection[str]) -> list[dict[str, str]]:
        """Pages that were dropped as copies of these documents, or are in a cluster that one of them stands for."""
        found = []
        for name in self.named("dropped/"):
            with self.open(name) as file:
                for group, mask in matching_groups(file, ("duplicate_of", "cluster_id"), wanted):
                    table = file.read_row_group(group, columns=["doc_id", "duplicate_of", "cluster_id", "reason"])
                    for row in table.filter(mask).to_pylist():
                        if row["doc_id"] not in ids:
                            of = row["duplicate_of"] or row["cluster_id"]
                            found.append({"doc_id": row["doc_id"], "duplicate_of": of, "reason": row["reason"]})
        return found


def _names_page(table: pa.Table) -> pa.Array:
    """Whether a row of a dropped page or a failure still names the page."""
    named = [pc.is_valid(table.column(name)) for name in HIDDEN if name in table.schema.names]
    return pc.or_(*named)
