"""One page: decode, read once into a page table, signals and text from it."""

from __future__ import annotations

from pipeline.extract.api import Extracted, Extractor, PageInput
from pipeline.extract.charset import decode
from pipeline.extract.errors import ExtractionError
from pipeline.extract.limits import check_size
from pipeline.extract.normalise import normalise_text
from pipeline.extract.page_table import scan_page
from pipeline.extract.signals import page_signals, page_title


def extract_page(page: PageInput, extractor: Extractor, *, fetched_at: int | None = None) -> Extracted:
    """Text, title and signals of a page; `fetched_at` is its capture time in microseconds, UTC.

    Raises ExtractionError, and nothing else, for a page that cannot be extracted in bounded time and memory.
    """
    check_size(page.body)
    html, encoding, source, replaced = decode(page.body, page.charset)
    try:
        table = scan_page(html)
        signals = page_signals(table, page.url, page.headers, fetched_at=fetched_at)
        title = page_title(table, signals)
        main = extractor.extract(html, table, signals, title)
        text = normalise_text(main.text)
    except ExtractionError:
        raise
    except MemoryError as error:
        raise ExtractionError("out_of_memory", f"with {len(page.body)} bytes of HTML") from error
    except Exception as error:  # the message may hold text of the page, so only its type is told
        raise ExtractionError("extractor_failed", f"{type(error).__name__} in {extractor.name}") from error
    return Extracted(text, title, signals, main.page_type, main.confidence, encoding, source, replaced)
