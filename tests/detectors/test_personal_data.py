"""E-mail and IP addresses, and what looks like them."""

from __future__ import annotations

import time

import pytest

from detectors.api import FeatureCache
from detectors.laws import make_batch
from detectors.personal_data import MAXIMUM_SPANS, PersonalData, find_personal_data


def found(text: str) -> list[tuple[str, str]]:
    return [(one["kind"], text[one["start"] : one["end"]]) for one in find_personal_data(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to a.b+c@ex-ample.co.uk.", [("email", "a.b+c@ex-ample.co.uk")]),
        ("mailto:info@example.org?x", [("email", "info@example.org")]),
        ("写信给 li@example.cn。", [("email", "li@example.cn")]),
        ("8.8.8.8, then 1.1.1.1.", [("ipv4", "8.8.8.8"), ("ipv4", "1.1.1.1")]),
        ("see 2001:4860:4860::8888 there", [("ipv6", "2001:4860:4860::8888")]),
        (
            "b@example.org 9.9.9.9 a@example.org",
            [("email", "b@example.org"), ("ipv4", "9.9.9.9"), ("email", "a@example.org")],
        ),
    ],
)
def test_found(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1 192.168.1.1 127.0.0.1 172.16.0.9 169.254.1.1 0.0.0.0 255.255.255.255 224.0.0.1 192.0.2.7",
        "version 1.2.3.4.5, v1.2.3.4, 300.1.1.1, 1.2.3",
        "::1 fe80::1 fc00::1 12:30:45 std::vector a::b ::",
        "a@b, @user, x@, @@, user@localhost, " + "x" * 65 + "@example.org",
        "",
    ],
)
def test_not_found(text: str) -> None:
    assert found(text) == []


def test_the_detector_agrees_with_the_function() -> None:
    texts = ["a@example.org", "nothing", None, "8.8.8.8 2001:4860:4860::8888"]
    batch = make_batch([{"text": text} for text in texts])
    column = PersonalData()(batch, FeatureCache(batch)).columns["personal_data"].to_pylist()
    assert column == [find_personal_data(text or "") for text in texts]


def test_bounded_in_number_and_time() -> None:
    assert len(find_personal_data("a@example.org " * 5000)) == MAXIMUM_SPANS
    start = time.process_time()
    for unit in ("a", "a.", "@", "a@a.", "1.", "1:", "a@" + "b" * 60 + "."):
        find_personal_data(unit * (200_000 // len(unit)))
    assert time.process_time() - start < 5
