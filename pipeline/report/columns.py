"""The columns of the published files, for people and for machines."""

from __future__ import annotations

import pyarrow as pa

from schemas.document import DROPPED, data_schema
from schemas.failure import FAILURES

_QUALITY = ["words"]  # stands for the signals of a configuration; the struct's type is not spelled out


def data_columns() -> list[pa.Field]:
    """Fields of the files under data/; the members of `quality` depend on the configuration."""
    return list(data_schema(_QUALITY))


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


GROUPS: dict[str, list[pa.Field]] = {"data": data_columns(), "dropped": list(DROPPED), "failures": list(FAILURES)}
