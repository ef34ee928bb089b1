"""What the page scanner knows of HTML: elements, attributes, character references, and words of class names.

Everything is an array, built once from the tables below, that compiled code reads. Sources: the HTML standard (void,
raw-text and optional-tag rules, named character references through `html.entities`), and conventions of class and id
names on the web (the word groups; Readability, trafilatura and boilerplate removal use the same ones).
"""

from __future__ import annotations

from functools import lru_cache
from html.entities import html5
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

TAGS: Final = (
    "", "a", "abbr", "address", "area", "article", "aside", "audio", "b", "base", "blockquote", "body", "br", "button",
    "canvas", "caption", "center", "cite", "code", "col", "dd", "del", "details", "dialog", "div", "dl", "dt", "em",
    "embed", "fieldset", "figcaption", "figure", "font", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head",
    "header", "hgroup", "hr", "html", "i", "iframe", "img", "input", "ins", "kbd", "label", "legend", "li", "link",
    "main", "mark", "math", "menu", "meta", "nav", "noembed", "noframes", "noscript", "object", "ol", "optgroup",
    "option", "p", "param", "picture", "pre", "rp", "rt", "ruby", "samp", "script", "section", "select", "small",
    "source", "span", "strong", "style", "sub", "summary", "sup", "svg", "table", "tbody", "td", "template", "textarea",
    "tfoot", "th", "thead", "time", "title", "tr", "track", "u", "ul", "var", "video", "wbr", "ya-tr-span",
)  # fmt: skip
TAG: Final[dict[str, int]] = {name: number for number, name in enumerate(TAGS)}

_VOID: Final = "area base br col embed hr img input link meta param source track wbr"
_BLOCK: Final = (
    "address article aside audio blockquote body button canvas caption center dd details dialog div dl dt fieldset"
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe label legend li main menu nav"
    " noscript ol option p pre section select summary table tbody td template textarea tfoot th thead tr ul video"
)
# Content that holds no text of the page is skipped up to the end tag; in the second group an end tag may be missing,
# and then the element is taken like any other.
_RAW: Final = "script style textarea title iframe noembed noframes"
_OPAQUE: Final = "svg math select"
# Start tags that end these in browsers, whether or not an end tag follows.
_BREAKS_OUT: Final = (
    "b blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li menu meta ol p pre ruby"
    " small span strong sub sup table u ul var"
)  # of svg and math (HTML standard, the rules for tokens in foreign content)
_NOT_IN_SELECT: Final = "select input textarea"
_HEAD: Final = "html head body meta link script style title base noscript template"  # do not open a body
_CLOSES_P: Final = (
    "address article aside blockquote center details dialog div dl dt dd fieldset figcaption figure footer form h1 h2"
    " h3 h4 h5 h6 header hgroup hr li main menu nav ol p pre section summary table ul"
)
# How far up an end tag, or a start tag that implies one, looks for its element.
_SCOPES: Final = {
    "P": "td th table button caption li div section article",
    "LI": "ul ol menu table td section article",
    "DT": "dl table td",
    "CELL": "table tr",
    "TABLE": "table",
    "END": "td th table",
}
_PASSES_CELLS: Final = "table tr tbody thead tfoot td th body html form div section article main"  # their end tags
_PASSES_TABLES: Final = "table body html main article"
_HIDDEN: Final = "template noscript object video audio canvas"  # shown only where a script or a player is missing

FLAGS: Final = {
    name: 1 << bit
    for bit, name in enumerate(
        ("VOID", "BLOCK", "RAW", "OPAQUE", "HEAD", "CLOSES_P", *(f"IN_{s}" for s in _SCOPES),
         "PASSES_CELLS", "PASSES_TABLES", "HIDES", "BREAKS_OUT", "NOT_IN_SELECT")
    )
}  # fmt: skip

