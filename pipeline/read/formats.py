"""What a file is, by its first bytes and never by its name. Bounded: looks at 1 MiB, inflates at most 8 MiB of it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.read import arc, warc
from pipeline.read.gzip_members import GZIP_MAGIC, Member, Problem, Window, find_member, is_record_start
from pipeline.read.records import ReadLimits
from pipeline.read.scan import Gap, RawRecord, RecordScanner
from pipeline.read.streams import ZSTD_MAGIC, GzipStream, Stream, XzStream, ZstdStream

_HEAD = 1 << 20  # bytes of the file that are searched for a sound record where the beginning is damaged
_INFLATED = 8 << 20  # bytes of the first record that are inflated to see where its gzip member ends

# Signatures: https://www.iana.org/assignments/media-types/ and each format's specification.
_OTHERS = (
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x02\x21\x4c\x18", "lz4 (legacy)"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "zip"),
    (b"ORC", "ORC"),
    (b"Obj\x01", "Avro"),
)


@dataclass(frozen=True, slots=True)
class Format:
    """`kind`: empty, gzip_records, gzip, zstd, plain (archives), parquet, jsonl (text), or unsupported, not_an_archive.

    `codec` of jsonl: gzip, zstd, xz or plain; `what` says what an unsupported file is.
    """

    kind: str
    codec: str = "plain"
    what: str = ""


def detect_format(window: Window, *, at: int = 0) -> Format:
    """The format of the file, or of the record that begins at byte `at`."""
    head = bytes(window.get(at, 64))
    if not head:
        return Format("empty")
    if head[:4] == b"PAR1":
        return Format("parquet")
    if head[:3] == GZIP_MAGIC:
        return _gzip_format(window, at)
    if head[:4] == ZSTD_MAGIC or (head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50):
        return _stream_format(_head_of(ZstdStream(window, at)), "zstd")
    if head[:6] == b"\xfd7zXZ\x00":
        found = _stream_format(_head_of(XzStream(window)), "xz")
        return found if found.kind == "jsonl" else Format("unsupported", what="xz")
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return Format("unsupported", what=name)
    found_frame = window.find(ZSTD_MAGIC, at, min(at + _HEAD, window.end))
    if found_frame >= 0 and is_record_start(_head_of(ZstdStream(window, found_frame), arc.MAX_LINE)):
        return Format("zstd", "zstd")  # its first frame is damaged
    start = bytes(window.get(at, _HEAD))
    if find_member(window, at, at + _HEAD) is not None and not is_record_start(start[: arc.MAX_LINE]):
        return Format("gzip_records")  # its first member is damaged
    found = _stream_format(start, "plain")
    if found.kind == "not_an_archive":
        return Format("unsupported", what=f"unknown (first bytes {head[:4].hex()})")
    return found


def _head_of(stream: Stream, wanted: int = 64 << 10) -> bytes:
    parts, got = [], 0
    while got < wanted and (chunk := stream.read()):
        parts.append(chunk)
        got += len(chunk)
    return b"".join(parts)


def _stream_format(head: bytes, codec: str) -> Format:
    if not head.strip(b"\r\n"):
        return Format("empty" if not head and codec == "plain" else codec, codec)
    if is_record_start(head[: arc.MAX_LINE]):
        return Format(codec, codec)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    has_records = warc.MARKER.search(head) is not None or any(
        arc.is_header(head[m.end() : m.end() + arc.MAX_LINE]) for m in arc.MARKER.finditer(head)
    )
    if text[:1] == b"{" and not has_records:
        return Format("jsonl", codec)
    return Format(codec, codec) if has_records else Format("not_an_archive", codec)


class _FirstRecord:
    """A member's chunks, up to a number of bytes."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.left = _INFLATED

    def read(self) -> bytes:
        if self.left <= 0:
            return b""
        chunk = self.member.read()
        self.left -= len(chunk)
        return chunk

    @property
    def error(self) -> Problem | None:
        return self.member.error

    def resume(self) -> bool:
        return False


def _gzip_format(window: Window, at: int) -> Format:
    """One member per record, where the first sound member holds just one record; else one stream."""
    start: int | None = at
    first_head: bytes | None = None
    while start is not None:
        member = Member(window, start)
        head = member.peek()
        first_head = head if first_head is None else first_head
        if is_record_start(head):
            chunks = _FirstRecord(member)
            records = 0
            for item in RecordScanner(chunks, ReadLimits(max_record_bytes=_INFLATED), one_unit=True):
                if isinstance(item, Gap):
                    records += 0 if member.error is not None else 2
                records += isinstance(item, RawRecord)
                if records > 1:
                    return Format("gzip", "gzip")
                if item.error is not None and member.error is None and chunks.left > 0:
                    # Longer than its member: the record goes on in the next member, or its length is wrong.
                    return _by_next(window, member)
            if records == 1:
                return Format("gzip_records", "gzip")
        elif not head.strip(b"\r\n") and member.error is None and member.end is not None:
            start = member.end if member.end < min(window.end, at + _HEAD) else None
            first_head = None
            continue
        start = find_member(window, start + 1, at + _HEAD)
        if start is not None and first_head is not None and member.error is not None:
            return Format("gzip_records", "gzip")  # a damaged member, and a sound one behind it
    inflated = _head_of(GzipStream(window, at))
    return _stream_format(inflated, "gzip")


def _by_next(window: Window, member: Member) -> Format:
    """The first member's record is too long for it: per record where the next member begins with a record."""
    end = member.end
    if end is None or end >= window.end or is_record_start(Member(window, end).peek()):
        return Format("gzip_records", "gzip")
    return Format("gzip", "gzip")
