"""Language: labels, samples, scripts, parts of a page, and the model's file."""

from __future__ import annotations

import http.server
import sys
import threading
from pathlib import Path

import pytest

from detectors import language as module
from detectors.api import FeatureCache, fingerprint
from detectors.language import (
    LID176_SHA256,
    MAXIMUM_CHUNKS,
    SAMPLE_CHARACTERS,
    Language,
    LanguageModel,
    LanguageModelError,
    chunk_lines,
    sample_lines,
)
from detectors.language_codes import ISO_639_3, language_of_tag, normalise_label, same_language
from detectors.laws import make_batch

ENGLISH = "The river runs down from the hills to the sea, and the town has lived from it for a long time."
GERMAN = "Der Fluss fließt von den Hügeln hinunter zum Meer, und die Stadt lebt seit langer Zeit von ihm."
FRENCH = "La rivière descend des collines vers la mer, et la ville en vit depuis très longtemps déjà."


@pytest.fixture(scope="module")
def detector() -> Language:
    made = Language()
    made.setup()
    return made


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("__label__en", "eng"),
        ("__label__als", "gsw"),  # Wikipedia's code of Alemannic
        ("__label__als_Latn", "als_Latn"),  # ISO's Tosk Albanian
        ("__label__sq", "sqi"),
        ("__label__bh", "bho"),
        ("__label__eml", "eml"),
        ("__label__sh", "hbs"),
        ("__label__zh", "zho"),
        ("__label__no", "nor"),
        ("__label__nn", "nno"),
        ("__label__nah", "nah"),
        ("__label__ceb", "ceb"),
        ("__label__eng_Latn", "eng_Latn"),
        ("__label__zho_Hans", "zho_Hans"),
        ("__label__zh-yue", "yue"),
        ("en", "eng"),
    ],
)
def test_labels_become_iso_639_3(label: str, code: str) -> None:
    assert normalise_label(label) == code


def test_the_table_is_whole() -> None:
    assert len([code for code in ISO_639_3 if len(code) == 2]) >= 184
    assert all(len(code) == 3 for code in ISO_639_3.values())


def test_every_label_of_the_embedded_model_has_three_letters(detector: Language) -> None:
    _, labels = module._load(str(detector.model.path()))
    assert len(labels) == 176
    assert {len(normalise_label(label)) for label in labels} == {3}


@pytest.mark.parametrize(
    ("tag", "code"),
    [("pt-BR", "por"), ("zh_CN", "zho"), ("en_US.UTF-8", "eng"), ("iw", "heb"), ("x-default", None), ("", None)],
)
def test_tags(tag: str, code: str | None) -> None:
    assert language_of_tag(tag) == code


def test_members_of_a_macro_language_are_one_language() -> None:
    assert same_language("nor", "nob")
    assert same_language("zho_Hans", "cmn")
    assert not same_language("deu", "eng")
    assert not same_language(None, "eng")


@pytest.mark.parametrize(("text", "code"), [(ENGLISH, "eng"), (GERMAN, "deu"), (FRENCH, "fra")])
def test_plain_text(detector: Language, text: str, code: str) -> None:
    language, score, parts = detector.identify(text)
    assert language == code
    assert score is not None
    assert 0.8 < score <= 1.0
    assert parts == [{"language": code, "share": 1.0}]


@pytest.mark.parametrize("text", [None, "", " \n ", "123 456", "!!! ---\n\n***", "\x00", "https://example.org/"])
def test_text_without_letters_has_no_language(detector: Language, text: str | None) -> None:
    assert detector.identify(text) == (None, None, None)


def test_tiny_text_and_line_ends_do_not_raise(detector: Language) -> None:
    assert detector.identify("a")[0] is not None
    for end in "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029":
        assert detector.identify(end.join([ENGLISH, ENGLISH]))[0] == "eng"


def test_labels_in_the_text_are_not_obeyed(detector: Language) -> None:
    assert detector.identify("__label__fr " + ENGLISH)[0] == "eng"


def test_capitals_are_lowered(detector: Language) -> None:
    assert [detector.identify(text.upper())[0] for text in (ENGLISH, GERMAN, FRENCH)] == ["eng", "deu", "fra"]


def test_a_mixed_page_shows_its_parts(detector: Language) -> None:
    language, _, parts = detector.identify("\n".join([ENGLISH] * 12 + [GERMAN] * 6))
    assert language == "eng"
    assert parts is not None
    assert [part["language"] for part in parts] == ["eng", "deu"]
    assert parts[1]["share"] == pytest.approx(1 / 3, abs=0.08)
    assert sum(part["share"] for part in parts) == pytest.approx(1)


