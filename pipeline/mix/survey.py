"""Every data file of a mix's sources, read once in batches, to CANDIDATES beside it.

`survey_file` reads one file in a child process; `SurveyFiles` is the Beam transform around it. Where a recipe weighs
documents by columns, a pass before it (`sum_columns`, of those columns alone) gives the mean of each source, which
nulls count as: with the mean of a file, a document's key would depend on the file that it was written to.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from detectors.controls import DEFAULT_BEFORE, ControlSet
from detectors.features.url_key import host_of
from detectors.prevalence import MIN_CONTROLS
from detectors.provenance import CHATGPT_RELEASED_AT, captured_within
from detectors.strata import FIRST_CAPTURES
from pipeline.calls import Call, RunOnHost
from pipeline.mix.candidates import CANDIDATES, GROUNDED, REAL, UNGROUNDED, InputFile, candidates_path
from pipeline.mix.freshness import SEEN, TAKEN_DOWN, FreshnessPlan, read_verdicts
from pipeline.mix.inputs import SCORED_COLUMNS
from pipeline.mix.race import race_keys, value_column, weights_of
from pipeline.mix.tokens import count_tokens
from pipeline.runs import RunError
from schemas.document import TIMESTAMP
from schemas.recipe import MixRecipe, RunSource, Source

Flags = npt.NDArray[np.bool_]

BATCH_ROWS = 1024
HEAD = "ai_text"  # the score that shares of AI text are estimated from

DATED, MEASURED, UNMEASURED, ASSUMED = "dated", "measured", "unmeasured", "assumed"
AI_LABELLED, MT_LABELLED = "ai_labelled", "mt_labelled"
OTHER_SOURCE = "other_source"  # the recipe lists another source of this run before, which takes the document
SPLITS = ("validation", "test")
_COLUMNS = (
    "doc_id", "url", "fetched_at", "text", "page_type", "language", "words", "ai_text_score", "provenance_label",
    "p_machine_translated", "split", "mix_weight", "depth", "grounded", "parents",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What the survey of a source's files knows beside the recipe.

    root: folder of a run; "" for synthetic text. earlier: sources of the same run that the recipe lists before.
    before: captures older than this are human by their date. measured: (language, whether the page type is known) with
    enough controls. means: of the columns that weigh documents.
    """

    source: Source
    root: str = ""
    earlier: tuple[RunSource, ...] = ()
    before: datetime = DEFAULT_BEFORE
    measured: frozenset[tuple[str | None, bool]] = frozenset()
    means: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SurveyPlan:
    """A survey: where candidates go, the recipe, the facts by source, and what is not fresh.

    Children of the documents `held_out` take no part, as if their parents were in a validation split, and those of the
    documents `taken_down` neither.
    """

    folder: str
    recipe: MixRecipe
    facts: Mapping[str, SourceFacts]
    freshness: FreshnessPlan | None = None
    held_out: frozenset[str] = frozenset()
    taken_down: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FileSurvey:
    """Account of a file: documents and tokens by reason, "" for those that take part."""

    number: int
    source: str
    documents: Mapping[str, int]
    tokens: Mapping[str, int]


def plan_survey(
    recipe: MixRecipe,
    folder: str | Path,
    controls: Mapping[str, ControlSet | None],
    freshness: FreshnessPlan | None = None,
) -> SurveyPlan:
    """The survey of a recipe; `controls` by source are those of `pipeline.mix.human_share.read_controls`."""
    facts: dict[str, SourceFacts] = {}
    for source in recipe.sources:
        if source.kind != "run":
            facts[source.name] = SourceFacts(source)
            continue
        root = str(Path(source.run).resolve())
        earlier = tuple(f.source for f in facts.values() if f.root == root and isinstance(f.source, RunSource))
        known = controls.get(source.name)
        before = min(DEFAULT_BEFORE if known is None else known.before, CHATGPT_RELEASED_AT)
        facts[source.name] = SourceFacts(source, root, earlier, before, measured_strata(known))
    return SurveyPlan(str(folder), recipe, facts, freshness)


