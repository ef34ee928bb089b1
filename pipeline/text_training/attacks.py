"""Cheap attacks on a detector, as transformations of text. Deterministic: randomness comes from the text's own hash."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable
from typing import Final

Attack = Callable[[str, random.Random], str]

_LOOKALIKES: Final = dict(zip("aeopcxi", "аеорсхі", strict=True))  # Cyrillic


def _homoglyphs(text: str, chance: random.Random) -> str:
    return "".join(_LOOKALIKES[c] if c in _LOOKALIKES and chance.random() < 0.3 else c for c in text)


def _zero_width(text: str, chance: random.Random) -> str:
    return "".join(c + "\u200b" if chance.random() < 0.1 else c for c in text)


def _random_case(text: str, chance: random.Random) -> str:
    return "".join(c.upper() if chance.random() < 0.1 else c for c in text)


def _lower_case(text: str, chance: random.Random) -> str:
    return text.lower()


def _white_space(text: str, chance: random.Random) -> str:
    return re.sub(" ", lambda _: " " * chance.choice((1, 1, 1, 2, 3)) if chance.random() < 0.9 else "\n", text)


def _no_commas(text: str, chance: random.Random) -> str:
    return re.sub(r"[,;:\-—–]", "", text)


def _typing_errors(text: str, chance: random.Random) -> str:
    def swap(found: re.Match[str]) -> str:
        return found[1] + found[3][:1] + found[2] + found[3][1:] if chance.random() < 0.05 else found[0]

    return re.sub(r"\b(\w)(\w)(\w+)\b", swap, text)


def _contractions(text: str, chance: random.Random) -> str:
    text = re.sub(r"\b(?:[Ff]urthermore|[Aa]dditionally|[Mm]oreover), ", "", text)
    text = re.sub(r"\b([Ii])t is\b", r"\1t's", text)
    return re.sub(r"\b(do|does|is|are|was|were|have|has|would|could|should) not\b", r"\1n't", text)


def _dropped_words(text: str, chance: random.Random) -> str:
    return " ".join(word for word in text.split(" ") if chance.random() > 0.05)


def _swapped_words(text: str, chance: random.Random) -> str:
    words = text.split(" ")
    for i in range(len(words) - 1):
        if chance.random() < 0.05:
            words[i], words[i + 1] = words[i + 1], words[i]
    return " ".join(words)


ATTACKS: Final[dict[str, Attack]] = {
    "none": lambda text, chance: text,
    "homoglyphs, 30 %": _homoglyphs,
    "zero-width spaces, 10 %": _zero_width,
    "random case, 10 %": _random_case,
    "lower case": _lower_case,
    "white space": _white_space,
    "no commas and dashes": _no_commas,
    "typing errors, 5 %": _typing_errors,
    "contractions": _contractions,
    "words dropped, 5 %": _dropped_words,
    "words swapped, 5 %": _swapped_words,
}


def attacked(text: str, name: str) -> str:
    """The text after the attack of this name."""
    seed = int.from_bytes(hashlib.sha256(f"{name}:{text}".encode("utf-8", "surrogatepass")).digest()[:8], "big")
    return ATTACKS[name](text, random.Random(seed))
