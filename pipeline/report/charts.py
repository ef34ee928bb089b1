"""Small charts as inline SVG without text: labels and numbers stand beside them as HTML, so that they never shrink."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_BAR = Markup(
    '<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">{}</svg>'
)
_RECT = Markup('<rect class="{}" x="{}" y="0" width="{}" height="10"/>')
_COLUMNS = Markup(
    '<svg class="columns" viewBox="0 0 {} 100" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
)
_COLUMN = Markup('<rect x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>')


def bar(parts: Sequence[tuple[str, int]], whole: int, begin: int = 0) -> Markup:
    """Horizontal bar: (class, count) side by side from `begin`, of a width that stands for `whole`.

    What is more than nothing is at least visible.
    """
    rects, at = [], begin
    for name, count in parts:
        if count > 0 and whole > 0:
            x = min(1000.0 * at / whole, 996.0)
            rects.append(_RECT.format(name, f"{x:.2f}", f"{min(max(1000.0 * count / whole, 4.0), 1000.0 - x):.2f}"))
        at += count
    return _BAR.format(Markup("").join(rects))


def columns(values: Sequence[tuple[str, int]], label: str) -> Markup:
    """Histogram of (title, count); the columns fill the width."""
    highest = max((count for _, count in values), default=0)
    rects = []
    for number, (title, count) in enumerate(values):
        height = max(100.0 * count / highest, 1.5) if highest and count else 0.0
        rects.append(_COLUMN.format(number * 10 + 0.5, f"{100 - height:.2f}", 9, f"{height:.2f}", title))
    return _COLUMNS.format(max(len(values), 1) * 10, label, Markup("").join(rects))