ATTRIBUTES: Final = (
    "", "class", "id", "role", "itemprop", "data-testid", "aria-label", "hidden", "aria-hidden", "style", "name",
    "property", "http-equiv", "content", "href", "rel", "hreflang", "src", "type", "lang", "xml:lang", "title",
    # Looked for by the rules of `marks`.
    "onclick", "translate", "_msthash", "_msttexthash", "data-trp-gettext", "data-trp-translate-id",
    "data-message-author-role", "data-is-last-node", "data-is-only-node", "data-path-to-node", "data-wg-notranslate",
    "data-gt-lang", "colspan", "rowspan",
)  # fmt: skip
ATTRIBUTE: Final[dict[str, int]] = {name: number for number, name in enumerate(ATTRIBUTES)}
WORDED: Final = 6  # attributes 1 … WORDED are searched for the words below

# Words of class, id, role, itemprop, data-testid and aria-label, by what they mostly mark. A group is one bit.
WORDS: Final[tuple[tuple[str, ...], ...]] = (
    ("comment", "disqus"), ("nav", "menu"), ("foot",), ("header", "masthead", "topbar"), ("side", "rail"),
    ("related", "recommend", "similar", "also"), ("content",), ("article", "story"), ("post", "entry"), ("main",),
    ("body",), ("text", "copy", "prose"), ("product", "pdp", "item-detail"), ("widget",), ("share", "social", "sns"),
    ("cookie", "consent", "gdpr"), ("modal", "popup", "overlay", "dialog"), ("breadcrumb", "crumb"),
    ("author", "byline", "bio"), ("meta", "date", "time", "publish"), ("tag", "categor", "topic"),
    ("title", "headline"), ("card", "tile", "grid", "teaser"), ("list",), ("item",),
    ("banner", "promo", "advert", "sponsor", "ads"), ("newsletter", "subscribe", "signup"),
    ("login", "account", "user"), ("search", "filter", "facet", "sort"), ("price", "cart", "buy"), ("review", "rating"),
    ("desc", "detail", "spec", "feature"), ("caption", "credit", "figure"),
    ("reply", "respond", "thread", "message", "topic", "forum"),
    ("hidden", "sr-only", "visually", "screen-reader", "hide"), ("doc", "markdown", "wiki"),
    ("pagination", "pager", "paging", "prev", "next"), ("intro", "summary", "lead", "excerpt", "dek"),
    ("cta", "button", "btn"), ("tool", "action", "control"), ("toc", "contents"),
    ("faq", "accordion", "question", "answer"), ("copyright", "legal", "disclaimer"), ("testimonial", "quote"),
    ("hero", "jumbotron"), ("wrap", "container", "row", "col"), ("ad-", "-ad", "dfp", "gpt"),
    ("skip", "lang", "locale"),
)  # fmt: skip

HASH_SEED: Final = np.uint64(0xCBF29CE484222325)  # FNV-1a, 64 bits
HASH_STEP: Final = np.uint64(0x100000001B3)
_MASK: Final = 2**64 - 1

# Numeric references 0x80 … 0x9F mean windows-1252 (HTML standard, numeric character reference end state).
_C1: Final = bytes(range(0x80, 0xA0)).decode("cp1252", "replace")


def hash_name(name: str) -> int:
    """FNV-1a of an ASCII name."""
    value = int(HASH_SEED)
    for byte in name.encode("ascii"):
        value = ((value ^ byte) * int(HASH_STEP)) & _MASK
    return value


class Automaton(NamedTuple):
    """Aho-Corasick over folded bytes: next state, and the groups whose words end in a state."""

    fold: npt.NDArray[np.uint8]  # 256: byte to symbol, capitals as small letters
    step: npt.NDArray[np.int16]  # states x symbols
    groups: npt.NDArray[np.uint64]  # by state, as bits


class Vocabulary(NamedTuple):
    """Arrays that the scanner reads; a hash table holds 0 in `…_keys` where a slot is empty."""

    tag_keys: npt.NDArray[np.uint64]
    tag_values: npt.NDArray[np.int32]
    tag_flags: npt.NDArray[np.int32]
    attribute_keys: npt.NDArray[np.uint64]
    attribute_values: npt.NDArray[np.int32]
    entity_keys: npt.NDArray[np.uint64]
    entity_values: npt.NDArray[np.int32]  # row of `entity_text`
    entity_text: npt.NDArray[np.uint8]  # entities x 8: length, then UTF-8
    c1: npt.NDArray[np.int32]  # 32 code points
    word_fold: npt.NDArray[np.uint8]
    word_step: npt.NDArray[np.int16]
    word_groups: npt.NDArray[np.uint64]


