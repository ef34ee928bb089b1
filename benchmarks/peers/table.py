"""Medians over rounds, ratios between arms, and the printed table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def summarise(rounds: Rows) -> dict[str, Any]:
    """Medians of one arm. A round holds `part` and `full`: pages, cpu, wall and memory of the two runs.

    Steady pages per CPU second is the slope between the two runs, so start-up, imports, lists and models do not count;
    whole divides all pages of the full run by all of its CPU seconds.
    """
    steady = [_slope(r) for r in rounds]
    whole = [r["full"]["pages"] / r["full"]["cpu"] for r in rounds]
    start = [max(0.0, r["full"]["cpu"] - r["full"]["pages"] / s) for r, s in zip(rounds, steady, strict=True) if s]
    last = rounds[-1]
    return {
        "pages": last["full"]["pages"],
        "pages_per_cpu_second_steady": _spread(steady),
        "pages_per_cpu_second_whole": _spread(whole),
        "page_megabytes_per_cpu_second_whole": _spread(
            [r["full"]["page_bytes"] / 1e6 / r["full"]["cpu"] for r in rounds]
        ),
        "steady_rests_on_cpu_seconds": _spread([r["full"]["cpu"] - r["part"]["cpu"] for r in rounds]),
        "start_cpu_seconds": _spread(start),
        "cpu_seconds": _spread([r["full"]["cpu"] for r in rounds]),
        "wall_seconds": _spread([r["full"]["wall"] for r in rounds]),
        "peak_megabytes_per_process": _spread([r["full"]["peak_process_bytes"] / 1e6 for r in rounds]),
        "peak_megabytes_all_processes": _spread([r["full"]["peak_tree_bytes"] / 1e6 for r in rounds]),
        "counts": last["full"]["counts"],
        "counts_equal_in_all_rounds": all(
            _without_times(r["full"]["counts"]) == _without_times(last["full"]["counts"]) for r in rounds
        ),
    }


def _slope(row: Mapping[str, Any]) -> float:
    pages = row["full"]["pages"] - row["part"]["pages"]
    seconds = row["full"]["cpu"] - row["part"]["cpu"]
    return pages / seconds if pages > 0 and seconds > 0 else 0.0


def _without_times(counts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in counts.items() if key != "seconds_by_step"}


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {"median": 0.0, "min": 0.0, "max": 0.0}
    return {name: round(f(values), 4) for name, f in (("median", median), ("min", min), ("max", max))}


def ratios(arms: Mapping[str, Mapping[str, Any]], base: str = "headwater") -> dict[str, dict[str, float]]:
    """`base` against each other arm, by medians: over 1 means that `base` does more pages per CPU second."""
    if base not in arms:
        return {}
    found: dict[str, dict[str, float]] = {}
    for name, values in arms.items():
        if name == base:
            continue
        found[name] = {}
        for kind in ("steady", "whole"):
            mine = arms[base][f"pages_per_cpu_second_{kind}"]["median"]
            other = values[f"pages_per_cpu_second_{kind}"]["median"]
            found[name][kind] = round(mine / other, 3) if other else 0.0
    return found


def render(arms: Mapping[str, Mapping[str, Any]], words: Mapping[str, str], base: str = "headwater") -> str:
    """The table as text."""
    against = ratios(arms, base)
    head = (
        "arm",
        "pages",
        "pages/CPU s steady",
        "whole",
        f"{base} = x steady",
        "x whole",
        "start CPU s",
        "MB/process",
        "MB all",
        "kept",
    )
    lines = [head]
    for name, values in arms.items():
        steady, whole = values["pages_per_cpu_second_steady"], values["pages_per_cpu_second_whole"]
        ratio = against.get(name)
        lines.append(
            (
                name,
                str(values["pages"]),
                f"{steady['median']:.1f} ({steady['min']:.1f}-{steady['max']:.1f}){'' if _is_firm(values) else ' ?'}",
                f"{whole['median']:.1f} ({whole['min']:.1f}-{whole['max']:.1f})",
                f"{ratio['steady']:.2f}" if ratio else "",
                f"{ratio['whole']:.2f}" if ratio else "",
                f"{values['start_cpu_seconds']['median']:.1f}",
                f"{values['peak_megabytes_per_process']['median']:.0f}",
                f"{values['peak_megabytes_all_processes']['median']:.0f}",
                str(values["counts"].get("kept", "")),
            )
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    text += ["", *(f"{name}: {words[name]}" for name in arms if name in words)]
    if not all(map(_is_firm, arms.values())):
        text.append("?: the two runs differ by less CPU time than starting takes; give it more pages")
    return "\n".join(text)


def _is_firm(values: Mapping[str, Any]) -> bool:
    """Whether the steady figure rests on more CPU time than a start, whose own variation would else decide it."""
    difference: float = values["steady_rests_on_cpu_seconds"]["median"]
    return difference > 5 and difference > float(values["start_cpu_seconds"]["median"])
