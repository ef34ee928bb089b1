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

_ARCHIVES = ("warc", "arc", "wet", "wat")
_CODECS = ("", ".gz", ".zst", ".xz", ".lz4", ".7z")
SUFFIXES = frozenset(f".{kind}{codec}" for kind in _ARCHIVES for codec in _CODECS) | frozenset(
    f".{kind}{codec}" for kind in ("jsonl", "ndjson") for codec in ("", ".gz", ".xz", ".zst")
) | {".parquet", ".warc.gz.bad"}  # fmt: skip
_CRAWL = re.compile(
    r"cc:(?P<crawl>[A-Za-z0-9][A-Za-z0-9-]{0,63})(?:\?(?P<kind>warcs|wets)(?:=(?P<from>\d*):(?P<to>\d*))?)?"
)


def list_sources(inputs: Sequence[str], *, table_root: str = TABLE_ROOT, crawl_root: str | None = None) -> list[Source]:
    """Expands files, folders, globs, URLs, `cc:` crawls and tables of offsets to files, sorted by path, each once.

    Args:
        inputs: as the user gave them; their order does not matter.
        table_root: where names such as `crawl-data/...` in a table of offsets begin.
        crawl_root: where `cc:` inputs are read; else the environment variable HEADWATER_CRAWL_ROOT, else `table_root`.

    Raises:
        InputError: nothing matched, no such file, not readable, or a package is missing; the message says what to do.
    """
    found: dict[str, Source] = {}
    ranges: dict[str, set[tuple[int, int]]] = {}
    for text in sorted(set(inputs)):
        for path, size in _expand(text, crawl_root or os.environ.get(CRAWL_ROOT_VARIABLE) or table_root):
            if offsets.may_be_table(path):
                table = offsets.read_table(path, table_root, strict=path == storage.local_path(text))
                if table is not None:
                    for name, wanted in table.items():
                        ranges.setdefault(name, set()).update(wanted)
                    continue
            key = path if storage.is_remote(path) else os.path.realpath(storage.local_path(path))
            if key not in found or (len(path), path) < (len(found[key].path), found[key].path):
                found[key] = Source(path, size)
    sources = list(found.values())
    # Where a whole file is given as well, it is read anyway.
    names = [n for n in ranges if (n if storage.is_remote(n) else os.path.realpath(n)) not in found]
    sources += [Source(name, size, _merged(ranges[name])) for name, size in _sizes(names)]
    return sorted(sources, key=lambda s: s.path)


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
    """Splits of at most `split_size` bytes, numbered in order of (path, start). Planned from sizes alone."""
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
        for start in range(0, max(size, 1), split_size):
            splits.append(Split(len(splits), source.path, start, min(start + split_size, max(size, 1)), size))
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
        if not os.access(path, os.R_OK):
            raise InputError(f"{text}: not permitted to read it; check its access rights")
        return [(path, storage.file_size(path))]
    if not glob.has_magic(path):
        raise InputError(f"{text}: no such file or folder; check the name")
    matches = glob.glob(path, recursive=True)
    files = [(m, storage.file_size(m)) for m in matches if os.path.isfile(m)]
    for folder in (m for m in matches if os.path.isdir(m) and not path.endswith("**")):
        files += _walk(folder)
    if not files:
        raise InputError(f"{text}: no file matches; check the pattern, and quote it so that the shell leaves it alone")
    for name, _ in files:
        if not os.access(name, os.R_OK):
            raise InputError(f"{name}: not permitted to read it; check its access rights")
    return files


def _is_known(name: str) -> bool:
    return any(name.lower().endswith(suffix) for suffix in SUFFIXES) or offsets.may_be_table(name)


def _walk(folder: str) -> list[tuple[str, int]]:
    def fail(error: OSError) -> None:
        raise InputError(f"{error.filename}: not permitted to list it; check its access rights") from error

    found = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders.sort()
        for name in names:
            path = os.path.join(parent, name)
            if _is_known(name) and os.path.isfile(path):
                if not os.access(path, os.R_OK):
                    raise InputError(f"{path}: not permitted to read it; check its access rights")
                found.append((path, storage.file_size(path)))
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
