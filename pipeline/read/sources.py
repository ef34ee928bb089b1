"""From what the user names to files, and from files to splits."""

from __future__ import annotations

import glob
import gzip
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from pipeline.read import offsets, storage
from pipeline.read.records import Source, Split
from pipeline.read.storage import InputError

TABLE_ROOT = "https://data.commoncrawl.org/"  # where crawl-data/... names live: https://commoncrawl.org/get-started
CRAWL_ROOT_VARIABLE = "HEADWATER_CRAWL_ROOT"  # another root for `cc:` inputs, such as a mirror or s3://commoncrawl/
_REQUESTS = 16  # sizes asked for at one time
MAX_RANGES = 1000  # records of one split that reads a table of offsets
MAX_SPLITS = 100_000  # of one file, planned in memory; 6 TB at 64 MiB a split

_ARCHIVES = ("warc", "arc", "wet", "wat")
_CODECS = ("", ".gz", ".zst", ".xz", ".lz4", ".7z")
SUFFIXES = frozenset(f".{kind}{codec}" for kind in _ARCHIVES for codec in _CODECS) | frozenset(
    f".{kind}{codec}" for kind in ("jsonl", "ndjson") for codec in ("", ".gz", ".xz", ".zst")
) | {".parquet", ".warc.gz.bad"}  # fmt: skip
_LINES = (".jsonl", ".ndjson", ".json")  # as a rule text, which split 0 reads whole
_CRAWL = re.compile(
    r"cc:(?P<crawl>[A-Za-z0-9][A-Za-z0-9-]{0,63})(?:\?(?P<kind>warcs|wets)(?:=(?P<from>\d*):(?P<to>\d*))?)?"
)


def list_sources(
    inputs: Sequence[str],
    *,
    table_root: str = TABLE_ROOT,
    crawl_root: str | None = None,
    text_column: str = "text",
) -> list[Source]:
    """Expands files, folders, globs, URLs, `cc:` crawls and tables of offsets to files, sorted by path, each once.

    Local files are one where links, `..` and `file://` lead to one file; of several names the shortest is given.

    Args:
        inputs: as the user gave them; their order does not matter.
        table_root: where names such as `crawl-data/...` in a table of offsets begin.
        crawl_root: where `cc:` inputs are read; else the environment variable HEADWATER_CRAWL_ROOT, else `table_root`.
        text_column: a table that has this column holds text and is no table of offsets.

    Raises:
        InputError: nothing matched, no such file, not readable, or a package is missing; the message says what to do.
    """
    found: dict[str, Source] = {}
    ranges: dict[str, set[tuple[int, int]]] = {}
    named: dict[str, str] = {}  # the name of each file that tables of offsets name
    for text in sorted(set(inputs)):
        _check_name(text)
        for path, size in _expand(text, crawl_root or os.environ.get(CRAWL_ROOT_VARIABLE) or table_root):
            if offsets.may_be_table(path):
                strict = path == storage.local_path(text)
                table = offsets.read_table(path, table_root, strict=strict, text_column=text_column)
                if table is not None:
                    for name, wanted in table.items():
                        key = _key(name)
                        ranges.setdefault(key, set()).update(wanted)
                        named[key] = min(named.get(key, name), name, key=_by_length)
                    continue
            key = _key(path)
            if key not in found or _by_length(path) < _by_length(found[key].path):
                found[key] = Source(path, size)
    # Where a whole file is given as well, it is read anyway.
    keys = [key for key in ranges if key not in found]
    sizes = _sizes([named[key] for key in keys])
    sources = list(found.values())
    sources += [Source(path, size, _merged(ranges[key])) for key, (path, size) in zip(keys, sizes, strict=True)]
    return sorted(sources, key=lambda s: s.path)


def _key(path: str) -> str:
    """What a file is known by: the URL, or the path without links and detours."""
    return path if storage.is_remote(path) else os.path.realpath(storage.local_path(path))


def _by_length(path: str) -> tuple[int, str]:
    return len(path), path


def _shown(path: str) -> str:
    """A name for a message: bytes that are no UTF-8 as `\\xff`."""
    try:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # other lone surrogates: no name that the system gave
        return ascii(path)


def _check_name(path: str) -> None:
    """Names stand in the output, which is UTF-8 throughout."""
    if not offsets.is_text(path):
        raise InputError(f"{_shown(path)}: the name is no valid UTF-8; rename it")


