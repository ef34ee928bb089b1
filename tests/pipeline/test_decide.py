"""Policy: which rule drops a page, which page stands for a cluster, which split it falls into."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.decide import policy_reasons, split_of
from pipeline.keys import ranks
from pipeline.write import ALWAYS, file_counts, file_number
from schemas.config import ConfigError, CurateConfig, DuplicatePolicy, Policy, load_config
from schemas.document import RIGHTS_STRUCT, TIMESTAMP


def table(**columns: list[Any]) -> pa.Table:
    rows = len(next(iter(columns.values())))
    values = {
        "language": ["eng"] * rows,
        "language_score": [0.9] * rows,
        "words": [100] * rows,
        "provenance_label": ["unknown"] * rows,
        "rights": [None] * rows,
        **columns,
    }
    arrays = {
        "language": pa.array(values["language"], pa.string()),
        "language_score": pa.array(values["language_score"], pa.float32()),
        "words": pa.array(values["words"], pa.int32()),
        "provenance_label": pa.array(values["provenance_label"], pa.string()),
        "rights": pa.array(values["rights"], RIGHTS_STRUCT),
        "quality": pa.array([{}] * rows, pa.struct([])),
    }
    return pa.table(arrays)


def reasons(policy: dict[str, Any], **columns: list[Any]) -> list[str | None]:
    config = CurateConfig.model_validate({"policy": policy, "quality": {"profile": "none"}})
    return policy_reasons(table(**columns), config)


def test_opt_outs_with_and_without_an_agent() -> None:
    rights = [{"opt_out": out} for out in ([], ["noai"], ["ccbot:noai"], ["noindex"])] + [None]
    assert reasons({"drop_opt_outs": ["noai"]}, rights=rights) == [None, "opt_out", "opt_out", None, None]


def test_languages_and_their_scores() -> None:
    policy = {"languages": {"keep": ["eng", "deu"], "minimum_score": 0.5, "minimum_scores": {"deu": 0.8}}}
    got = reasons(
        policy, language=["eng_Latn", "deu", "deu", "fra", None, "eng"], language_score=[0.5, 0.7, 0.8, 1, None, 0.4]
    )
    assert got == [None, "language_score", None, "language", "language", "language_score"]


def test_words_and_labels() -> None:
    assert reasons({"minimum_words": 3}, words=[2, 3, None]) == ["no_text", None, "no_text"]
    labels = ["machine_translated", "unknown", "ai_generated"]
    assert reasons({"drop_labels": ["ai_generated"]}, provenance_label=labels) == [
        None,
        None,
        "provenance_ai_generated",
    ]


@pytest.mark.parametrize(("keep", "best"), [("longest", 1), ("newest", 2), ("oldest", 0)])
def test_the_page_that_stands_for_a_cluster(keep: str, best: int) -> None:
    times = [datetime(2018, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC), None]
    pages = pa.table({"text_bytes": [10, 900, 20, 30], "fetched_at": pa.array(times, TIMESTAMP)})
    found = ranks(DuplicatePolicy(keep=keep), pages, np.zeros(4, np.uint64))
    assert int(found.argmin()) == best
    if keep != "longest":
        assert int(found.argmax()) == 3, "an unknown time is neither newest nor oldest"


def test_splits_follow_the_shares_and_the_seed() -> None:
    policy = Policy(validation_share=0.2, test_share=0.1)
    names = [f"{n:032x}" for n in range(4000)]
    found = [split_of(name, policy) for name in names]
    assert found == [split_of(name, policy) for name in names]
    assert abs(found.count("test") / 4000 - 0.1) < 0.02
    assert abs(found.count("validation") / 4000 - 0.2) < 0.02
    assert found != [split_of(name, policy.model_copy(update={"split_seed": "x"})) for name in names]


def test_files_are_sized_and_ordered() -> None:
    counts = file_counts({"data/unknown/train": 1000, "index/part": 10}, 300)
    assert counts == {"data/unknown/train": 3, **dict.fromkeys(ALWAYS, 1)}
    ids = sorted(f"{n * 2654435761 % 2**32:08x}" + "0" * 24 for n in range(100))
    numbers = [file_number(doc_id, 3) for doc_id in ids]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2}
    assert file_number("f" * 32, 7) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("polcy: {}", "polcy"),
        ("policy: {validation_share: 0.9, test_share: 0.2}", "over 1"),
        ("policy: {duplicates: {shape: 3x3}}", "14x8"),
        ("- a list", "found a list"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_bad_configuration_is_named(tmp_path: Any, text: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "c.yaml")
