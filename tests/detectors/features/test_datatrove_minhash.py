"""Signatures of the scheme `datatrove` against values that datatrove 0.10.1 (spaCy 3.8) made, and against itself."""

from __future__ import annotations

import hashlib
import random
import sys
import unicodedata
from collections.abc import Callable

import numpy as np
import pytest
import xxhash
from datatrove_texts import CAUGHT, PIECES, texts

from detectors.features import _native_datatrove, datatrove_minhash, minhash
from detectors.features.datatrove_minhash import SpacyMissingError, Tokenizer, load_tokenizer, signatures
from detectors.features.minhash import Shape

FINEWEB = minhash.PRESETS["fineweb"]


@pytest.fixture(scope="module")
def tokenize() -> Callable[[str], list[str]]:
    pytest.importorskip("spacy", reason="the scheme datatrove needs the extra `compatible`")
    return load_tokenizer()  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("shape", "seed", "digest"),
    [
        (Shape(14, 8), 1, "da8a2d3c2c7ced5c70560df2d0fed070cbbdffddf390e886d016d772db5b91e2"),
        (Shape(20, 13), 1, "21293b1bfc5f7e5fab4a775f9f88242f076d657051f7fdea3e16b59df40156a4"),
        (Shape(14, 8), 42, "08e040b4ad5cceea891ca0986bb93294975bbba360473e286631fa177281adba"),
    ],
)
def test_signatures_are_those_of_datatrove(
    tokenize: Callable[[str], list[str]], shape: Shape, seed: int, digest: str
) -> None:
    found, valid = signatures(texts(), Tokenizer(tokenize), shape, seed)
    assert valid[:8].tolist() == [True, True, False, False, False, False, True, True]
    assert int((~valid).sum()) == 15
    if (shape, seed) == (FINEWEB, 1):
        assert found[[0, 1, 6, 7], 0].tolist() == [
            85330943174081874, 699275049159941947, 35478814760302805, 152531909387734175,
        ]  # fmt: skip
    whole = hashlib.sha256()
    for row, known in zip(found, valid, strict=True):
        whole.update(row.astype("<u8").tobytes() if known else b"none")
    assert whole.hexdigest() == digest


def test_signatures_equal_those_of_an_installed_datatrove(tokenize: Callable[[str], list[str]]) -> None:
    dedup = pytest.importorskip("datatrove.pipeline.dedup.minhash", reason="datatrove is not installed")
    step = dedup.MinhashDedupSignature(".", dedup.MinhashConfig())
    found, valid = signatures(texts(), Tokenizer(tokenize), FINEWEB)
    for text, row, known in zip(texts(), found, valid, strict=True):
        shingles = step.get_shingles(text)
        theirs = [value for band in step.get_signature(shingles) for value in band] if shingles.size else None
        assert (row.tolist() if known else None) == theirs, ascii(text)


def test_run_by_run_is_the_whole_text(tokenize: Callable[[str], list[str]]) -> None:
    """spaCy's tokens of a text are those of its runs without spaces, whatever the runs."""
    generator = random.Random(5)
    simple = (datatrove_minhash.without_marks(run) for text in CAUGHT + PIECES for run in datatrove_minhash.runs(text))
    runs = sorted(set(filter(None, simple)))
    for _ in range(300):
        chosen = generator.choices(runs, k=12)
        whole = [token.strip() for token in tokenize(" ".join(chosen)) if token.strip()]
        assert whole == [token for run in chosen for token in tokenize(run)]


def test_names_of_attributes_of_spacy_are_words(tokenize: Callable[[str], list[str]]) -> None:
    """spaCy fails on `IS_ALPHA` and its like, none of which is left by simplification."""
    symbols = pytest.importorskip("spacy.symbols", reason="the scheme datatrove needs the extra `compatible`")
    for name in symbols.IDS:
        assert Tokenizer(tokenize)(name) == " ".join(t for run in datatrove_minhash.runs(name) for t in tokenize(run))


