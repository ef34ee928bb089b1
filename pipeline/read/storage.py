"""A thin layer on local files and fsspec: size, existence, listing and reads at an offset.

Remote reads are single byte ranges without a cache of their own (the reader's window is the cache), retried a bounded
number of times. Errors a user can act on are `InputError`s that say what to do.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

LOCAL_CHUNK = 1 << 20  # bytes a local window holds
REMOTE_CHUNK = 4 << 20  # bytes a remote request asks for: latency of object stores is about 30 to 100 ms
ATTEMPTS = 5
_FIRST_DELAY = 0.5  # seconds, doubled after each attempt
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})  # HTTP statuses worth another try
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}

BUNDLED = "bundled:"

T = TypeVar("T")


class InputError(Exception):
    """An input that cannot be used; the message says what to do."""


def is_remote(path: str) -> bool:
    """Whether a path is a URL that fsspec opens."""
    return "://" in path and not path.startswith("file://")


def local_path(path: str) -> str:
    """A local path without `file://` before it; `bundled:` names a file that ships with headwater."""
    if path.startswith(BUNDLED):
        return str(Path(__file__).parents[1] / "data" / path.removeprefix(BUNDLED))
    return path.removeprefix("file://")


def filesystem(path: str) -> Any:
    """The fsspec file system of a URL. Raises InputError where its optional package is missing."""
    import fsspec

    scheme = path.partition("://")[0]
    try:
        return fsspec.filesystem(scheme)
    except ImportError as e:
        extra = _EXTRAS.get(scheme)
        advice = f"pip install 'headwater[{extra}]'" if extra else f"install the fsspec package for {scheme}://"
        raise InputError(f"{path}: reading {scheme}:// needs a package that is not installed; run: {advice}") from e
    except ValueError as e:
        raise InputError(f"{path}: unknown scheme {scheme}://; use a file, s3://, gs:// or https://") from e


def _status_of(error: BaseException) -> int | None:
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        code = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return code if isinstance(code, int) else None
    for name in ("status", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int):
            return value
    return None


def _cause(error: BaseException) -> BaseException:
    """What is behind the FileNotFoundError that fsspec makes of every HTTP error."""
    while isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def is_transient(error: BaseException) -> bool:
    """Whether another attempt may succeed: timeouts, broken connections, 429 and 5xx."""
    error = _cause(error)
    status = _status_of(error)
    if status is not None:
        return status in _TRANSIENT
    names = {c.__name__ for c in type(error).__mro__}  # aiohttp and fsspec are imported only where they are used
    return isinstance(error, TimeoutError | ConnectionError) or bool(
        names & {"ClientConnectionError", "ClientPayloadError", "FSTimeoutError", "EndpointConnectionError"}
    )


def retry(path: str, call: Callable[[], T]) -> T:
    """Calls with backoff on transient errors; other errors become `InputError`s."""
    delay = _FIRST_DELAY
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return call()
        except InputError:
            raise
        except Exception as e:
            if is_transient(e) and attempt < ATTEMPTS:
                time.sleep(delay)
                delay *= 2
                continue
            raise _input_error(path, e) from e
    raise AssertionError("unreachable")


def _input_error(path: str, error: BaseException) -> InputError:
    error = _cause(error)
    status = _status_of(error)
    text = str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError) or status == 404:
        return InputError(f"{path}: no such file; check the name")
    if isinstance(error, PermissionError) or status in (401, 403):
        return InputError(f"{path}: not permitted to read it; check access rights or credentials")
    if isinstance(error, IsADirectoryError):
        return InputError(f"{path}: is a folder, not a file")
    if "range request" in text.lower() or "content-length" in text.lower():
        return InputError(f"{path}: the server ignores byte ranges; download the file and give the local copy")
    if "credential" in text.lower():
        return InputError(f"{path}: no credentials; set them up for this store ({text})")
    return InputError(f"{path}: cannot be read ({type(error).__name__}: {text})")


class LocalFile:
    """A local file that is read by offset."""

    chunk_bytes = LOCAL_CHUNK

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = retry(path, lambda: os.open(local_path(path), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))
        self.size = os.fstat(self._fd).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end of the file."""
        parts: list[bytes] = []
        while length > 0:
            part = retry(self.path, lambda o=offset, n=length: os.pread(self._fd, n, o))  # type: ignore[misc]
            if not part:
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Closes the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class RemoteFile:
    """A file behind a URL that is read by byte ranges, one request each."""

    chunk_bytes = REMOTE_CHUNK

    def __init__(self, path: str, size: int | None = None) -> None:
        self.path = path
        self._handle: Any = None
        self._fs = filesystem(path)
        self.size = file_size(path) if size is None else size

    def _open(self) -> Any:
        if self._handle is None:
            handle = self._fs.open(self.path, "rb", block_size=REMOTE_CHUNK, cache_type="none", size=self.size)
            if not handle.seekable() or not hasattr(handle, "cache"):
                raise InputError(
                    f"{self.path}: the server ignores byte ranges; download the file and give the local copy"
                )
            self._handle = handle
        return self._handle

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end of the file."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""

        def call() -> bytes:
            handle = self._open()
            try:
                handle.seek(offset)
                data: bytes = handle.read(length)
            except Exception:
                self._handle = None
                raise
            if len(data) > length:
                raise InputError(
                    f"{self.path}: the server ignores byte ranges; download the file and give the local copy"
                )
            if len(data) < length:  # a connection that closes early looks like the end of the file
                raise ConnectionError(f"{len(data)} of {length} bytes at {offset}")
            return data

        return retry(self.path, call)

    def close(self) -> None:
        """Closes the file."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None


RandomAccess = LocalFile | RemoteFile


def open_file(path: str, size: int | None = None) -> RandomAccess:
    """Opens a file for reads at an offset. `size` in bytes saves a request where it is known."""
    return RemoteFile(path, size) if is_remote(path) else LocalFile(path)


def open_stream(path: str) -> IO[bytes] | io.BufferedReader:
    """Opens a file as a seekable binary stream (for Parquet and listings)."""
    if is_remote(path):
        return io.BufferedReader(_RawRemote(RemoteFile(path)), REMOTE_CHUNK)
    return retry(path, lambda: open(local_path(path), "rb"))


class _RawRemote(io.RawIOBase):
    """A remote file as a stream, with the retries of `RemoteFile`."""

    def __init__(self, file: RemoteFile) -> None:
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._file.size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._file.read_at(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def read_all(path: str) -> bytes:
    """All bytes of a small file."""
    if is_remote(path):
        fs = filesystem(path)
        return retry(path, lambda: bytes(fs.cat_file(path)))

    def call() -> bytes:
        with open(local_path(path), "rb") as f:
            return f.read()

    return retry(path, call)


def file_size(path: str) -> int:
    """Size in bytes, by HEAD or its like for URLs. Raises InputError where there is none."""
    if not is_remote(path):
        return retry(path, lambda: os.stat(local_path(path)).st_size)
    fs = filesystem(path)
    size = retry(path, lambda: fs.info(path).get("size"))
    if size is None:
        raise InputError(f"{path}: the server does not tell its size; download the file and give the local copy")
    return int(size)


def exists(path: str) -> bool:
    """Whether a file or folder is there."""
    if not is_remote(path):
        return os.path.exists(local_path(path))
    fs = filesystem(path)
    return bool(retry(path, lambda: fs.exists(path)))


def is_remote_folder(path: str) -> bool:
    """Whether a URL names a folder (of an object store) and no file."""
    fs = filesystem(path)
    return bool(retry(path, lambda: fs.isdir(path)))


def list_remote(path: str, pattern: bool) -> dict[str, int]:
    """Files (as URLs) and sizes in bytes under a remote folder, or matching a remote glob."""
    fs = filesystem(path)
    call = (lambda: fs.glob(path, detail=True)) if pattern else (lambda: fs.find(path, detail=True))
    found: dict[str, Any] = retry(path, call)
    return {
        str(fs.unstrip_protocol(name)): int(info.get("size") or 0)
        for name, info in found.items()
        if info.get("type") == "file"
    }
