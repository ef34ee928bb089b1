"""Writes `unicode.npz`, the character table of the tokeniser, as run lengths. Not needed at run time.

Run with `regex` and `unicodedata2` installed: `python detectors/features/data/make_unicode.py`. The table states the
Unicode version in its `version` field; results never depend on the Unicode version of the Python that runs Headwater.
"""

from __future__ import annotations

import importlib
import unicodedata
from pathlib import Path

import numpy as np

CODE_POINTS = 0x110000
SPACE, LETTER, NUMBER, MARK, ALONE, IGNORED = 1, 2, 3, 4, 5, 6
LOWER, UPPER, DIGIT, TERMINAL, CLOSER = 8, 16, 32, 64, 128
# Scripts written without spaces between words: each letter is a word of its own. Tibetan marks its syllables.
ALONE_SCRIPTS = [
    *("Han", "Hiragana", "Katakana", "Bopomofo", "Yi", "Tangut", "Nushu", "Khitan_Small_Script"),
    *("Thai", "Lao", "Khmer", "Myanmar", "Javanese", "Balinese", "Tai_Le", "New_Tai_Lue", "Tai_Tham", "Tai_Viet"),
]


def main() -> None:
    regex = importlib.import_module("regex")
    unidata = importlib.import_module("unicodedata2")

    def members(pattern: str) -> set[int]:
        compiled = regex.compile(pattern)
        return {c for c in range(CODE_POINTS) if not 0xD800 <= c < 0xE000 and compiled.match(chr(c))}

    space = members(r"\p{White_Space}") | set(range(0x1C, 0x20)) | {0x200B}  # str.isspace, and zero-width space
    alone = members("[" + "".join(rf"\p{{Script={s}}}" for s in ALONE_SCRIPTS) + "]") | {0x30FC, 0xFF70}
    upper, lower = members(r"\p{Uppercase}"), members(r"\p{Ll}")
    digit, terminal = members(r"[\p{nt=Digit}\p{Nd}]"), members(r"\p{Sentence_Terminal}")

    table = np.zeros(CODE_POINTS, dtype=np.uint8)
    source, target = [], []
    for c in range(CODE_POINTS):
        char = chr(c)
        category = unidata.category(char)
        if c in space:
            value = SPACE
        elif category[0] == "L":
            value = ALONE if c in alone else LETTER
        else:
            value = {"N": NUMBER, "M": MARK}.get(category[0], IGNORED if category == "Cf" else 0)
        if category in ("Pe", "Pf") or char in "\"'":
            value |= CLOSER
        value |= (LOWER * (c in lower)) | (UPPER * (c in upper)) | (DIGIT * (c in digit)) | (TERMINAL * (c in terminal))
        table[c] = value
        folded = next((f for f in (char.casefold(), char.lower()) if len(f) == 1), char)
        if category == "Lu" and unicodedata.category(char) == "Cn":  # newer than this Python: by name
            try:
                folded = unidata.lookup(unidata.name(char).replace("CAPITAL", "SMALL"))
            except KeyError:
                folded = char
        if folded != char:
            source.append(c)
            target.append(ord(folded))
    starts = np.flatnonzero(np.concatenate(([True], table[1:] != table[:-1]))).astype(np.uint32)
    np.savez_compressed(
        Path(__file__).with_name("unicode.npz"),
        version=np.array(unidata.unidata_version),
        starts=starts,
        values=table[starts],
        source=np.array(source, dtype=np.uint32),
        target=np.array(target, dtype=np.uint32),
    )


if __name__ == "__main__":
    main()
