"""Profiles as data, and their evaluation."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from detectors.quality import c4, fineweb, gopher, profiles, refinedweb, repetition
from detectors.quality.profiles import Rule, evaluate, profile, signals

KNOWN = {
    *repetition.SIGNALS,
    *gopher.SIGNALS,
    *fineweb.SIGNALS,
    *refinedweb.SIGNALS,
    *(name for rules in c4.RULES.values() for name in c4.signal_names(rules)),
}


def columns(name: str, rows: int = 1, **values: float | None) -> dict[str, pa.Array]:
    """All signals null but for those given."""
    return {s: pa.array([values.get(s)] * rows, pa.float32()) for s in signals(profile(name))}


def test_every_rule_reads_a_known_signal() -> None:
    for name, found in profiles.PROFILES.items():
        assert set(signals(found)) <= KNOWN, name
        assert all(rule.reason.isidentifier() and rule.reason == rule.reason.lower() for rule in found.rules)
        assert len({rule.reason for rule in found.rules}) == len(found.rules)
    assert set(profiles.PROFILES) == {"none", "gopher", "c4", "c4_paper", "fineweb", "refinedweb"}


@pytest.mark.parametrize("name", [n for n in profiles.PROFILES if n != "none"])
def test_each_rule_at_its_edge(name: str) -> None:
    chosen = profile(name)
    for rule in chosen.rules:
        assert rule.threshold is not None
        edge = np.float32(rule.threshold)
        beyond = float(np.nextafter(edge, np.float32(np.inf if rule.op == ">" else -np.inf)))
        assert evaluate(chosen, columns(name, **{rule.signal: float(edge)}), ["eng"]) == [None], rule
        assert evaluate(chosen, columns(name, **{rule.signal: beyond}), ["eng"]) == [rule.reason], rule


def test_thresholds_of_gopher() -> None:
    """Table A1 and section A1.1 of arXiv 2112.11446."""
    limits = {rule.reason: rule.threshold for rule in profile("gopher").rules}
    assert [limits[f"gopher_top_{n}_gram"] for n in (2, 3, 4)] == [0.20, 0.18, 0.16]
    assert [limits[f"gopher_dup_{n}_gram"] for n in range(5, 11)] == [0.15, 0.14, 0.13, 0.12, 0.11, 0.10]
    assert limits["gopher_short_doc"] == 50
    assert limits["gopher_long_doc"] == 100_000


def test_first_rule_gives_the_reason() -> None:
    found = columns("fineweb", gopher_words=3, gopher_dup_10_gram=0.5, fineweb_char_dup=1)
    assert evaluate(profile("fineweb"), found, ["eng"]) == ["gopher_dup_10_gram"]
    found = columns("refinedweb", gopher_words=3, gopher_dup_10_gram=0.5)
    assert evaluate(profile("refinedweb"), found, ["eng"]) == ["gopher_short_doc"]  # DCLM's order


def test_null_never_fails() -> None:
    for name in profiles.PROFILES:
        assert evaluate(profile(name), columns(name, rows=2), [None, "eng"]) == [None, None]
    arrays = {s: np.array([np.nan]) for s in signals(profile("gopher"))}
    assert evaluate(profile("gopher"), arrays, ["eng"]) == [None]


def test_language_overrides() -> None:
    found = columns("gopher", rows=4, gopher_word_length=1.0)
    languages = ["zho_Hans", "jpn", "eng_Latn", None]
    short = "gopher_short_words"
    assert evaluate(profile("gopher"), found, languages) == [None, None, short, short]
    ours = profile("gopher", overrides={"eng": {short: 0.5}, "jpn": {short: 2}})
    assert evaluate(ours, found, languages) == [None, short, None, short]


def test_thresholds_and_variant() -> None:
    changed = profile("gopher", variant="dolma", thresholds={"gopher_short_doc": 10, "gopher_long_doc": None})
    assert changed.variant == "dolma"
    assert evaluate(changed, columns("gopher", gopher_words=10), ["eng"]) == [None]
    assert evaluate(changed, columns("gopher", gopher_words=1e6), ["eng"]) == [None]
    assert profile("gopher").rules != changed.rules
    assert profile("refinedweb").variant == "dclm"


def test_errors() -> None:
    with pytest.raises(ValueError, match="choose from none, gopher"):
        profile("nope")
    with pytest.raises(ValueError, match="choose from datatrove"):
        profile("gopher", variant="nope")
    with pytest.raises(ValueError, match="no rule nope"):
        profile("gopher", thresholds={"nope": 1})
    with pytest.raises(KeyError):
        evaluate(profile("gopher"), {}, ["eng"])


def test_empty_batch_and_operators() -> None:
    assert evaluate(profile("gopher"), columns("gopher", rows=0), []) == []
    for op, expected in {"<": [1, 0, 0], "<=": [1, 1, 0], ">": [0, 0, 1], ">=": [0, 1, 1]}.items():
        chosen = profiles.Profile("p", (Rule("r", "s", op, 0.5),))  # type: ignore[arg-type]
        found = evaluate(chosen, {"s": np.array([0.4, 0.5, 0.6])}, [None] * 3)
        assert [int(reason == "r") for reason in found] == expected


def test_cuts() -> None:
    text = "One two three four five.\nlikes\n"
    assert profiles.spans_for(None, text) == [(0, len(text))]
    assert profiles.spans_for(None, "") == []
    assert profiles.spans_for("c4", text) == [(0, 24)]
    assert profiles.spans_for("refinedweb", text) == [(0, 24), (31, 31)]
    assert [profile(n).cut for n in ("none", "gopher", "c4", "fineweb", "refinedweb")] == [
        None, None, "c4", "c4_fineweb", "refinedweb",
    ]  # fmt: skip
