"""Named values of a page (`schemas.document.NAME_VALUE`) as detectors compare them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def named_values(
    items: Iterable[Mapping[str, Any] | None] | None, is_wanted: Callable[[str], bool]
) -> list[tuple[str, str]]:
    """(name, value) in lower case of the wanted names; most are not wanted, and values are long."""
    found = []
    for item in items or ():
        if item and item["name"] and item["value"]:
            name = item["name"].lower()
            if is_wanted(name):
                found.append((name, item["value"].lower()))
    return found
