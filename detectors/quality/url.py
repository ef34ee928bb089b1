"""URL filter: block lists of domains and URLs in UT1 format, and lists of words in the address.

No list is shipped: licences differ and lists age. Paths are given by the user and read in `setup()`, their digests are
part of `parameters()`, and what was read is cached as hashes. The University of Toulouse's UT1 lists (`adult`,
`phishing`, …) have one folder a category with the files `domains` and `urls`; a folder of such folders, one such
folder, or a `.tar.gz` of either is accepted.

Order of the rules (after datatrove `url_filter.py` and DCLM's RefinedWeb recipe): domain, URL, banned word, soft words,
banned part of a word. Unlike datatrove, a listed domain also blocks its subdomains at any depth, a listed URL blocks
what is under it (as squidGuard, for which UT1 is made), and words are compared in lower case.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import xxhash

from detectors.features.url_key import split_address

MAX_URL = 4096  # characters looked at; longer addresses are cut
MAX_SEGMENTS = 32  # path segments looked at
CACHE_VERSION = 2  # of the compiled lists; raise it when their content would change
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_PLAIN_DOMAIN = re.compile(r"(?!www\.)[a-z0-9][a-z0-9.-]*[a-z0-9]")  # normalised as it stands


def normalise(url: str) -> tuple[str, str]:
    """Canonical host (`canonical_host`) and rest of an address: no scheme, user, port, fragment or final slash.

    >>> normalise("HTTPS://www.Example.org:443/a/?b=1#c")
    ('example.org', 'a/?b=1')
    """
    address = split_address(url.strip()[:MAX_URL])
    rest = f"{address.path}?{address.query}" if address.query else address.path
    return address.host, rest.strip("/")


def parents(host: str) -> Iterator[str]:
    """The host and its parent domains of two labels or more; of an IP address only itself."""
    yield host
    if re.fullmatch(r"[\d.]+|\[.*", host):
        return
    labels = host.split(".")[-MAX_SEGMENTS:]
    for i in range(len(labels) - 1):
        domain = ".".join(labels[i:])
        if domain != host:
            yield domain


class UrlFilter:
    """Says why an address is blocked: `check(url)` gives `url_domain`, `url_listed`, `url_banned_word`,
    `url_soft_words`, `url_banned_subword`, or None.

    `lists` are UT1 paths, `categories` restricts them by folder name. `banned_words` are whole words of the address,
    `banned_subwords` parts of it (letters and digits only are compared), `soft_words` block from `soft_threshold`
    different ones on (2 in FineWeb and RefinedWeb).
    """

    def __init__(
        self,
        lists: Sequence[str | Path] = (),
        categories: Iterable[str] | None = None,
        banned_words: Iterable[str] = (),
        banned_subwords: Iterable[str] = (),
        soft_words: Iterable[str] = (),
        soft_threshold: int = 2,
    ) -> None:
        self.lists = tuple(str(path) for path in lists)
        self.categories = None if categories is None else frozenset(categories)
        self.banned_words = _words(banned_words)
        self.banned_subwords = _words(banned_subwords)
        self.soft_words = _words(soft_words)
        self.soft_threshold = soft_threshold
        self._domains: npt.NDArray[np.uint64] | None = None
        self._urls: npt.NDArray[np.uint64] | None = None
        self._digest: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_domains": None, "_urls": None}  # loaded state is never pickled

    def setup(self) -> None:
        """Load the lists, from a cache of their hashes where they have been read before.

        The cache is keyed by the lists' own bytes; processes share its pages, so that millions of addresses cost the
        memory once.

        Raises:
            FileNotFoundError: a path of `lists` does not exist, or has no file `domains` or `urls`.
        """
        if self._domains is not None:
            return
        if not self.lists:
            self._use(np.zeros(1, np.uint64))
            return
        key = hashlib.sha256(f"{CACHE_VERSION}{sorted(self.categories or ())}".encode())
        for path in self.lists:
            for file in _list_files(Path(path)):
                key.update(f"{file.parent.name}/{file.name}:{file.stat().st_size}\n".encode() + file.read_bytes())
        cached = cache_folder() / f"url-lists-{key.hexdigest()[:16]}.npy"
        if cached.exists():
            self._use(np.load(cached, mmap_mode="r"))
            return
        domains, urls = self._read_lists()
        packed = np.concatenate([np.array([len(domains)], np.uint64), domains, urls])
        with contextlib.suppress(OSError):  # no place to keep it
            _publish(cached, packed)
        self._use(packed)

    def _use(self, packed: npt.NDArray[np.uint64]) -> None:
        """Take lists as they are cached: the number of domains, then domains, then addresses."""
        middle = 1 + int(packed[0])
        self._domains, self._urls = packed[1:middle], packed[middle:]
        self._digest = hashlib.sha256(packed.tobytes()).hexdigest()[:16]

    def _read_lists(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """Sorted hashes of the listed domains and addresses."""
        found: dict[str, list[int]] = {"domains": [], "urls": []}
        for path in self.lists:
            entries = 0
            for category, kind, data in _files(Path(path)):
                if self.categories is not None and category not in self.categories:
                    continue
                entries += 1
                found[kind].extend(_entries(kind, data))
            if not entries:
                raise FileNotFoundError(f"{path} has no file 'domains' or 'urls' of the chosen categories")
        domains, urls = (np.unique(np.array(found[kind], dtype=np.uint64)) for kind in ("domains", "urls"))
        return domains, urls

    def check(self, url: str | None) -> str | None:
        """Reason why the address is blocked, or None. An address that is missing is not blocked."""
        if not url:
            return None
        self.setup()
        host, rest = normalise(url)
        if any(_in(self._domains, domain) for domain in parents(host)):
            return "url_domain"
        if self._urls is not None and len(self._urls) and any(_in(self._urls, key) for key in _keys(host, rest)):
            return "url_listed"
        if not (self.banned_words or self.soft_words or self.banned_subwords):
            return None
        plain = unquote(f"{host}/{rest}").lower()
        words = set(_NOT_WORD.split(plain))
        if not self.banned_words.isdisjoint(words):
            return "url_banned_word"
        if self.soft_words and len(self.soft_words & words) >= self.soft_threshold:
            return "url_soft_words"
        joined = _NOT_WORD.sub("", plain)
        if any(part in joined for part in self.banned_subwords):
            return "url_banned_subword"
        return None

    def parameters(self) -> Mapping[str, Any]:
        """Word lists and the digest of the block lists (reads them)."""
        self.setup()
        return {
            "lists": self._digest,
            "categories": None if self.categories is None else sorted(self.categories),
            "banned_words": sorted(self.banned_words),
            "banned_subwords": sorted(self.banned_subwords),
            "soft_words": sorted(self.soft_words),
            "soft_threshold": self.soft_threshold,
        }


def read_words(path: str | Path) -> list[str]:
    """Words of a list file: one a line, `#` starts a comment line."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _words(words: Iterable[str]) -> frozenset[str]:
    """Letters and digits of each word, in lower case; words without any are left out."""
    return frozenset(filter(None, (_NOT_WORD.sub("", word.lower()) for word in words)))


