"""What may happen to a run folder between two commands, and what the second command makes of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADWATER = [sys.executable, "-c", "from pipeline.cli import main; main()"]
TEXT = "The ferry crossed the lake twice a day, and the keeper wrote down who was aboard and what the weather did. "


def headwater(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*HEADWATER, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"exit {done.returncode}: {done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("in") / "texts.jsonl"
    path.write_text("".join(json.dumps({"id": str(n), "text": f"{n} {TEXT * (3 + n)}"}) + "\n" for n in range(6)))
    return path


@pytest.fixture(scope="module")
def finished(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    headwater("curate", archive, "--output", out, "--keep-staged")
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_a_failed_start_binds_nothing(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("quality: {thresholds: {nonsense: 1}}\n")
    out = tmp_path / "run"
    assert "nonsense" in headwater("curate", archive, "--output", out, "--config", tmp_path / "bad.yaml", code=2).stderr
    assert not out.exists()
    assert "--text-column" in headwater("curate", archive, "--output", out, "--text-column", "body", code=2).stderr
    headwater("curate", archive, "--output", out)


def test_a_damaged_staged_shard_is_made_again(archive: Path, run: Path) -> None:
    want = json.loads((run / "run.json").read_text())["files"]
    (run / "run.json").unlink()
    [shard] = (run / "_work" / "staged").glob("*.documents.parquet")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shard.write_bytes(bytes(data))
    headwater("curate", archive, "--output", run)
    assert json.loads((run / "run.json").read_text())["files"] == want


def test_an_input_that_changed_is_refused(archive: Path, run: Path) -> None:
    (run / "run.json").unlink()
    before = archive.stat()
    os.utime(archive, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    try:
        assert "has changed" in headwater("curate", archive, "--output", run, code=2).stderr
    finally:
        os.utime(archive, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_finished_run_is_left_as_it_is(archive: Path, run: Path) -> None:
    shutil.rmtree(run / "_work")
    headwater("curate", archive, "--output", run)
    assert not (run / "_work").exists()
    shutil.rmtree(run / "dropped")
    assert "dropped/part" in headwater("curate", archive, "--output", run, code=2).stderr


@pytest.mark.parametrize(
    "change",
    [
        {"counts": {"dropped": {"x": 5}}},
        {"counts": {"records": {}}},
        {"config_fingerprint": "zz"},
        {"config": {}},
        None,
    ],
)
def test_verify_compares_every_count(run: Path, change: dict[str, object] | None) -> None:
    headwater("verify", run)
    path = run / "run.json"
    manifest = json.loads(path.read_text())
    for key, value in (change or {}).items():
        manifest[key] = {**manifest[key], **value} if isinstance(value, dict) and value else value
    path.write_text(json.dumps(manifest) if change else "{")
    headwater("verify", run, code=4)
    headwater("verify", run, code=4)


@pytest.mark.parametrize("folder", ["rows.parquet", "rows.csv"])
def test_a_table_is_written_only_where_it_does_no_harm(archive: Path, tmp_path: Path, folder: str) -> None:
    copy = tmp_path / "in.jsonl"
    shutil.copy(archive, copy)
    assert "input of this command" in headwater("extract", copy, "--output", copy, code=2).stderr
    assert copy.read_bytes() == archive.read_bytes()
    (tmp_path / "rows.parquet").mkdir()
    headwater("extract", copy, "--output", tmp_path / folder, code=2)


def test_a_reader_that_goes_away_is_no_error(archive: Path) -> None:
    command = f"{' '.join(map(repr, HEADWATER))} extract {archive} --output - | head -c 10"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "policy: {languages: {keep: [en]}}",
        "quality: {thresholds: {gopher_long_doc: .inf}}",
        "policy: {duplicates: {seed: -1}}",
        "extract: {cpu_seconds: .inf}",
        "language: {model: README.md}",
        "extract: {extractor: nosuch}",
        "url_filter: {lists: [/nowhere]}",
    ],
)
def test_a_configuration_that_cannot_work_is_refused_before_any_work(archive: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "README.md").write_text("no model")
    (tmp_path / "c.yaml").write_text(text.replace("README.md", str(tmp_path / "README.md")))
    headwater("curate", archive, "--output", tmp_path / "run", "--config", tmp_path / "c.yaml", code=2)
    assert not (tmp_path / "run").exists()


def test_beam_options_that_are_wrong_are_a_usage_error(archive: Path, tmp_path: Path) -> None:
    assert "Beam" in headwater("curate", archive, "--output", tmp_path / "r", "--", "--runner=Bogus", code=2).stderr


def test_modules_of_the_working_folder_are_never_run(archive: Path, tmp_path: Path) -> None:
    command = shutil.which("headwater", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("headwater is not installed beside this Python")
    for name in ("pipeline", "detectors", "schemas", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a file of the working folder was run')\n")
    done = subprocess.run(
        [command, "curate", str(archive), "--output", "run"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
