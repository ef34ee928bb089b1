"""Main text by a forest over text blocks: the default extractor.

The forest says of every block what share of its words is main text. The blocks with the largest shares are kept, as
many as make the expected word F1 of the page largest; that F1 is the confidence. How good it is, on what, and where it
fails: `data/MODEL_CARD.md`.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.extract.api import MainText
from pipeline.extract.blocks.features import FEATURES_VERSION, block_features, feature_names
from pipeline.extract.blocks.forest import Model, load_model
from pipeline.extract.blocks.names import FAR
from pipeline.extract.blocks.render import RENDER_VERSION, Markup, render
from pipeline.extract.normalise import NORMALISE_VERSION
from pipeline.extract.page_table import TABLE_VERSION, PageTable

LEAST_SHARE: Final = 0.2  # a block with less is never kept
LEAST_SHARE_PRECISE: Final = 0.5
LEAST_TYPE: Final = 0.5  # probability under which a page has no type
BYLINE_WORDS: Final = 30  # longer blocks near the word "author" are no bylines
NEAR_AUTHOR: Final = 3  # steps up, as in the feature

Shares = npt.NDArray[np.float32]

_WARM_PAGE: Final = "<title>t</title><p>Some words, and a line.</p><table><tr><td>a<td>b</table>"


def default_model_path() -> Path:
    """The model that is shipped."""
    return Path(str(files("pipeline.extract.blocks") / "data" / "model.npz"))


def choose(shares: Shares, words: Shares, least: float = LEAST_SHARE) -> tuple[npt.NDArray[np.bool_], float]:
    """Blocks to keep, and the expected word F1 of them.

    `shares` are the expected shares of main text by block, `words` their lengths. With the blocks in falling order of
    share, the first k have the expected F1 2 * sum(share * words) / (sum of their words + expected main words).
    """
    main = shares * words
    total = float(main.sum())
    kept = np.zeros(len(shares), bool)
    if not total > 0:
        return kept, 0.0
    order = np.argsort(-shares, kind="stable")
    expected = 2 * np.cumsum(main[order], dtype=np.float64) / (np.cumsum(words[order], dtype=np.float64) + total)
    kept[order[: int(np.argmax(expected)) + 1]] = True
    kept &= shares > least
    held = float(words[kept].sum())
    return kept, 2 * float(main[kept].sum()) / (held + total) if held else 0.0


class BlockExtractor:
    """The forest, its rendering, and the switch for precision."""

    name = "blocks"

    def __init__(
        self,
        *,
        markup: Markup = "plain",
        precision: bool = False,
        model: Path | None = None,
        loaded: Model | None = None,
    ) -> None:
        self.markup: Markup = markup
        self.precision = precision
        self.path = model or default_model_path()
        self._model = loaded
        self._columns = {name: number for number, name in enumerate(feature_names())}

    def setup(self) -> None:
        """Read the model; raises `forest.ModelError`."""
        if self._model is None:
            self._model = load_model(self.path, feature_names())

    @property
    def model(self) -> Model:
        """The model, read when first asked for."""
        self.setup()
        assert self._model is not None
        return self._model

    @property
    def version(self) -> str:
        """Changes whenever the text may change."""
        parts = (TABLE_VERSION, FEATURES_VERSION, RENDER_VERSION, NORMALISE_VERSION)
        mode = self.markup + ("-precise" if self.precision else "")
        return f"{'.'.join(map(str, parts))}-{mode}+{self.model.digest[:16]}"

    def shares(self, x: npt.NDArray[np.float32]) -> Shares:
        """Expected share of main text by block."""
        sums = self.model.block.sums(x)[:, 0]
        result: Shares = np.float32(1) / (np.float32(1) + np.exp(-sums))
        return result

    def page_type(self, x: npt.NDArray[np.float32]) -> tuple[str | None, float]:
        """Most likely type of a page, and its probability; None without blocks, or without types to know."""
        if not len(x) or not self.model.page_types:
            return None, 0.0
        found = self.model.page.sums(x[:1])[0]
        best = int(found.argmax())
        return self.model.page_types[best], float(1 / np.exp(found - found[best]).sum())  # softmax

    def extract(self, html: str, table: PageTable, signals: dict[str, Any], title: str | None) -> MainText:
        """Main text of a page."""
        x = block_features(table, signals, title)
        if not len(x):
            return MainText("")
        kind, certainty = self.page_type(x)
        shares = self.shares(x)
        words = x[:, self._columns["words"]]
        if self.precision:
            shares = np.where(self._beside(x, shares, kind), np.float32(0), shares)
        kept, confidence = choose(shares, words, LEAST_SHARE_PRECISE if self.precision else LEAST_SHARE)
        return MainText(render(table, kept, self.markup), confidence, kind if certainty >= LEAST_TYPE else None)

    def _beside(self, x: npt.NDArray[np.float32], shares: Shares, kind: str | None) -> npt.NDArray[np.bool_]:
        """Blocks that are about the main text and no part of it: title, byline, and comments where they are not it."""
        at = self._columns
        words = x[:, at["words"]]
        title = (x[:, at["heading"]] == 1) & (x[:, at["title_share"]] >= 0.8)
        byline = (x[:, at["near_author"]] <= NEAR_AUTHOR) | (x[:, at["in_time"]] <= 1) | (x[:, at["inline_time"]] > 0)
        beside: npt.NDArray[np.bool_] = title | (byline & (words <= BYLINE_WORDS))
        comments = x[:, at["near_comment"]] <= FAR
        main = shares * words
        if kind != "forum" and 2 * main[comments].sum() < main.sum():
            beside |= comments
        return beside


def warm() -> None:
    """Compile or load the native code of extraction, and read the shipped model."""
    from pipeline.extract.api import PageInput
    from pipeline.extract.extract import extract_page

    extract_page(PageInput(_WARM_PAGE.encode()), BlockExtractor())