def test_a_small_share_is_merged_away(detector: Language) -> None:
    _, _, parts = detector.identify("\n".join([ENGLISH] * 40 + [GERMAN]))
    assert parts == [{"language": "eng", "share": 1.0}]


def test_a_banner_at_the_top_does_not_decide(detector: Language) -> None:
    language, _, parts = detector.identify("\n".join([FRENCH] * 10 + [ENGLISH] * 200))
    assert language == "eng"
    assert parts is not None
    assert parts[0]["language"] == "eng"


def test_letters_after_a_desert_are_found(detector: Language) -> None:
    assert detector.identify("1 " * 40_001 + ENGLISH + " 1" * 40_000)[0] == "eng"


@pytest.mark.parametrize(
    ("text", "code"),
    [("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ ᎠᏂᏴᏫᏯ", "chr"), ("ꆈꌠꁱꂷ ꊿꂷꃅꄿ", "iii"), ("ⵜⴰⵎⴰⵣⵉⵖⵜ ⵜⴰⵏⴰⵡⴰⵢⵜ", "zgh"), ("ߒߞߏ ߞߊ߲ߜߍ", "nqo")],
)
def test_scripts_that_only_one_language_writes(detector: Language, text: str, code: str) -> None:
    language, score, _ = detector.identify(text)
    assert (language, score) == (code, 1.0)


def test_a_script_of_several_unknown_languages_has_no_answer(detector: Language) -> None:
    assert detector.identify("ᐃᓄᒃᑎᑐᑦ ᐊᑎᖃᕐᑐᖅ ᐃᓄᐃᑦ")[0] is None


def test_samples_and_chunks_are_bounded() -> None:
    lines = sample_lines((ENGLISH + "\n") * 5000)
    assert sum(map(len, lines)) <= SAMPLE_CHARACTERS
    many = [f"word word word word word word word word word word {i}" for i in range(500)]
    assert len(chunk_lines(many)) == MAXIMUM_CHUNKS
    assert chunk_lines(["short"]) == ["short"]
    assert len(chunk_lines(["x" * 1000])) == 8


def test_columns_of_a_batch(detector: Language) -> None:
    batch = make_batch([{"text": ENGLISH}, {"text": "..."}, {"text": None}])
    signals = detector(batch, FeatureCache(batch))
    assert signals.columns["language"].to_pylist() == ["eng", None, None]
    assert signals.columns["languages"].null_count == 2


def test_a_url_needs_a_digest() -> None:
    with pytest.raises(LanguageModelError, match="needs its sha256"):
        LanguageModel("https://example.org/glotlid.bin")
    with pytest.raises(LanguageModelError, match="64 hex digits"):
        LanguageModel("model.bin", "abc")


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.ftz"
    path.write_bytes(b"not a model")
    with pytest.raises(LanguageModelError, match="this is another model"):
        LanguageModel(str(path), LID176_SHA256).path()
    with pytest.raises(LanguageModelError, match="cannot be read"):
        LanguageModel(str(tmp_path / "absent.bin")).path()


def test_a_model_by_path_is_the_same_model(tmp_path: Path) -> None:
    copy = tmp_path / "copy.ftz"
    copy.write_bytes(LanguageModel().path().read_bytes())
    by_path = Language(str(copy))
    assert fingerprint(by_path) == fingerprint(Language())
    assert by_path.identify(GERMAN) == Language().identify(GERMAN)


def test_downloads_are_verified_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = LanguageModel().path().read_bytes()
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data if self.path == "/good.ftz" else b"bad")

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        base = f"http://127.0.0.1:{server.server_port}"
        good = LanguageModel(f"{base}/good.ftz", LID176_SHA256)
        assert good.path() == good.path()
        assert requests == ["/good.ftz"]
        with pytest.raises(LanguageModelError, match="not kept"):
            LanguageModel(f"{base}/bad.ftz", "0" * 64).path()
        with pytest.raises(LanguageModelError, match="download failed"):
            LanguageModel("http://127.0.0.1:1/x.bin", "1" * 64).path()
    finally:
        server.shutdown()
    assert [path.name for path in (tmp_path / "headwater" / "models").iterdir()] == [f"{LID176_SHA256}.ftz"]


def test_the_other_engine_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fasttext")
    path = str(LanguageModel().path())
    rust, labels = module._load.__wrapped__(path)
    monkeypatch.setitem(sys.modules, "fasttext_new", None)
    cpp, cpp_labels = module._load.__wrapped__(path)
    assert set(cpp_labels) == set(labels)
    for line in (ENGLISH, GERMAN, FRENCH, "a", "日本語のテキスト", "x\x00y"):
        assert cpp(line)[0] == rust(line)[0]
        assert cpp(line)[1] == pytest.approx(rust(line)[1], abs=1e-6)
