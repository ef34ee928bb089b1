"""What a plan needs, from the sources of a recipe: ingested tables, freshness, candidates, bounds, stocks.

tables of synthetic text ─ ingest ─┐
indexes ─ FindSeen ────────────────┴─ SurveyFiles ─ bounds of the human share ─ stocks
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import apache_beam as beam
import pyarrow.parquet as pq

from pipeline.index import MANIFESTS, read_index, read_manifest
from pipeline.mix.candidates import InputFile
from pipeline.mix.engine import running
from pipeline.mix.freshness import FindSeen, FreshnessPlan, held_out_twins, plan_freshness
from pipeline.mix.human_share import Bound, estimate_bounds, read_controls
from pipeline.mix.inputs import plan_inputs
from pipeline.mix.plan_model import Stock
from pipeline.mix.stock import gather_stocks
from pipeline.mix.survey import FileSurvey, SurveyFiles, plan_survey
from pipeline.progress import Reporter
from pipeline.runs import RunError
from pipeline.synthesize.ingest import ingest
from schemas.manifest import write_json
from schemas.recipe import MixRecipe, RunSource, SyntheticSource


@dataclass(frozen=True, slots=True)
class Prepared:
    """The sources of a recipe, surveyed. `folder` holds the candidates; `folders` are those of the sources by name."""

    folder: Path
    folders: dict[str, tuple[str, ...]]
    files: tuple[InputFile, ...]
    surveys: tuple[FileSurvey, ...]
    freshness: FreshnessPlan | None
    bounds: tuple[Bound, ...]
    stocks: tuple[Stock, ...]


def run_folders(recipe: MixRecipe) -> list[str]:
    """Folders of the real sources, each once, in the recipe's order."""
    found: dict[Path, str] = {}
    for source in recipe.sources:
        if isinstance(source, RunSource):
            found.setdefault(Path(source.run).resolve(), source.run)
    return list(found.values())


def tables_of(source: SyntheticSource) -> tuple[list[str], list[str]]:
    """Tables of a source that are to be ingested, and folders that were."""
    folders = [name for name in source.files if (Path(name) / "synthetic.json").is_file()]
    return [name for name in source.files if name not in folders], folders


def check_ingested(recipe: MixRecipe) -> None:
    """Raise RunError where folders of ingested text were not compared with the runs of a recipe and with one another.

    What is ingested has the splits of its parents in the runs that it was compared with, and copies of other text were
    never looked for.
    """
    runs = {folder: read_index(folder).run for folder in run_folders(recipe)}
    known: list[tuple[str, str, set[str]]] = []
    for source in recipe.sources:
        for folder in tables_of(source)[1] if isinstance(source, SyntheticSource) else ():
            name, seen = read_index(folder).run, set(read_manifest(Path(folder), MANIFESTS)["runs"])
            for run, run_name in runs.items():
                if run_name not in seen:
                    raise RunError(
                        f"{folder} (source {source.name}) was not compared with {run}; ingest its tables again with "
                        f"`--run {run}`, or name the tables in the recipe"
                    )
            for other, other_name, other_seen in known:
                if name == other_name or not (name in other_seen or other_name in seen):
                    raise RunError(
                        f"{folder} and {other} were not compared with each other; ingest the second again with "
                        "`--run` and the folder of the first too, or name the tables in the recipe"
                    )
            known.append((folder, name, seen))


def taken_down(recipe: MixRecipe) -> frozenset[str]:
    """Documents that were taken down of the runs that a recipe names."""
    found: set[str] = set()
    for folder in [*run_folders(recipe), *recipe.freshness.runs]:
        if (path := read_index(folder).taken_down) is not None:
            found.update(pq.read_table(path, columns=["doc_id"], partitioning=None).column("doc_id").to_pylist())
    return frozenset(found)


def ingest_sources(recipe: MixRecipe, folder: Path, workers: int, reporter: Reporter) -> dict[str, tuple[str, ...]]:
    """Folders of ingested text by synthetic source; tables are ingested into `folder`/NAME.

    Tables are compared with the runs and with all text that was ingested before them, whatever its source.
    """
    found: dict[str, tuple[str, ...]] = {}
    known = run_folders(recipe)
    for source in recipe.sources:
        if isinstance(source, SyntheticSource):
            known += tables_of(source)[1]
    for source in recipe.sources:
        if not isinstance(source, SyntheticSource):
            continue
        tables, folders = tables_of(source)
        if tables:
            output = folder / source.name
            ingest(tables, source, list(dict.fromkeys(known)), output, workers, reporter)
            folders = [*folders, str(output)]
            known.append(str(output))
        found[source.name] = tuple(folders)
    return found


def prepare(
    recipe: MixRecipe, work: Path, synthetic: Path, workers: int, beam_options: Sequence[str], reporter: Reporter
) -> Prepared:
    """Survey the sources of a recipe; `synthetic` takes what is ingested, `work` all that is not published.

    Raises:
        ConfigError, RunError, InputError: a source cannot be used; the message says which and why.
    """
    controls = read_controls(recipe)
    check_ingested(recipe)
    folders = ingest_sources(recipe, synthetic, workers, reporter)
    files = plan_inputs(recipe, folders)
    folder = work / "candidates"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    freshness = plan_freshness(recipe, folder)
    if freshness is not None:
        with running(work, beam_options) as (pipeline, spreads):
            _ = pipeline | "FindSeen" >> FindSeen(freshness, workers, len(freshness.parts) if spreads else 1)
    survey = plan_survey(recipe, folder, controls, freshness)
    survey = replace(survey, taken_down=taken_down(recipe))
    if freshness is not None:
        survey = replace(survey, held_out=held_out_twins(freshness, files))
    accounts = folder / "surveys.json"

    def keep(surveys: list[FileSurvey]) -> None:
        write_json(accounts, [asdict(one) for one in surveys])

    with running(work, beam_options) as (pipeline, spreads):
        _ = (
            pipeline
            | "Files" >> beam.Create(files)
            | "SurveyFiles" >> SurveyFiles(survey, workers, len(files) if spreads else 1)
            | "Surveys" >> beam.Values()
            | "AllSurveys" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "KeepSurveys" >> beam.Map(keep)
        )
    surveys = [FileSurvey(**one) for one in json.loads(accounts.read_text(encoding="utf-8"))]
    bounds = estimate_bounds(survey, files, controls)
    stocks = gather_stocks(folder, files, bounds, recipe)
    every = {**folders, **{one.name: (one.run,) for one in recipe.sources if isinstance(one, RunSource)}}
    return Prepared(
        folder,
        every,
        tuple(files),
        tuple(sorted(surveys, key=lambda one: one.number)),
        freshness,
        tuple(bounds),
        tuple(stocks),
    )
