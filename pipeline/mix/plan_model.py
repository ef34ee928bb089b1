"""What a plan must keep: stocks of cells, and a recipe's shares as rows of whole numbers.

Every share is held in parts per billion, rounded to the strict side (floors up, caps down, human text down, suspected
text up), so that a constraint is a sum of whole numbers: it holds or it does not, and no tolerance is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np
import numpy.typing as npt

from pipeline.mix.candidates import GROUNDED, REAL, UNGROUNDED, Cell
from schemas.recipe import Floor, MixRecipe

ONE = 10**9
"""A share of 1, in the unit of every coefficient."""

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stock:
    """Documents of a cell, by ascending key. Entries with equal key are one unit: taken together or not at all.

    Attributes:
        keys: uint64[n], ascending.
        tokens: int64[n], tokens of the entry.
        documents: int64[n]; an entry is a document, or a bin of documents.
        hosts: uint64[n], hash of the host; 0 where there is none, which no host cap binds.
        human_low: lower bound of the share of human tokens, 0 where it is not known.
        ai_high: upper bound of the share of suspected AI tokens.
    """

    cell: Cell
    keys: npt.NDArray[np.uint64]
    tokens: I64
    documents: I64
    hosts: npt.NDArray[np.uint64]
    human_low: float
    ai_high: float

    def __post_init__(self) -> None:
        if not len(self.keys) == len(self.tokens) == len(self.documents) == len(self.hosts):
            raise ValueError(f"columns of {self.cell} differ in length")
        if len(self.keys) and (np.any(self.keys[1:] < self.keys[:-1]) or self.tokens.min() < 0):
            raise ValueError(f"keys of {self.cell} must ascend, and tokens must not be negative")


def parts(share: float, up: bool) -> int:
    """A share in parts per billion; the decimal that a person wrote is taken at its word (0.3 is 3/10)."""
    return int((Decimal(repr(share)) * ONE).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))


@dataclass(frozen=True, slots=True)
class Limit:
    """One floor or cap: sign * (sum of `part` - share * sum of `inside`) >= 0, in tokens times `ONE`.

    `again` is the part of second and later passes, which are not fresh: zero for floors.
    """

    name: str  # as in the recipe: floors.0, caps.grounded
    floor: bool
    stratum: tuple[tuple[str, str], ...]  # (column, value); empty: the whole mix
    share: int
    first: I64 = field(repr=False)  # by cell
    again: I64 = field(repr=False)
    inside: npt.NDArray[np.bool_] = field(repr=False)

    def rows(self) -> tuple[I64, I64]:
        """Coefficients of first and of later passes, by cell; the sum over what is chosen must not be negative."""
        sign = 1 if self.floor else -1
        whole = self.share * self.inside.astype(np.int64)
        return sign * (self.first - whole), sign * (self.again - whole)

    def at(self, share: float) -> Limit:
        """The same constraint at another share."""
        return replace(self, share=parts(min(1.0, max(0.0, share)), self.floor))


@dataclass(frozen=True, slots=True)
class Model:
    """Cells, ascending, with what the constraints know of them."""

    cells: tuple[Cell, ...]
    stock: I64  # tokens by cell
    human: I64  # parts per billion by cell, fresh real text only
    suspected: I64
    real: npt.NDArray[np.bool_]
    limits: tuple[Limit, ...]
    host_share: int | None
    repeats: int
    wanted: F64  # wanted share by group
    group: I64  # group of each cell
    groups: tuple[tuple[str, str], ...]  # (source, language)

    def with_limits(self, limits: Mapping[str, float]) -> Model:
        """The same with other shares, by name (floors.0, caps.grounded, caps.ungrounded, caps.host, repeats)."""
        host = self.host_share
        if "caps.host" in limits:
            host = parts(limits["caps.host"], up=False)
        changed = tuple(limit.at(limits[limit.name]) if limit.name in limits else limit for limit in self.limits)
        return replace(self, limits=changed, host_share=host, repeats=int(limits.get("repeats", self.repeats)))


def stratum_of(cell: Cell, column: str) -> str:
    """The cell's value of a column of strata."""
    return str(getattr(cell, column))


