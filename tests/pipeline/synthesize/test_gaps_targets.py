"""Targets as data: what is refused and how it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.synthesize.gaps_measure import Wanted, named_values, wanted_shares
from schemas.config import ConfigError
from schemas.targets import TOPICS, GapTargets, Target, load_targets, targets_schema


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"by": "language", "shares": {"en": 0.5}}, "three letters"),
        ({"by": "language"}, "one of shares, uniform and like"),
        ({"by": "language", "shares": {"eng": 0.5}, "like": "x"}, "one of shares, uniform and like"),
        ({"by": "language", "shares": {"eng": 0.7, "deu": 0.7}}, "sum to 1.4"),
        ({"by": "language", "shares": {"eng": -0.1}}, "between 0 and 1"),
        ({"by": "region", "shares": {"UK": 0.5}}, "ISO 3166"),
        ({"by": "topic", "uniform": ["helth"]}, "no topic; topics are health"),
        ({"by": "gender", "shares": {"neutral": 0.5}}, "none of feminine, masculine, balanced"),
        ({"by": ["language", "region"], "shares": {"deu": 0.5}}, "write language/region"),
        ({"by": ["language", "language"], "uniform": True}, "twice"),
        ({"by": "region", "where": {"region": "at"}, "uniform": True}, "in `by` and in `where`"),
        ({"by": "weather", "uniform": True}, "by"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, target: dict[str, Any], message: str) -> None:
    path = tmp_path / "targets.yaml"
    path.write_text(yaml.safe_dump({"targets": [target]}))
    with pytest.raises(ConfigError, match=message) as error:
        load_targets(path)
    assert "\n" not in str(error.value)


def test_one_target_for_one_thing() -> None:
    with pytest.raises(ValueError, match="two targets are for language"):
        GapTargets(targets=(Target(by="language", uniform=True), Target(by="language", shares={"eng": 1.0})))


def test_schema_is_exported() -> None:
    assert "targets" in targets_schema()["properties"]


def test_uniform_shares() -> None:
    assert named_values(Target(by="topic", uniform=True)) == TOPICS
    assert named_values(Target(by="gender", uniform=True)) == ("feminine", "masculine")
    crossed = Target(by=("language", "topic"), uniform=True)
    assert named_values(crossed) is None
    assert wanted_shares(crossed, ["deu/health", "fra/law"], None) == {
        key: Wanted(0.25, 0.25) for key in ("deu/health", "deu/law", "fra/health", "fra/law")
    }
    assert wanted_shares(crossed, [], None) == {}


def test_uniform_over_too_much_is_refused() -> None:
    crossed = Target(by=("language", "register"), uniform=True)
    with pytest.raises(ConfigError, match="name those wanted"):
        wanted_shares(crossed, [f"{a:03}/{a:03}" for a in range(100)], None)
