"""What the columns of the feature matrix are called; `_measure` and `_features` compute them."""

from __future__ import annotations

from typing import Final

from pipeline.extract.vocabulary import WORDS

# Elements whose distance above a block is a feature.
CONTAINERS: Final = (
    "article", "main", "nav", "header", "footer", "aside", "form", "ul", "table", "section", "figure", "blockquote",
    "pre", "dl", "a", "button", "dialog", "label", "details", "p", "time", "code", "strong",
)  # fmt: skip
FAR: Final = 20  # distances are counted up to this
# Counts above these say no more, because a text may be long: without bounds, the model took much text on a page for a
# sign of comments or teasers, and lost clauses of long contracts (78 % of the words kept; with them 97 %).
MANY_WORDS: Final = 1_000
MANY_BLOCKS: Final = 40
MANY_POINTS: Final = 5.0  # logarithm of Readability's points
LEVELS: Final = 4  # containers around a block that hold more than the one before
NEIGHBOURS: Final = (-4, -3, -2, -1, 1, 2, 3, 4)
WINDOWS: Final = (6, 15)

# What kind of block an element makes: one feature each.
KINDS: Final = {
    "paragraph": "p", "item": "li", "cell": "td th", "division": "div", "definition": "dt dd", "preformatted": "pre",
    "control": "button label option legend", "caption": "figcaption caption", "quote": "blockquote",
    "form": "form fieldset",
}  # fmt: skip
INLINE_KINDS: Final = {
    "link": "a", "span": "span", "strong": "strong b em i", "small": "small", "time": "time", "code": "code",
}  # fmt: skip
PAGE_FEATURES: Final = 19  # at the end, before the context: the same for all blocks of a page


def feature_names(context: tuple[str, ...]) -> list[str]:
    """Names of the columns that `fill` writes, in its order; `context` are those of the page's own."""
    own = ["words", "characters", "link_density", "links", "mean_word", "commas", "sentences", "ends_sentence",
           "starts_capital", "digits", "capitals", "breaks", "heading"]  # fmt: skip
    own += [f"is_{kind}" for kind in KINDS] + [f"inline_{kind}" for kind in INLINE_KINDS]
    own += ["hidden", "depth", "place"]
    own += [f"in_{name}" for name in CONTAINERS] + [f"near_{words[0]}" for words in WORDS]
    for level in range(LEVELS):
        own += [f"{part}_{level}" for part in
                ("words_of", "links_of", "share_of", "paragraphs_of", "mean_of", "position_in", "children_of",
                 "steps_to")]  # fmt: skip
    own += ["in_best", "best_share", "from_best", "to_best_end", "score", "score_share", "score_share_outer"]
    own += ["in_run", "from_run", "to_run_end"]
    own += ["same_text", "same_shape", "shape_words", "shape_links", "shape_share"]
    own += ["since_heading", "heading_before", "section_words", "section_links", "section_blocks"]
    for offset in NEIGHBOURS:
        own += [f"{part}_{offset:+d}" for part in ("words", "links", "heading", "kin", "ends")]
    for window in WINDOWS:
        own += [f"words_before_{window}", f"words_after_{window}"]
    own += ["position", "index", "word_position", "words_left", "from_h1"]
    own += ["title_share", "title_cover", "description_share"]
    own += [f"page_{part}" for part in
            ("words", "links", "blocks", "paragraphs", "items", "mean", "articles", "mains", "forms", "tables",
             "images", "headings", "comments", "prices", "replies", "shape", "shape_words", "run",
             "score")]  # fmt: skip
    return own + list(context)
