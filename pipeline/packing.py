"""Tables as bytes, the form in which they travel through Beam. No Beam.

Beam's local runner keeps all that is shuffled in memory until a job ends. Within `spilling`, packed tables wait in a
file instead, and what travels is where they are: any process of the machine can unpack it while the file is there.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

# An Arrow stream begins with 0xFFFFFFFF, so that nothing else is taken for a ticket.
_MAGIC = b"HWSPILL1"
_TICKET = struct.Struct("<8sQQ")  # magic, offset, bytes; then the path
SPILL_FROM = 4 << 10  # bytes; a ticket for less would save nothing


class _Spill:
    """A file that packed tables are appended to."""

    def __init__(self, path: Path) -> None:
        self._path = os.fsencode(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._end = 0
        self._lock = threading.Lock()  # the runner may use threads

    def put(self, data: memoryview) -> bytes:
        """Write `data`; returns its ticket."""
        with self._lock:
            begin = self._end
            self._end += len(data)
            written = 0
            while written < len(data):
                written += os.pwrite(self._file, data[written:], begin + written)
        return _TICKET.pack(_MAGIC, begin, len(data)) + self._path

    def close(self) -> None:
        """Close the file and remove it."""
        os.close(self._file)
        with contextlib.suppress(OSError):
            os.unlink(self._path)


_spill: _Spill | None = None


@contextlib.contextmanager
def spilling(folder: Path) -> Iterator[None]:
    """Tables that this process packs wait in a file in `folder`, which is removed in the end.

    For runners that run in this process alone: tickets are of no use on another machine.
    """
    global _spill
    folder.mkdir(parents=True, exist_ok=True)
    before, _spill = _spill, _Spill(folder / f"shuffle-{os.getpid()}-{threading.get_ident()}.spill")
    try:
        yield
    finally:
        _spill.close()
        _spill = before


def pack(table: pa.Table) -> bytes:
    """An Arrow stream. Bytes have a coder on every runner, and a slice is written without the rest of its buffers."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data = sink.getvalue()
    if _spill is not None and data.size >= SPILL_FROM:
        return _spill.put(memoryview(data))
    return bytes(data)


def unpack(data: bytes) -> pa.Table:
    """Inverse of `pack`."""
    if data.startswith(_MAGIC):
        _, begin, size = _TICKET.unpack_from(data)
        with open(os.fsdecode(data[_TICKET.size :]), "rb") as file:
            file.seek(begin)
            data = file.read(size)
    return pa.ipc.open_stream(data).read_all()


def packed_bytes(data: bytes) -> int:
    """Bytes of what was packed, wherever it is."""
    return int(_TICKET.unpack_from(data)[2]) if data.startswith(_MAGIC) else len(data)


def gather(packed: Iterable[bytes], schema: pa.Schema) -> pa.Table:
    """All tables of a bucket as one; empty where there is none."""
    tables = [unpack(data) for data in packed]
    return pa.concat_tables(tables) if tables else schema.empty_table()
