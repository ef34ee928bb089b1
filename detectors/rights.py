"""Opt-outs and licences that a page states, as written at capture time. Stored for every page; dropping is a policy.

Sources: robots meta and X-Robots-Tag (Google's directives, DeviantArt's noai and noimageai), TDMRep (W3C community
group report of 2024-05-10: `tdm-reservation` in header or meta, the header over the page), Creative Commons addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from detectors.api import FeatureCache, Signals
from detectors.features.page_values import named_values
from schemas.document import RIGHTS_STRUCT
from schemas.evidence import Evidence

DIRECTIVES = frozenset({"noai", "noimageai", "noindex", "none", "nosnippet", "noarchive"})
_META_ROBOTS = frozenset({"robots", "googlebot", "bingbot", "ccbot", "gptbot", "google-extended", "otherbot"})

_TDM = "tdm-reservation"

_CREATIVE_COMMONS = re.compile(
    r"creativecommons\.org/(?:(licenses)/((?:by|nc|nd|sa|sampling\+?|nc-sampling\+)(?:-(?:nc|nd|sa)){0,2})|publicdomain/(zero|mark|certification))"
    r"(?:/([0-9]\.[0-9]))?"
)
_OTHER_LICENCES: tuple[tuple[str, str], ...] = (
    (r"gnu\.org/(?:licenses|copyleft)/fdl(?:-([0-9]\.[0-9]))?", "gfdl"),
    (r"gnu\.org/licenses/(?:old-licenses/)?agpl(?:-([0-9]\.[0-9]))?", "agpl"),
    (r"gnu\.org/licenses/(?:old-licenses/)?lgpl(?:-([0-9]\.[0-9]))?", "lgpl"),
    (r"gnu\.org/licenses/(?:old-licenses/)?gpl(?:-([0-9]\.[0-9]))?", "gpl"),
    (r"apache\.org/licenses/license-(2\.0)", "apache"),
    (r"opensource\.org/licen[sc]es?/mit\b", "mit"),
    (r"opensource\.org/licen[sc]es?/bsd-([23])-clause", "bsd"),
    (r"nationalarchives\.gov\.uk/doc/open-government-licence/version/([0-9])", "ogl-uk"),
    (r"etalab\.gouv\.fr/licence-ouverte", "etalab"),
    (r"govdata\.de/dl-de/by-([0-9])-([0-9])", "dl-de-by"),
)
_OTHER = tuple((re.compile(pattern), code) for pattern, code in _OTHER_LICENCES)
_SHORT = re.compile(
    r"\A\s{0,4}(cc0|cc[ -]by(?:[ -](?:nc|nd|sa)){0,2})(?:[ -]v?([0-9]\.[0-9]))?(?: \S.{0,60})?\s{0,4}\Z"
)


class Rights:
    """`rights`: opt-outs and licence; one finding (weight null) for each."""

    name = "rights"
    version = 1
    columns = frozenset({"page"})
    outputs: Mapping[str, pa.DataType] = {"rights": RIGHTS_STRUCT}

    def setup(self) -> None:
        """Nothing to load."""

    def parameters(self) -> Mapping[str, Any]:
        """The directives and licences that are known."""
        patterns = [_CREATIVE_COMMONS.pattern, _SHORT.pattern, *(pattern for pattern, _ in _OTHER_LICENCES)]
        return {"directives": DIRECTIVES, "licences": patterns}

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Rights of the batch; null where there is no page beside the text."""
        rows: list[dict[str, Any] | None] = []
        evidence: list[Evidence] = []
        for row, page in enumerate(features.column("page")):
            if page is None:
                rows.append(None)
                continue
            opt_out = opt_outs(page)
            licence, url = licence_of(page)
            rows.append({"opt_out": opt_out, "licence": licence, "licence_url": url})
            evidence += [Evidence(row, self.name, f"opt_out:{one}", 1.0) for one in opt_out]
            if licence:
                evidence.append(Evidence(row, self.name, f"licence:{licence}", 1.0))
        return Signals({"rights": pa.array(rows, RIGHTS_STRUCT)}, evidence)


def opt_outs(page: Mapping[str, Any]) -> list[str]:
    """Directives that limit use, sorted: `noai`, or `AGENT:noai` where one agent is named; `tdm-reservation`."""
    found = set()
    robots = [one for one in page.get("robots") or () if one]
    for name, value in named_values(page.get("meta"), _META_ROBOTS.__contains__):
        agent = "" if name == "robots" else f"{name}:"
        robots += [f"{agent}{part.strip()}" for part in value.split(",")]
    for directive in robots:
        agent, _, word = directive.lower().replace(" ", "").rpartition(":")
        if word in DIRECTIVES:
            agent = agent.removeprefix("x-robots-tag:").removeprefix("meta:").removeprefix("header:")
            found.add(f"{agent}:{word}" if agent not in {"", "robots", "*", "meta", "header"} else word)
    stated = named_values(page.get("headers"), _TDM.__eq__) or named_values(page.get("meta"), _TDM.__eq__)
    if any(value.strip() == "1" for _, value in stated):
        found.add(_TDM)
    return sorted(found)


def licence_of(page: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Code and address of the licence stated: link or anchor rel=license first, then JSON-LD, then meta.

    An address that is no known licence gives no code but is kept when it is the only statement.
    """
    stated = [link["href"] for link in page.get("links") or () if link and (link["rel"] or "").lower() == "license"]
    stated += list(page.get("licence_links") or ())
    stated += _named(page.get("structured"), ("license", "licence"))
    stated += _named(
        page.get("meta"), ("license", "dc.rights.license", "dcterms.license", "dc.rights", "dcterms.rights")
    )
    values = [value.strip() for value in stated if value and value.strip()]
    for value in values:
        if code := licence_code(value):
            return code, value if "/" in value else None
    addresses = [value for value in values if value.startswith(("http://", "https://")) and _has_host(value)]
    return None, addresses[0] if addresses else None


def licence_code(value: str) -> str | None:
    """`cc-by-sa-4.0`, `cc0-1.0`, `gfdl-1.3` … of an address or a short name (`CC BY 4.0`); None if unknown."""
    value = value[:2000].lower()
    if match := _CREATIVE_COMMONS.search(value):
        _, terms, public, version = match.groups()
        name = f"cc-{terms}" if terms else {"zero": "cc0", "mark": "pdm", "certification": "pd"}[public]
        return f"{name}-{version}" if version else name
    for pattern, code in _OTHER:
        if match := pattern.search(value):
            version = ".".join(part for part in match.groups() if part)
            return f"{code}-{version}" if version else code
    if match := _SHORT.match(value):
        name = match.group(1).replace(" ", "-")
        return f"{name}-{match.group(2)}" if match.group(2) else name
    return None


def _has_host(address: str) -> bool:
    try:
        return bool(urlsplit(address).hostname)
    except ValueError:
        return False


def _named(items: Iterable[Mapping[str, Any] | None] | None, names: tuple[str, ...]) -> list[str]:
    found = []
    for item in items or ():
        if item and item["name"] and item["value"]:
            name = item["name"].lower()
            if name in names or name.endswith(".license"):
                found.append(str(item["value"]))
    return found
