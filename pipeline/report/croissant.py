"""croissant.json: the run as Croissant 1.1 (https://docs.mlcommons.org/croissant), for dataset search and loaders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.report.columns import GROUPS, description, group_columns

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
# As mlcroissant 1.1.1 writes it; it warns about any other context.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_PATTERNS = {"data": "data/*/*.parquet", "dropped": "dropped/*.parquet", "failures": "failures/*.parquet"}
_TITLES = {
    "data": "Kept documents with text, scores and evidence.",
    "dropped": "Pages that were not kept, with the reason; without text.",
    "failures": "Pages and regions that could not be read; without text.",
}
_MOST_FILE_OBJECTS = 1000  # more files than this are described by their set alone; run.json has the digests


_ARRAY = {"isArray": True, "arrayShape": "-1"}


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "sc:DateTime"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_floating(kind):
        return "sc:Float"
    return "sc:Boolean" if pa.types.is_boolean(kind) else "sc:Text"


def _field(group: str, field: pa.Field) -> dict[str, Any]:
    """One column; structs, and lists of structs, with a sub-field for each member that holds no structs."""
    kind, array = field.type, pa.types.is_list(field.type)
    if array:
        kind = kind.value_type
    base = {
        "@type": "cr:Field",
        "@id": f"{group}/{field.name}",
        "name": f"{group}/{field.name}",
        "description": description(field) or field.name,
        **(_ARRAY if array else {}),
    }
    if not pa.types.is_struct(kind):
        return {**base, "dataType": _data_type(kind), "source": _source(group, field.name)}
    members = []
    for number in range(kind.num_fields):
        member = kind.field(number)
        listed = pa.types.is_list(member.type)
        scalar = member.type.value_type if listed else member.type
        if pa.types.is_struct(scalar):
            continue
        members.append(
            {
                "@type": "cr:Field",
                "@id": f"{group}/{field.name}/{member.name}",
                "name": f"{group}/{field.name}/{member.name}",
                "description": f"{member.name} of {field.name}",
                "dataType": _data_type(scalar),
                **(_ARRAY if listed else {}),
                "source": {**_source(group, field.name), "transform": {"jsonPath": member.name}},
            }
        )
    return {**base, "subField": members}


def _source(group: str, column: str) -> dict[str, Any]:
    return {"fileSet": {"@id": f"{group}-files"}, "extract": {"column": column}}


def build_croissant(figures: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The description as JSON-LD. `files` are entries of the manifest (path, rows, bytes, sha256)."""
    parquet = sorted((e for e in files if e["path"].endswith(".parquet")), key=lambda e: str(e["path"]))
    groups = [g for g in GROUPS if any(entry["path"].startswith(f"{g}/") for entry in parquet)]
    distribution: list[dict[str, Any]] = [
        {
            "@type": "cr:FileSet",
            "@id": f"{group}-files",
            "name": f"{group}-files",
            "description": _TITLES[group],
            "encodingFormat": "application/x-parquet",
            "includes": _PATTERNS[group],
        }
        for group in groups
    ]
    if len(parquet) <= _MOST_FILE_OBJECTS:
        distribution += [
            {
                "@type": "cr:FileObject",
                "@id": entry["path"],
                "name": entry["path"],
                "contentUrl": entry["path"],
                "contentSize": f"{entry['bytes']} B",
                "encodingFormat": "application/x-parquet",
                "sha256": entry["sha256"],
            }
            for entry in parquet
        ]
    languages = figures["languages"]["codes"]
    totals = figures["totals"]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": "curated-web-text",
        "description": (
            f"{totals['documents']:,} documents kept of {totals['pages']:,} web pages, with scores and evidence of "
            "their origin: human, machine-translated, AI-generated or unknown. Unknown means that no calibrated "
            "detector supports an answer."
        ),
        # The croissant has no date: it is the same for the same input and configuration.
        "version": f"1.0.0+{(figures['run']['config_fingerprint'] or '0')[:16]}",
        "license": "other: each text belongs to its author; the column rights holds what pages state",
        "keywords": ["common crawl", "web text", "provenance"],
        **({"inLanguage": languages} if languages else {}),
        "rai:dataLimitations": (
            "Labels say what the evidence on a page supports; their shares do not estimate how much of the web "
            "machines write. There is no licence for the whole; see the column rights."
        ),
        "rai:personalSensitiveInformation": (
            "E-mail and public IP addresses are located in the column personal_data and left in the text."
        ),
        "distribution": distribution,
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": group,
                "name": group,
                "description": _TITLES[group],
                **({"key": {"@id": f"{group}/doc_id"}} if group != "failures" else {}),
                "field": [_field(group, field) for field in group_columns(group, figures["quality_signals"])],
            }
            for group in groups
        ],
    }
