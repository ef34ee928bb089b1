"""index.html and the plots of `headwater collapse`, from its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipeline.collapse.charts import STYLE, Series, line_chart
from pipeline.collapse.workflows import error_multiplier
from pipeline.report.html import environment

# key of the figures, name of the file, title, keywords of the chart
_TEXT_CHARTS = (
    ("perplexity", "perplexity", "Perplexity on people’s text (log)", {"logarithmic": True}),
    ("vocabulary", "vocabulary", "Vocabulary kept, written text", {"percent": True}),
    ("tail", "tail", "Tail mass kept, written text", {"percent": True}),
    ("distinct_3", "distinct-3", "Distinct trigrams, written text", {"percent": True}),
    ("data_vocabulary", "training-vocabulary", "Vocabulary kept, training text", {"percent": True}),
    ("data_tail", "training-tail", "Tail mass kept, training text", {"percent": True}),
)


def colours(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """Colour of each case; shares of fresh text have their own in order."""
    found, fresh = [], 0
    for case in cases:
        name = case["workflow"]
        if name.startswith("fresh"):
            name, fresh = f"fresh{fresh % 3}", fresh + 1
        found.append(name)
    return found


def _theory_series(cases: Sequence[Mapping[str, Any]], key: str) -> list[Series]:
    return [
        Series(colour, case["title"], case[key]["mean"], case[key]["low"], case[key]["high"], case[key]["theory"] or ())
        for colour, case in zip(colours(cases), cases, strict=True)
    ]


def _text_series(cases: Sequence[Mapping[str, Any]], key: str) -> list[Series]:
    series = [
        Series(
            colour,
            case["title"],
            case["figures"][key]["mean"],
            case["figures"][key]["low"],
            case["figures"][key]["high"],
        )
        for colour, case in zip(colours(cases), cases, strict=True)
    ]
    if key == "perplexity":
        return series
    people = cases[0]["figures"][key if key.startswith("data_") else f"data_{key}"]["mean"][0]
    return [*series, Series("people", "people", [people] * len(series[0].mean), dashed=True)]


def draw_charts(figures: Mapping[str, Any], *, standalone: bool) -> dict[str, Markup]:
    """The plots by the names of their files, without `.svg`."""
    found = {
        "regression": line_chart(
            "Error relative to generation 1 (log)",
            _theory_series(figures["regression"]["cases"], "error"),
            logarithmic=True,
            standalone=standalone,
        ),
        "gaussian-variance": line_chart(
            "Variance, geometric mean",
            _theory_series(figures["gaussian"]["cases"], "variance"),
            standalone=standalone,
        ),
        "gaussian-mean": line_chart(
            "Squared error of the mean × samples (log)",
            _theory_series(figures["gaussian"]["cases"], "mean_error"),
            logarithmic=True,
            standalone=standalone,
        ),
    }
    for temperature, cases in by_temperature(figures):
        for key, name, title, keywords in _TEXT_CHARTS:
            found[f"{name}-t{temperature:g}"] = line_chart(
                title, _text_series(cases, key), standalone=standalone, **keywords
            )
    return found


def by_temperature(figures: Mapping[str, Any]) -> list[tuple[float, list[dict[str, Any]]]]:
    """Cases of the text by temperature, in the order of the options."""
    if figures["text"] is None:
        return []
    return [
        (temperature, [case for case in figures["text"]["cases"] if case["temperature"] == temperature])
        for temperature in figures["options"]["temperatures"]
    ]


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def verdict(temperature: float, cases: Sequence[Mapping[str, Any]]) -> str:
    """One sentence: which workflows collapse at a temperature, and which do not."""
    bad = [case["title"] for case in cases if case["collapses"]]
    good = [case["title"] for case in cases if not case["collapses"]]
    if not bad:
        return f"At temperature {temperature:g} no workflow collapses."
    rest = f"; {_joined(good)} {'does' if len(good) == 1 else 'do'} not" if good else ""
    return f"At temperature {temperature:g}, {_joined(bad)} {'collapses' if len(bad) == 1 else 'collapse'}{rest}."


def render_page(figures: Mapping[str, Any]) -> str:
    """The report as HTML, without script and without any request."""
    cases = by_temperature(figures)
    return (
        environment()
        .get_template("collapse.html.j2")
        .render(
            f=figures,
            charts=draw_charts(figures, standalone=False),
            style=STYLE,
            temperatures=cases,
            verdicts=[verdict(temperature, held) for temperature, held in cases],
            text_charts=[name for _, name, _, _ in _TEXT_CHARTS],
            multipliers=[(share, error_multiplier(share)) for share in figures["options"]["fresh"]],
            regression=list(zip(colours(figures["regression"]["cases"]), figures["regression"]["cases"], strict=True)),
            gaussian=list(zip(colours(figures["gaussian"]["cases"]), figures["gaussian"]["cases"], strict=True)),
            colours=colours,
        )
    )