def _table(names: dict[str, int], size: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """Open addressing with linear probing; `size` is a power of two."""
    keys, values = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    for name, value in names.items():
        key = hash_name(name)
        slot = key & (size - 1)
        while keys[slot]:
            slot = (slot + 1) & (size - 1)
        keys[slot], values[slot] = key, value
    return keys, values


def _flags() -> npt.NDArray[np.int32]:
    flags = np.zeros(len(TAGS), np.int32)
    groups = {
        "VOID": _VOID, "BLOCK": _BLOCK, "RAW": _RAW, "OPAQUE": _OPAQUE, "HEAD": _HEAD, "CLOSES_P": _CLOSES_P,
        "PASSES_CELLS": _PASSES_CELLS, "PASSES_TABLES": _PASSES_TABLES, "HIDES": _HIDDEN,
        "BREAKS_OUT": _BREAKS_OUT, "NOT_IN_SELECT": _NOT_IN_SELECT,
        **{f"IN_{scope}": names for scope, names in _SCOPES.items()},
    }  # fmt: skip
    for flag, names in groups.items():
        for name in names.split():
            flags[TAG[name]] |= FLAGS[flag]
    return flags


def build_automaton(groups: tuple[tuple[str, ...], ...]) -> Automaton:
    """Automaton of lower-case ASCII words; group g is bit g of a state."""
    symbols = sorted({character for group in groups for word in group for character in word})
    fold = np.zeros(256, np.uint8)
    for number, character in enumerate(symbols, 1):
        fold[ord(character)] = fold[ord(character.upper())] = number
    trie: list[dict[int, int]] = [{}]
    found = [0]
    for group, words in enumerate(groups):
        for word in words:
            state = 0
            for character in word:
                symbol = int(fold[ord(character)])
                if symbol not in trie[state]:
                    trie[state][symbol] = len(trie)
                    trie.append({})
                    found.append(0)
                state = trie[state][symbol]
            found[state] |= 1 << group
    step = np.zeros((len(trie), len(symbols) + 1), np.int16)
    fail = [0] * len(trie)
    queue = [0]
    for state in queue:  # breadth first, so that the failure state is complete
        for symbol in range(1, len(symbols) + 1):
            after = trie[state].get(symbol)
            back = int(step[fail[state], symbol]) if state else 0
            if after is None:
                step[state, symbol] = back
            else:
                step[state, symbol] = after
                fail[after] = back
                found[after] |= found[back]
                queue.append(after)
    return Automaton(fold, step, np.array(found, np.uint64))


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The arrays, built once per process."""
    names = sorted(html5)
    text = np.zeros((len(names), 8), np.uint8)
    for row, name in enumerate(names):
        raw = html5[name].encode()
        text[row, 0] = len(raw)
        text[row, 1 : 1 + len(raw)] = list(raw)
    words = build_automaton(WORDS)
    return Vocabulary(
        *_table({name: number for name, number in TAG.items() if name}, 512),
        _flags(),
        *_table({name: number for name, number in ATTRIBUTE.items() if name}, 128),
        *_table({name: row for row, name in enumerate(names)}, 8192),
        text,
        np.array([ord(c) if c != "\ufffd" else 0x80 + i for i, c in enumerate(_C1)], np.int32),
        words.fold,
        words.step,
        words.groups,
    )


def checksum() -> int:
    """Checksum of the tables that compiled code holds as constants; `_scan.compiled_vocabulary` computes the same."""
    found = vocabulary()
    total = 0
    for keys, values in ((found.tag_keys, found.tag_values), (found.attribute_keys, found.attribute_values)):
        for key, value in zip(keys.tolist(), values.tolist(), strict=True):
            total = ((total + key) * int(HASH_STEP) + value) & _MASK
    for flag in found.tag_flags.tolist():
        total = (total * int(HASH_STEP) + flag) & _MASK
    for group in found.word_groups.tolist():
        total = ((total + group) * int(HASH_STEP)) & _MASK
    return total
