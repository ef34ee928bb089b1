"""How much of a stratum people wrote, at least: bounds for a plan, from calibrated estimates and never from labels.

Documents of a source are in groups by what is known of them:

    dated        captured before the controls' cut: AI text at most AI_BOUND_BEFORE_RELEASE
    measured     scored, with controls of the language: estimated, see below
    unmeasured   nothing is known: no human text is counted, and no AI text is suspected (`reason` says why)
    assumed      the recipe declares a share
    ai_labelled, mt_labelled   labelled documents that a source asks for: no human text

`measured` is estimated for each language of a source, fresh and not fresh apart (what an earlier run held is older, so
the one says nothing of the other), and for each page type where a floor is on page types. A set that was chosen by its
scores would bias an estimate that is linear in them, so all documents are estimated that the source would have without
filters on labels and scores. With A the upper bound of the AI share of their T tokens, L the tokens of those that are
labelled AI, and W the human ones among these (LABELLED_WRONGLY of T are expected, by the threshold of the label; two
standard deviations are added), what takes part holds at most A*T - max(0, L - W) tokens of AI text.

The bound of machine translation is that of the mean of p_machine_translated, which rests on a prior. Each of the two
bounds is one-sided at half of the error (Bonferroni); what is left of 1 is the human share.

A plan takes documents in the order of their keys. Where a recipe weighs them by columns other than scores, the first of
them are not like all, and the larger is taken of the bounds of all and of all by weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.calibration import Calibration, CalibrationError, Calibrator, load_calibration
from detectors.controls import ControlsError, ControlSet
from detectors.prevalence import DRAWS, MIN_CONTROLS, MIN_DOCUMENTS, MIN_HOSTS, Share, estimate_share
from detectors.provenance import AI_BOUND_BEFORE_RELEASE, captured_within
from detectors.strata import FIRST_CAPTURES, Strata, z_of_scores
from pipeline.index import read_manifest
from pipeline.keys import document_hashes, read_arrow
from pipeline.mix.candidates import REAL, InputFile, candidates_path
from pipeline.mix.inputs import SCORED_COLUMNS
from pipeline.mix.race import LARGEST_WEIGHT, LEAST_WEIGHT, uniform_of
from pipeline.mix.survey import (
    AI_LABELLED,
    ASSUMED,
    DATED,
    HEAD,
    MEASURED,
    MT_LABELLED,
    OTHER_SOURCE,
    SPLITS,
    SourceFacts,
    SurveyPlan,
    has_controls,
)
from pipeline.prevalence import check_models
from pipeline.report.shares import CONTROLS
from pipeline.runs import RunError
from schemas.recipe import MixRecipe, RunSource

LABELLED_WRONGLY = 0.01  # of human text: a label rests on a threshold that 1 % of the controls pass
SAMPLE = 200_000  # documents of a language that an estimate looks at, at most
# Documents without a probability count as machine-translated: their label is unknown for want of evidence.
UNKNOWN_TRANSLATED = 1.0
_TAKES_PART = ("", *SPLITS)
_BY_SCORE = ("label", OTHER_SOURCE, *(f"{kind}_{name}" for kind in ("minimum", "maximum") for name in SCORED_COLUMNS))
_COLUMNS = (
    "doc_id", "fresh", "language", "page_type", "group", "reason", "tokens", "host", "score", "p_machine_translated",
    "words", "fetched_at", "key",
)  # fmt: skip

Floats = npt.NDArray[np.float64]
Key = tuple[str, bool, str]  # language, fresh, page type ("" where page types share a bound)


@dataclass(frozen=True, slots=True)
class Bound:
    """What is known of the human share of a group of documents.

    human_low, ai_high: bounds, as shares of tokens, at the recipe's confidence. page_type: "" where all share the
    bound. estimate, low, high: of AI text among all documents of the stratum, null where there is none. basis: dated,
    estimated, assumed, label, none. reason: why there is no estimate, or what was assumed. documents, tokens: that take
    part.
    """

    source: str
    language: str
    fresh: bool
    page_type: str
    group: str
    human_low: float
    ai_high: float
    mt_high: float
    estimate: float | None
    low: float | None
    high: float | None
    basis: str
    reason: str | None
    documents: int
    tokens: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def read_controls(recipe: MixRecipe) -> dict[str, ControlSet | None]:
    """Controls by source of a run: those that the recipe names, else those that the run was compared with.

    Raises:
        RunError: a file that the recipe names cannot be read, or its controls were scored by other models than the run.
    """
    found: dict[str, ControlSet | None] = {}
    for source in recipe.sources:
        if isinstance(source, RunSource):
            path = Path(source.controls) if source.controls else Path(source.run) / CONTROLS
            controls = None
            if source.controls or path.is_file():
                try:
                    controls = ControlSet.from_json(path.read_text(encoding="utf-8"))
                except (OSError, UnicodeDecodeError, ControlsError) as error:
                    raise RunError(
                        f"{path} (controls of source {source.name}) cannot be used: {error}; "
                        "`headwater controls build` writes such a file"
                    ) from None
                check_models([source.run], controls)
            found[source.name] = controls
    return found


def calibration_of(source: RunSource) -> tuple[Calibration | None, str | None]:
    """The calibration of a run's scores, or why they cannot be used for an estimate."""
    manifest = read_manifest(Path(source.run))
    dropped = set(manifest["config"]["policy"]["drop_labels"]) & {"ai_generated", "unknown"}
    if dropped:
        return None, f"the run dropped pages by their label ({', '.join(sorted(dropped))}): what is left was chosen"
    named = manifest["config"]["provenance"].get("calibration")
    models = {name.partition("/")[0]: digest for name, digest in manifest["detectors"].items()}
    try:
        calibration = load_calibration(Path(named) if named else None)
    except (CalibrationError, OSError) as error:
        return None, f"the calibration of the run cannot be read ({error})"
    wrong = sorted(name for name, digest in calibration.models.items() if models.get(name, digest) != digest)
    if wrong:
        return None, f"the run was scored by another model ({', '.join(wrong)}) than the calibration"
    return calibration, None


