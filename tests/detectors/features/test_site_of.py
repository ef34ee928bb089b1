"""Sites by the public suffix list."""

from __future__ import annotations

import pytest

from detectors.features.url_key import site_of


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://www.news.example.co.uk/a?b", "example.co.uk"),
        ("http://EXAMPLE.org.:8080", "example.org"),
        ("https://one.github.io/x", "one.github.io"),
        ("https://github.io/", "github.io"),
        ("https://co.uk", "co.uk"),
        ("http://10.0.0.1/a", "10.0.0.1"),
        ("http://[2001:db8::1]/", "[2001:db8::1]"),
        ("http://localhost/", "localhost"),
        ("https://例え.テスト/", "xn--r8jz45g.xn--zckzah"),
        ("mailto:a@b.org", None),
        ("", None),
        (None, None),
    ],
)
def test_site(url: str | None, site: str | None) -> None:
    assert site_of(url) == site