def measured_strata(controls: ControlSet | None) -> frozenset[tuple[str | None, bool]]:
    """(language, whether the page type is known) of the strata that have MIN_CONTROLS controls at some level.

    The coarsest level holds the controls of all others, so it decides.
    """
    if controls is None:
        return frozenset()
    found = {(cell.language, cell.page_type) for cell in controls.cells if cell.head == HEAD}
    return frozenset(
        (language, page_type is not None)
        for language, page_type in found
        if controls.matches(HEAD, language, page_type, 0)[-1].histogram.n >= MIN_CONTROLS
    )


def survey_file(plan: SurveyPlan, file: InputFile) -> FileSurvey:
    """Write the CANDIDATES of a data file; in a child process of the host."""
    facts = plan.facts[file.source]
    documents, tokens = Counter[str](), Counter[str]()
    path = candidates_path(plan.folder, file.number)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    row = 0
    with _opened(file.path) as data, pa.OSFile(str(temporary), "wb") as sink:
        columns = _wanted(data.schema_arrow, facts.source, plan.recipe)
        with pa.ipc.new_file(sink, CANDIDATES) as writer:
            for batch in data.iter_batches(batch_size=BATCH_ROWS, columns=columns):
                table = survey_batch(plan, facts, pa.Table.from_batches([batch]), row)
                writer.write_table(table)
                row += table.num_rows
                for reason, count in zip(
                    table.column("reason").to_pylist(), table.column("tokens").to_pylist(), strict=True
                ):
                    documents[reason or ""] += 1
                    tokens[reason or ""] += count
    temporary.replace(path)
    return FileSurvey(file.number, file.source, dict(sorted(documents.items())), dict(sorted(tokens.items())))


@contextlib.contextmanager
def _opened(path: str) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path, memory_map=True) as data:
            yield data
    except (pa.ArrowException, OSError) as error:
        raise RunError(
            f"{path} cannot be surveyed ({error}); `headwater verify` on its folder says whether it is damaged"
        ) from None


def _wanted(schema: pa.Schema, source: Source, recipe: MixRecipe) -> list[str]:
    """Columns to read: of _COLUMNS those that are there, and what filters and weights name."""
    named = {*recipe.weights.columns}
    if isinstance(source, RunSource):
        named |= {*source.minimum, *source.maximum}
    wanted = [*_COLUMNS, *sorted(named - set(_COLUMNS))]
    return [name for name in wanted if name.partition(".")[0] in schema.names]


def survey_batch(plan: SurveyPlan, facts: SourceFacts, rows: pa.Table, first_row: int) -> pa.Table:
    """CANDIDATES of rows of a data file; `first_row` is the place of the first."""
    recipe, n = plan.recipe, rows.num_rows
    doc_ids = rows.column("doc_id").to_pylist()
    verdicts: dict[str, str] = {}
    if facts.root and plan.freshness is not None:
        verdicts = read_verdicts(plan.freshness, facts.root, doc_ids)
    language = [(code or "und")[:3] for code in _column(rows, "language", pa.string()).to_pylist()]
    tokens = count_tokens(_column(rows, "text", pa.string()), recipe.tokens)
    label = pc.fill_null(_column(rows, "provenance_label", pa.string()), "unknown")
    if facts.root:
        hosts = [host_of(url) for url in _column(rows, "url", pa.string()).to_pylist()]
        origin: list[str] = [REAL] * n
        group = _groups(facts, rows, label, language)
        fresh = [verdicts.get(one) != SEEN for one in doc_ids]
        reasons = _real_reasons(facts, rows, label, language, doc_ids, verdicts)
    else:
        hosts, group, fresh = [None] * n, [""] * n, [False] * n
        grounded = pc.fill_null(_column(rows, "grounded", pa.bool_()), False).to_pylist()
        origin = [GROUNDED if one else UNGROUNDED for one in grounded]
        reasons = _synthetic_reasons(plan, facts, rows, language)
    empty = [reason or (None if count else "empty") for reason, count in zip(reasons, tokens.tolist(), strict=True)]
    columns: dict[str, Any] = {
        "row": np.arange(first_row, first_row + n),
        "doc_id": doc_ids,
        "origin": origin,
        "fresh": fresh,
        "language": language,
        "page_type": pc.fill_null(_column(rows, "page_type", pa.string()), "none"),
        "group": group,
        "label": label,
        "reason": empty,
        "tokens": tokens,
        "key": race_keys(recipe.seed, doc_ids, weights_of(recipe, rows, facts.means)),
        "host": np.array([hash_host(host) for host in hosts], np.uint64),
        "score": _column(rows, "ai_text_score", pa.float32()),
        "p_machine_translated": _column(rows, "p_machine_translated", pa.float32()),
        "words": pc.fill_null(_column(rows, "words", pa.int32()), 0),
        "fetched_at": _column(rows, "fetched_at", TIMESTAMP),
    }
    return pa.table([pa.array(columns[f.name], f.type) for f in CANDIDATES], schema=CANDIDATES)