def _keys(host: str, rest: str) -> Iterator[str]:
    """The address and what it lies under, longest first; never the host alone."""
    whole = f"{host}/{rest}"
    yield whole
    path = rest.partition("?")[0].rstrip("/")
    segments = path.split("/")[:MAX_SEGMENTS]
    for n in range(len(segments), 0, -1):
        if segments[0]:
            yield f"{host}/{'/'.join(segments[:n])}"


def cache_folder() -> Path:
    """Where compiled lists are kept between runs: HEADWATER_CACHE, else the user's cache folder."""
    given = os.environ.get("HEADWATER_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(given) if given else Path(base) / "headwater"


def _publish(path: Path, values: npt.NDArray[np.uint64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as sink:
        np.save(sink, values)
    temporary.replace(path)


def _list_files(path: Path) -> list[Path]:
    """The files that make up a list."""
    if path.is_dir():
        return [file for file in sorted(path.rglob("*")) if file.name in ("domains", "urls") and file.is_file()]
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such list; give a UT1 folder or tar.gz")
    return [path]


def _entries(kind: str, data: bytes) -> Iterator[int]:
    for line in data.decode("utf-8", "replace").splitlines():
        entry = line.strip()
        if kind == "domains" and _PLAIN_DOMAIN.fullmatch(entry):  # nearly all, and 20 times as fast
            yield xxhash.xxh3_64_intdigest(entry.encode())
            continue
        if not entry or entry.startswith("#"):
            continue
        host, rest = normalise(entry)
        if kind == "domains":
            yield xxhash.xxh3_64_intdigest(host.encode())
        elif rest:
            yield xxhash.xxh3_64_intdigest(f"{host}/{rest}".encode())


def _in(hashes: npt.NDArray[np.uint64] | None, key: str) -> bool:
    if hashes is None or not len(hashes):
        return False
    value = np.uint64(xxhash.xxh3_64_intdigest(key.encode("utf-8", "surrogatepass")))
    place = int(np.searchsorted(hashes, value))
    return place < len(hashes) and bool(hashes[place] == value)


def _files(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """Category, kind and content of each list file, in order of name."""
    if path.is_dir():
        for file in _list_files(path):
            yield file.parent.name, file.name, file.read_bytes()
        return
    with tarfile.open(path, "r:*") as archive:  # members are read, never written to disk
        members = [m for m in archive.getmembers() if m.isfile() and Path(m.name).name in ("domains", "urls")]
        for member in sorted(members, key=lambda m: m.name):
            content = archive.extractfile(member)
            if content is not None:
                yield Path(member.name).parent.name, Path(member.name).name, content.read()
