"""Reads one split of a file: pages and damaged regions in order of offset, and an account of every record.

How splits of one gzip-per-record file fit together: split 0 starts at the first record, every other split looks for
the first sound member at or behind its start, and reads until a member begins at or behind its end. A damaged stretch
belongs to the split that reads the member before it, however far it reaches. `check_chain` compares where each split
stopped with where the next one started, and names those to read again: the union is what one sequential read gives.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

from pipeline.read import storage, tables
from pipeline.read.formats import Format, detect_format
from pipeline.read.gzip_members import Member, Window, find_member, is_record_start
from pipeline.read.pages import build_page
from pipeline.read.records import Page, ReadLimits, Region, Split, TextColumns
from pipeline.read.scan import Gap, RawRecord, RecordScanner
from pipeline.read.streams import GzipStream, PlainStream, Stream, ZstdStream
from pipeline.read.warc import KNOWN_TYPES

_HEAD_CHUNK = 64 << 10  # bytes read at a time to see what a file is
_MAX_TYPES = 64  # names of record types that are counted one by one; the rest is "other"


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """Where a split started and stopped; see `SplitReader` for the meaning of the fields."""

    split: Split
    first_offset: int | None
    next_offset: int | None
    whole_file: bool


def check_chain(summaries: Iterable[SplitSummary]) -> list[Split]:
    """Splits to read again, with `exact_start` set. Call again with the new summaries until the list is empty.

    Splits are compared within each file, in order of start. The first split of a file is always right, and so a file of
    n splits needs at most n rounds (in practice one).
    """
    files: dict[str, list[SplitSummary]] = {}
    for summary in summaries:
        if summary.split.ranges is None and not summary.whole_file:
            files.setdefault(summary.split.source_file, []).append(summary)
    again: list[Split] = []
    for _, chain in sorted(files.items()):
        expected: int | None = None
        for summary in sorted(chain, key=lambda s: s.split.start):
            split = summary.split
            if split.start == 0 or expected is None:
                expected = summary.next_offset if summary.next_offset is not None else expected
                continue
            right = expected if expected < split.end else None
            if summary.first_offset != right:
                again.append(dataclasses.replace(split, exact_start=expected))
                break  # what follows is judged when this one has been read again
            if right is not None:
                expected = summary.next_offset if summary.next_offset is not None else expected
    return again


class SplitReader:
    """Iterates over the pages and regions of a split, lazily and with bounded memory; never raises on data.

    After iteration:
        records: number of records by WARC type; `arc_header` and `dns` of ARC files, `row` of tables.
        first_offset: file offset in bytes of the first gzip member owned, None where the split owns none.
        next_offset: file offset of the first sound member at or behind the end of the split; the size of the file where
            none follows; None where the split owns none.
        bytes_read: compressed bytes fetched from storage.
        whole_file: the content is no gzip member per record, so the split that starts at 0 reads all of it, the others
            nothing.

    `skip` holds source offsets of pages that are neither yielded nor decoded; they count as records.
    Raises InputError where the file cannot be opened or read, or a text table lacks its text column.
    """

    def __init__(
        self,
        split: Split,
        limits: ReadLimits | None = None,
        columns: TextColumns | None = None,
        skip: frozenset[int] = frozenset(),
    ) -> None:
        self.split = split
        self.limits = limits or ReadLimits()
        self.columns = columns or TextColumns()
        self.skip = skip
        self.records: Counter[str] = Counter()
        self.first_offset: int | None = None
        self.next_offset: int | None = None
        self.bytes_read = 0
        self.whole_file = False

    @property
    def summary(self) -> SplitSummary:
        """What `check_chain` needs, after iteration."""
        return SplitSummary(self.split, self.first_offset, self.next_offset, self.whole_file)

    def __iter__(self) -> Iterator[Page | Region]:
        file = storage.open_file(self.split.source_file, self.split.source_bytes or None)
        window = Window(file)
        try:
            if self.split.ranges is not None:
                yield from self._read_ranges(file)
            else:
                yield from self._read_file(file, window)
        finally:
            self.bytes_read += window.bytes_read
            file.close()

    def _read_file(self, file: storage.RandomAccess, window: Window) -> Iterator[Page | Region]:
        # A later split needs little of the file's head, the first goes on from there.
        head = window if self.split.start == 0 else Window(_Part(file, window.end, _HEAD_CHUNK))
        found = detect_format(head)
        if head is not window:
            self.bytes_read += head.bytes_read
        if found.kind == "gzip_records":
            yield from self._read_members(window)
            return
        self.whole_file = True
        if found.kind == "parquet":
            reader = tables.read_parquet(self.split, self.columns, self.limits, self.skip)
            yield from self._count_rows(reader)
            return
        if self.split.start > 0:
            return
        if found.kind == "jsonl":
            stream = tables.open_lines(window, found.codec)
            yield from self._count_rows(
                tables.read_json_lines(self.split, stream, self.columns, self.limits, self.skip)
            )
        elif found.kind in ("unsupported", "not_an_archive"):
            yield self._unusable(found, window.end)
        elif found.kind != "empty":
            yield from self._read_stream(_stream_of(found, window, 0), 0, None)

    def _unusable(self, found: Format, size: int) -> Region:
        if found.kind == "unsupported":
            message = f"format {found.what} is not read; convert it to WARC (gzip or zstd), JSONL or Parquet"
            return Region(self.split.source_file, 0, size, "unsupported_format", message)
        message = f"{found.codec}-compressed data that holds no WARC or ARC record"
        return Region(self.split.source_file, 0, size, "not_an_archive", message)

    def _count_rows(self, rows: Iterator[Page]) -> Iterator[Page]:
        for page in rows:
            self.records["row"] += 1
            if page.source_offset not in self.skip:
                yield page

    def _read_ranges(self, file: storage.RandomAccess) -> Iterator[Page | Region]:
        """The records that a table of offsets names, each by one read of exactly its range."""
        self.whole_file = True
        for offset, length in self.split.ranges or ():
            window = Window(_Part(file, offset + length, file.chunk_bytes), offset + length)
            found = detect_format(window, at=offset)
            if found.kind in ("unsupported", "not_an_archive", "parquet", "jsonl", "empty"):
                message = f"no record at byte {offset}, where the table of offsets names one"
                yield Region(self.split.source_file, offset, offset + length, "no_record_at_offset", message)
            elif found.kind in ("gzip_records", "gzip"):
                yield from self._read_members(window, offset, offset + length)
            else:
                yield from self._read_stream(_stream_of(found, window, offset), offset, offset + length)
            self.bytes_read += window.bytes_read

    def _read_stream(self, stream: Stream, base: int, end: int | None) -> Iterator[Page | Region]:
        """All records of a decompressed stream; offsets are offsets in it, plus `base`."""
        for item in RecordScanner(stream, self.limits, base=base, skip=self.skip):
            stop = base + item.end if end is None else min(base + item.end, end)
            yield from self._give(item, base + item.offset, stop)

    def _give(self, item: RawRecord | Gap, offset: int, end: int) -> Iterator[Page | Region]:
        if isinstance(item, Gap):
            yield Region(self.split.source_file, offset, end, *item.error)
            return
        self._count(item.record_type)
        if item.is_page:
            if offset not in self.skip:
                yield build_page(item, self.split.source_file, offset, self.limits)
        elif item.error is not None:
            yield Region(self.split.source_file, offset, end, *item.error)

    def _count(self, kind: str) -> None:
        if kind not in KNOWN_TYPES and kind not in self.records:
            if not kind:
                kind = "unknown"
            elif len(self.records) >= _MAX_TYPES or len(kind) > 40 or not kind.replace("-", "_").isidentifier():
                kind = "other"
        self.records[kind] += 1

    def _read_members(
        self, window: Window, start: int | None = None, end: int | None = None
    ) -> Iterator[Page | Region]:
        """Members that begin in the split (or in [start, end) of a range), one record each as a rule."""
        split, in_range = self.split, start is not None
        stop = split.end if end is None else end
        first = start if start is not None else split.exact_start
        if first is None:
            first = 0 if split.start == 0 else find_member(window, split.start, min(stop, window.end))
            if first is None:
                return
        at: int = first
        while at < window.end:
            member = Member(window, at)
            if not is_record_start(member.peek()):
                following = self._behind_foreign(window, member)
                if following is not None:
                    at = following
                    continue
                following = self._find_next(window, at + 1)
                code = member.error or ("garbage_between_records", f"no record at byte {at}")
                yield Region(split.source_file, at, following, *code)
                at = following
                continue
            if at >= stop:
                break
            if self.first_offset is None and not in_range:
                self.first_offset = at
            at = yield from self._read_member(window, member)
        if not in_range:
            self.next_offset = at

    def _behind_foreign(self, window: Window, member: Member) -> int | None:
        """Where an empty member ends, or None where this is not one."""
        while True:
            chunk = member.read()
            if chunk.strip(b"\r\n"):
                return None
            if not chunk:
                return member.end if member.error is None else None

    def _find_next(self, window: Window, start: int) -> int:
        found = find_member(window, start, window.end)
        return window.end if found is None else found

    def _read_member(self, window: Window, member: Member) -> Generator[Page | Region, None, int]:
        """The records of a member; returns where the next member begins."""
        at = member.start
        scanner = RecordScanner(_MemberStream(member), self.limits, base=at, one_unit=True, skip=self.skip)
        held: RawRecord | Gap | None = None
        too_many = False
        for item in scanner:
            if held is not None:
                yield from self._give(held, at + held.index, at + held.index + 1)
                held = None
            # Offsets of further records are member offset + index; they must not reach the next member.
            if item.index and at + item.index >= member.position:
                too_many = True
                break
            held = item
        while member.read():
            pass
        following = self._following(window, member)
        if held is not None:
            yield from self._give(held, at + held.index, following)
        if too_many:
            message = f"more records than bytes in the gzip member at byte {at}"
            yield Region(self.split.source_file, at + 1, following, "too_many_records", message)
        return following

    def _following(self, window: Window, member: Member) -> int:
        """Where to go on behind a member: at its end, or behind damage at the next sound member."""
        if member.error is None and member.end is not None:
            return member.end
        end = member.end
        # A wrong CRC alone leaves the end certain, which passes over archives embedded in the record.
        if end is not None and (end >= window.end or is_record_start(Member(window, end).peek())):
            return min(end, window.end)
        return self._find_next(window, member.start + 1)


class _MemberStream:
    """A member as a `Stream`."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self.read = member.read

    @property
    def error(self) -> tuple[str, str] | None:
        return self._member.error

    def resume(self) -> bool:
        return False


class _Part:
    """A file whose reads end at `end`, in chunks of a given size in bytes."""

    def __init__(self, file: storage.RandomAccess, end: int, chunk_bytes: int) -> None:
        self._file = file
        self.size = min(file.size, end)
        self.chunk_bytes = chunk_bytes

    def read_at(self, offset: int, length: int) -> bytes:
        return self._file.read_at(offset, min(length, self.size - offset))


def _stream_of(found: Format, window: Window, at: int) -> Stream:
    if found.kind == "gzip":
        return GzipStream(window, at)
    if found.kind == "zstd":
        return ZstdStream(window, at)
    return PlainStream(window, at)