def estimate_bounds(
    plan: SurveyPlan, files: Sequence[InputFile], controls: Mapping[str, ControlSet | None]
) -> list[Bound]:
    """Bounds of all groups of the real sources, from the candidates in `plan.folder`; sorted."""
    split_types = any("page_type" in floor.where or floor.each == "page_type" for floor in plan.recipe.floors)
    bounds: list[Bound] = []
    for name, facts in sorted(plan.facts.items()):
        if not isinstance(facts.source, RunSource):
            continue
        calibration, reason = calibration_of(facts.source)
        calibrator = None if calibration is None else Calibrator(calibration, controls.get(name))
        mine = [candidates_path(plan.folder, file.number) for file in files if file.source == name]
        for key, (rows, totals) in sorted(_samples(mine, facts, split_types).items()):
            weights = _weights(plan.recipe, rows)
            bounds += bounds_of(facts, key, rows, totals, calibrator, reason, plan.recipe.confidence, weights)
    return sorted(bounds, key=lambda one: (one.source, one.language, one.fresh, one.page_type, one.group))


def _weights(recipe: MixRecipe, rows: pa.Table) -> Floats | None:
    """The weights behind the keys of documents; None where all are equal, or scores are among them.

    By a weight that rises with p_human, AI text comes later, so that the bound of all holds.
    """
    weights = recipe.weights
    if not (weights.columns or weights.rehydration) or SCORED_COLUMNS & set(weights.columns):
        return None
    times = np.array([-math.log(uniform_of(recipe.seed, one)) for one in rows.column("doc_id").to_pylist()])
    keys = np.asarray(rows.column("key")).astype(np.float64)
    return np.clip((times * 2.0**32 + 1.0) / (keys + 1.0), LEAST_WEIGHT, LARGEST_WEIGHT)


