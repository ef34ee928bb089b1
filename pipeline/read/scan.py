"""Records one after the other out of a decompressed stream: WARC and ARC, with the way back to them after damage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.read import arc, warc
from pipeline.read.gzip_members import Problem
from pipeline.read.records import ReadLimits
from pipeline.read.streams import Stream

_BLANK = re.compile(rb"[\r\n]*")
_LOOK_AHEAD = 64 << 10  # bytes of blank lines passed while the record before them is still held
_FAR = 1 << 62


@dataclass(slots=True)
class RawRecord:
    """A record whose header was read. `block` is None where it is no page, is skipped or is over a limit."""

    offset: int  # in the stream, bytes
    index: int  # position in the stream, from 0; gaps count too
    record_type: str
    url: str | None
    is_page: bool
    fields: warc.Fields = field(default_factory=dict)
    arc_header: arc.ArcHeader | None = None
    block: bytes | None = None
    error: Problem | None = None
    end: int = 0
    lf_only: bool = False  # the header's lines end in LF alone


@dataclass(slots=True)
class Gap:
    """A stretch [offset, end) of the stream without a readable record header."""

    offset: int
    index: int
    end: int
    error: Problem


class RecordScanner:
    """Iterates over the records and gaps of a stream. Memory: about two records of `max_record_bytes` at most.

    `base` is the file offset that messages and `skip` start from. `one_unit`: the stream is one gzip member, so that
    its end and its CRC speak about the record before it, and a record longer than it was counted wrongly, not cut.
    """

    def __init__(
        self,
        stream: Stream,
        limits: ReadLimits,
        *,
        base: int = 0,
        one_unit: bool = False,
        skip: frozenset[int] = frozenset(),
    ) -> None:
        self._stream = stream
        self._limits = limits
        self._base = base
        self._one_unit = one_unit
        self._skip = skip
        self._buffer = b""
        self._buffer_offset = 0  # stream offset of _buffer[0]
        self._at = 0
        self._pin: int | None = None  # what stays in the buffer while looking ahead
        self._index = 0
        self._answered = False  # a record or gap already speaks for the stream's present error

    def __iter__(self) -> Iterator[RawRecord | Gap]:
        while True:
            if not self._skip_blank():
                answered = self._answered
                if self._stream.error is not None and not answered:
                    yield self._gap(self._offset, self._stream.error)
                self._answered = False
                if not self._stream.resume():
                    return
                if not self._skip_blank() or self._at_record():
                    continue
                # Inside a record: nothing before the next one can be read.
                start = self._offset
                self._to_marker()
                if not answered:
                    yield self._garbage(start)
            elif self._at_record():
                is_warc = self._buffer[self._at : self._at + 5].upper() == b"WARC/"
                yield from self._warc_record() if is_warc else self._arc_record()
            else:
                start = self._offset
                self._at += 1
                self._to_marker()
                yield self._garbage(start)

    @property
    def _offset(self) -> int:
        return self._buffer_offset + self._at

    @property
    def _at_end(self) -> bool:
        return self._at >= len(self._buffer)

    def _say(self, what: str, offset: int) -> str:
        if self._one_unit:
            return f"{what} in the gzip member at byte {self._base}"
        return f"{what} at byte {self._base + offset}"

    def _gap(self, start: int, error: Problem) -> Gap:
        self._index += 1
        return Gap(start, self._index - 1, self._offset, error)

    def _garbage(self, start: int) -> Gap:
        # Where the stream broke as well, that is the better reason, and one region is enough.
        error = self._stream.error if self._at_end else None
        self._answered = self._answered or error is not None
        return self._gap(start, error or ("garbage_between_records", self._say("no record header", start)))

    def _more(self, wanted: int = 1) -> bool:
        """Adds at least `wanted` bytes to the buffer, less only at the end; False where nothing came."""
        keep = self._at if self._pin is None else self._pin
        parts, got = [self._buffer[keep:]], 0
        while got < wanted and (chunk := self._stream.read()):
            parts.append(chunk)
            got += len(chunk)
        if not got:
            return False
        self._buffer_offset += keep
        self._at -= keep
        self._pin = None if self._pin is None else 0
        self._buffer = b"".join(parts)
        return True

    def _skip_blank(self, limit: int | None = None) -> bool:
        """Passes line ends (at most about `limit` bytes); False at the end of the stream."""
        start = self._offset
        while True:
            match = _BLANK.match(self._buffer, self._at)
            assert match is not None
            self._at = match.end()
            if not self._at_end:
                return True
            if (limit is not None and self._offset - start > limit) or not self._more():
                return False

    def _at_record(self) -> bool:
        """Whether a record header begins at the current position (after `_skip_blank`)."""
        while True:
            newline = self._buffer.find(b"\n", self._at, self._at + arc.MAX_LINE)
            head = self._buffer[self._at : newline + 1 if newline >= 0 else self._at + 64]
            if newline >= 0:
                return warc.is_version_line(head) or arc.is_header(head)
            if len(self._buffer) - self._at >= arc.MAX_LINE:
                return False
            if head[:5].upper() != b"WARC/"[: len(head)] and not arc.could_be_header(head):
                return False
            if not self._more():
                return False

    def _to_marker(self) -> None:
        """Moves to the next place that looks like a record's beginning, or to the end (or damage) of the stream."""
        while (at := self._find_marker(self._at)) < 0:
            self._at = max(self._at, len(self._buffer) - arc.MAX_LINE)  # a marker may straddle two chunks
            if not self._more():
                self._at = len(self._buffer)
                return
        self._at = at

    def _find_marker(self, start: int, end: int = _FAR) -> int:
        """Index in the buffer of the first record that seems to begin in [start, end), or -1."""
        data = self._buffer
        found = warc.MARKER.search(data, start)
        best = found.end() if found and found.end() < end else -1
        for match in arc.MARKER.finditer(data, start, min(best if best >= 0 else len(data), end)):
            line_end = data.find(b"\n", match.end(), match.end() + arc.MAX_LINE)
            if line_end >= 0 and arc.is_header(data[match.end() : line_end + 1]):
                return match.end()
        return best

    def _warc_record(self) -> Iterator[RawRecord | Gap]:
        start = self._offset
        searched = 0
        while (end := warc.HEADER_END.search(self._buffer, self._at + searched)) is None:
            size = len(self._buffer) - self._at
            # Doubling what is asked for: a long header is not copied over and over.
            if size > self._limits.max_header_bytes or not self._more(size):
                too_large = size > self._limits.max_header_bytes
                code = "header_too_large" if too_large else "truncated"
                what = "WARC header over the limit" if too_large else "the data ends in the WARC header"
                self._at += 1
                self._to_marker()
                broken = self._stream.error if self._at_end else None
                self._answered = broken is not None
                yield self._gap(start, broken or (code, self._say(what, start)))
                return
            searched = max(size - 2, 0)
        if end.start() - self._at > self._limits.max_header_bytes:
            self._at = end.start()
            self._to_marker()
            yield self._gap(start, ("header_too_large", self._say("WARC header over the limit", start)))
            return
        fields = warc.parse_fields(self._buffer[self._at : end.start()])
        kind = fields.get(b"warc-type", b"").decode("latin-1").lower()
        length = warc.parse_length(fields.get(b"content-length"))
        if not kind and length is None:
            self._at = end.start()  # the blank line may be the one before the next record
            self._to_marker()
            yield self._gap(start, ("header_malformed", self._say("WARC header without type and length", start)))
            return
        self._at = end.end()
        url = warc.url_of(fields)
        record = RawRecord(start, self._index, kind, url, warc.is_page(kind, fields, url), fields)
        record.lf_only = end[0] == b"\n\n" and b"\r\n" not in self._buffer[self._at - len(end[0]) - 64 : self._at]
        yield from self._block(record, length)

    def _arc_record(self) -> Iterator[RawRecord | Gap]:
        start = self._offset
        line_end = self._buffer.find(b"\n", self._at)
        head = arc.parse_header(self._buffer[self._at : line_end + 1])
        assert head is not None  # _at_record saw it
        self._at = line_end + 1
        url = warc.text_of(head.url) or ""
        scheme = url.partition(":")[0].lower()
        kind = {"filedesc": "arc_header", "dns": "dns"}.get(scheme, "response")
        is_page = scheme in ("http", "https")
        record = RawRecord(start, self._index, kind, url, is_page, arc_header=head, lf_only=True)
        yield from self._block(record, head.length)

    def _block(self, record: RawRecord, length: int | None) -> Iterator[RawRecord | Gap]:
        """Reads or passes the block, finds where the next record begins, and says what is wrong with this one."""
        self._index += 1
        if length is None:
            self._at -= 1  # where the block is empty, the marker's blank line is the header's own
            self._to_marker()
            record.error = ("bad_content_length", self._say("no usable Content-Length in the record", record.offset))
            if self._at_end and self._stream.error is not None:
                record.error, self._answered = self._stream.error, True
        elif length > self._limits.max_record_bytes:
            self._pass_large(record, length)
        else:
            have = len(self._buffer) - self._at
            if have < length:
                self._more(length - have)
            if len(self._buffer) - self._at < length:
                self._short_block(record, length)
            else:
                yield from self._whole_block(record, length)
                return
        record.end = self._offset
        yield record

    def _whole_block(self, record: RawRecord, length: int) -> Iterator[RawRecord | Gap]:
        gap_start = None
        if record.is_page and self._base + (record.index if self._one_unit else record.offset) not in self._skip:
            record.block = self._buffer[self._at : self._at + length]
        self._pin = self._at
        self._at += length
        if self._skip_blank(_LOOK_AHEAD) and not self._at_record():
            # Something else follows: the length is too long (a record begins inside), or too short.
            start = self._pin
            end = start + length
            inner = self._find_marker(max(start - 1, 0), end)
            self._pin = None
            if inner >= 0:
                self._at = inner
                self._too_long(record, start, end)
            else:
                self._at = end
                gap_start = self._offset
                self._at = max(self._at - 1, 0)
                self._to_marker()
        self._pin = None
        if self._one_unit and self._stream.error is not None and self._at_end:
            record.error, self._answered, gap_start = self._stream.error, True, None
        record.end = self._offset if gap_start is None else gap_start
        if record.error is not None:
            record.block = None
        yield record
        if gap_start is not None:
            yield self._garbage(gap_start)

    def _short_block(self, record: RawRecord, length: int) -> None:
        """The stream ended inside the block."""
        start = self._at
        inner = self._find_marker(max(self._at - 1, 0))
        self._at = inner if inner >= 0 else len(self._buffer)
        if inner < 0 and self._stream.error is not None:
            record.error, self._answered = self._stream.error, True
        elif self._one_unit or inner >= 0:
            self._too_long(record, start, start + length)
        else:
            self._too_long(record, start, start + length)
            if record.error is not None:
                record.error = ("record_truncated", self._say("the data ends inside the record", record.offset))

    def _too_long(self, record: RawRecord, start: int, end: int) -> None:
        """The block [start, end) ends at `_at` already: an error, but not where only its line ends were converted.

        Tools that turn CRLF into LF leave Content-Length as it was: at most one byte is missing for each line.
        """
        held = self._buffer[start : self._at]
        if record.lf_only and b"\r\n" not in held and end - self._at <= held.count(b"\n"):
            record.block = held.rstrip(b"\n") if record.is_page else None
        else:
            record.block = None
            record.error = ("length_mismatch", self._say("Content-Length does not fit the record", record.offset))

    def _pass_large(self, record: RawRecord, length: int) -> None:
        """Passes a block over the limit without holding it; stops at a record that begins inside it.

        A length over the limit may be a lie that would swallow the records behind it, and there is no way back.
        """
        claimed = stop = self._offset + length
        self._at -= 1
        while self._offset < stop:
            inner = self._find_marker(self._at)
            if inner >= 0:
                stop = min(stop, self._buffer_offset + inner)
            if stop <= self._buffer_offset + len(self._buffer):
                self._at = stop - self._buffer_offset
                break
            self._at = max(self._at, len(self._buffer) - arc.MAX_LINE)
            if not self._more():
                self._at = len(self._buffer)
                break
        if self._at_end and self._stream.error is not None:
            record.error, self._answered = self._stream.error, True
        elif self._offset != claimed:
            record.error = ("length_mismatch", self._say("Content-Length does not fit the record", record.offset))
        elif record.is_page:
            what = f"record over {self._limits.max_record_bytes} bytes"
            record.error = ("record_too_large", self._say(what, record.offset))
