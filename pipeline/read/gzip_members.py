"""Gzip members read one by one: a bounded window on a file, a member as a stream, the search for the next member.

Members are inflated raw, with the header parsed and the CRC checked here, so that damage is told apart (header,
deflate, CRC, cut) and so that what stands before the damage is not lost. Format: RFC 1952.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Protocol

try:
    from isal import isal_zlib as _fast
except ImportError:  # same answers, about half the speed
    _fast = zlib  # type: ignore[misc]

from pipeline.read import arc

GZIP_MAGIC = b"\x1f\x8b\x08"
STEP = 256 << 10  # bytes of output a call may give: bounds memory whatever the member claims
PIECE = 16 << 10  # bytes of input a call is given: more would only be copied back as `unused_data`
_CAREFUL_STEP = 256  # bytes of output lost at most before the damage
_PREFIX = 8 << 10  # bytes that may be needed to know an ARC header line
_MAX_GZIP_HEADER = 1 << 17  # bytes; FEXTRA is at most 64 KiB, names are short

Problem = tuple[str, str]
_ERRORS: Any = (_fast.error, zlib.error)


class ReadAt(Protocol):
    """What a window needs of a file: its size in bytes and reads at an offset (short only at the end)."""

    size: int
    chunk_bytes: int

    def read_at(self, offset: int, length: int) -> bytes: ...


class Window:
    """A buffer of one chunk over a file, ending at `end`. Offsets are absolute, in bytes."""

    __slots__ = ("_base", "_buffer", "_file", "_view", "bytes_read", "end")

    def __init__(self, file: ReadAt, end: int | None = None) -> None:
        self._file = file
        self.end = file.size if end is None else min(end, file.size)
        self.bytes_read = 0
        self._base = 0
        self._buffer = b""
        self._view = memoryview(b"")

    def get(self, offset: int, length: int) -> memoryview:
        """Bytes [offset, offset + length), fewer only at the end of the window."""
        at = offset - self._base
        if at < 0 or at + length > len(self._buffer):
            stop = min(offset + length, self.end)
            if at < 0 or stop > self._base + len(self._buffer):
                want = min(max(length, self._file.chunk_bytes), max(self.end - offset, 0))
                self._buffer = self._file.read_at(offset, want) if want else b""
                self.bytes_read += len(self._buffer)
                self._view = memoryview(self._buffer)
                self._base, at = offset, 0
        return self._view[at : at + length]

    def find(self, needle: bytes, start: int, end: int) -> int:
        """First offset in [start, end) where `needle` begins, or -1."""
        offset, overlap = start, len(needle) - 1
        while offset < end:
            if len(self.get(offset, len(needle))) < len(needle):
                return -1
            # In place: a copy for every false hit would make the search quadratic.
            found = self._buffer.find(needle, offset - self._base, end - self._base + overlap)
            if found >= 0:
                return self._base + found
            offset = self._base + len(self._buffer) - overlap
        return -1


def header_length(data: memoryview | bytes) -> int | None:
    """Length in bytes of a gzip header at the start of `data`; None where it is none, -1 where `data` ends in it."""
    head = bytes(data[:10])
    if head[:3] != GZIP_MAGIC[: len(head)] or (len(head) > 3 and head[3] & 0xE0):
        return None
    if len(head) < 10:
        return -1
    flags, at = head[3], 10
    if flags & 4:
        if len(data) < at + 2:
            return -1
        at += 2 + struct.unpack_from("<H", data, at)[0]
    for flag in (8, 16):
        if flags & flag:
            nul = bytes(data[at:]).find(b"\0")
            if nul < 0:
                return -1
            at += nul + 1
    at += 2 if flags & 2 else 0
    return at if at <= len(data) else -1


class Member:
    """One gzip member as a stream of chunks. `error` is set when it ends in damage, `end` where its end is certain."""

    __slots__ = ("_crc", "_inflater", "_pending", "_produced", "_window", "body", "careful", "done", "end",
                 "error", "position", "start")  # fmt: skip

    def __init__(self, window: Window, start: int, *, careful: bool = False) -> None:
        self._window = window
        self.start = start
        self.end: int | None = None
        self.error: Problem | None = None
        self.done = False
        self.careful = careful
        self._pending: list[bytes] = []
        self._crc = 0
        self._produced = 0
        length = header_length(window.get(start, 512))
        if length == -1:
            length = header_length(window.get(start, _MAX_GZIP_HEADER))
        self.body = self.position = start + max(length or 0, 0)
        if length is None:
            self._fail("garbage_between_records", f"no gzip header at byte {start}")
        elif length == -1:
            self._fail("truncated", f"the file ends in the gzip header at byte {start}")
        else:
            module: Any = zlib if careful else _fast
            self._inflater: Any = module.decompressobj(-15)

    def _fail(self, code: str, message: str) -> None:
        self.error, self.done = (code, message), True

    def peek(self) -> bytes:
        """The first bytes, as many as `is_record_start` needs; they stay to be read."""
        head = b""
        while not self.done and (len(head) < 5 or (len(head) < _PREFIX and b"\n" not in head.lstrip(b"\r\n"))):
            chunk = self._inflate()
            if not chunk:
                break
            head += chunk
            if len(head) >= 5 and not arc.could_be_header(head.lstrip(b"\r\n")):
                break
        self._pending = [head] if head else []
        return head

    def read(self) -> bytes:
        """The next chunk, at most `STEP` bytes; empty at the end."""
        if self._pending:
            return self._pending.pop()
        return b"" if self.done else self._inflate()

    def _inflate(self) -> bytes:
        get, inflater = self._window.get, self._inflater
        while True:
            piece = get(self.position, PIECE)
            step = STEP if not self.careful else 32 if not self._produced else _CAREFUL_STEP
            try:
                out: bytes = inflater.decompress(piece, step)
            except _ERRORS:
                if self.careful:
                    self._fail("gzip_corrupt", f"deflate error in the gzip member at byte {self.start}")
                    return b""
                self._go_careful()
                inflater = self._inflater
                continue
            self.position += len(piece) - len(inflater.unused_data if inflater.eof else inflater.unconsumed_tail)
            if out:
                self._crc = _fast.crc32(out, self._crc)
                self._produced += len(out)
            if inflater.eof:
                self._finish()
                return out
            if out:
                return out
            if not piece:
                self._fail("truncated", f"the file ends inside the gzip member at byte {self.start}")
                return b""

    def _finish(self) -> None:
        trailer = bytes(self._window.get(self.position, 8))
        self.done = True
        if len(trailer) < 8:
            self._fail("truncated", f"the file ends in the trailer of the gzip member at byte {self.start}")
            return
        crc, size = struct.unpack("<II", trailer)
        # After damage inflating may run on into later members and end with one of them: their length tells.
        self.end = self.position + 8 if size == self._produced & 0xFFFFFFFF else None
        if self.end is None or crc != self._crc:
            self._fail("gzip_corrupt", f"CRC or length of the gzip member at byte {self.start} does not match")

    def _go_careful(self) -> None:
        """Continues with zlib in small steps from where the fast call failed, to save what stands before the damage."""
        self.careful = True
        self._inflater = zlib.decompressobj(-15)
        self.position = self.body
        skipped = 0
        while skipped < self._produced:
            piece = self._window.get(self.position, PIECE)
            out = self._inflater.decompress(piece, min(STEP, self._produced - skipped))
            skipped += len(out)
            self.position += len(piece) - len(self._inflater.unconsumed_tail)
            if not out and not piece:
                break


def is_record_start(head: bytes) -> bool:
    """Whether decompressed bytes begin with a WARC version line or an ARC header line."""
    head = head.lstrip(b"\r\n")
    return head[:5].upper() == b"WARC/" or arc.is_header(head)


def is_member_start(window: Window, offset: int) -> bool:
    """Whether a gzip member that begins with a record begins at `offset`."""
    length = header_length(window.get(offset, 512))
    if length is None:
        return False
    return is_record_start(Member(window, offset, careful=True).peek())


def find_member(window: Window, start: int, end: int) -> int | None:
    """First offset in [start, end) where `is_member_start` holds, or None."""
    while (found := window.find(GZIP_MAGIC, start, end)) >= 0:
        if is_member_start(window, found):
            return found
        start = found + 1
    return None