def _samples(
    paths: Iterable[Path], facts: SourceFacts, split_types: bool
) -> dict[Key, tuple[pa.Table, dict[str, tuple[int, int]]]]:
    """By key, a sample of the real candidates by hash, and documents and tokens of each group that take part."""
    samples: dict[Key, pa.Table] = {}
    totals: dict[Key, dict[str, tuple[int, int]]] = {}
    for path in paths:
        table = read_arrow(path)
        table = table.filter(pc.equal(table.column("origin"), REAL)).select(_COLUMNS)
        reason = pc.fill_null(table.column("reason"), "")
        table = table.set_column(table.schema.get_field_index("reason"), "reason", reason)
        kept = pc.is_in(reason, pa.array([*_TAKES_PART, *_BY_SCORE], pa.string()))
        table = table.filter(kept)
        keys = ["language", "fresh", *(["page_type"] if split_types else [])]
        part = table.filter(pc.equal(table.column("reason"), "")).group_by([*keys, "group"])
        for row in part.aggregate([("tokens", "count"), ("tokens", "sum")]).to_pylist():
            groups = totals.setdefault((row["language"], row["fresh"], row.get("page_type", "")), {})
            documents, tokens = groups.get(row["group"], (0, 0))
            groups[row["group"]] = (documents + row["tokens_count"], tokens + row["tokens_sum"])
        for row in table.group_by(keys).aggregate([]).to_pylist():
            key = (row["language"], row["fresh"], row.get("page_type", ""))
            mask = pc.and_(pc.equal(table.column("language"), key[0]), pc.equal(table.column("fresh"), key[1]))
            if split_types:
                mask = pc.and_(mask, pc.equal(table.column("page_type"), key[2]))
            mine = table.filter(mask).combine_chunks()
            samples[key] = smallest_hashes(pa.concat_tables([samples[key], mine]) if key in samples else mine)
    return {key: (samples[key].sort_by("doc_id").combine_chunks(), found) for key, found in totals.items()}


def smallest_hashes(rows: pa.Table, size: int = SAMPLE) -> pa.Table:
    """The `size` documents with the smallest ids, which are hashes: the same whatever the order of files."""
    if rows.num_rows <= size:
        return rows
    hashes = document_hashes(rows.column("doc_id"))
    return rows.take(pa.array(np.sort(np.argsort(hashes, kind="stable")[:size]))).combine_chunks()


def bounds_of(
    facts: SourceFacts,
    key: Key,
    rows: pa.Table,
    totals: Mapping[str, tuple[int, int]],
    calibrator: Calibrator | None,
    refused: str | None,
    confidence: float,
    weights: Floats | None = None,
) -> list[Bound]:
    """Bounds of the groups of one stratum.

    Args:
        facts: of the source.
        key: of the stratum.
        rows: candidates, those that filters on labels and scores leave out among them; reason "" takes part.
        totals: documents and tokens of each group that take part.
        calibrator: with the controls; None where `refused` says why the scores cannot be used.
        refused: see there.
        confidence: of both bounds together.
        weights: by which the documents come, where they are not equal.
    """
    assert isinstance(facts.source, RunSource)
    tokens_of = np.asarray(rows.column("tokens"), np.float64)
    ways = [tokens_of] if weights is None else [tokens_of, tokens_of * weights]
    language, fresh, page_type = key
    groups = rows.column("group").to_pylist()
    part = np.asarray(pc.is_in(rows.column("reason"), pa.array(_TAKES_PART)), bool)
    bounds = []
    for group, (documents, tokens) in sorted(totals.items()):
        mine = part & np.array([one == group for one in groups], bool)
        ai, mt, share, basis, reason = 0.0, 0.0, None, "none", None
        if group == ASSUMED and facts.source.assume is not None:
            ai, basis, reason = 1.0 - facts.source.assume.human, "assumed", facts.source.assume.because
        elif group == AI_LABELLED:
            ai, basis = 1.0, "label"
        elif group == MT_LABELLED:
            mt, basis = 1.0, "label"
        elif group == DATED:
            ai, basis = AI_BOUND_BEFORE_RELEASE, "dated"
            mt = max(translated_bound(rows, mine, sizes, confidence) for sizes in ways)
        elif group == MEASURED and calibrator is not None:
            found = [machine_bound(facts, rows, mine, sizes, calibrator, confidence) for sizes in ways]
            ai, share = max(one for one, _ in found), found[0][1]
            reason = next((one.refused for _, one in found if one.refused), None)
            if reason is None:
                basis = "estimated"
                mt = max(translated_bound(rows, mine, sizes, confidence) for sizes in ways)
        else:
            reason = refused or _unmeasured(rows, mine, language)
        known = basis != "none"
        numbers = (share.estimate, share.low, share.high) if share is not None and known else (None, None, None)
        human = max(0.0, 1.0 - ai - mt) if known else 0.0
        bounds.append(
            Bound(
                *(facts.source.name, language, fresh, page_type, group),
                *(human, ai if known else 0.0, mt, *numbers, basis, reason, documents, tokens),
            )
        )
    return bounds


