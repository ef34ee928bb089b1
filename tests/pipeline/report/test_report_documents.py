"""The page, the card and the Croissant file: safe, the same every time, and of use to the tools that read them."""

import copy
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_report_run import PAYLOADS, fake_run

from pipeline.report import write_documents
from pipeline.report.charts import bar, columns
from schemas.manifest import sha256_of

NAMES = ["README.md", "croissant.json", "report/figures.json", "report/index.html"]
VOID = {"meta", "rect", "link", "img", "br", "hr", "input"}
ELEMENTS = """
html head meta title style body div header main section footer nav h1 h2 h3 p b strong em span small a table thead tbody
tr th td details summary pre code svg rect dl dt dd ol li q bdi mark
"""


class Page(HTMLParser):
    """Elements and attributes of a page, and whether they are nested as they should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("run")
    manifest = fake_run(root)
    write_documents(root, manifest)
    (root / "run.json").write_text(json.dumps(manifest))
    return root, manifest


def test_entries_describe_the_files(tmp_path: Path) -> None:
    entries = write_documents(tmp_path, fake_run(tmp_path, 20))
    assert [entry.path for entry in entries] == NAMES
    for entry in entries:
        path = tmp_path / entry.path
        assert (entry.rows, entry.bytes, entry.sha256) == (0, path.stat().st_size, sha256_of(path))
    assert not list(tmp_path.rglob(".*"))


def test_page_holds_no_script_and_makes_no_request(written: tuple[Path, Any]) -> None:
    text = (written[0] / "report/index.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 5_000_000
    assert "<script" not in text.lower()
    assert "<!--" not in text
    assert "49" not in re.findall(r"\{\{ ?7", text)
    page = Page(text)
    assert page.open == []
    assert {tag for tag, _ in page.elements} <= set(ELEMENTS.split())
    for tag, attributes in page.elements:
        assert not {"src", "srcset", "data", "action", "poster", "background", "xlink:href"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
        if "href" in attributes:
            assert tag == "a"
            assert (attributes["href"] or "").startswith("#")
        assert not re.search(r"url\(|expression|@import", attributes.get("style") or "")
    assert not re.search(r"url\(|@import", text[text.index("<style>") : text.index("</style>")])
    policy = next(a for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    # Payloads arrive as text, in full where they are short enough.
    shown = "".join(page.text)
    for payload in PAYLOADS[:6]:
        assert payload in shown
    anchors = {a["id"] for _, a in page.elements if "id" in a}
    assert {a["href"] for t, a in page.elements if t == "a"} <= {f"#{name}" for name in anchors}


def test_nothing_of_the_execution_is_written(written: tuple[Path, Any]) -> None:
    root, _ = written
    for name in NAMES:
        text = (root / name).read_text(encoding="utf-8")
        assert "secret-host-name" not in text
        assert "2031" not in text


def test_same_bytes_whatever_the_execution(tmp_path: Path) -> None:
    manifest = fake_run(tmp_path, 60)
    first = write_documents(tmp_path, manifest)
    other = copy.deepcopy(manifest)
    del other["execution"]
    other["files"].reverse()
    assert write_documents(tmp_path, other) == first
    code = (
        "import json,sys;from pathlib import Path;from pipeline.report import write_documents;"
        "m=json.load(open(sys.argv[2]));print([e.sha256 for e in write_documents(Path(sys.argv[1]), m)])"
    )
    (tmp_path / "m.json").write_text(json.dumps(manifest))
    env = {**os.environ, "PYTHONHASHSEED": "12345", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "m.json")],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    )
    assert done.stdout.strip() == str([entry.sha256 for entry in first])


def test_empty_run(tmp_path: Path) -> None:
    manifest = fake_run(tmp_path, 0)
    write_documents(tmp_path, manifest)
    assert not (tmp_path / "data").exists()
    assert "No pages were read" in (tmp_path / "report/index.html").read_text(encoding="utf-8")
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "configs" not in yaml.safe_load(card.split("---")[1])
    manifest["files"] = []
    write_documents(tmp_path, manifest)


def test_huge_counts(tmp_path: Path) -> None:
    manifest = fake_run(tmp_path, 20)
    for account in (manifest["counts"], manifest["sources"][0]):
        account["pages"] += 10**15
        account["dropped"]["http_status"] = account["dropped"].get("http_status", 0) + 10**15
    manifest["sources"] = [{**manifest["sources"][0], "source_file": f"{n:06d}" * 40} for n in range(3000)]
    write_documents(tmp_path, manifest)
    text = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    assert "2,950 smaller files" in text


def test_report_never_imports_beam() -> None:
    code = "import sys, pipeline.report; sys.exit('apache_beam' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_colours_have_enough_contrast() -> None:
    css = (Path(__file__).parents[3] / "pipeline/report/templates/style.css.j2").read_text(encoding="utf-8")

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        a, b = sorted((luminance(one), luminance(other)))
        return (b + 0.05) / (a + 0.05)

    themes = [dict(re.findall(r"--([\w]+):(#[0-9a-f]{6})", line)) for line in css.splitlines() if "--paper:" in line]
    assert len(themes) == 2
    for theme in themes:
        for ground in ("paper", "wash"):
            for ink in ("ink", "soft", "link"):
                assert contrast(theme[ink], theme[ground]) >= 4.5, (ink, ground)
        assert contrast(theme["ink"], theme["mark"]) >= 4.5
        for name in ("bar", "gone", "fail", "human", "machine_translated", "ai_generated", "unknown"):
            assert contrast(theme[name], theme["paper"]) >= 3, name


def test_charts_stay_inside() -> None:
    drawn = str(bar([("a", 0), ("b", 10**18), ("c", 1)], 10**18))
    for x, width in re.findall(r'x="([\d.]+)" y="0" width="([\d.]+)"', drawn):
        assert float(x) + float(width) <= 1000.01
    assert "<rect" not in str(bar([("a", 5)], 0))
    assert "&lt;b&gt;" in str(columns([("<b>", 3), ("x", 0)], '"label"'))
    assert str(columns([], "none")).startswith("<svg")


def test_card_names_what_there_is(written: tuple[Path, Any]) -> None:
    root, _ = written
    card = (root / "README.md").read_text(encoding="utf-8")
    meta = yaml.safe_load(card.split("---\n")[1])
    assert [config["config_name"] for config in meta["configs"]] == [
        "default",
        "human",
        "machine_translated",
        "ai_generated",
        "unknown",
    ]
    human = next(config for config in meta["configs"] if config["config_name"] == "human")
    assert [entry["split"] for entry in human["data_files"]] == ["train"]
    for config in meta["configs"]:
        for entry in config["data_files"]:
            assert list(root.glob(entry["path"]))
    assert meta["size_categories"] == ["n<1K"]
    assert {"eng", "deu"} <= set(meta["language"])
    assert "script" not in card.lower().replace("description", "").replace("and script where", "")


def _snippets(root: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("library", ["duckdb", "polars", "datasets"])
def test_snippets_of_the_card_run(library: str, written: tuple[Path, Any], tmp_path: Path) -> None:
    pytest.importorskip(library)
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path), "HF_HOME": str(tmp_path)}
    chosen = [code for code in _snippets(written[0]) if f"import {library}" in code or f"from {library}" in code]
    assert chosen
    for code in chosen:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=written[0], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout


def test_datasets_load_every_configuration(
    written: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    root, _ = written
    assert sorted(datasets.get_dataset_config_names(str(root))) == [
        "ai_generated", "default", "human", "machine_translated", "unknown",
    ]  # fmt: skip
    every = datasets.load_dataset(str(root), cache_dir=str(tmp_path))
    assert sum(len(split) for split in every.values()) == 200
    labels = {label for split in every.values() for label in split["provenance_label"]}
    assert labels == {"human", "machine_translated", "ai_generated", "unknown"}
    one = datasets.load_dataset(str(root), "ai_generated", cache_dir=str(tmp_path))
    assert {label for split in one.values() for label in split["provenance_label"]} == {"ai_generated"}


def test_croissant_is_valid_and_gives_records(written: tuple[Path, Any]) -> None:
    mlc = pytest.importorskip("mlcroissant")
    dataset = mlc.Dataset(jsonld=written[0] / "croissant.json")
    assert dataset.metadata.issues.errors == set()
    record = next(iter(dataset.records(record_set="dropped")))
    assert record["dropped/reason"]
    record = next(iter(dataset.records(record_set="data")))
    assert record["data/doc_id"]


def test_croissant_describes_every_file(written: tuple[Path, Any]) -> None:
    root, manifest = written
    croissant = json.loads((root / "croissant.json").read_text(encoding="utf-8"))
    digests = {e["@id"]: e["sha256"] for e in croissant["distribution"] if e["@type"] == "cr:FileObject"}
    assert digests == {e["path"]: e["sha256"] for e in manifest["files"]}
    assert {e["includes"] for e in croissant["distribution"] if e["@type"] == "cr:FileSet"} == {
        "data/*/*.parquet", "dropped/*.parquet", "failures/*.parquet",
    }  # fmt: skip
