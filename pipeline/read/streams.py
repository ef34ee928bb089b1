"""Decompressed streams over a whole file: several gzip members or zstd frames one after the other, or plain bytes.

Every stream gives chunks of bounded size; `error` says why it ended, and `resume` goes on behind the damage.
"""

from __future__ import annotations

from typing import Any, Protocol

from pipeline.read.gzip_members import GZIP_MAGIC, PIECE, Member, Problem, Window, header_length

PLAIN_CHUNK = 256 << 10  # bytes
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_DICTIONARY = b"\x37\xa4\x30\xec"
# RFC 8878: a block of 4 bytes may give 128 KiB, so 512 bytes in give at most 16 MiB out.
_ZSTD_INPUT = 512
_ZSTD_WINDOW = 1 << 27  # bytes; what `zstd --long` allows by default


class Stream(Protocol):
    """Chunks of decompressed bytes; empty at the end or at damage, which `error` tells apart."""

    @property
    def error(self) -> Problem | None: ...
    def read(self) -> bytes: ...
    def resume(self) -> bool: ...


class PlainStream:
    """An uncompressed file."""

    error: Problem | None = None

    def __init__(self, window: Window, start: int = 0) -> None:
        self._window = window
        self._at = start

    def read(self) -> bytes:
        """The next chunk; empty at the end."""
        chunk = bytes(self._window.get(self._at, min(PLAIN_CHUNK, max(self._window.end - self._at, 0))))
        self._at += len(chunk)
        return chunk

    def resume(self) -> bool:
        """Nothing follows the end of a plain file."""
        return False


class GzipStream:
    """All members of a gzip file as one stream; empty members and zero padding at the end pass without a word."""

    def __init__(self, window: Window, start: int = 0) -> None:
        self._window = window
        self._member: Member | None = Member(window, start)
        self.error: Problem | None = None

    def read(self) -> bytes:
        """The next chunk; empty at the end or at damage."""
        while self._member is not None and self.error is None:
            chunk = self._member.read()
            if chunk:
                return chunk
            self.error = self._member.error
            if self.error is None:
                end = self._member.end or self._window.end
                self._member = None
                if end < self._window.end:
                    if bytes(self._window.get(end, 3)) == GZIP_MAGIC:
                        self._member = Member(self._window, end)
                    elif not _is_zeros(self._window, end):
                        self.error = ("garbage_between_records", f"no gzip member at byte {end}")
                        self._resume_at = end
            else:
                self._resume_at = self._member.start + 1
        return b""

    def resume(self) -> bool:
        """Goes on at the next member that inflates; False where there is none."""
        if self.error is None:
            return False
        at = self._resume_at
        while (at := self._window.find(GZIP_MAGIC, at, self._window.end)) >= 0:
            if header_length(self._window.get(at, 512)) is not None and Member(self._window, at, careful=True).read():
                self._member, self.error = Member(self._window, at), None
                return True
            at += 1
        return False


class ZstdStream:
    """All frames of a zstd file as one stream, with the dictionary of a leading skippable frame.

    Format: RFC 8878; dictionary frame: https://iipc.github.io/warc-specifications/specifications/warc-zstd/.
    """

    def __init__(self, window: Window, start: int = 0) -> None:
        self._window = window
        self._at = start
        self._frame_start = start
        self._frame: Any = None
        self._pending: list[bytes] = []
        self._dictionary: Any = None
        self.error: Problem | None = None

    def _next_frame(self) -> bool:
        import zstandard

        get = self._window.get
        while True:
            head = bytes(get(self._at, 8))
            if not head or (len(head) < 4 and not any(head)):
                return False
            if head[:4] == ZSTD_MAGIC:
                more = {"dict_data": self._dictionary} if self._dictionary else {}
                decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW, **more)
                self._frame, self._frame_start = decoder.decompressobj(), self._at
                return True
            if head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50 and len(head) == 8:
                length = int.from_bytes(head[4:8], "little")
                if self._at == 0 and head[0] == 0x5D and length <= 16 << 20:
                    self._load_dictionary(bytes(get(8, length)))
                self._at += 8 + length
                continue
            if not _is_zeros(self._window, self._at):
                self.error = ("garbage_between_records", f"no zstd frame at byte {self._at}")
                self._frame_start = self._at
            return False

    def _load_dictionary(self, data: bytes) -> None:
        import zstandard

        try:
            if data[:4] == ZSTD_MAGIC:
                data = zstandard.ZstdDecompressor().decompress(data, max_output_size=16 << 20)
            if data[:4] == _ZSTD_DICTIONARY:
                self._dictionary = zstandard.ZstdCompressionDict(data)
        except zstandard.ZstdError:
            self._dictionary = None

    def read(self) -> bytes:
        """The next chunk; empty at the end or at damage."""
        import zstandard

        while self.error is None:
            if self._frame is None and not self._next_frame():
                return b""
            piece = bytes(self._window.get(self._at, _ZSTD_INPUT))
            if not piece:
                self.error = ("truncated", f"the file ends inside the zstd frame at byte {self._frame_start}")
                return b""
            try:
                out: bytes = self._frame.decompress(piece)
            except zstandard.ZstdError:
                self.error = ("zstd_corrupt", f"zstd frame at byte {self._frame_start} is damaged")
                return b""
            self._at += len(piece)
            if self._frame.eof:
                self._at -= len(self._frame.unused_data)
                self._frame = None
            if out:
                return out
        return b""

    def resume(self) -> bool:
        """Goes on at the next frame that decompresses; False where there is none."""
        if self.error is None:
            return False
        at = self._frame_start + 1
        while (at := self._window.find(ZSTD_MAGIC, at, self._window.end)) >= 0:
            self._at, self._frame, self.error = at, None, None
            if self.read():
                self._at, self._frame, self.error = at, None, None
                return True
            at += 1
        self._frame = None
        return False


class XzStream:
    """An xz file (of JSON lines) as one stream."""

    def __init__(self, window: Window) -> None:
        import lzma

        self._window = window
        self._at = 0
        self._decoder = lzma.LZMADecompressor(memlimit=1 << 30)
        self.error: Problem | None = None

    def read(self) -> bytes:
        """The next chunk; empty at the end or at damage."""
        import lzma

        while self.error is None:
            if self._decoder.eof:
                rest = self._decoder.unused_data
                self._at -= len(rest)
                if not bytes(self._window.get(self._at, 6)).startswith(b"\xfd7zXZ"):
                    return b""
                self._decoder = lzma.LZMADecompressor(memlimit=1 << 30)
            piece = bytes(self._window.get(self._at, PIECE)) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not piece:
                self.error = ("truncated", "the file ends inside the xz stream")
                return b""
            self._at += len(piece)
            try:
                out = self._decoder.decompress(piece, PLAIN_CHUNK)
            except lzma.LZMAError:
                self.error = ("xz_corrupt", f"xz stream is damaged before byte {self._at}")
                return b""
            if out:
                return out
        return b""

    def resume(self) -> bool:
        """Damage in xz ends the file."""
        return False


def _is_zeros(window: Window, start: int) -> bool:
    at = start
    while at < window.end:
        data = bytes(window.get(at, min(PLAIN_CHUNK, window.end - at)))
        if not data or data.strip(b"\0"):
            return not data
        at += len(data)
    return True
