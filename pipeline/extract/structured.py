"""JSON-LD of a page: language, licence, author, origin and dates. Bounded, and tolerant to broken JSON.

Beside it the settings that Weglot's plugins print for its script: they name the language of the site.
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

MAX_SCRIPTS: Final = 20
MAX_CHARACTERS: Final = 500_000  # of all JSON-LD of a page
MAX_NODES: Final = 2_000
MAX_PAIRS: Final = 64
MAX_VALUE: Final = 500

KEPT: Final = frozenset(
    {
        "@type",
        "inLanguage",
        "license",
        "digitalSourceType",
        "isAccessibleForFree",
        "isBasedOn",
        "translationOfWork",
        "usageInfo",
        "acquireLicensePage",
        "creditText",
    }
)
ROLES: Final = frozenset({"author", "creator", "translator", "publisher", "editor"})  # their @type is kept
_DATES: Final = {"datePublished": "published", "dateCreated": "created", "dateModified": "modified"}
_BROKEN: Final = re.compile(
    r'"(@type|inLanguage|license|digitalSourceType|isAccessibleForFree|datePublished|dateCreated|dateModified)"'
    r'\s{0,20}:\s{0,20}(?:"((?:[^"\\]|\\.){0,500})"|(true|false))'
)
_WRAPPING: Final = re.compile(
    r"\A\s*(?:<!--|//\s*<!\[CDATA\[|/\*\s*<!\[CDATA\[\s*\*/|<!\[CDATA\[)|(?:-->|(?://|/\*)?\s*\]\]>(?:\s*\*/)?)\s*\Z"
)


_WEGLOT: Final = re.compile(
    r'"(language_from|original_language|current_language)"\s{0,4}:\s{0,4}"([A-Za-z]{2,3}(?:[-_][A-Za-z]{2,4})?)"'
)


@dataclass(slots=True)
class Structured:
    """Pairs in the order found, and stated dates, outermost first."""

    pairs: dict[tuple[str, str], None] = field(default_factory=dict)
    published: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)

    def add(self, name: str, value: object) -> None:
        """Keep one value of a property, if it is a scalar."""
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, (int, float)):
            value = str(value)
        if not isinstance(value, str) or not value.strip():
            return
        if name in _DATES:
            dates = getattr(self, _DATES[name])
            if len(dates) < 8:
                dates.append(value[:64])
        elif len(self.pairs) < MAX_PAIRS:
            self.pairs[name, value.strip()[:MAX_VALUE]] = None


def _visit(node: dict[str, Any], found: Structured, queue: deque[Any]) -> None:
    for key, value in node.items():
        if key in KEPT or key in _DATES:
            for item in value[:8] if isinstance(value, list) else (value,):
                if isinstance(item, dict):
                    found.add(key, item.get("@id") or item.get("url") or item.get("name") or item.get("@value"))
                else:
                    found.add(key, item)
        elif key in ROLES:
            for item in value[:4] if isinstance(value, list) else (value,):
                kinds = item.get("@type") if isinstance(item, dict) else None
                for kind in kinds[:4] if isinstance(kinds, list) else (kinds,):
                    found.add(f"{key}.@type", kind)
        elif isinstance(value, (dict, list)):
            queue.append(value)


def _load(text: str) -> Any:
    text = _WRAPPING.sub("", text[:64]) + text[64:] if len(text) > 64 else _WRAPPING.sub("", text)
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def read_structured(texts: list[str]) -> Structured:
    """What the JSON-LD scripts of a page say, breadth first, so that outer objects come before comments and parts."""
    found, budget = Structured(), MAX_CHARACTERS
    queue: deque[Any] = deque()
    for text in texts[:MAX_SCRIPTS]:
        if len(text) > budget:
            break
        budget -= len(text)
        loaded = _load(text)
        if loaded is None:
            for name, value, flag in _BROKEN.findall(text):
                found.add(name, value or flag)
        else:
            queue.append(loaded)
    for _ in range(MAX_NODES):
        if not queue:
            break
        node = queue.popleft()
        if isinstance(node, dict):
            _visit(node, found, queue)
        elif isinstance(node, list):
            queue.extend(node[:200])
    return found


def weglot_languages(text: str) -> list[tuple[str, str]]:
    """Languages that the settings of Weglot name, as `weglot.current_language` and the like; the first of each name."""
    found: dict[str, str] = {}
    for name, language in _WEGLOT.findall(text[:MAX_CHARACTERS]):
        found.setdefault(f"weglot.{name}", language)
    return list(found.items())
