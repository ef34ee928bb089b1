"""Line charts with bands as SVG: readable by themselves, in light and dark, and inside a page that has the colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 480, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 104, 40, 40  # labels stand at the right of the lines
_LINE = 15  # least distance of labels
_TICKS = 5

COLOURS = ("replace", "fresh0", "fresh1", "fresh2", "accumulate", "budget", "people")
STYLE = Markup(
    ":root{color-scheme:light dark;--paper:#fdfcfa;--ink:#1f1e1b;--soft:#5e5a52;--rule:#dedad1;"
    "--replace:#a8442f;--fresh0:#a87413;--fresh1:#2f7d5b;--fresh2:#1c7f93;--accumulate:#3d6796;--budget:#8a4f9e;"
    "--people:#6f695f}"
    "@media (prefers-color-scheme:dark){:root{--paper:#171614;--ink:#e9e5dc;--soft:#aaa498;--rule:#37342f;"
    "--replace:#e08a72;--fresh0:#d9ab52;--fresh1:#5fb48d;--fresh2:#5bb9cc;--accumulate:#7fa3c6;--budget:#bf8fd0;"
    "--people:#9b9488}}"
    "svg.lines text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif;fill:var(--soft)}"
    "svg.lines .title{font-size:14px;font-weight:600;fill:var(--ink)}"
    "svg.lines .grid{stroke:var(--rule);stroke-width:1}"
    "svg.lines .curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
    "svg.lines .theory{fill:none;stroke-width:1.5}"
    "svg.lines .dashed{stroke-dasharray:5 4;stroke-width:1.5}"
    "svg.lines .band{opacity:.2;stroke:none}"
    "svg.lines .label{font-weight:500}"
    + "".join(
        f"svg.lines .{name}{{stroke:var(--{name})}}svg.lines .band.{name},svg.lines .dot.{name}{{fill:var(--{name})}}"
        f"svg.lines text.{name}{{fill:var(--{name});stroke:none}}"
        for name in COLOURS
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart: a number for each of x = 1, 2 …, with a band where there are bounds.

    With `theory` that is the line, and the numbers are dots on it.
    """

    colour: str  # one of COLOURS
    label: str
    mean: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    theory: Sequence[float] = ()
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    logarithmic: bool
    ticks: tuple[float, ...]

    def y(self, value: float) -> float:
        at, low, high = (math.log(v) if self.logarithmic else v for v in (max(value, self.low), self.low, self.high))
        return round(_TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - (min(at, high) - low) / (high - low)), 2)


def _scale(values: Sequence[float], logarithmic: bool) -> _Scale:
    low, high = min(values), max(values)
    if logarithmic:
        low, high = low / 1.05, high * 1.05
        if high / low < 1.5:
            low, high = low / 1.25, high * 1.25
        span = high / low
        steps: tuple[float, ...] = (1, 1.5, 2, 3, 5, 7) if span < 10 else (1, 2, 5) if span < 200 else (1,)
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = tuple(step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high)
        return _Scale(low, high, True, ticks)
    low, high = min(low, 0.0), high if high > 0 else 1.0
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1, 2, 2.5, 5, 10) if one * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    return _Scale(first * step, last * step, False, tuple(n * step for n in range(first, last + 1)))


def _number(value: float, percent: bool) -> str:
    if percent:
        return f"{100 * value:.4g} %"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _labels(series: Sequence[Series], scale: _Scale) -> list[tuple[Series, float]]:
    """Where labels stand: at the ends of their lines, as near as they can without touching each other."""
    ends = sorted(((scale.y((one.theory or one.mean)[-1]), at) for at, one in enumerate(series)))
    places = [end for end, _ in ends]
    for _ in range(100):
        for i in range(len(places) - 1):
            overlap = _LINE - (places[i + 1] - places[i])
            if overlap > 0.01:
                places[i], places[i + 1] = places[i] - overlap / 2, places[i + 1] + overlap / 2
        places = [min(max(place, _TOP + 4.0), HEIGHT - _BOTTOM - 1.0) for place in places]
    return [(series[at], place) for place, (_, at) in zip(places, ends, strict=True)]


