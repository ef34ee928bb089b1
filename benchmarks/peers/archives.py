"""Inputs of a comparison: raw copies of archive members, cached in the work folder. Standard library only."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1 << 20
_HEAD_BYTES = 1 << 16  # more than the WARC header of a record


@dataclass(frozen=True, slots=True)
class Member:
    """One gzip member of an archive: one record."""

    offset: int
    length: int
    is_page: bool
    size_bytes: int  # after decompression


@dataclass(frozen=True, slots=True)
class Input:
    """The archives that an arm reads, with their pages counted."""

    files: tuple[Path, ...]
    pages: int
    page_bytes: int  # records of the pages, headers included, after decompression


def read_members(path: Path) -> Iterator[Member]:
    """The gzip members of an archive in order of the file.

    Raises:
        ValueError: not one gzip member per record.
    """
    with path.open("rb") as stream:
        data, base = b"", 0  # `data` starts at byte `base` of the file
        while True:
            if not data:
                data = stream.read(_CHUNK)
                if not data:
                    return
            unzip = zlib.decompressobj(wbits=31)
            offset, head, size = base, b"", 0
            while not unzip.eof:
                if not data:
                    data = stream.read(_CHUNK)
                    if not data:
                        raise ValueError(f"{path}: the member at byte {offset} is cut off")
                try:
                    text = unzip.decompress(data)
                except zlib.error as error:
                    raise ValueError(f"{path}: byte {offset} is not a gzip member ({error})") from None
                if len(head) < _HEAD_BYTES:
                    head += text[: _HEAD_BYTES - len(head)]
                size += len(text)
                base += len(data) - len(unzip.unused_data)
                data = unzip.unused_data
            yield Member(offset, base - offset, _is_response(head), size)


def _is_response(head: bytes) -> bool:
    header = head.split(b"\r\n\r\n")[0] + b"\r\n"
    return b"\r\nWARC-Type: response\r\n" in header


def whole(files: Sequence[Path]) -> Input:
    """The archives as they are."""
    pages = size = 0
    for path in files:
        for member in read_members(path):
            pages += member.is_page
            size += member.size_bytes * member.is_page
    return Input(tuple(files), pages, size)


def select(index: Path, kinds: frozenset[str], folder: Path, cache: Path) -> Input:
    """Copies of only those pages of an index (`pages.jsonl.gz`: warc, offset, length, kind) whose kind is in `kinds`.

    Archives lie in `folder`; one copy is written for each, under `cache`. Empty `kinds` selects every page.
    """
    target = cache / f"selected-{_key([str(index.resolve()), str(index.stat().st_size), *sorted(kinds)])}"
    if not (target / "done").exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        with gzip.open(index, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                if kinds and row.get("kind") not in kinds:
                    continue
                with (folder / row["warc"]).open("rb") as source, (target / row["warc"]).open("ab") as copy:
                    source.seek(row["offset"])
                    copy.write(source.read(row["length"]))
        (target / "done").touch()
    return whole(sorted(target.glob("*.gz")))


def first(source: Input, pages: int, cache: Path) -> Input:
    """The archives up to and with page number `pages`, every record in between included."""
    if pages >= source.pages:
        return source
    stamp = [f"{p.resolve()}:{p.stat().st_size}" for p in source.files]
    target = cache / f"first-{pages}-{_key(stamp)}"
    if not (target / "done").exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        left = pages
        for path in source.files:
            end = 0
            for member in read_members(path):
                end = member.offset + member.length
                left -= member.is_page
                if not left:
                    break
            with path.open("rb") as stream, (target / path.name).open("wb") as copy:
                copy.write(stream.read(end))
            if not left:
                break
        (target / "done").touch()
    return whole(sorted(target.glob("*.gz")))


def _key(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
