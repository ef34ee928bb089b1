"""Opt-outs and licences."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.api import FeatureCache
from detectors.laws import make_batch
from detectors.rights import Rights, licence_code, licence_of, opt_outs


def pair(name: str, value: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value}]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ({"robots": ["noai", "noimageai", "follow"]}, ["noai", "noimageai"]),
        ({"robots": ["googlebot: noindex"]}, ["googlebot:noindex"]),
        ({"robots": ["robots:noarchive", "*:nosnippet"]}, ["noarchive", "nosnippet"]),
        ({"robots": ["index", "follow", "max-snippet:-1", "unavailable_after: 25 jun 2010 15:00:00 pst"]}, []),
        ({"meta": pair("robots", "NOINDEX, NoAI")}, ["noai", "noindex"]),
        ({"meta": pair("googlebot", "noarchive")}, ["googlebot:noarchive"]),
        ({"headers": pair("tdm-reservation", "1")}, ["tdm-reservation"]),
        ({"meta": pair("tdm-reservation", "1")}, ["tdm-reservation"]),
        ({"headers": pair("tdm-reservation", "0"), "meta": pair("tdm-reservation", "1")}, []),
        ({"meta": pair("tdm-reservation", "0")}, []),
        ({}, []),
    ],
)
def test_opt_outs(page: dict[str, Any], expected: list[str]) -> None:
    assert opt_outs(page) == expected


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("https://creativecommons.org/licenses/by/4.0/", "cc-by-4.0"),
        ("http://creativecommons.org/licenses/by-sa/3.0/de/deed.en", "cc-by-sa-3.0"),
        ("//creativecommons.org/licenses/by-nc-nd/4.0", "cc-by-nc-nd-4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "pdm-1.0"),
        ("https://creativecommons.org/licenses/by/", "cc-by"),
        ("https://www.gnu.org/licenses/fdl-1.3.html", "gfdl-1.3"),
        ("http://www.gnu.org/copyleft/fdl.html", "gfdl"),
        ("https://www.gnu.org/licenses/gpl-3.0.html", "gpl-3.0"),
        ("https://www.apache.org/licenses/LICENSE-2.0", "apache-2.0"),
        ("https://opensource.org/licenses/MIT", "mit"),
        ("CC BY-SA 4.0", "cc-by-sa-4.0"),
        ("CC0", "cc0"),
        ("https://creativecommons.org/about/", None),
        ("All rights reserved", None),
        ("https://example.org/licence", None),
    ],
)
def test_codes(address: str, code: str | None) -> None:
    assert licence_code(address) == code


def test_where_a_licence_is_found() -> None:
    url = "https://creativecommons.org/licenses/by/4.0/"
    link = {"rel": "license", "lang": None, "href": url}
    assert licence_of({"links": [link]}) == ("cc-by-4.0", url)
    assert licence_of({"licence_links": [url]}) == ("cc-by-4.0", url)
    assert licence_of({"structured": pair("license", url)}) == ("cc-by-4.0", url)
    assert licence_of({"structured": pair("Article.license", url)}) == ("cc-by-4.0", url)
    assert licence_of({"meta": pair("dc.rights", "CC BY 4.0")}) == ("cc-by-4.0", None)
    assert licence_of({"licence_links": ["https://example.org/terms"]}) == (None, "https://example.org/terms")
    assert licence_of({"licence_links": ["https://example.org/terms", url]}) == ("cc-by-4.0", url)
    assert licence_of({}) == (None, None)


def test_column_and_evidence() -> None:
    page = {"robots": ["noai"], "licence_links": ["https://creativecommons.org/licenses/by/4.0/"]}
    batch = make_batch([{"page": page}, {"page": None}])
    signals = Rights()(batch, FeatureCache(batch))
    first, second = signals.columns["rights"].to_pylist()
    assert (first["opt_out"], first["licence"], second) == (["noai"], "cc-by-4.0", None)
    assert [(e.signal, e.weight) for e in signals.evidence] == [("opt_out:noai", None), ("licence:cc-by-4.0", None)]
