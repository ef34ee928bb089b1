"""The distribution: what the wheel holds, what imports cost, and one command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
from conftest import ROOT, headwater

PACKAGES = ("schemas", "detectors", "pipeline")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names in the wheel: of $HEADWATER_WHEEL, else of one built here without build isolation."""
    given = os.environ.get("HEADWATER_WHEEL")
    if given:
        return zipfile.ZipFile(given).namelist()
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.split(".")[0]) < 77:
        pytest.skip("building needs setuptools 77; .ci/run builds the wheel with pip and sets HEADWATER_WHEEL")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=source, check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl"))).namelist()


def test_wheel_holds_the_three_packages_and_their_data(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert tops == {*PACKAGES, f"headwater-{version('headwater')}.dist-info"}
    assert not [name for name in wheel if re.search(r"(^|/)(tests?|benchmarks|examples|docs)/|test_|conftest", name)]
    data = set(PROJECT["tool"]["setuptools"]["package-data"])
    assert data == set(PACKAGES)
    for package in PACKAGES:
        assert f"{package}/py.typed" in wheel
        for path in sorted((ROOT / package).rglob("*")):
            name = str(path.relative_to(ROOT))
            if path.suffix == ".py" and not path.name.startswith("make_") and "/data/" not in name:
                assert name in wheel, f"{name} is not in the wheel; name its folder in tool.setuptools.packages"
            if "/templates/" in name or name.endswith((".npz", ".warc.gz")):
                assert name in wheel, f"{name} is not in the wheel; name it in tool.setuptools.package-data"


def test_listed_packages_are_all_there_are() -> None:
    found = {
        str(path.parent.relative_to(ROOT)).replace("/", ".")
        for p in PACKAGES
        for path in (ROOT / p).rglob("__init__.py")
    }
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_one_console_script() -> None:
    assert PROJECT["project"]["scripts"] == {"headwater": "pipeline.cli:main"}
    scripts = [e for e in entry_points(group="console_scripts") if e.dist is not None and e.dist.name == "headwater"]
    assert [(script.name, script.value) for script in scripts] == [("headwater", "pipeline.cli:main")]


def test_version() -> None:
    assert version("headwater") == PROJECT["project"]["version"]
    done = headwater("--version")
    assert done.returncode == 0
    assert PROJECT["project"]["version"] in done.stdout
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(PROJECT['project']['version'])}\]", changes, re.MULTILINE)


def fresh(code: str) -> tuple[set[str], float]:
    """Modules and CPU seconds of a new interpreter after `code`."""
    tail = "\nimport sys, time\nprint(time.process_time())\nprint('\\n'.join(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", f"import time\nbegan = time.process_time()\n{code}{tail}"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=60)
    seconds, *modules = done.stdout.splitlines()
    return set(modules), float(seconds)


@pytest.mark.parametrize(
    "module",
    ["detectors", "detectors.api", "detectors.registry", "schemas.config", "pipeline.read.splits", "pipeline.extract"],
)
def test_imports_below_the_pipeline_are_light(module: str) -> None:
    modules, seconds = fresh(f"import {module}")
    assert "apache_beam" not in modules
    assert "resiliparse.extract.html2text" not in modules
    assert seconds < 1.5, f"{module} takes {seconds:.2f} s of CPU time"


def test_importing_detectors_takes_under_a_second() -> None:
    modules, seconds = min((fresh("import detectors") for _ in range(3)), key=lambda found: found[1])
    assert not modules & {"apache_beam", "numba", "scipy", "fsspec"}
    assert seconds < 1.0


def test_help_imports_nothing_heavy() -> None:
    code = "from pipeline.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    modules, seconds = min((fresh_help(code) for _ in range(3)), key=lambda found: found[1])
    heavy = {"apache_beam", "numba", "scipy", "fsspec", "jinja2", "resiliparse", "fasttext_new", "pyarrow.dataset"}
    assert not modules & heavy
    assert seconds < 1.0


def fresh_help(code: str) -> tuple[set[str], float]:
    """As `fresh`, with the help text thrown away."""
    quiet = f"import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    exec({code!r})"
    return fresh(quiet)


def test_main_module_is_installed_once() -> None:
    from importlib.metadata import packages_distributions

    for package in PACKAGES:
        assert set(packages_distributions().get(package, ["headwater"])) == {"headwater"}


def test_ci_script_is_valid_bash() -> None:
    script = Path(ROOT / ".ci" / "run")
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert "set -euo pipefail" in script.read_text(encoding="utf-8")
