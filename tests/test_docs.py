"""The documentation is checked code: generated pages are current, queries print what is shown, links resolve."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import click
import pytest
import yaml
from conftest import ROOT, SampleRun, headwater

from detectors.laws import check_laws
from pipeline.decide import quality_profile
from schemas.config import CurateConfig
from schemas.recipe import MixRecipe
from schemas.targets import GapTargets

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(text: str, language: str) -> list[str]:
    """Fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "name", ["commands.md", "configuration.md", "data-dictionary.md", "quality.md", "detectors.md"]
)
@pytest.mark.parametrize("width", ["40", "200"])
def test_generated_pages_are_current(
    generate: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == generate.PAGES[name](), f"docs/{name} is out of date: run python docs/generate.py"


def test_every_command_and_option_is_documented_with_help(generate: ModuleType) -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for path, command in generate.commands(generate.cli, ("headwater",)):
        assert f"# {' '.join(path)}\n" in text
        assert command.help, f"{' '.join(path)} has no help"
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{' '.join(path)} {parameter.opts[0]} has no help"
                assert f"`{parameter.opts[0]}`" in text


def test_every_configuration_key_is_described() -> None:
    def check(schema: dict[str, object], path: str) -> None:
        for name, field in schema.get("properties", {}).items():  # type: ignore[attr-defined]
            if "$ref" not in json.dumps(field):
                assert field.get("description"), f"{path}{name} has no description"

    schema = CurateConfig.model_json_schema()
    for name, part in schema["$defs"].items():
        check(part, f"{name}.")


def test_run_json_reasons_and_codes_are_described(generate: ModuleType, sample_run: SampleRun) -> None:
    manifest = json.loads((sample_run.path / "run.json").read_text(encoding="utf-8"))
    assert list(manifest) == list(generate.RUN_KEYS)
    assert set(manifest["execution"]) == set(generate.EXECUTION_KEYS)
    assert {key for entry in manifest["files"] for key in entry} == set(generate.FILE_KEYS)
    patterns = [name.replace("*", r"\w+") for names in generate.REASONS for name in names.split(", ")]
    for reason in manifest["counts"]["dropped"]:
        assert any(re.fullmatch(pattern, reason) for pattern in patterns), reason
    codes = {code for stage in generate.CODES.values() for code in stage}
    assert set(manifest["counts"]["failed"]) | set(manifest["counts"]["regions"]) <= codes


def test_failure_codes_of_the_code_are_described(generate: ModuleType) -> None:
    codes = {code for stage in generate.CODES.values() for code in stage}
    source = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "pipeline").rglob("*.py")))
    raised = set(re.findall(r'(?:ExtractionError|_fail|_gap)\(\s*"([a-z_]+)"', source))
    assert raised
    assert raised <= codes
    assert all(f'"{code}"' in source for code in codes), "a code that nothing raises is described"


