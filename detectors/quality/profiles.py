"""Named quality profiles: ordered rules over stored signals, as data.

A rule fails where `signal op threshold` holds; the first rule that fails gives the reason. A null signal never fails.
Values and thresholds are compared as float32, the type that signals are stored in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.quality import c4, repetition

Op = Literal["<", "<=", ">", ">="]
_COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}

# ISO 639-3 languages written without spaces: a word of our tokeniser is one letter there.
UNSPACED = ("zho", "cmn", "yue", "jpn", "tha", "lao", "khm", "mya", "wuu", "lzh")
SYLLABIC = ("bod", "dzo")  # Tibetan script: a word is a syllable, and each is followed by a mark


@dataclass(frozen=True, slots=True)
class Rule:
    """Drop with `reason` where `signal op threshold`; a threshold of None switches the rule off."""

    reason: str
    signal: str
    op: Op
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Profile:
    """Rules in order. `cut` names the line rules that are applied when text is written (`spans_for`).

    `overrides`: threshold by language (ISO 639-3, without script) and reason; None switches the rule off.
    `variant` is that of the repetition and Gopher signals.
    """

    name: str
    rules: tuple[Rule, ...]
    variant: str = repetition.DEFAULT_VARIANT
    cut: str | None = None
    overrides: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)


def _repetition_rules(order: Sequence[str]) -> tuple[Rule, ...]:
    """Table A1 of Rae et al. 2021 (arXiv 2112.11446)."""
    limits = {"dup_para_frac": 0.3, "dup_para_char_frac": 0.2, "dup_line_frac": 0.3, "dup_line_char_frac": 0.2}
    limits |= {f"top_{n}_gram": value for n, value in zip(range(2, 5), (0.2, 0.18, 0.16), strict=True)}
    limits |= {f"dup_{n}_gram": round(0.20 - 0.01 * n, 2) for n in range(5, 11)}
    names = [*order, *(name for name in limits if name.endswith("_gram"))]
    return tuple(Rule(f"gopher_{name}", f"gopher_{name}", ">", limits[name]) for name in names)


_REPETITION = _repetition_rules(("dup_para_frac", "dup_para_char_frac", "dup_line_frac", "dup_line_char_frac"))
_REPETITION_DCLM = _repetition_rules(("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac"))
# Rae et al. 2021, section A1.1. `symbol` rules apply in variant dclm, where `hash` and `ellipsis` are null.
_QUALITY = (
    Rule("gopher_short_doc", "gopher_words", "<", 50),
    Rule("gopher_long_doc", "gopher_words", ">", 100_000),
    Rule("gopher_short_words", "gopher_word_length", "<", 3),
    Rule("gopher_long_words", "gopher_word_length", ">", 10),
    Rule("gopher_hash_ratio", "gopher_hash_ratio", ">", 0.1),
    Rule("gopher_ellipsis_ratio", "gopher_ellipsis_ratio", ">", 0.1),
    Rule("gopher_symbol_ratio", "gopher_symbol_ratio", ">", 0.1),
    Rule("gopher_bullet_lines", "gopher_bullet_lines", ">", 0.9),
    Rule("gopher_ellipsis_lines", "gopher_ellipsis_lines", ">", 0.3),
    Rule("gopher_alpha_words", "gopher_alpha_words", "<", 0.8),
    Rule("gopher_stop_words", "gopher_stop_words", "<", 2),
)
_FINEWEB = (
    Rule("fineweb_line_punct", "fineweb_line_punct", "<", 0.12),
    Rule("fineweb_short_lines", "fineweb_short_lines", ">", 0.67),
    Rule("fineweb_char_dup", "fineweb_char_dup", ">", 0.01),
    Rule("fineweb_list_ratio", "fineweb_list_ratio", ">", 0.3),
)
_REFINEDWEB = (Rule("refinedweb_cut_words", "refinedweb_cut_words", ">", 0.05),)


def _c4_rules(rules: c4.C4Rules) -> tuple[Rule, ...]:
    lorem, curly, sentences = c4.signal_names(rules)
    return (
        Rule("c4_lorem_ipsum", lorem, ">", 0),
        Rule("c4_curly_bracket", curly, ">", 0),
        Rule("c4_few_sentences", sentences, "<", rules.min_sentences),
    )


# One letter is a word and `split` gives whole sentences in these languages: word length and symbol counts mean nothing.
_NO_WORD_LENGTH: dict[str, float | None] = dict.fromkeys(
    ("gopher_short_words", "gopher_long_words", "gopher_stop_words")
)
_NO_SYLLABLE_LENGTH: dict[str, float | None] = dict.fromkeys(("gopher_short_words", "gopher_alpha_words"))
_BY_LANGUAGE = dict.fromkeys(UNSPACED, _NO_WORD_LENGTH) | dict.fromkeys(SYLLABIC, _NO_SYLLABLE_LENGTH)

PROFILES = {
    profile.name: profile
    for profile in (
        Profile("none", ()),
        Profile("gopher", _REPETITION + _QUALITY, overrides=_BY_LANGUAGE),
        Profile("c4", _c4_rules(c4.RULES["c4"]), cut="c4"),
        Profile("c4_paper", _c4_rules(c4.RULES["c4_paper"]), cut="c4_paper"),
        Profile(
            "fineweb",
            _REPETITION + _QUALITY + _c4_rules(c4.RULES["c4_fineweb"]) + _FINEWEB,
            cut="c4_fineweb",
            overrides=_BY_LANGUAGE,
        ),
        # DCLM's order; its URL and language rules are elsewhere.
        Profile(
            "refinedweb",
            _QUALITY + _REPETITION_DCLM + _REFINEDWEB,
            variant="dclm",
            cut="refinedweb",
            overrides=_BY_LANGUAGE,
        ),
    )
}


def profile(
    name: str,
    variant: str | None = None,
    thresholds: Mapping[str, float | None] | None = None,
    overrides: Mapping[str, Mapping[str, float | None]] | None = None,
) -> Profile:
    """A named profile, with another repetition variant, other thresholds by reason, and overrides by language.

    Overrides are merged into those of the profile.

    Raises:
        ValueError: unknown profile, variant or reason.
    """
    if name not in PROFILES:
        raise ValueError(f"quality profile {name!r}: choose from {', '.join(PROFILES)}")
    base = PROFILES[name]
    reasons = {rule.reason for rule in base.rules}
    given = [thresholds or {}, *(overrides or {}).values()]
    unknown = sorted({reason for part in given for reason in part} - reasons)
    if unknown:
        raise ValueError(f"quality profile {name!r} has no rule {', '.join(unknown)}")
    if variant is not None and variant not in repetition.VARIANTS:
        raise ValueError(f"repetition variant {variant!r}: choose from {', '.join(repetition.VARIANTS)}")
    changed = thresholds or {}
    rules = tuple(replace(r, threshold=changed[r.reason]) if r.reason in changed else r for r in base.rules)
    merged = {code: dict(values) for code, values in base.overrides.items()}
    for code, values in (overrides or {}).items():
        merged.setdefault(code, {}).update(values)
    return replace(base, rules=rules, variant=variant or base.variant, overrides=merged)


def signals(profile: Profile) -> tuple[str, ...]:
    """Names of the signals that a profile needs, without repeats, in order of its rules."""
    return tuple(dict.fromkeys(rule.signal for rule in profile.rules))


def evaluate(
    profile: Profile, columns: Mapping[str, npt.NDArray[Any] | pa.Array], language: Sequence[str | None]
) -> list[str | None]:
    """Reason of the first rule that fails, by row; None where all pass.

    `language` has one code per row (ISO 639-3, script suffix allowed), or None.

    Raises:
        KeyError: a signal of the profile is missing.
    """
    codes = np.array([(code or "")[:3] for code in language], dtype="<U3")
    rows_of = {code: np.flatnonzero(codes == code) for code in profile.overrides if code in set(codes.tolist())}
    reasons = np.full(len(language), -1, dtype=np.int64)
    for number, rule in enumerate(profile.rules):
        values = _values(columns[rule.signal])
        failed = _fails(values, rule.op, rule.threshold)
        for code, rows in rows_of.items():
            if rule.reason in profile.overrides[code]:
                failed[rows] = _fails(values[rows], rule.op, profile.overrides[code][rule.reason])
        reasons[failed & (reasons < 0)] = number
    return [profile.rules[i].reason if i >= 0 else None for i in reasons.tolist()]


def _values(column: npt.NDArray[Any] | pa.Array) -> npt.NDArray[np.float32]:
    if isinstance(column, (pa.Array, pa.ChunkedArray)):
        column = column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    return np.asarray(column, dtype=np.float32)


def _fails(values: npt.NDArray[np.float32], op: Op, threshold: float | None) -> npt.NDArray[np.bool_]:
    if threshold is None:
        return np.zeros(len(values), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        result: npt.NDArray[np.bool_] = _COMPARE[op](values, np.float32(threshold))  # NaN compares false
    return result


def spans_for(cut: str | None, text: str) -> list[tuple[int, int]]:
    """Character spans of `text` that the line rules `cut` of a profile keep; the whole text without rules."""
    if cut is None:
        return [(0, len(text))] if text else []
    if cut == "refinedweb":
        from detectors.quality import refinedweb

        return refinedweb.cut_lines(text)
    return c4.cut_lines(text, c4.RULES[cut])
