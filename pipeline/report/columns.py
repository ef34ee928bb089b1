"""The columns of the published files, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from schemas.document import DROPPED, data_schema
from schemas.failure import FAILURES

GROUPS = ("data", "dropped", "failures")


def group_columns(group: str, quality_signals: Sequence[str] = ()) -> list[pa.Field]:
    """Fields of the files of a group; the members of `quality` depend on the configuration of the run."""
    if group == "data":
        return list(data_schema(list(quality_signals)))
    return list(DROPPED if group == "dropped" else FAILURES)


def description(field: pa.Field) -> str:
    """What a column means."""
    return ((field.metadata or {}).get(b"description") or b"").decode()


def type_name(field: pa.Field) -> str:
    """Type of a column in one word, structs without their members."""

    def name(kind: pa.DataType) -> str:
        if pa.types.is_list(kind):
            return f"list of {name(kind.value_type)}"
        if pa.types.is_struct(kind):
            return "struct"
        return "timestamp (UTC)" if pa.types.is_timestamp(kind) else str(kind)

    return name(field.type)
