"""report/index.html: the figures as one static page, without script and without any request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.report.charts import bar, columns
from pipeline.report.figures import SPLITS
from pipeline.report.queries import QUERIES

LABEL_NAMES = {
    "human": "Human",
    "machine_translated": "Machine-translated",
    "ai_generated": "AI-generated",
    "unknown": "Unknown",
}
REASONS = {
    "http_status": "the server did not answer 200",
    "not_html": "not a page of HTML or text",
    "no_text": "no main text, or fewer words than asked for",
    "opt_out": "states an opt-out that the policy honours",
    "taken_down": "removed after the run, by `headwater seen remove`",
    "language": "not a language to keep",
    "language_score": "language not certain enough",
    "url_duplicate": "another capture of the same address is kept",
    "exact_duplicate": "the same text is kept from another page",
    "near_duplicate": "nearly the same text is kept from another page",
    "url_domain": "host is on a block list",
    "url_listed": "address is on a block list",
    "url_banned_word": "banned word in the address",
    "url_banned_subword": "banned letters in the address",
    "url_soft_words": "several doubtful words in the address",
}
_PROFILES = {"gopher_": "Gopher", "c4_": "C4", "fineweb_": "FineWeb", "refinedweb_": "RefinedWeb"}


def explain(reason: str) -> str:
    """A few words for people about a reason for dropping."""
    if reason in REASONS:
        return REASONS[reason]
    for prefix, name in _PROFILES.items():
        if reason.startswith(prefix):
            return f"{name} rule: {reason.removeprefix(prefix).replace('_', ' ')}"
    if reason.startswith("provenance_"):
        return f"label {reason.removeprefix('provenance_')}, which the policy drops"
    return reason.replace("_", " ")


def number(value: int | None) -> str:
    """An integer with thousands separated."""
    return "–" if value is None else f"{value:,}"


def share(part: int, whole: int) -> str:
    """A percentage that never rounds something to nothing, nor not quite all to all."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if part and percent < 0.1:
        return "<\u00a00.1\u00a0%"
    if part < whole and percent > 99.9:
        return ">\u00a099.9\u00a0%"
    return f"{percent:.1f}\u00a0%"


def size(value: int) -> str:
    """Bytes in binary units."""
    amount, units = float(value), ["B", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{value:,}\u00a0B" if units[0] == "B" else f"{amount:,.1f}\u00a0{units[0]}"


def compact(value: int) -> str:
    """A power of two for an axis: 512, 1 k, 64 k, 2 M."""
    for power, unit in ((30, "G"), (20, "M"), (10, "k")):
        if value >= 1 << power:
            return f"{value >> power} {unit}"
    return str(value)


def plural(count: int, one: str, many: str = "") -> str:
    """The count and its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def ticks(labels: list[str], most: int = 8) -> list[tuple[str, int]]:
    """Labels for an axis of equal columns: (label, columns that it spans), at most `most`."""
    step = max(1, -(-len(labels) // most))
    return [(labels[at], min(step, len(labels) - at)) for at in range(0, len(labels), step)]


def _dates(figures: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Months without gaps where they are few, else years without gaps, else the years there are."""
    months = {row["month"]: row["documents"] for row in figures["months"]}
    if months:
        first, last = min(months), max(months)
        begin, end = (int(m[:4]) * 12 + int(m[5:]) - 1 for m in (first, last))
        if end - begin < 60:
            names = [f"{at // 12:04d}-{at % 12 + 1:02d}" for at in range(begin, end + 1)]
            return [(name, months.get(name, 0)) for name in names]
    years = {row["year"]: row["documents"] for row in figures["years"]}
    if years and int(max(years, key=int)) - int(min(years, key=int)) < 100:
        span = range(int(min(years, key=int)), int(max(years, key=int)) + 1)
        return [(f"{year:04d}", years.get(f"{year:04d}", 0)) for year in span]
    return list(years.items())


def _grouped(waterfall: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Waterfall rows under the step that they belong to, with the step's sum."""
    groups: list[dict[str, Any]] = []
    for row in waterfall:
        if not groups or groups[-1]["step"] != row["step"]:
            groups.append({"step": row["step"], "kind": row["kind"], "rows": [], "pages": 0, "left": 0})
        groups[-1]["rows"].append(row)
        groups[-1]["pages"] += row["pages"]
        groups[-1]["left"] = row["left"]
    return groups


def environment() -> Environment:
    """Jinja with autoescape for every template, whatever its name, and undefined names as errors."""
    env = Environment(
        loader=PackageLoader("pipeline.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update(number=number, size=size, compact=compact, explain=explain)
    env.globals.update(
        bar=bar,
        columns=columns,
        share=share,
        plural=plural,
        ticks=ticks,
        labels=LABEL_NAMES,
        queries=QUERIES,
        splits=SPLITS,
    )
    return env


def render_html(figures: Mapping[str, Any]) -> str:
    """The report as HTML."""
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            f=figures,
            groups=_grouped(figures["waterfall"]),
            dates=_dates(figures["dates"]),
            config=json.dumps(figures["run"]["config"], indent=2, ensure_ascii=True, sort_keys=True),
        )
    )
