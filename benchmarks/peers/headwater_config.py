"""The configuration of the Headwater arm: the work that the datatrove arm does, with the same lists and rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def headwater_config(datatrove_assets: Path, languages: str) -> dict[str, Any]:
    """Values of `schemas.config.CurateConfig`.

    Args:
        datatrove_assets: folder of the URL lists and word lists that datatrove ships, so that both arms load the same.
        languages: `en` or `any`, as in the datatrove arm.
    """
    policy: dict[str, Any] = {"duplicates": {"shape": "14x8"}}
    if languages == "en":
        policy["languages"] = {"keep": ["eng"], "minimum_score": 0.65}
    elif languages == "any":
        policy["languages"] = {"minimum_score": 0.65}
    else:
        raise ValueError(f"languages is `en` or `any`, not {languages}")
    return {
        "quality": {"profile": "fineweb", "repetition": "datatrove"},
        "url_filter": {
            "lists": [str(datatrove_assets / "url_filterblacklistsv0_3_0.tar.gz")],
            "banned_words": _words(datatrove_assets / "banned_words.txt"),
            "banned_subwords": _words(datatrove_assets / "banned_subwords.txt"),
            "soft_words": _words(datatrove_assets / "soft_banned_words.txt"),
        },
        "policy": policy,
    }


def write_config(path: Path, datatrove_assets: Path, languages: str) -> Path:
    """Write the configuration as YAML (JSON is YAML) and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(headwater_config(datatrove_assets, languages), indent=1, ensure_ascii=False))
    return path


def _words(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted({line.strip() for line in lines if line.strip() and not line.startswith("#")})
