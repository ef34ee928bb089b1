"""report/index.html of gaps: one static page without script, in the style of a run's report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import ChoiceLoader, PackageLoader
from markupsafe import Markup

from pipeline.report.html import environment
from pipeline.synthesize.gaps_words import read_data

_CHART = Markup(
    '<svg class="gap" viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true" focusable="false">{}</svg>'
)
_RECT = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')
SHOWN = 40  # rows of a table


def gap_chart(row: Mapping[str, Any], scale: float) -> Markup:
    """The share as a bar, its interval as a line, the target as a mark; `scale` is the share at the right end."""
    if scale <= 0:
        return _CHART.format("")
    parts = []

    def place(share: float) -> float:
        return min(1000 * share / scale, 1000.0)

    if row["share"] is not None:
        kind = "thin" if row["thin"] else "held"
        parts.append(_RECT.format(kind, "0", "5", f"{place(row['share']):.1f}", "10"))
        low, high = place(row["low"]), place(row["high"])
        parts.append(_RECT.format("span", f"{low:.1f}", "9", f"{max(high - low, 2):.1f}", "2"))
    if row["target"] is not None:
        parts.append(_RECT.format("want", f"{min(place(row['target']), 994.0):.1f}", "0", "6", "20"))
    return _CHART.format(Markup("").join(parts))


def scale_of(rows: list[Mapping[str, Any]]) -> float:
    """Share at the right end of the charts of a table."""
    return max((value for row in rows for value in (row["share"], row["high"], row["target"]) if value), default=0.0)


def percent(value: float | None) -> str:
    """A share of 0 to 1 as a percentage."""
    return "–" if value is None else f"{100 * value:.1f}\u00a0%"


def stratum_name(key: str, dimensions: list[str]) -> str:
    """A stratum for people: names of languages and countries beside their codes."""
    data = read_data("gaps_prompts")
    names = []
    for dimension, value in zip(dimensions, key.split("/"), strict=False):
        known = {"language": data["languages"], "region": data["regions"]}.get(dimension, {}).get(value)
        names.append(f"{known} ({value})" if known else value.replace("_", " "))
    return ", ".join(names)


def render_page(report: Mapping[str, Any]) -> str:
    """The report as HTML."""
    env = environment()
    assert env.loader is not None
    env.loader = ChoiceLoader([env.loader, PackageLoader("pipeline.synthesize", "data")])
    env.filters.update(percent=percent)
    env.globals.update(percent=percent, gap_chart=gap_chart, scale_of=scale_of, stratum_name=stratum_name, shown=SHOWN)
    return env.get_template("gaps.html.j2").render(f=report)
