"""`headwater synthesize gaps`: which strata of curated text are thin against a target, and what to ask a generator for.

Reads the data files once, batch by batch, in one process; only texts of parents are read again, if they are wanted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from detectors.api import digest_of
from pipeline.progress import Reporter
from pipeline.report.write import publish_text
from pipeline.runs import RunError, headwater_version
from pipeline.synthesize.gaps_documents import AMOUNTS, DataFile, find_files, read_documents, read_texts
from pipeline.synthesize.gaps_measure import Gap, Measured, measure, named_values, reference_shares, wanted_shares
from pipeline.synthesize.gaps_page import render_page
from pipeline.synthesize.gaps_requests import Request, plan_requests, request_lines
from pipeline.synthesize.gaps_survey import OTHER, UNKNOWN, Seed, Survey, Tally
from pipeline.synthesize.gaps_words import GENDER_KINDS, versions
from schemas.targets import JOINT, GapTargets, Target

REPORT_VERSION = 1
MAX_SEEDS = 500  # documents that a stratum keeps as possible parents
EXAMPLES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """What was found: the figures of the report, and the requests."""

    report: dict[str, Any]
    requests: list[Request]


def _survey(files: Sequence[DataFile], tallies: Sequence[Tally], config: GapTargets) -> Survey:
    survey = Survey(tallies, config.requests.parent_words)
    for file in files:
        for documents in read_documents(file, config.labels, survey.left_out):
            survey.add(documents)
    return survey


def _tally(target: Target, config: GapTargets, named: Sequence[str] | None, seeds: int) -> Tally:
    return Tally(target, AMOUNTS.index(config.unit), named, seeds, config.seed)


def find_gaps(sources: Sequence[str], config: GapTargets, with_text: bool = False) -> Gaps:
    """Survey the documents of runs and tables, and plan requests.

    Raises:
        RunError: input that is not there or not of documents.
        ConfigError: targets that cannot be measured.
    """
    files = find_files(sources)
    unit = AMOUNTS.index(config.unit)
    references = {}
    for target in config.targets:
        if target.like is not None:
            tally = _tally(target, config, None, 0)
            _survey(find_files([target.like]), [tally], config)
            references[target.name] = reference_shares(tally, unit, config.confidence)
            if not references[target.name]:
                raise RunError(f"{target.like}: no document has a known {' and '.join(target.dimensions)}")
    rephrasings = config.requests.rephrasings
    seeds = min(MAX_SEEDS, -(-config.requests.limit // rephrasings)) if rephrasings else 0
    tallies = [
        _tally(t, config, list(references[t.name]) if t.name in references else named_values(t), seeds)
        for t in config.targets
    ]
    survey = _survey(files, tallies, config)
    measured = [_measured(tally, references.get(tally.target.name), config) for tally in tallies]
    requests, used, problems = plan_requests(measured, tallies, config)
    if with_text:
        requests = _with_texts(requests, used, files)
    return Gaps(_report(sources, survey, measured, tallies, requests, problems, config), requests)


def _measured(tally: Tally, reference: Any, config: GapTargets) -> Measured:
    met = [key for key in tally.strata if key != OTHER]
    return measure(tally, wanted_shares(tally.target, met, reference), config)


def _with_texts(
    requests: Sequence[Request], used: Mapping[tuple[str, str], Seed], files: Sequence[DataFile]
) -> list[Request]:
    places: dict[tuple[int, int], dict[int, str]] = {}
    for seed in used.values():
        places.setdefault((seed.file, seed.group), {})[seed.row] = seed.doc_id
    texts = read_texts(files, places)
    return [replace(one, parent_texts=tuple(texts[parent] for parent in one.parents)) for one in requests]


def _report(
    sources: Sequence[str], survey: Survey, measured: Sequence[Measured], tallies: Sequence[Tally],
    requests: Sequence[Request], problems: Sequence[str], config: GapTargets,
) -> dict[str, Any]:  # fmt: skip
    documents = int(survey.amounts[0])
    return {
        "report_version": REPORT_VERSION,
        "version": headwater_version(),
        "sources": list(sources),
        "targets": config.plain(),
        "targets_fingerprint": digest_of(config.plain()),
        "lists": versions(),
        **{name: int(survey.amounts[at]) for at, name in enumerate(AMOUNTS)},
        "left_out": {key: count for key, count in sorted(survey.left_out.items()) if count},
        "known": {name: survey.known[name] for name in ("language", "register", "topic", "region", "gender")},
        "strata": [_target_figures(one, tally, requests) for one, tally in zip(measured, tallies, strict=True)],
        "gender_terms": gender_figures(survey),
        "requests": {
            "all": len(requests),
            "grounded": sum(one.kind == "grounded" for one in requests),
            "ungrounded": sum(one.kind == "ungrounded" for one in requests),
            "parents": len({parent for one in requests for parent in one.parents}),
            "words": sum(one.words for one in requests),
            "not_made": list(problems),
        },
        "empty": documents == 0,
    }


def _target_figures(measured: Measured, tally: Tally, requests: Sequence[Request]) -> dict[str, Any]:
    asked: dict[str, int] = {}
    for one in requests:
        if one.target == measured.target.name:
            key = JOINT.join(one.stratum[name] for name in measured.target.dimensions)
            asked[key] = asked.get(key, 0) + 1
    return {
        "name": measured.target.name,
        "by": list(measured.target.dimensions),
        "like": measured.target.like,
        "documents": measured.documents,
        "amount": measured.amount,
        "effective_hosts": round(measured.hosts, 1),
        "asked": measured.asked,
        "unknown": measured.unknown,
        "other": measured.other,
        "thin": sum(gap.thin is not None for gap in measured.gaps),
        "rows": [_row(gap, tally, asked.get(gap.key, 0)) for gap in measured.gaps],
    }


def _row(gap: Gap, tally: Tally, requests: int) -> dict[str, Any]:
    stratum = tally.strata.get(gap.key)
    held = stratum.seeds.values() if gap.thin and stratum is not None and stratum.seeds is not None else []
    values = {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(gap).items()}
    return {**values, "requests": requests, "examples": [seed.doc_id for seed in held[:EXAMPLES]]}


def gender_figures(survey: Survey) -> list[dict[str, Any]]:
    """Feminine and masculine terms by language, then by language and topic, most terms first."""
    rows = []
    for language in sorted({language for language, _ in survey.terms}):
        parts = {topic: counts for (one, topic), counts in survey.terms.items() if one == language}
        ranked = sorted(parts, key=lambda topic: (-int(parts[topic].sum()), topic))
        rows.append(_terms(language, None, sum(parts.values())))
        rows += [_terms(language, topic, parts[topic]) for topic in ranked if topic != UNKNOWN]
    return rows


def _terms(language: str, topic: str | None, counts: Any) -> dict[str, Any]:
    feminine, masculine = (int(value) for value in counts.sum(axis=0))
    kinds = {kind: [int(value) for value in counts[at]] for at, kind in enumerate(GENDER_KINDS)}
    return {"language": language, "topic": topic, "feminine": feminine, "masculine": masculine, **kinds}


def summary(report: Mapping[str, Any]) -> Iterator[str]:
    """Lines for people."""
    for target in report["strata"]:
        unknown = f"; not known of {target['unknown']:,} more" if target["unknown"] else ""
        yield f"{target['name']}: {target['thin']} thin, of {target['documents']:,} documents{unknown}"
        for row in target["rows"]:
            if row["thin"]:
                share = "no documents" if row["share"] is None else (
                    f"{row['share']:.1%} [{row['low']:.1%}, {row['high']:.1%}] of {row['target']:.1%}"
                )  # fmt: skip
                few = ", too few" if row["thin"] == "minimum" else ""
                yield f"  {row['key']}: {share}; {row['documents']:,} documents{few}, {row['to_add']:,} to add"
    made = report["requests"]
    yield f"requests: {made['all']:,} ({made['grounded']:,} grounded on {made['parents']:,} documents)"
    yield from made["not_made"]


def gaps_job(sources: Sequence[str], config: GapTargets, output: Path, with_text: bool, reporter: Reporter) -> Gaps:
    """Find gaps and write gaps.json, requests.jsonl and report/index.html under `output`.

    Raises:
        RunError: `output` is a file or holds something else; input that cannot be used.
    """
    if output.exists() and not output.is_dir():
        raise RunError(f"{output} is a file; --output needs a folder")
    if output.is_dir() and any(output.iterdir()) and not (output / "gaps.json").exists():
        raise RunError(f"{output} is not empty and holds no report of gaps; give another --output")
    found = find_gaps(sources, config, with_text)
    publish_text(output, "requests.jsonl", "".join(request_lines(found.requests)))
    publish_text(output, "report/index.html", render_page(found.report))
    publish_text(output, "gaps.json", json.dumps(found.report, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    reporter.say(f"{output}/report/index.html, gaps.json, requests.jsonl: {found.report['documents']:,} documents read")
    return found
