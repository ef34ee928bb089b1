"""Metrics for people: lines of text, and a fragment of a report."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from pipeline.diversity.compare import FALSE_ALARMS, Metric

TOO_LITTLE = "Too little text for a comparison with human text."

_INTERVAL = Markup(
    '<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
    '<rect class="left" x="0" y="4" width="1000" height="2"/>'
    '<rect class="gone" x="{}" y="2" width="{}" height="6"/>'
    '<rect class="{}" x="{}" y="0" width="14" height="10"/></svg>'
)
_ROW = Markup(
    '<tr><th scope="row">{}<br><small class="note">{}</small></th><td class="n">{}</td><td class="n s">{}</td>'
    '<td class="c">{}</td><td class="n s">{}</td><td>{}</td></tr>\n'
)
_STRATUM = Markup(
    '<tr class="step"><th scope="rowgroup" colspan="6"><bdi>{}</bdi> <small class="note">{}</small></th></tr>\n'
)
_TABLE = Markup(
    '<p{}>{}</p>\n<div class="wide"><table><thead><tr><th scope="col">Metric</th><th scope="col" class="n">Mix</th>'
    '<th scope="col" class="n">Human</th><th scope="col"><span hidden>Interval</span></th>'
    '<th scope="col" class="n">Interval of human text</th><th scope="col">Verdict</th></tr></thead><tbody>\n{}'
    '</tbody></table></div>\n<p class="note">{}</p>\n'
)
_ALARM = Markup('<strong style="color:var(--fail)">alarm</strong>')
_NOTE = (
    "Both sides at equal numbers of words or documents. The grey bar is where human text lies against other human "
    "text, all metrics and strata at once: in {:.0%} of comparisons of human with human text any metric lies outside. "
    "An alarm is a loss beyond that; more variety than human text is no alarm."
)


def describe(metrics: Sequence[Metric]) -> list[str]:
    """One line that says what is wrong, then one for each metric outside of its interval, alarms first."""
    if not metrics:
        return [TOO_LITTLE]
    lines = [headline(metrics)]
    for metric in sorted((m for m in metrics if m.outside), key=lambda m: not m.alarm):
        lines.append(
            f"{'alarm' if metric.alarm else 'note'}: {metric.stratum}: {metric.title} {number(metric.value)}, "
            f"human {number(metric.reference)} ({number(metric.low)} to {number(metric.high)})"
        )
    return lines


def headline(metrics: Sequence[Metric]) -> str:
    """What the metrics say, in one sentence."""
    if not metrics:
        return TOO_LITTLE
    alarms = [metric for metric in metrics if metric.alarm]
    strata = len({metric.stratum for metric in metrics})
    of = f"{len(metrics)} figures" + (f" of {strata} strata" if strata > 1 else "")
    if not alarms:
        return f"No loss of diversity against the human reference: none of {of} raises an alarm."
    names = list(dict.fromkeys(metric.title for metric in alarms))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (
        f"Less diverse than the human reference: {len(alarms)} of {of} raise an alarm ({', '.join(names[:3])}{more})."
    )


def html_fragment(metrics: Sequence[Metric]) -> Markup:
    """A paragraph and a table for a report that uses the style sheet of `pipeline.report`."""
    if not metrics:
        return Markup('<p class="note">{}</p>\n').format(TOO_LITTLE)
    rows: list[Markup] = []
    for stratum, group in groupby(metrics, key=lambda metric: metric.stratum):
        found = list(group)
        size = f"{found[0].words:,} words and {found[0].documents:,} documents a side"
        rows.append(_STRATUM.format(stratum, size))
        rows += [_row(metric) for metric in found]
    kind = Markup(' class="alarm"') if any(metric.alarm for metric in metrics) else ""
    return _TABLE.format(kind, headline(metrics), Markup("").join(rows), _NOTE.format(FALSE_ALARMS))


def table(metrics: Sequence[Metric]) -> str:
    """The metrics as aligned text."""
    rows = [("stratum", "metric", "mix", "human", "low", "high", "")]
    for m in metrics:
        values = (number(value) for value in (m.value, m.reference, m.low, m.high))
        rows.append((m.stratum, m.title, *values, "alarm" if m.alarm else "outside" if m.outside else ""))  # type: ignore[arg-type]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    ends = (str.ljust, str.ljust, *[str.rjust] * 4, str.ljust)
    return "\n".join(
        "  ".join(end(cell, width) for end, cell, width in zip(ends, row, widths, strict=True)).rstrip() for row in rows
    )


def number(value: float) -> str:
    """Three significant digits, thousands whole."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) >= 1e-3 else f"{value:.4f}"


def _row(metric: Metric) -> Markup:
    verdict: Markup | str = _ALARM if metric.alarm else "outside" if metric.outside else "within"
    interval = f"{number(metric.low)} – {number(metric.high)}"
    values = number(metric.value), number(metric.reference)
    return _ROW.format(metric.title, metric.meaning, *values, _interval(metric), interval, verdict)


def _interval(metric: Metric) -> Markup:
    """The interval as a bar in the middle, and the mix as a mark, which stays at the edge where it is far away."""
    width = max(metric.high - metric.reference, 1e-9)
    reach = max(2.5 * width, 1.15 * abs(metric.value - metric.reference))

    def place(value: float) -> float:
        return 500 + 490 * min(1.0, max(-1.0, (value - metric.reference) / reach))

    begin, end = place(metric.low), place(metric.high)
    return _INTERVAL.format(
        f"{begin:.1f}", f"{max(end - begin, 4):.1f}", "fail" if metric.alarm else "", f"{place(metric.value) - 7:.1f}"
    )
