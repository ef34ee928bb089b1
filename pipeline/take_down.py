"""Take-down: documents leave a finished run, and what is left of it still verifies. No Beam.

The text, title, address and every score of a document go: its rows in `data/`, `index/part-*` and `index/pairs-*`. What
stays says that there was a page: a row in `dropped/` with its id, file and offset, so that the account of pages holds;
and, in `index/taken-down.parquet`, the keys of its address and of its words, so that a later run that is given this one
by `--seen` does not keep the page again. Nothing can be read from either key, but who has the text can confirm it.

Files are written whole under other names and put in their place one by one, the manifest last. A journal tells that a
take-down has begun: the same command, or any other take-down in the run, goes on with it. Until then `--seen` and
`headwater seen` refuse the run, and `headwater verify` says so.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.features.url_key import url_key
from pipeline.index import INDEX_FILE, TAKEN_DOWN_FILE, TAKEN_DOWN_REASON, read_manifest
from pipeline.match import TAKEN_DOWN
from pipeline.parquet_rows import matching_groups, rewrite_file
from pipeline.runs import JOURNAL, RESULT_FOLDERS, WORK, RunError
from pipeline.take_down_find import HIDDEN, NAMED_COPIES, RunFiles, TakeDown
from pipeline.write import INDEX, file_number, write_tables
from schemas.manifest import FileEntry, SourceAccount, sha256_of, write_json

DOCUMENTS = ("README.md", "croissant.json", "report/figures.json", "report/index.html")  # of report.write_documents


def read_ids(lines: Sequence[str], name: str) -> list[str]:
    """Document ids, one a line; `#` begins a comment.

    Raises:
        RunError: a line is no document id.
    """
    ids = []
    for number, line in enumerate(lines, 1):
        value = line.partition("#")[0].strip().lower()
        if value and not re.fullmatch(r"[0-9a-f]{32}", value):
            raise RunError(f"{name}, line {number}: expected a doc_id (32 hex digits), found {value[:40]!r}")
        if value:
            ids.append(value)
    return list(dict.fromkeys(ids))


def read_urls(lines: Sequence[str]) -> list[str]:
    """Addresses, one a line; a line that begins with `#` is a comment (an address may hold one)."""
    stripped = (line.strip() for line in lines)
    return list(dict.fromkeys(line for line in stripped if line and not line.startswith("#")))


def take_down(folder: str | Path, ids: Collection[str], urls: Collection[str] = (), dry_run: bool = False) -> TakeDown:
    """Remove documents, by id or by address however it is spelled, from a finished run.

    Raises:
        RunError: there is no finished run, another take-down works here, or the run's files are not those of run.json.
    """
    root = Path(folder)
    manifest = read_manifest(root)
    if dry_run:
        return RunFiles(root, manifest).find(set(ids), urls)
    with _journal(root) as begun:
        _remove_leftovers(root)
        run = _Run(root, manifest, interrupted=begun is not None)
        done = run.find({*ids, *(begun or ())}, urls)
        wanted = sorted({*(begun or ()), *done.kept, *done.dropped, *done.mentioned})
        if not wanted:
            return done
        _write_in_place(root / JOURNAL, {"documents": wanted})
        run.remove(wanted)
        run.publish(len(wanted))
        (root / JOURNAL).unlink()
    return done


@contextmanager
def _journal(root: Path) -> Iterator[list[str] | None]:
    """Hold the journal of a run; yields the ids of a take-down that was interrupted, None where there is none.

    An empty journal is that of a take-down that has changed nothing yet.
    """
    path = root / JOURNAL
    with path.open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = path.stat().st_ino == os.fstat(handle.fileno()).st_ino  # else another has just ended
        except OSError:
            held = False
        if not held:
            raise RunError(f"{root}: another take-down works in this run; wait for it, or end it")
        handle.seek(0)
        try:
            begun = [str(value) for value in json.loads(handle.read())["documents"]]
        except (ValueError, KeyError, TypeError):
            begun = None
        try:
            yield begun
        finally:
            if path.exists() and not path.stat().st_size:
                path.unlink()


def _write_in_place(path: Path, values: object) -> None:
    """Write a small file without another name, because its lock is on the file and not on the name."""
    with path.open("w", encoding="utf-8") as handle:
        handle.write(json.dumps(values))
        handle.flush()
        os.fsync(handle.fileno())


def _remove_leftovers(root: Path) -> None:
    for folder in RESULT_FOLDERS:
        for path in (root / folder).rglob(".*.writing"):
            path.unlink()


class _Run(RunFiles):
    """The files of a run while documents are taken from it."""

    def remove(self, ids: Sequence[str]) -> None:
        """Write every file that has a row of these documents without it."""
        wanted = pa.array(ids, pa.string())
        if INDEX_FILE in self.files:
            self._remember(wanted)
        self._account_for(wanted)
        for name in self.named("failures/"):
            self._rewrite(name, wanted, ("doc_id",), _hide)
        for name in self.named("data/"):
            self._rewrite(name, wanted, ("doc_id",), _without)
        for name in self.named("index/part-"):
            self._rewrite(name, wanted, ("doc_id", "cluster_id"), lambda table, _: _without_clusters(table, wanted))
        for name in self.named("index/pairs-"):
            self._rewrite(name, wanted, ("doc_id", "matched"), _without)

    def _rewrite(
        self, name: str, wanted: pa.Array, columns: Sequence[str], change: Callable[[pa.Table, pa.Array], pa.Table]
    ) -> None:
        with self.open(name) as file:
            masks = dict(matching_groups(file, columns, wanted))
        if masks:
            self.files[name] = rewrite_file(
                self.root, name, lambda group, table: change(table, masks[group]) if group in masks else table
            )

    def _remember(self, wanted: pa.Array) -> None:
        """Keep the keys of what goes, beside those of what went before."""
        rows: dict[str, dict[str, Any]] = {}

        def remember(row: Mapping[str, Any], key: int | None) -> None:
            held = rows.setdefault(row["doc_id"], {"doc_id": row["doc_id"], "url_key": None, "content_hash": None})
            held["url_key"] = held["url_key"] if key is None else key
            held["content_hash"] = held["content_hash"] or row.get("content_hash")

        for name in (*self.named(TAKEN_DOWN_FILE), *self.named("index/part-")):
            with self.open(name) as file:
                groups = range(file.num_row_groups) if name == TAKEN_DOWN_FILE else ()
                masks: dict[int, pa.Array | None] = dict.fromkeys(groups) or dict(
                    matching_groups(file, ("doc_id",), wanted)
                )
                for group, mask in masks.items():
                    table = file.read_row_group(group, columns=["doc_id", "url_key", "content_hash"])
                    for row in (table if mask is None else table.filter(mask)).to_pylist():
                        remember(row, row["url_key"])
        for name in (*self.named("data/"), *self.named("dropped/"), *self.named("failures/")):
            with self.open(name) as file:
                for group, mask in matching_groups(file, ("doc_id",), wanted):
                    for row in file.read_row_group(group, columns=["doc_id", "url"]).filter(mask).to_pylist():
                        remember(row, url_key(row["url"]))
        nothing = {"source_file": "", "source_offset": 0, "reason": TAKEN_DOWN_REASON, "role": TAKEN_DOWN}
        made = [
            {**row, **nothing, "cluster_id": row["doc_id"]}
            for row in sorted(rows.values(), key=lambda row: str(row["doc_id"]))
        ]
        table = pa.Table.from_pylist(made, schema=INDEX)
        self.files[TAKEN_DOWN_FILE] = write_tables(self.root, TAKEN_DOWN_FILE, INDEX, iter([table]))

    def _account_for(self, wanted: pa.Array) -> None:
        """Hide the rows of dropped pages, and give each kept page one, which says nothing but that it was there."""
        names = self.named("dropped/")
        new: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for name in self.named("data/"):
            with self.open(name) as file:
                for group, mask in matching_groups(file, ("doc_id",), wanted):
                    columns = ["doc_id", "source_file", "source_offset"]
                    for row in file.read_row_group(group, columns=columns).filter(mask).to_pylist():
                        new[names[file_number(row["doc_id"], len(names))]].append({**row, "reason": TAKEN_DOWN_REASON})
        for name in names:
            with self.open(name) as file:
                masks = dict(matching_groups(file, ("doc_id", *NAMED_COPIES), wanted))
                if not masks and not new[name]:
                    continue
                table = file.read()
            table = _hide(table, pc.is_in(table.column("doc_id"), wanted))
            for column, about in NAMED_COPIES.items():
                table = _hide(table, pc.is_in(table.column(column), wanted), (column, *about))
            identity = (table.column(c).to_pylist() for c in ("doc_id", "source_file", "source_offset"))
            there = set(zip(*identity, strict=True))  # rows of a take-down that was interrupted after this file
            rows = [r for r in new[name] if (r["doc_id"], r["source_file"], r["source_offset"]) not in there]
            table = pa.concat_tables([table, pa.Table.from_pylist(rows, schema=table.schema)])
            keys = [(column, "ascending") for column in ("doc_id", "source_file", "source_offset")]
            self.files[name] = write_tables(self.root, name, table.schema, iter([table.sort_by(keys)]))

    def publish(self, documents: int) -> None:
        """Count anew, write report and cards, and the manifest last."""
        from pipeline.report import write_documents

        if self.interrupted:  # which files the interrupted take-down had written is not known
            for name in self.named(""):
                path = self.root / name
                self.files[name] = FileEntry(
                    name, pq.read_metadata(path).num_rows, path.stat().st_size, sha256_of(path)
                )
        if INDEX_FILE in self.files:
            path = self.root / INDEX_FILE
            values = json.loads(path.read_text(encoding="utf-8"))
            values["documents"] = sum(self.files[name].rows for name in self.named("index/part-"))
            temporary = path.with_name(f".{path.name}.writing")
            temporary.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            temporary.replace(path)
            self.files[INDEX_FILE] = FileEntry(INDEX_FILE, 0, path.stat().st_size, sha256_of(path))
        manifest = {**self.manifest, **self._counts()}
        entries = [asdict(entry) for name, entry in sorted(self.files.items()) if name not in DOCUMENTS]
        manifest["files"] = entries
        written = write_documents(self.root, {key: value for key, value in manifest.items() if key != "execution"})
        manifest["files"] = sorted([*entries, *map(asdict, written)], key=lambda entry: str(entry["path"]))
        event = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "documents": documents}
        execution = dict(manifest["execution"])
        execution["taken_down"] = [*execution.get("taken_down", []), event]
        manifest["execution"] = execution
        shutil.rmtree(self.root / WORK, ignore_errors=True)  # of --keep-staged; it holds text
        write_json(self.root / "run.json", manifest)

    def _counts(self) -> dict[str, Any]:
        """`counts` and `sources` of the manifest, with what was kept and dropped counted in the files."""
        kept: Counter[str] = Counter()
        dropped: dict[str, Counter[str]] = {}
        for name in self.named("data/"):
            for table in self.columns(name, ["source_file"]):
                for entry in pc.value_counts(table.column("source_file")).to_pylist():
                    kept[entry["values"]] += entry["counts"]
        for name in self.named("dropped/"):
            for table in self.columns(name, ["source_file", "reason"]):
                for row in table.group_by(["source_file", "reason"]).aggregate([([], "count_all")]).to_pylist():
                    dropped.setdefault(row["source_file"], Counter())[row["reason"]] += row["count_all"]
        total, sources = SourceAccount(), []
        for source in self.manifest["sources"]:
            account = SourceAccount.from_dict(source)
            account.kept = kept[source["source_file"]]
            account.dropped = dropped.get(source["source_file"], Counter())
            if not account.is_balanced():
                raise RunError(
                    f"{self.root}: pages of {source['source_file']} are not kept + dropped + failed; "
                    f"`headwater verify {self.root}` says more"
                )
            total.add(account)
            sources.append({**source, **account.as_dict()})
        return {"counts": total.as_dict(), "sources": sources}


def _without(table: pa.Table, mask: pa.Array) -> pa.Table:
    return table.filter(pc.invert(mask))


def _without_clusters(table: pa.Table, wanted: pa.Array) -> pa.Table:
    """Rows of the index without these pages. Their copies stay, each by itself, so that later copies are recognised."""
    table = table.filter(pc.invert(pc.is_in(table.column("doc_id"), wanted)))
    copies = pc.is_in(table.column("cluster_id"), wanted)
    told = {
        "cluster_id": table.column("doc_id"),
        "cluster_run": pa.scalar(None, pa.string()),
        "reason": pa.scalar(TAKEN_DOWN_REASON),
    }
    for name, value in told.items():
        number = table.schema.get_field_index(name)
        changed = pc.if_else(copies, value, table.column(name))
        table = table.set_column(number, table.schema.field(name), changed)
    return table


def _hide(table: pa.Table, mask: pa.Array, names: Sequence[str] = HIDDEN) -> pa.Table:
    """The rows of `mask` without address and record id, or other columns."""
    for name in names:
        number = table.schema.get_field_index(name)
        hidden = pc.if_else(mask, pa.scalar(None, table.schema.field(name).type), table.column(name))
        table = table.set_column(number, table.schema.field(name), hidden)
    return table
