"""Folders of a recipe's sources to the data files that a mix reads, checked before any work. No Beam."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.index import check_whole, read_manifest
from pipeline.mix.candidates import InputFile
from pipeline.mix.tokens import check_tokens
from pipeline.runs import WORK, RunError
from schemas.config import ConfigError
from schemas.manifest import MANIFEST_VERSION
from schemas.recipe import MixRecipe, RunSource, SyntheticSource

# Filters on these choose by who wrote a text; `pipeline.mix.human_share` estimates over what they leave out too.
SCORED_COLUMNS = frozenset(
    {
        "p_human", "p_machine_translated", "p_ai_generated", "ai_text_score", "raw_text_score", "translation_score",
        "machine_translation_score",
    }
)  # fmt: skip
SYNTHETIC = "synthetic.json"
_REAL = ("doc_id", "url", "fetched_at", "text", "language", "words", "provenance_label", "split")
_MADE = ("doc_id", "text", "language", "depth", "grounded", "split")


def plan_inputs(recipe: MixRecipe, ingested: Mapping[str, Sequence[str]] | None = None) -> list[InputFile]:
    """The data files of all sources; `ingested` are folders of `headwater synthesize ingest` by source of tables.

    Raises:
        RunError: a folder holds no finished run or ingest, one of another release, or a file is missing or changed.
        ConfigError: a filter or weight names a column that is not there or holds no numbers, or no such tokenizer.
    """
    check_tokens(recipe.tokens)
    found: list[tuple[str, str]] = []
    for source in recipe.sources:
        folders = [source.run] if source.kind == "run" else _folders(source, ingested or {})
        paths = [path for folder in folders for path in data_files(folder, source.kind == "run")]
        if not paths:
            raise RunError(f"{folders[0]} (source {source.name}) has no documents{_refused(folders)}; take it out")
        for path in paths:
            _check_columns(source, recipe, path)
        found += [(source.name, path) for path in paths]
    return [InputFile(number, *one) for number, one in enumerate(sorted(found))]


def _refused(folders: Sequence[str]) -> str:
    """Why ingested rows were refused, as far as the folders say."""
    found: dict[str, int] = {}
    for path in (Path(folder) / SYNTHETIC for folder in folders):
        if path.is_file():
            for reason, count in json.loads(path.read_text(encoding="utf-8"))["counts"]["dropped"].items():
                found[reason] = found.get(reason, 0) + count
    return f" (refused: {', '.join(f'{reason} {count:,}' for reason, count in found.items())})" if found else ""


def _folders(source: SyntheticSource, ingested: Mapping[str, Sequence[str]]) -> list[str]:
    folders = list(ingested.get(source.name, ()))
    if not folders:
        folders = list(source.files)
        tables = [name for name in folders if not Path(name).is_dir()]
        if tables:
            raise RunError(
                f"{tables[0]} (source {source.name}) was not ingested; run `headwater synthesize ingest` on it"
            )
    return folders


def data_files(folder: str | Path, is_run: bool) -> list[str]:
    """Data files of a finished run or ingest, in the order of their paths.

    Raises:
        RunError: it is not finished, of another release, or a file is missing or has another size.
    """
    root = Path(folder)
    entries = _run_entries(root) if is_run else _ingest_entries(root)
    found: list[str] = []
    for entry in sorted(entries, key=lambda entry: str(entry["path"])):
        path = root / entry["path"]
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            raise RunError(f"{path} is missing or changed; `headwater verify {root}` says more")
        if entry["rows"]:
            found.append(str(path))
    return found


def _run_entries(root: Path) -> list[dict[str, Any]]:
    if (root / WORK).exists() and not (root / "run.json").is_file():
        raise RunError(f"{root} holds an unfinished run; run the same curate command again")
    manifest = read_manifest(root)
    check_whole(root)
    version = manifest.get("manifest_version")
    if version != MANIFEST_VERSION:
        raise RunError(
            f"{root}: its manifest has version {version}, this release reads {MANIFEST_VERSION}; curate again"
        )
    return [entry for entry in manifest["files"] if entry["path"].startswith("data/")]


def _ingest_entries(root: Path) -> list[dict[str, Any]]:
    path = root / SYNTHETIC
    if not path.is_file():
        raise RunError(f"{root} holds no finished ingest ({SYNTHETIC} is missing); run `headwater synthesize ingest`")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        entries = [dict(entry) for entry in manifest["files"] if str(entry["path"]).startswith("data/")]
        return [{name: entry[name] for name in ("path", "rows", "bytes")} for entry in entries]
    except (OSError, ValueError, KeyError, TypeError):
        raise RunError(f"{path} is damaged; ingest the files again") from None


def _check_columns(source: RunSource | SyntheticSource, recipe: MixRecipe, path: str) -> None:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"{path} is no Parquet file that can be read ({error})") from None
    needed = _REAL if source.kind == "run" else _MADE
    missing = [name for name in needed if name not in schema.names]
    if missing:
        raise RunError(f"{path} has no column {missing[0]}; make its folder again with this release")
    if not isinstance(source, RunSource):
        return
    named = [("minimum", name) for name in source.minimum] + [("maximum", name) for name in source.maximum]
    for where, name in [*named, *(("weights.columns", name) for name in recipe.weights.columns)]:
        kind = _kind_of(schema, name)
        if kind is None:
            raise ConfigError(f"{where} of source {source.name}: {path} has no column {name}")
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise ConfigError(f"{where} of source {source.name}: column {name} holds no numbers ({kind})")


def _kind_of(schema: pa.Schema, name: str) -> pa.DataType | None:
    """Type of a column or of a field of a struct column; None where there is none."""
    top, _, inner = name.partition(".")
    if top not in schema.names:
        return None
    kind = schema.field(top).type
    if not inner:
        return kind
    if not pa.types.is_struct(kind):
        return None
    place = kind.get_field_index(inner)
    return kind.field(place).type if place >= 0 else None