def _merged(ranges: set[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Ranges in order of offset; those that overlap become one, so that no record is read twice."""
    merged: list[tuple[int, int]] = []
    for offset, length in sorted(ranges):
        if merged and offset < sum(merged[-1]):
            start, before = merged[-1]
            merged[-1] = (start, max(before, offset + length - start))
        else:
            merged.append((offset, length))
    return tuple(merged)


def plan_splits(sources: Sequence[Source], split_size: int) -> list[Split]:
    """Splits of at most `split_size` bytes, numbered in order of (path, start). Planned from sizes and names alone.

    A file named as JSON lines is one split: as text its first split would read all of it, and an archive by that name
    is read by its content all the same. Raises InputError where one file would be over MAX_SPLITS splits.
    """
    if split_size < 1:
        raise InputError(f"--split-size is {split_size}; give a number of bytes above 0")
    splits: list[Split] = []
    for source in sorted(sources, key=lambda s: s.path):
        size = source.size_bytes
        if source.ranges is not None:
            for at in range(0, len(source.ranges), MAX_RANGES):
                part = source.ranges[at : at + MAX_RANGES]
                end = max(offset + length for offset, length in part)
                splits.append(Split(len(splits), source.path, part[0][0], end, size, ranges=part))
            continue
        whole = max(size, 1)
        step = whole if offsets.stem_and_codec(source.path)[0].endswith(_LINES) else split_size
        if whole > step * MAX_SPLITS:
            raise InputError(
                f"{source.path}: --split-size {split_size} makes over {MAX_SPLITS:,} splits of its {size:,} bytes; "
                f"use a larger split size, at least {-(-whole // MAX_SPLITS):,} bytes"
            )
        for start in range(0, whole, step):
            splits.append(Split(len(splits), source.path, start, min(start + step, whole), size))
    return splits


def _expand(text: str, crawl_root: str) -> list[tuple[str, int]]:
    """Files (path, size in bytes) that one input names."""
    if text.startswith("cc:"):
        return _expand_crawl(text, crawl_root)
    if storage.is_remote(text):
        return _expand_remote(text)
    path = storage.local_path(text)
    if os.path.isdir(path):
        return _expand_folder(path)
    if os.path.exists(path):
        if not os.path.isfile(path):
            raise InputError(f"{text}: is no regular file; give a file, folder, glob or URL")
        return [_local_file(path)]
    if not glob.has_magic(path):
        raise InputError(f"{text}: no such file or folder; check the name")
    matches = glob.glob(path, recursive=True)
    files = [_local_file(m) for m in matches if os.path.isfile(m)]
    for folder in (m for m in matches if os.path.isdir(m) and not path.endswith("**")):
        files += _walk(folder)
    if not files:
        raise InputError(f"{text}: no file matches; check the pattern, and quote it so that the shell leaves it alone")
    return files


def _local_file(path: str) -> tuple[str, int]:
    """A local file and its size in bytes; its name and its access rights are checked."""
    _check_name(path)
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: not permitted to read it; check its access rights")
    return path, storage.file_size(path)


def _is_known(name: str) -> bool:
    return any(name.lower().endswith(suffix) for suffix in SUFFIXES) or offsets.may_be_table(name)


def _walk(folder: str) -> list[tuple[str, int]]:
    def fail(error: OSError) -> None:
        raise InputError(f"{_shown(str(error.filename))}: not permitted to list it; check its access rights") from error

    found = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders.sort()
        for name in names:
            path = os.path.join(parent, name)
            if _is_known(name) and os.path.isfile(path):
                found.append(_local_file(path))
    return found


def _nothing_in(folder: str) -> InputError:
    return InputError(
        f"{folder}: no archive or table in this folder; known endings are .warc, .arc, .wet (also with .gz "
        "or .zst), .jsonl, .parquet; a file with another name can be given by itself"
    )


def _expand_folder(folder: str) -> list[tuple[str, int]]:
    found = _walk(folder)
    if not found:
        raise _nothing_in(folder)
    return found


def _expand_remote(url: str) -> list[tuple[str, int]]:
    scheme, _, rest = url.partition("://")
    is_http = scheme in ("http", "https")
    if not is_http and glob.has_magic(rest):
        found = storage.list_remote(url, pattern=True)
        if not found:
            raise InputError(f"{url}: no file matches; check the pattern")
        return sorted(found.items())
    if is_http:
        return [(url, storage.file_size(url))]
    if not url.endswith("/") and not storage.is_remote_folder(url):
        return [(url, storage.file_size(url))]
    found = _remote_folder(url)
    if not found:
        raise _nothing_in(url)
    return sorted(found.items())


def _remote_folder(url: str) -> dict[str, int]:
    found = storage.list_remote(url.rstrip("/"), pattern=False)
    return {name: size for name, size in found.items() if _is_known(PurePosixPath(name).name)}


def _expand_crawl(text: str, root: str) -> list[tuple[str, int]]:
    """`cc:CC-MAIN-2024-10?warcs=0:10`: the crawl's path listing, from the first to before the second number."""
    match = _CRAWL.fullmatch(text)
    if match is None:
        raise InputError(f"{text}: write cc:CC-MAIN-YYYY-WW?warcs=0:10 (or wets=0:10)")
    root = root.rstrip("/") + "/"
    kind = "wet" if match["kind"] == "wets" else "warc"
    listing = f"{root}crawl-data/{match['crawl']}/{kind}.paths.gz"
    try:
        names = gzip.decompress(storage.read_all(listing)).decode("utf-8").split()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{listing}: is no gzip list of paths; check the crawl's name") from error
    first = int(match["from"] or 0)
    chosen = names[first : int(match["to"]) if match["to"] else None]
    if not chosen:
        raise InputError(f"{text}: the crawl lists {len(names)} files; choose a range among them")
    return _sizes([root + name for name in chosen])


def _sizes(paths: list[str]) -> list[tuple[str, int]]:
    """Paths with their sizes in bytes; many at a time, as a crawl lists 90,000 files and each costs a request."""
    with ThreadPoolExecutor(_REQUESTS) as pool:
        return list(zip(paths, pool.map(storage.file_size, paths), strict=True))