def test_no_special_case_reaches_over_a_space() -> None:
    """Patterns of spaCy's special cases that may occur in simplified text never share a token at their ends.

    spaCy drops a match that overlaps a longer one. A match over a space changes nothing by itself, since no special
    case has a space, but could displace a match that does: only if the two had a token in common.
    """
    spacy = pytest.importorskip("spacy", reason="the scheme datatrove needs the extra `compatible`")
    tokenizer = spacy.blank("en").tokenizer
    composed = filter(unicodedata.decomposition, map(chr, range(sys.maxunicode + 1)))
    made = set("".join(map(datatrove_minhash.without_marks, composed)))  # NFD gives these back after punctuation went
    gone = (set(datatrove_minhash._MARKS) | set("123456789")) - made
    assert {"<", ">", "=", ";"} <= made
    assert {"(", ".", "'", "-", "3"} <= gone
    possible = [
        rule
        for rule in tokenizer.rules
        if rule == rule.lower() and not gone & set(rule) and rule == datatrove_minhash.without_marks(rule)
        and (tokenizer.find_prefix(rule) or tokenizer.find_infix(rule) or tokenizer.find_suffix(rule) or " " in rule)
    ]  # fmt: skip
    assert {rule for rule in possible if rule.strip()} == {"<space>", "‘s"}
    assert not any(" " in rule.strip() for rule in possible)
    assert not set("<>") & set("‘s")  # so no two patterns share a token; <space> neither begins nor ends as itself


def test_the_table_gives_what_the_tokeniser_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def split(run: str) -> list[str]:
        calls.append(run)
        return list(run)

    tokenizer = Tokenizer(split)
    assert tokenizer("Ab, ab!  AB 12.5") == "a b a b a b 0"
    assert calls == ["ab", "0"] or calls == ["", "ab", "0"]
    monkeypatch.setattr(datatrove_minhash, "REMEMBERED", 3)
    for text in ("c", "d", "e", "f", "c"):
        assert tokenizer(text) == text
        assert len(tokenizer.known) <= 3
    assert tokenizer("") == tokenizer(" ... ") == ""


def test_long_runs_of_symbols_take_linear_time() -> None:
    lengths: list[int] = []

    def one_by_one(run: str) -> list[str]:
        lengths.append(len(run))
        return list(run)

    assert Tokenizer(one_by_one)("€" * 5000) == " ".join("€" * 5000)
    assert max(lengths) == datatrove_minhash.PIECE
    assert Tokenizer(lambda run: [run])("x" * 5000) == "x" * 5000


def test_xxh64() -> None:
    data = np.random.default_rng(1).integers(0, 256, 200, dtype=np.uint8)
    for first in (0, 1, 7):
        for size in [*range(72), 150]:
            piece = data[first : first + size].tobytes()
            assert int(_native_datatrove.xxh64(data, first, first + size)) == xxhash.xxh64_intdigest(piece)


def test_signature_of_plain_words_in_plain_python() -> None:
    a, b = datatrove_minhash.permutations(16, 3)
    found, valid = signatures(["a b c d e f", None, "", "a b c d"], Tokenizer(lambda run: [run]), Shape(4, 4), 3)
    hashes = [xxhash.xxh64_intdigest(text) for text in (b"a b c d e", b"b c d e f")]
    for k in range(16):
        assert int(found[0, k]) == min((h * int(a[k]) + int(b[k])) % 2**64 % (2**61 - 1) for h in hashes)
    assert valid.tolist() == [True, False, False, False]
    assert (found[1:] == np.iinfo(np.uint64).max).all()
    none, _ = signatures([], Tokenizer(lambda run: [run]), FINEWEB)
    assert none.shape == (0, 112)


def test_without_spacy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(SpacyMissingError, match=r"pip install 'headwater\[compatible\]'"):
        load_tokenizer()


def test_surrogates_do_not_stop_a_batch() -> None:
    found, valid = signatures(["a b c d \ud800", "a b c d e"], Tokenizer(lambda run: [run]), FINEWEB)
    assert valid.all()
    assert found.shape == (2, 112)


def test_bands_of_either_width() -> None:
    shape = Shape(14, 8)
    values = np.arange(112, dtype=np.uint64)[None] << np.uint64(33)
    keys = minhash.band_keys(values, shape)
    assert len(set(keys[0].tolist())) == 14
    changed = values.copy()
    changed[0, 9] ^= np.uint64(1 << 60)  # a bit of the upper half counts
    assert np.flatnonzero(minhash.band_keys(changed, shape)[0] != keys[0]).tolist() == [1]
    assert np.array_equal(minhash.matrix([values[0].tobytes()], shape), values)
    small = np.arange(112, dtype=np.uint32)
    assert minhash.matrix([small.tobytes()] * 2, shape).dtype == np.uint32
    assert minhash.matrix([], shape).shape == (0, 112)
    with pytest.raises(ValueError, match="none of shape 14x8"):
        minhash.matrix([bytes(112 * 5)], shape)