def members(cells: Sequence[Cell], stratum: Sequence[tuple[str, str]]) -> npt.NDArray[np.bool_]:
    """Which cells are in a stratum."""
    return np.array([all(stratum_of(cell, c) == v for c, v in stratum) for cell in cells], bool)


def strata(floor: Floor, cells: Sequence[Cell]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Strata in which a floor holds: one, or one for each value of the column `each`."""
    where = tuple((str(column), value) for column, value in sorted(floor.where.items()))
    if floor.each is None:
        yield where
        return
    inside = members(cells, where)
    for value in sorted({stratum_of(cell, floor.each) for cell, yes in zip(cells, inside, strict=True) if yes}):
        yield (*where, (floor.each, value))


def build_model(stocks: Sequence[Stock], recipe: MixRecipe) -> Model:
    """Constraints of a recipe over stocks; stocks must ascend by cell.

    Wanted shares: languages as their tokens to the power of 1 / temperature (Conneau & Lample 2019), and the sources of
    a language as weight times their tokens of it.
    """
    cells = tuple(stock.cell for stock in stocks)
    origins = np.array([cell.origin for cell in cells])
    real, fresh = origins == REAL, np.array([cell.fresh for cell in cells], bool)
    tokens = np.array([int(stock.tokens.sum()) for stock in stocks], np.int64)
    low = np.array([parts(min(1.0, max(0.0, float(stock.human_low))), up=False) for stock in stocks], np.int64)
    high = np.array([parts(min(1.0, max(0.0, float(stock.ai_high))), up=True) for stock in stocks], np.int64)
    human = np.where(real & fresh, low, 0)
    suspected = np.where(real, high, 0)
    nothing, every = np.zeros(len(cells), np.int64), np.ones(len(cells), bool)
    limits: list[Limit] = []
    for number, floor in enumerate(recipe.floors):
        for stratum in strata(floor, cells):
            inside = members(cells, stratum)
            share = parts(floor.share, up=True)
            limits.append(Limit(f"floors.{number}", True, stratum, share, np.where(inside, human, 0), nothing, inside))
    grounded = ONE * (origins == GROUNDED).astype(np.int64)
    ungrounded = ONE * (origins == UNGROUNDED).astype(np.int64) + (suspected if recipe.caps.suspected else nothing)
    limits.append(Limit("caps.grounded", False, (), parts(recipe.caps.grounded, up=False), grounded, grounded, every))
    limits.append(
        Limit("caps.ungrounded", False, (), parts(recipe.caps.ungrounded, up=False), ungrounded, ungrounded, every)
    )
    groups, wanted, group = _wanted(cells, tokens, recipe)
    host = None if recipe.caps.host is None else parts(recipe.caps.host, up=False)
    return Model(cells, tokens, human, suspected, real, tuple(limits), host, recipe.repeats, wanted, group, groups)


def _wanted(cells: Sequence[Cell], tokens: I64, recipe: MixRecipe) -> tuple[tuple[tuple[str, str], ...], F64, I64]:
    weights = {source.name: source.weight for source in recipe.sources}
    groups = tuple(sorted({(cell.source, cell.language) for cell in cells}))
    place = {group: number for number, group in enumerate(groups)}
    group = np.array([place[cell.source, cell.language] for cell in cells], np.int64)
    held = np.bincount(group, tokens, len(groups)) * np.array([weights.get(source, 1.0) for source, _ in groups])
    languages = np.unique([language for _, language in groups], return_inverse=True)[1] if groups else np.zeros(0, int)
    by_language = np.bincount(languages, held).astype(np.float64)
    flat = np.power(by_language, 1.0 / recipe.language_temperature, where=by_language > 0, out=by_language.copy())
    share = held / np.where(by_language > 0, by_language, 1.0)[languages] * flat[languages]
    return groups, share / max(share.sum(), 1e-300), group
