"""Texts for the comparison with datatrove: those with a catch, and random ones of nasty pieces."""

from __future__ import annotations

import random

CAUGHT = [
    "the quick brown fox jumps over the lazy dog",
    "one two three four five",
    "one two three four",
    "",
    " \n\t ",
    "... !!! ???",
    "Don't you think it's what we'd've said? I can't, won't and shan't; y'all're gonna cannot.",
    "Pi is 3.14159, or 3,14159; 1,234,567.89 and 1.2.3.4 and ٣٫١٤ and १२३ and 𑽐𑽑 and 5km at 10am",
    "Café naïve Ünïcode ŝŭpĕr Ångström İstanbul ΑΣ ΣΑΣ ﬁne ǅ ẞ",
    "e\u0301 \u0301 x\u0323\u0307 a\u00ad\u200bb zero\u200dwidth \ufeffbom soft\u00adhyphen",
    "日本語のテキスト、これは長い文です。もう一つの文！ 한국어 텍스트 입니다 ภาษาไทยเขียนติดกัน",
    "a ≠ b ≮ c ≯ d; ≮space≯ ≮ space ≯ ‘s ‘ s it‘s ‘‘s s‘s x ‘ s‘s",
    "ಠ︵ಠ ಠ ︵ ಠ ¯\\(ツ)/¯ :-) :D <3 8) xD o_O (╯°□°）╯︵┻━┻ ♥ \u037e \u1fef \u0387 \u2329x\u232a",
    "see https://www.example.org/a/b?c=d&e=f#g, www.example.com or mail me@example.org. C++ C# F# "
    "U.S.A. e.g. i.e. Ph.D.",
    "€€€€ ····· °°C 20°C $5 £6 5€ 100% §12 №7 ½ ² m² ™ © ® → ⇒ • – — − × ÷",
    "IS_ALPHA is_alpha nsubj NOUN space <space> word\x00with\x1fcontrol\x85chars\u2028and\u2029lines\u3000wide",
    "k\u212aelvin \u2126hm \u01c4 \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f tags",
    "word " * 40,
    "x" * 3000 + " " + "日" * 1500 + " one two three four",
]
PIECES = [
    "the", "Cannot", "gonna", "don't", "it‘s", "‘s", "‘", "s", "≮", "space", "≯", "≮space≯", "3.5",
    "1,000", "½", "a.m.", "10pm", "8a.m.", "Mr.", "co.", "U.K.", "日本", "ไทย", "한글", "e\u0301",
    "\u0301", "·", "€", "°c", "5°C", "x²", "ಠ︵ಠ", "#tag", "@user", "a_b", "snake_case", "CamelCase",
    "foo/bar", "and/or", "o’clock", "rock'n'roll", "…", "--", "—", "\u200b", "\xa0", "\u3000",
    "\n\n", "www.x.org", "ΣΑΣ", "İ", "ﬀ", "`", "😀", "1st", "2nd", "dont", "wont", "id", "lets",
    "well", "were", "hell", "shell", "its", "whats", "ma'am", "c’mon", "٤", "௧", "V.", "x+y", "a=b",
    "≠", "™",
]  # fmt: skip


def texts() -> list[str]:
    """The same texts every time."""
    generator = random.Random(7)
    made = []
    for _ in range(200):
        parts = []
        for _ in range(generator.randrange(2, 60)):
            parts.append(generator.choice(PIECES))
            parts.append(generator.choice([" ", " ", " ", "", "  ", "\n", ", "]))
        made.append("".join(parts))
    return CAUGHT + made
