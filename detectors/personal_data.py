"""Spans of e-mail addresses and public IP addresses in the text. Found, not removed: what to do is a policy.

The choice is datatrove's (PIIFormatter): e-mail, and IP addresses outside private and reserved ranges. A text is
searched only where its punctuation says so (`detectors.features.shapes`); every quantifier is bounded, so time is
linear.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa

from detectors.api import FeatureCache, Signals
from detectors.features.shapes import EMAIL, IPV4, IPV6, rows_with
from schemas.document import PERSONAL_DATA

MAXIMUM_SPANS = 1000  # a document; the first ones in order

# Lengths of RFC 5321: a local part of 64, a label of 63. Looked for around each `@`, never from each letter.
_LOCAL = re.compile(r"(?<![\w.+%-])[A-Za-z0-9][\w.+%-]{0,63}\Z")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}(?![\w-]|\.\w)")
_IPV4 = re.compile(r"(?<![\w.-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w-]|\.[\w])")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,8}[0-9A-Fa-f]{0,4}(?![\w:])")

_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")

# The shape without which a text has none of a kind.
_SHAPES = {"email": EMAIL, "ipv4": IPV4, "ipv6": IPV6}


class PersonalData:
    """`personal_data`: spans with kind `email`, `ipv4` or `ipv6`, in order of position."""

    name = "personal_data"
    version = 1
    columns = frozenset({"text"})
    outputs: Mapping[str, pa.DataType] = {"personal_data": pa.list_(PERSONAL_DATA)}

    def setup(self) -> None:
        """Nothing to load."""

    def parameters(self) -> Mapping[str, Any]:
        """Patterns and the bound."""
        return {"patterns": [one.pattern for one in (_LOCAL, _DOMAIN, _IPV4, _IPV6)], "maximum": MAXIMUM_SPANS}

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Spans of the batch."""
        texts = features.column("text")
        suspects: dict[int, list[str]] = {}
        for kind, shape in _SHAPES.items():
            for row in rows_with(shape, features):
                suspects.setdefault(row, []).append(kind)
        rows: list[list[dict[str, Any]]] = [[] for _ in range(batch.num_rows)]
        for row, kinds in suspects.items():
            rows[row] = find_personal_data(texts[row], kinds)
        return Signals({"personal_data": pa.array(rows, self.outputs["personal_data"])})


def find_personal_data(text: str, kinds: Collection[str] = tuple(_SHAPES)) -> list[dict[str, Any]]:
    """Spans of one text, ordered by start, at most `MAXIMUM_SPANS`."""
    finders = {"email": _emails, "ipv4": _addresses(_IPV4), "ipv6": _addresses(_IPV6)}
    spans = [(*span, kind) for kind in kinds for span in islice(finders[kind](text), MAXIMUM_SPANS)]
    return [{"kind": kind, "start": start, "end": end} for start, end, kind in sorted(spans)[:MAXIMUM_SPANS]]


def _emails(text: str) -> Iterator[tuple[int, int]]:
    position, last = text.find("@"), 0
    while position >= 0:
        low = max(last, position - 65)  # one more than the longest, so that a longer one is seen to be too long
        local = _LOCAL.search(text[low:position])
        domain = _DOMAIN.match(text, position + 1) if local else None
        if local and domain:
            yield low + local.start(), domain.end()
            last = domain.end()
        position = text.find("@", position + 1)


def _addresses(pattern: re.Pattern[str]) -> Callable[[str], Iterator[tuple[int, int]]]:
    return lambda text: (match.span() for match in pattern.finditer(text) if _is_public(match.group()))


def _is_public(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    # Only 2000::/3 is handed out as public (RFC 4291); the rest of what looks like IPv6 in text is code (`a::b`).
    allocated = parsed.version == 4 or parsed in _PUBLIC_IPV6
    return allocated and parsed.is_global and not parsed.is_multicast
