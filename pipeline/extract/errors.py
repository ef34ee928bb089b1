"""Why a page could not be extracted."""

from __future__ import annotations


class ExtractionError(Exception):
    """A page that is refused; `code` is snake_case and goes to FAILURES, the message holds no text of the page."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
