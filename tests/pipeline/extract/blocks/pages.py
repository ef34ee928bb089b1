"""Pages made for tests: a site's frame around a main text, no two sites alike."""

from __future__ import annotations

import random
from collections.abc import Iterator

WORDS = [
    "river", "survey", "bridge", "spring", "record", "valley", "meadow", "harbour", "winter", "copper", "engine",
    "garden", "letter", "market", "mountain", "painter", "quarry", "railway", "sailor", "station", "teacher", "village",
    "weather", "window", "workshop", "archive", "basin", "canal", "district",
]  # fmt: skip


def sentence(rng: random.Random, words: int) -> str:
    """A sentence of known words."""
    chosen = [rng.choice(WORDS) for _ in range(words)]
    middle = rng.randrange(2, max(3, words - 1))
    return " ".join(chosen[:middle]).capitalize() + ", " + " ".join(chosen[middle:]) + "."


def site_page(number: int) -> tuple[str, str, str]:
    """HTML, main text and page type of page `number`; every third is a listing."""
    rng = random.Random(number)
    main_class = rng.choice(["content", "post-body", "entry", "story", "x1"])
    tag = rng.choice(["div", "main", "article", "section"])
    menu = "".join(f'<li><a href="/{w}">{w.capitalize()}</a></li>' for w in rng.sample(WORDS, 8))
    side = "".join(f'<p><a href="/{i}">{sentence(rng, 6)}</a></p>' for i in range(rng.randrange(2, 6)))
    title = sentence(rng, 5)[:-1]
    lines = [title]
    if number % 3 == 0:
        lines += [sentence(rng, rng.randrange(5, 9)) for _ in range(12)]
        body = "<ul class=results>" + "".join(f"<li><b>{line}</b></li>" for line in lines[1:]) + "</ul>"
    else:
        lines += [" ".join(sentence(rng, rng.randrange(8, 20)) for _ in range(3)) for _ in range(rng.randrange(4, 9))]
        body = "".join(f"<p>{line}</p>" for line in lines[1:])
    html = (
        f"<html lang=en><head><title>{title} - Site {number}</title></head><body>"
        f'<header class="top"><nav><ul>{menu}</ul></nav></header>'
        f'<{tag} class="{main_class}"><h1>{title}</h1>{body}</{tag}>'
        f'<aside class="sidebar"><h3>Related</h3>{side}</aside>'
        f"<footer class=footer><p>Copyright {number} <a href=/imprint>Imprint</a>"
        " <a href=/privacy>Privacy</a></p></footer>"
        "</body></html>"
    )
    return html, "\n".join(lines), "listing" if number % 3 == 0 else "article"


def site_pages(count: int) -> Iterator[tuple[str, str, str, str, str]]:
    """record id, address, HTML, main text and page type; two pages a site."""
    for number in range(count):
        html, text, kind = site_page(number)
        yield f"<urn:test:{number}>", f"https://www.site{number // 2}.example/page{number}", html, text, kind
