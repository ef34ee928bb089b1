"""Characters that hide in text: invisible ones, and letters of other scripts that look like Latin ones.

Attacks on detectors of generated text insert the first and swap the second; both are undone before a text is scored
(`detectors.text_model.canonical`) and kept as evidence (`detectors.ai_text.evasion`). The map is the part of Unicode's
confusables (UTS 39) that is one letter for one letter and that a reader cannot see in common fonts.
"""

from __future__ import annotations

_CYRILLIC = dict(zip("аеорсухіјѕһԁԛԝѵАВЕЅІЈКМНОРСТХҮԌԜ", "aeopcyxijshdqwvABESIJKMHOPCTXYGW", strict=True))
_GREEK = dict(zip("οανικρυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "oavikpuxABEZHIKMNOPTYX", strict=True))
_OTHER = {"ɡ": "g", "ⅼ": "l", "ꞵ": "b"}

# Letter that looks like a Latin one: the Latin one. Only undone inside words that have Latin letters too.
CONFUSABLES: dict[str, str] = {**_CYRILLIC, **_GREEK, **_OTHER}

# Invisible characters without a use in running Latin text. Joiners (U+200C, U+200D) and marks of direction have a use
# in Indic, Arabic, Persian and Hebrew text and in emoji sequences: they count only between two Latin letters.
HIDDEN = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060\u2061\u2062\u2063\u2064\u3164\ufeff\uffa0")
HIDDEN_IN_LATIN = HIDDEN | frozenset(
    "\u200c\u200d\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
