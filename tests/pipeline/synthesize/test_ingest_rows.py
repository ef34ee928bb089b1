"""What tables of synthetic text declare, row by row, and what is refused or cannot be read."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.read.records import ReadLimits, Source
from pipeline.read.storage import InputError
from pipeline.synthesize.ingest_rows import (
    ROWS,
    Declarations,
    Refused,
    parents_of,
    read_declared,
    read_requests,
    read_rows,
    write_rows,
)
from schemas.recipe import SyntheticSource

Row = dict[str, Any]


def declared(requests: dict[str, Row] | None = None, **values: Any) -> Declarations:
    source = SyntheticSource(kind="synthetic", name="s", files=("x",), **values)
    return Declarations(source, requests=requests or {})


def read(path: Path, how: Declarations | None = None) -> list[Row]:
    source = Source(str(path), path.stat().st_size)
    return [row for table in read_declared(source, how or declared(), ReadLimits()) for row in table.to_pylist()]


def lines(*rows: Row) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def one(tmp_path: Path, how: Declarations | None = None, **values: Any) -> Row:
    path = tmp_path / "one.jsonl"
    path.write_bytes(lines({"text": "A text.", "generator": "g", **values}))
    (row,) = read(path, how)
    return row


def test_a_row_says_all_of_itself(tmp_path: Path) -> None:
    row = one(tmp_path, declared(scores=("helpful",)), id=7, prompt="p1", seed=42, parents=["a", "a", 3], depth=2.0,
              language="pt-BR", helpful=0.25)  # fmt: skip
    assert row["reason"] is None
    assert (row["record_id"], row["prompt"], row["seed"], row["depth"]) == ("7", "p1", "42", 2)
    assert (row["parents"], row["grounded"], row["declared_language"]) == (["a", "3"], True, "por")
    assert row["scores"] == [{"name": "helpful", "value": 0.25}]


def test_defaults_stand_where_a_column_is_empty(tmp_path: Path) -> None:
    how = declared(generator="default", prompt="p", depth=3)
    row = one(tmp_path, how, generator="", depth=None)
    assert (row["generator"], row["prompt"], row["depth"], row["grounded"]) == ("default", "p", 3, False)
    assert one(tmp_path, how, generator="own", depth=1)["generator"] == "own"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, []), ("", []), ([], []), ("a", ["a"]), (12, ["12"]), (["a", "b", "a"], ["a", "b"]),
        ('["a", "b"]', ["a", "b"]), (("x",), ["x"]),
    ],
)  # fmt: skip
def test_parents_are_a_list_a_name_or_json(value: Any, found: list[str]) -> None:
    assert parents_of(value) == found


@pytest.mark.parametrize("value", [{"a": 1}, [["a"]], [None], [True], 1.5, True, ["a", ""]])
def test_other_parents_are_refused(value: Any) -> None:
    with pytest.raises(Refused, match="bad_parents"):
        parents_of(value)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"generator": None}, "no_generator"),
        ({"depth": 0}, "bad_depth"),
        ({"depth": 1.5}, "bad_depth"),
        ({"depth": "deep"}, "bad_depth"),
        ({"depth": True}, "bad_depth"),
        ({"depth": 1e300}, "bad_depth"),
        ({"language": "qq"}, "bad_language"),
        ({"language": 5}, "bad_language"),
        ({"parents": {"id": "a"}}, "bad_parents"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_a_reason(tmp_path: Path, values: Row, reason: str) -> None:
    row = one(tmp_path, **values)
    assert row["reason"] == reason
    assert row["code"] is None


def test_grounded_text_names_a_parent(tmp_path: Path) -> None:
    assert one(tmp_path, declared(grounded=True))["reason"] == "no_parent"
    row = one(tmp_path, declared(grounded=False), parents="a")
    assert (row["reason"], row["grounded"], row["parents"]) == (None, False, ["a"])


def test_answers_take_from_their_request_what_they_do_not_say(tmp_path: Path) -> None:
    asked: dict[str, Row] = {
        "r1": {"id": "r1", "kind": "grounded", "parents": ["doc"], "language": "deu", "depth": 1, "prompt": "gaps/v1"},
        "r2": {"id": "r2", "kind": "grounded", "parents": []},
    }
    path = tmp_path / "requests.jsonl"
    path.write_bytes(lines(*asked.values()))
    how = declared(read_requests(str(path)))
    row = one(tmp_path, how, request="r1", id="x")
    assert (row["parents"], row["declared_language"], row["prompt"], row["grounded"]) == (
        ["doc"], "deu", "gaps/v1", True,
    )  # fmt: skip
    assert one(tmp_path, how, id="r1", language="en")["declared_language"] == "eng", "its own word counts"
    assert one(tmp_path, how, request="r2")["reason"] == "no_parent"
    assert one(tmp_path, how, request="nobody")["reason"] == "unknown_request"
    assert one(tmp_path, how, id="without")["parents"] == []
    for text, message in (("[]\n", "is no table of texts"), ('{"id": "a"}\n{"prompt": "p"}\n', "row 1 is no request")):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_requests(str(path))


@pytest.mark.parametrize("value", ["0.5", True, [1], float("nan"), 10**400])
def test_a_score_that_is_no_number_stops_with_its_row(tmp_path: Path, value: Any) -> None:
    with pytest.raises(InputError, match=r"row 0: the score 'helpful' is no finite number"):
        one(tmp_path, declared(scores=("helpful",)), helpful=value)


def test_scores_that_are_null_stay_null(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_bytes(lines({"text": "a", "generator": "g", "s": None}, {"text": "b", "generator": "g", "s": 1}))
    found = [row["scores"] for row in read(path, declared(scores=("s",)))]
    assert found == [[{"name": "s", "value": None}], [{"name": "s", "value": 1.0}]]


def test_every_codec_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    rows = [{"id": f"r{n}", "text": f"Text {n}.", "generator": "g", "parents": ["p"]} for n in range(3)]
    data = lines(*rows)
    (tmp_path / "a.jsonl").write_bytes(data)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(data))
    (tmp_path / "a.jsonl.xz").write_bytes(lzma.compress(data))
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(data))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=2)
    found = [[{**row, "source_file": ""} for row in read(path)] for path in sorted(tmp_path.iterdir())]
    assert len(found[0]) == 3
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("name", ["empty.jsonl", "empty.jsonl.gz", "empty.jsonl.zst", "empty.parquet"])
def test_an_empty_table_has_no_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    else:
        path.write_bytes({"gz": gzip.compress, "zst": zstandard.compress}.get(path.suffix[1:], bytes)(b""))
    assert read(path) == []


def test_what_cannot_be_read_fails_and_costs_no_other_row(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    good = lines({"text": "Good.", "generator": "g"})
    path.write_bytes(good + b'{"broken\n' + lines({"generator": "g"}, {"text": 5, "generator": "g"}) + b"[1]\n" + good)
    assert [row["code"] for row in read(path)] == [
        None, "row_malformed", "text_missing", "text_missing", "row_malformed", None,
    ]  # fmt: skip


def test_a_damaged_end_is_a_failure(tmp_path: Path) -> None:
    text = "".join(chr(97 + n * n % 23) for n in range(5000))
    data = zstandard.compress(lines(*({"text": f"{text[n:]} {n}", "generator": "g"} for n in range(500))))
    path = tmp_path / "cut.jsonl.zst"
    path.write_bytes(data[: len(data) * 2 // 3])
    assert [row["code"] for row in read(path)][-2:] == [None, "truncated"]
    path = tmp_path / "cut.parquet"
    path.write_bytes(b"PAR1" + b"x" * 100)
    assert [row["code"] for row in read(path)] == ["parquet_corrupt"]


def test_columns_that_were_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no row has a column 'model'"):
        one(tmp_path, declared(columns={"generator": "model"}))
    with pytest.raises(InputError, match="no row has a column 'judge'"):
        one(tmp_path, declared(scores=("judge",)))
    with pytest.raises(InputError, match=r"no column 'body'; columns are generator, text; choose one with --text"):
        one(tmp_path, declared(columns={"text": "body"}))
    pq.write_table(pa.table({"content": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="no column 'text'; columns are content"):
        read(tmp_path / "a.parquet")
    (tmp_path / "note.txt").write_text("no table")
    with pytest.raises(InputError, match="is no table of texts"):
        read(tmp_path / "note.txt")


def test_lone_surrogates_and_bytes_do_not_stop_a_table(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_bytes(b'{"text": "a \\ud800 b", "generator": "\\udfff", "prompt": {"x": [1]}, "id": "\\ud800"}\n')
    (row,) = read(path)
    assert row["text"] == "a \ufffd\ufffd\ufffd b"
    assert row["prompt"] == '{"x": [1]}'
    write_rows(tmp_path / "rows.parquet", iter([pa.Table.from_pylist([row], schema=ROWS)]))
    assert [table.to_pylist() for table in read_rows(tmp_path / "rows.parquet")] == [[row]]