def _unmeasured(rows: pa.Table, mine: npt.NDArray[np.bool_], language: str) -> str:
    scores = rows.column("score").filter(pa.array(mine))
    if scores.null_count == len(scores):
        return f"no text model applies to these documents ({language})"
    return f"fewer than {MIN_CONTROLS} controls of {language}"


def machine_bound(
    facts: SourceFacts,
    rows: pa.Table,
    mine: npt.NDArray[np.bool_],
    tokens: Floats,
    calibrator: Calibrator,
    confidence: float,
) -> tuple[float, Share]:
    """Upper bound of the AI share of the `tokens` of `mine`, and the estimate among all documents with controls."""
    early = captured_within(rows.column("fetched_at").combine_chunks(), FIRST_CAPTURES, facts.before)
    language, types = rows.column("language").to_pylist(), rows.column("page_type").to_pylist()
    typed = np.array([one != "none" for one in types], bool)
    scores = np.asarray(pc.fill_null(rows.column("score"), np.nan), np.float64)
    whole = has_controls(facts, language, typed, np.isfinite(scores)) & ~early & (tokens > 0)
    place = np.flatnonzero(whole)
    strata = Strata.of(
        [None if language[row] == "und" else language[row] for row in place],
        [types[row] if typed[row] else None for row in place],
        np.asarray(rows.column("words"))[place],
    )
    hosts = [str(host) if host else None for host in np.asarray(rows.column("host"))[place].tolist()]
    share = estimate_share(
        z_of_scores(scores[place]), strata, hosts, calibrator, HEAD, confidence=confidence, sizes=tokens[place]
    )
    if share.refused is not None:
        return 0.0, share
    labelled = np.array([one == AI_LABELLED for one in rows.column("group").to_pylist()], bool) & whole
    total, known = float(tokens[whole].sum()), float(tokens[labelled].sum())
    # Two standard deviations more than what is expected: a long document may be among the few.
    wrongly = LABELLED_WRONGLY * total + 2.0 * math.sqrt(LABELLED_WRONGLY * float((tokens[whole] ** 2).sum()))
    left = share.high * total - max(0.0, known - wrongly)
    ours = float(tokens[mine & whole].sum())
    return (min(1.0, max(0.0, left / ours)) if ours else 1.0), share


def translated_bound(
    rows: pa.Table, mine: npt.NDArray[np.bool_], tokens: Floats, confidence: float, seed: int = 0
) -> float:
    """Upper bound of the mean of p_machine_translated over the `tokens` of `mine`, by a bootstrap over hosts.

    Documents are drawn where there are fewer than MIN_HOSTS hosts; the largest value is the bound of a few documents.
    """
    part = rows.filter(pa.array(mine))
    values = np.asarray(pc.fill_null(part.column("p_machine_translated"), UNKNOWN_TRANSLATED), np.float64)
    tokens = tokens[mine]
    if len(values) < MIN_DOCUMENTS:
        return float(values.max(initial=0.0))
    hosts = np.asarray(part.column("host"))
    own = np.flatnonzero(hosts == 0)
    names, units = np.unique(hosts, return_inverse=True)
    units[own] = len(names) + np.arange(len(own))
    if len(names) < MIN_HOSTS:
        units = np.arange(len(values))
    units = np.unique(units, return_inverse=True)[1]
    totals, sizes = np.bincount(units, values * tokens), np.bincount(units, tokens)
    generator = np.random.default_rng(seed)
    means = np.empty(DRAWS)
    for draw in range(DRAWS):
        times = np.bincount(generator.integers(0, len(totals), len(totals)), minlength=len(totals))
        means[draw] = float(times @ totals) / float(times @ sizes)
    return float(np.quantile(means, (1 + confidence) / 2))
