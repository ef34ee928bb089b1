"""`headwater minhash`: what the shapes of the MinHash index catch."""

from __future__ import annotations

import json
from typing import Any

import click

from detectors.features.minhash import PRESETS, probability, similarity_of

SIMILARITIES = tuple(step / 100 for step in range(10, 101, 5))


def describe(name: str) -> dict[str, Any]:
    """Bands, rows, curve (probability that a pair of that Jaccard similarity shares a band) and its middle."""
    shape = PRESETS[name]
    return {
        "preset": name,
        "shape": str(shape),
        "bands": shape.bands,
        "rows": shape.rows,
        "permutations": shape.size,
        "half": round(similarity_of(0.5, shape.bands, shape.rows), 4),
        "curve": [[j, round(probability(j, shape.bands, shape.rows), 6)] for j in SIMILARITIES],
    }


def table(presets: list[dict[str, Any]]) -> list[str]:
    """Lines of an aligned table: a column a preset, a row a similarity."""
    heads = [f"{preset['preset']} {preset['shape']}" for preset in presets]
    widths = [max(len(head), 8) for head in heads]

    def line(first: str, cells: list[str]) -> str:
        return f"{first:<12}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))

    lines = [line("similarity", heads)]
    for row, similarity in enumerate(SIMILARITIES):
        lines.append(line(f"{similarity:.2f}", [f"{preset['curve'][row][1]:.4f}" for preset in presets]))
    lines.append(line("half found", [f"{preset['half']:.3f}" for preset in presets]))
    lines.append(line("permutations", [str(preset["permutations"]) for preset in presets]))
    return lines


@click.command()
@click.argument("presets", nargs=-1, metavar="[PRESET]...", type=click.Choice(list(PRESETS)))
@click.option("--json", "as_json", is_flag=True, help="One JSON array, an object a preset.")
def minhash(presets: tuple[str, ...], as_json: bool) -> None:
    """Chance that near duplicates meet, by preset and similarity.

    \b
    PRESET    shape  of
    fineweb   14x8   FineWeb and datatrove (the default)
    curator   20x13  NeMo Curator
    dolma3    26x11  Dolma 3
    hplt      17x15  HPLT

    Without PRESET, all. A shape is bands x rows: the signature is cut into bands, and two pages are compared where all
    rows of a band are equal. Of two pages of Jaccard similarity J that happens with probability
    1 - (1 - J^rows)^bands; `half found` is the similarity at which it is one half. More bands find more pairs, more
    rows fewer unlike ones, and each permutation takes 4 bytes a page and time.

    The shape is chosen with `policy.duplicates.shape`. With `policy.duplicates.verify`, pairs that meet are then
    compared by their shingles, so a low shape costs time, not precision.
    """
    found = [describe(name) for name in dict.fromkeys(presets or PRESETS)]
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for line in table(found):
        click.echo(line)
