"""The last step of every extraction: text in one form."""

from __future__ import annotations

import re
from typing import Final

NORMALISE_VERSION: Final = 1

# Controls but newline and tab. Zero-width and other hidden characters stay: they are evidence.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_C0: Final = bytes(code for code in (*range(32), 127) if code not in (9, 10))
_C1: Final = re.compile(rb"\xc2[\x80-\x9f]")
_SPACE_AT_END: Final = (" \n", "\t\n", "\u00a0\n")
_BLANK: Final = re.compile(r"\n{4,}")


def normalise_text(text: str) -> str:
    """Valid Unicode with `\\n` as the only line break, no spaces at line ends, at most two blank lines in a row."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        text = _CONTROL.sub("", text)
    else:  # 20 times faster than one expression over the text
        if _C1.search(raw) or len(raw.translate(None, _C0)) < len(raw):
            text = _CONTROL.sub("", text)
    if any(space in text for space in _SPACE_AT_END):
        text = "\n".join([line.rstrip(" \t\u00a0") for line in text.split("\n")])
    if "\n\n\n\n" in text:
        text = _BLANK.sub("\n\n\n", text)
    return text.strip("\n ").rstrip()