SHOWN = re.findall(r"^```python\n(.*?)^```\n```text\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_every_query_of_the_readme_shows_its_output() -> None:
    assert len(SHOWN) == len(blocks(README, "python")) == 4


@pytest.mark.parametrize(("query", "shown"), SHOWN, ids=["marked", "dropped", "polars", "datasets"])
def test_queries_of_the_readme(
    sample_run: SampleRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str, shown: str
) -> None:
    assert printed(query, sample_run, tmp_path, monkeypatch) == shown


@pytest.mark.parametrize("query", blocks((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"), "python"))
def test_queries_of_the_tutorial(
    sample_run: SampleRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    output = printed(query, sample_run, tmp_path, monkeypatch)
    assert output.strip()
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert f"```python\n{query}```\n```text\n{output}```\n" in text


def printed(query: str, sample_run: SampleRun, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a query prints in a folder where the sample run is `out`."""
    pytest.importorskip(re.findall(r"^(?:import|from) (\w+)", query, re.MULTILINE)[0])
    (folder / "out").symlink_to(sample_run.path)
    environment = {**os.environ, "HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", query], capture_output=True, text=True, cwd=folder, env=environment, timeout=240,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_counts_of_the_readme_and_tutorial(sample_run: SampleRun) -> None:
    counts = json.loads((sample_run.path / "run.json").read_text(encoding="utf-8"))["counts"]
    dropped, failed = sum(counts["dropped"].values()), sum(counts["failed"].values())
    line = f"{counts['pages']} pages = {counts['kept']} kept + {dropped} dropped + {failed} failed"
    assert line in sample_run.messages
    assert line in (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


def check_yaml(text: str) -> None:
    """An example is a recipe of a mix, targets of gaps, or a configuration, by its keys."""
    values = yaml.safe_load(text)
    if "sources" in values:
        MixRecipe.model_validate(values)
    elif "targets" in values:
        GapTargets.model_validate(values)
    else:
        config = CurateConfig.model_validate(values)
        assert config != CurateConfig()
        quality_profile(config)  # thresholds name rules of the profile


@pytest.mark.parametrize("name", NAMES)
def test_yaml_examples_are_what_they_seem(name: str) -> None:
    for block in blocks((ROOT / name).read_text(encoding="utf-8"), "yaml"):
        check_yaml(block)


def test_example_files_are_what_they_seem() -> None:
    files = sorted((ROOT / "examples").glob("*.yaml"))
    assert len(files) >= 2
    for path in files:
        check_yaml(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_examples_exist(generate: ModuleType, name: str) -> None:
    known = {" ".join(path[1:]) for path, _ in generate.commands(generate.cli, ("headwater",))}
    text = (ROOT / name).read_text(encoding="utf-8")
    for line in re.findall(r"^(?:\.venv/bin/)?headwater ([a-z]\w*(?: [a-z]\w+)?)", "\n".join(blocks(text, "sh")), re.M):
        assert line in known or line.split()[0] in known, f"headwater {line}"


def anchors(text: str) -> set[str]:
    """Anchors that headings get."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", NAMES)
def test_links_resolve(name: str) -> None:
    page = ROOT / name
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{name} links to {target}"


# The project speaks of itself alone: no paths of a machine, no hosts of package registries.
FORBIDDEN = re.compile(
    r"(?<![\w.])/(?:work|home|root|tmp|mnt|Users)/|\bshared/|\bpypi\b|pythonhosted|\bconda\.anaconda|registry\.npmjs|"
    r"repo1?\.maven|proxy\.golang|index-url|localhost:\d+/simple",
    re.IGNORECASE,
)


@pytest.mark.parametrize("name", [*NAMES, ".ci/run", "pyproject.toml", "docs/generate.py", "examples/curate.yaml"])
def test_no_foreign_paths_or_hosts(name: str) -> None:
    found = FORBIDDEN.search((ROOT / name).read_text(encoding="utf-8"))
    assert found is None, f"{name}: {found and found.group()}"


def test_generator_says_what_is_out_of_date(generate: ModuleType) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert generate.main(["--check"]) == 0
    assert "nothing out of date" in said.getvalue()


@pytest.mark.full
@pytest.mark.timeout(180)  # faults of a portable runner show as waiting
def test_portable_command_of_the_guide_gives_the_same_files(sample_run: SampleRun, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8")
    (options,) = re.findall(r"-- (--runner=PortableRunner .*LOOPBACK)$", text, re.MULTILINE)
    done = headwater("curate", "--output", tmp_path / "out", "--", *options.split(), timeout=150)
    assert done.returncode == 0, done.stderr

    def files(run: Path) -> list[dict[str, object]]:
        return list(json.loads((run / "run.json").read_text(encoding="utf-8"))["files"])

    assert len(files(sample_run.path)) > 5
    assert files(tmp_path / "out") == files(sample_run.path)


def test_the_detector_of_the_contributors_guide_obeys_the_laws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^   ```python\n(.*?)^   ```$", text, re.MULTILINE | re.DOTALL)
    head = (
        "from collections.abc import Mapping\nfrom typing import Any\nimport pyarrow as pa\n"
        "from detectors.api import FeatureCache, Signals\n"
        "def capital_ratio(text):\n    return sum(map(str.isupper, text)) / max(1, sum(map(str.isalpha, text)))\n"
    )
    (tmp_path / "shouting.py").write_text(head + textwrap.dedent(block), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    check_laws(importlib.import_module("shouting").Shouting(), processes=False)


def test_every_dependency_is_explained() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *extras["s3"], *extras["gs"], *extras["trafilatura"]]:
        name = re.split(r"[\[<>=!~ ]", requirement)[0]
        assert f"| {name} |" in text, f"docs/dependencies.md says nothing of {name}"
