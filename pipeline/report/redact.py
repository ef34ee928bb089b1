"""What a report may show of a page: short, on one line, with personal data and invisible characters replaced."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Any

EXCERPT_CHARACTERS = 160
_MARGIN = 400  # characters read on either side, so that an address cut by the excerpt's edge is still recognised
_MATCH_CHARACTERS = 100

# Wider than the detector of personal data: a report shows too little rather than too much.
_EMAIL = re.compile(r"[^\s@<>\"'(),;:/?&=]{1,64}(?:@|%40)[^\s@<>\"'(),;:/?&=]{1,255}")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])")
_SPACE = re.compile(r"\s+")
_INVISIBLE = re.compile(
    r"[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e01ef]+"
)


def visible(text: str) -> str:
    """The text on one line, with characters that are not seen or turn the direction of reading as their code."""

    def code(match: re.Match[str]) -> str:
        run = match.group()
        return f"⟨U+{ord(run[0]):04X}{f' ×{len(run)}' if len(run) > 1 else ''}⟩"

    return _INVISIBLE.sub(code, _SPACE.sub(" ", text))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _personal_spans(text: str) -> list[tuple[int, int, str]]:
    spans = [(*match.span(), "[e-mail]") for match in _EMAIL.finditer(text)]
    for pattern in (_IPV4, _IPV6):
        spans += [(*match.span(), "[IP address]") for match in pattern.finditer(text) if _is_address(match.group())]
    return sorted(spans)


def _replace(text: str, begin: int, end: int, spans: list[tuple[int, int, str]]) -> str:
    parts, at = [], begin
    for start, stop, mark in spans:
        if stop <= at or start >= end:
            continue
        parts += [text[at:start], mark] if start >= at else [mark]
        at = max(at, stop)
    return "".join(parts) + (text[at:end] if at < end else "")


def redact(text: str) -> str:
    """The text without e-mail and IP addresses."""
    return _replace(text, 0, len(text), _personal_spans(text))


def short(text: str | None, limit: int) -> str | None:
    """One visible, redacted line of at most `limit` characters."""
    if text is None:
        return None
    return _cut(visible(redact(text[: 4 * limit + _MARGIN])), limit)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else _whole(text[: limit - 1]) + "…"


def _whole(text: str) -> str:
    """The text without combining characters at its start, which would hang on what comes before."""
    while text and unicodedata.category(text[0]) in {"Mn", "Me"}:
        text = text[1:]
    return text


def excerpt(text: str, start: int | None, end: int | None) -> dict[str, Any]:
    """At most 160 characters around a span: `before`, `match`, `after`; the text's beginning where there is no span."""
    if start is None or end is None or not 0 <= start <= end <= len(text):
        return {"before": short(text, EXCERPT_CHARACTERS) or "", "match": "", "after": ""}
    base = max(0, start - _MARGIN)
    window = text[base : min(end, start + _MARGIN) + _MARGIN]
    begin, stop = start - base, min(end - base, len(window))
    spans = _personal_spans(window)
    match = _cut(visible(_replace(window, begin, stop, spans)), _MATCH_CHARACTERS)
    before = visible(_replace(window, 0, begin, spans))
    after = visible(_replace(window, stop, len(window), spans))
    room = EXCERPT_CHARACTERS - len(match)
    left = min(len(before), max(room // 2, room - len(after)))
    if len(before) > left or base > 0:
        before = "…" + _whole(before[len(before) - max(left - 1, 0) :]) if left > 1 else ""
    after = _cut(after, room - left) if room - left > 1 else ""
    return {"before": before, "match": match, "after": after}