def hash_host(host: str | None) -> int:
    """xxh3_64 of a host; 0 where there is none."""
    return xxhash.xxh3_64_intdigest(host.encode("utf-8", "surrogateescape")) if host else 0


def _column(rows: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    """A column as one array; nulls where the file has no such column."""
    if name not in rows.schema.names:
        return pa.nulls(rows.num_rows, kind)
    return rows.column(name).combine_chunks().cast(kind)


def _groups(facts: SourceFacts, rows: pa.Table, label: pa.Array, language: Sequence[str]) -> list[str]:
    """What is known of the human share of each real document."""
    assert isinstance(facts.source, RunSource)
    early = captured_within(_column(rows, "fetched_at", TIMESTAMP), FIRST_CAPTURES, facts.before)
    typed = np.asarray(_column(rows, "page_type", pa.string()).is_valid())
    scored = np.isfinite(value_column(rows, "ai_text_score"))
    rest = [MEASURED if one else UNMEASURED for one in has_controls(facts, language, typed, scored).tolist()]
    if facts.source.assume is not None:
        rest = [ASSUMED] * len(rest)
        early[:] = False
    named = {"ai_generated": AI_LABELLED, "machine_translated": MT_LABELLED}
    return [
        named.get(one) or (DATED if is_early else other)
        for one, is_early, other in zip(label.to_pylist(), early.tolist(), rest, strict=True)
    ]


def has_controls(facts: SourceFacts, language: Sequence[str], typed: Flags, scored: Flags) -> Flags:
    """Whether each document has a score, and its stratum controls. `typed`: whether its page type is known."""
    known = [(None if code == "und" else code, kind) for code, kind in zip(language, typed.tolist(), strict=True)]
    found: Flags = scored & np.array([one in facts.measured for one in known], bool)
    return found


def _first(reasons: list[str | None], mask: Iterable[bool], reason: str) -> None:
    for row, hit in enumerate(mask):
        if hit and reasons[row] is None:
            reasons[row] = reason


def _real_reasons(
    facts: SourceFacts,
    rows: pa.Table,
    label: pa.Array,
    language: Sequence[str],
    doc_ids: Sequence[str],
    verdicts: Mapping[str, str],
) -> list[str | None]:
    """Why documents of a run take no part. Filters on scores come after the others, splits last (see human_share)."""
    source = facts.source
    assert isinstance(source, RunSource)
    reasons: list[str | None] = [verdict if (verdict := verdicts.get(one)) != SEEN else None for one in doc_ids]
    fails = failed_filters(source, rows, label, language)
    reasons = [reason or fail for reason, fail in zip(reasons, fails, strict=True)]
    for earlier in facts.earlier:
        fails = failed_filters(earlier, rows, label, language)
        _first(reasons, (one is None for one in fails), OTHER_SOURCE)
    split = _column(rows, "split", pa.string()).to_pylist()
    for name in SPLITS:
        _first(reasons, (one == name for one in split), name)
    return reasons


def failed_filters(source: RunSource, rows: pa.Table, label: pa.Array, language: Sequence[str]) -> list[str | None]:
    """The filter of a source that each row fails first: `language`, a limit such as `minimum_words`, or `label`."""
    reasons: list[str | None] = [None] * rows.num_rows
    if source.languages:
        _first(reasons, (one not in source.languages for one in language), "language")
    limits = [("minimum", source.minimum, 1.0), ("maximum", source.maximum, -1.0)]
    tests = [(name, f"{kind}_{name}", limit, sign) for kind, named, sign in limits for name, limit in named.items()]
    for name, reason, limit, sign in sorted(tests, key=lambda test: (test[0] in SCORED_COLUMNS, test)):
        if name in SCORED_COLUMNS:
            _first(reasons, _not_in(label, source.labels), "label")
        values = value_column(rows, name)
        _first(reasons, (~(sign * values >= sign * limit)).tolist(), reason)
    _first(reasons, _not_in(label, source.labels), "label")
    return reasons


def _not_in(values: pa.Array, wanted: Sequence[str]) -> list[bool]:
    return list(pc.invert(pc.is_in(values, pa.array(list(wanted), pa.string()))).to_pylist())


def _synthetic_reasons(
    plan: SurveyPlan, facts: SourceFacts, rows: pa.Table, language: Sequence[str]
) -> list[str | None]:
    """Why synthetic texts take no part."""
    reasons: list[str | None] = [None] * rows.num_rows
    depths = pc.fill_null(_column(rows, "depth", pa.int32()), 1).to_pylist()
    _first(reasons, (one > plan.recipe.depth for one in depths), "too_deep")
    split = _column(rows, "split", pa.string()).to_pylist()
    _first(reasons, (one not in (None, "train") for one in split), "held_out_parent")
    parents = rows.column("parents").to_pylist() if "parents" in rows.schema.names else []
    for gone, reason in ((plan.taken_down, TAKEN_DOWN), (plan.held_out, "held_out_parent")):
        _first(reasons, (not gone.isdisjoint(one or ()) for one in parents), reason)
    if facts.source.languages:
        _first(reasons, (one not in facts.source.languages for one in language), "language")
    return reasons


def sum_columns(plan: SurveyPlan, file: InputFile) -> tuple[str, dict[str, tuple[float, int]]]:
    """Source, and sum and count of the values of the weights' columns in a file, nulls left out."""
    sums = dict.fromkeys(plan.recipe.weights.columns, (0.0, 0))
    with _opened(file.path) as data:
        names = [name for name in sums if name.partition(".")[0] in data.schema_arrow.names]
        for batch in data.iter_batches(batch_size=65536, columns=names) if names else ():
            table = pa.Table.from_batches([batch])
            for name in names:
                values = value_column(table, name)
                values = values[np.isfinite(values)]
                total, count = sums[name]
                sums[name] = (total + math.fsum(values.tolist()), count + len(values))
    return file.source, sums


def with_means(plan: SurveyPlan, sums: Iterable[tuple[int, tuple[str, Mapping[str, tuple[float, int]]]]]) -> SurveyPlan:
    """The plan with the means of its sources, of (file number, result of `sum_columns`) in any order."""
    parts: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for _, (source, found) in sorted(sums, key=lambda one: one[0]):
        for name, part in found.items():
            parts.setdefault((source, name), []).append(part)
    facts = dict(plan.facts)
    for (source, name), values in sorted(parts.items()):
        count = sum(n for _, n in values)
        if count:
            mean = math.fsum(total for total, _ in values) / count
            facts[source] = replace(facts[source], means={**facts[source].means, name: mean})
    return replace(plan, facts=facts)


class SurveyFiles(beam.PTransform):  # type: ignore[misc]
    """InputFiles to (number, FileSurvey), with CANDIDATES left beside; one pass more where columns weigh documents."""

    def __init__(self, plan: SurveyPlan, workers: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.plan = plan
        self.workers = workers
        self.groups = groups

    def expand(self, files: beam.PCollection) -> beam.PCollection:
        """Means of the weights' columns, then the survey of each file."""
        plan = self.plan

        def survey_call(file: InputFile, sums: Any) -> Iterator[Call]:
            yield Call(file.number, survey_file, (with_means(plan, sums), file), name=f"survey {file.number}")

        def sum_call(file: InputFile) -> Call:
            return Call(file.number, sum_columns, (plan, file), name=f"sums {file.number}")

        if not plan.recipe.weights.columns:
            calls = files | "SurveyCalls" >> beam.FlatMap(survey_call, [])
        else:
            sums = files | "SumCalls" >> beam.Map(sum_call) | "SumColumns" >> RunOnHost(self.workers, self.groups)
            calls = files | "WeighedCalls" >> beam.FlatMap(survey_call, beam.pvalue.AsList(sums))
        return calls | "SurveyEach" >> RunOnHost(self.workers, self.groups)