def line_chart(
    title: str, series: Sequence[Series], *, logarithmic: bool = False, percent: bool = False, standalone: bool = False
) -> Markup:
    """Lines over generations.

    Args:
        title: what is measured, with the kind of axis where it is not plain.
        series: at least one, of at least two generations; their numbers are over 0 where the axis is logarithmic.
        logarithmic: the axis of the numbers is.
        percent: numbers are shares.
        standalone: a file of its own, with the colours in it.
    """
    lines = [v for one in series for part in (one.mean, one.theory) for v in part]
    values = [*lines, *(v for one in series for part in (one.low, one.high) for v in part)]
    if logarithmic:  # a band may reach down to nothing
        values = [min(max(v, min(lines) / 2), max(lines) * 2) for v in values]
    scale = _scale(values, logarithmic)
    points = max(len(one.theory or one.mean) for one in series)
    right = WIDTH - _RIGHT

    def x(number: int) -> float:
        return round(_LEFT + (right - _LEFT) * number / max(points - 1, 1), 2)

    def path(numbers: Sequence[float]) -> str:
        return "M" + "L".join(f"{x(at)},{scale.y(v)}" for at, v in enumerate(numbers))

    parts = [Markup('<text class="title" x="0" y="16">{}</text>').format(title)]
    for tick in scale.ticks:
        y = scale.y(tick)
        parts.append(Markup('<path class="grid" d="M{},{}H{}"/>').format(_LEFT, y, right))
        label = Markup('<text x="{}" y="{}" text-anchor="end">{}</text>')
        parts.append(label.format(_LEFT - 7, y + 4, _number(tick, percent)))
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, points) if points / step <= 10)
    for number in sorted({0, *range(step - 1, points, step)}):
        label = Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>')
        parts.append(label.format(x(number), HEIGHT - _BOTTOM + 17, number + 1))
    parts.append(
        Markup('<text x="{}" y="{}" text-anchor="middle">generation</text>').format((_LEFT + right) / 2, HEIGHT - 5)
    )
    for one in series:
        if one.low:
            outline = "L".join(
                f"{x(at)},{scale.y(v)}" for at, v in [*enumerate(one.high), *reversed([*enumerate(one.low)])]
            )
            parts.append(Markup('<path class="band {}" d="M{}Z"/>').format(one.colour, outline))
    for one in series:
        kind = "theory" if one.theory else "curve dashed" if one.dashed else "curve"
        parts.append(Markup('<path class="{} {}" d="{}"/>').format(kind, one.colour, path(one.theory or one.mean)))
        if one.theory:
            every = max(1, len(one.mean) // 12)
            for at in sorted({0, *range(every - 1, len(one.mean), every)}):
                dot = Markup('<circle class="dot {}" cx="{}" cy="{}" r="2.6"/>')
                parts.append(dot.format(one.colour, x(at), scale.y(one.mean[at])))
    for one, place in _labels(series, scale):
        label = Markup('<text class="label {}" x="{}" y="{:.1f}">{}</text>')
        parts.append(label.format(one.colour, right + 9, place + 4, one.label))
    spoken = (
        title
        + ": "
        + "; ".join(
            f"{one.label} {_number(one.mean[0], percent)} to {_number(one.mean[-1], percent)}" for one in series
        )
    )
    inner = Markup("").join(parts)
    if standalone:
        paper = Markup('<rect x="-16" y="-16" width="{}" height="{}" style="fill:var(--paper)"/>').format(
            WIDTH + 32, HEIGHT + 32
        )
        return Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" class="lines" viewBox="-16 -16 {} {}" width="{}" height="{}" '
            'role="img" aria-label="{}"><style>{}</style>{}{}</svg>\n'
        ).format(WIDTH + 32, HEIGHT + 32, (WIDTH + 32) * 3 // 2, (HEIGHT + 32) * 3 // 2, spoken, STYLE, paper, inner)
    return Markup('<svg class="lines" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, spoken, inner
    )
