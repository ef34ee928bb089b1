"""Line rules of C4, FineWeb and RefinedWeb at their edges."""

from __future__ import annotations

import math
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.features.tokens import tokenise
from detectors.quality import c4, fineweb, refinedweb
from detectors.quality.spans import join_spans

C4, PAPER, FINEWEB = c4.RULES["c4"], c4.RULES["c4_paper"], c4.RULES["c4_fineweb"]


def verdict(line: str, rules: c4.C4Rules = C4) -> str:
    return c4.VERDICTS[c4.judge(tokenise([line + "\n"]), rules).verdict[0]]


@pytest.mark.parametrize(
    ("line", "code", "paper", "fine"),
    [
        ("One two three four five.", "kept", "kept", "kept"),
        ("One two three four.", "few_words", "kept", "kept"),
        ("One two three.", "few_words", "kept", "kept"),
        ("One two.", "few_words", "few_words", "few_words"),
        ("  One two three four five.  ", "kept", "kept", "kept"),
        ("One two three four five", "no_terminal", "no_terminal", "kept"),
        ("One two three four five...", "no_terminal", "no_terminal", "kept"),
        ("One two three four five…", "no_terminal", "no_terminal", "kept"),
        ('One two three four "five"', "kept", "kept", "kept"),
        ("One two three four 'five'", "no_terminal", "kept", "kept"),
        ("One two three four five?", "kept", "kept", "kept"),
        ("One two three four five!", "kept", "kept", "kept"),
        ("One two three four five.[12]", "kept", "kept", "kept"),
        ("One two three four five. [12]", "no_terminal", "no_terminal", "kept"),  # the space before the mark stays
        ("One two three four [edit].", "kept", "kept", "kept"),  # "." stays as the fifth item
        ("One two three [citation needed] four.", "few_words", "kept", "kept"),
        ("One [1] two.", "few_words", "kept", "kept"),  # datatrove counts before, C4 after the marks are gone
        ("x" * 1000 + " two three four five.", "kept", "kept", "kept"),
        ("x" * 1001 + " two three four five.", "long_word", "long_word", "long_word"),
        ("Here is Lorem Ipsum dolor sit.", "lorem_ipsum", "lorem_ipsum", "lorem_ipsum"),
        ("Lorem ipsum dolor sit amet", "no_terminal", "no_terminal", "lorem_ipsum"),  # a cut line drops nothing
        ("Please turn on JavaScript { now }.", "javascript", "javascript", "javascript"),  # line rule before `{`
        ("Some code { is here too.", "curly_bracket", "curly_bracket", "curly_bracket"),
        ("This site uses cookies for all.", "policy", "policy", "policy"),
        ("Read our Privacy Policy in full.", "policy", "policy", "policy"),
        ("We value cookies and their policy.", "kept", "kept", "kept"),
        ("", "no_terminal", "no_terminal", "few_words"),
    ],
)
def test_c4_lines(line: str, code: str, paper: str, fine: str) -> None:
    assert (verdict(line), verdict(line, PAPER), verdict(line, FINEWEB)) == (code, paper, fine)


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("One sentence here it is.", 1),
        ("One sentence. Two sentences here!", 2),
        ('He said "Go now." Then he went.', 2),
        ("Is it? Yes! It is…", 3),
        ("See e.g. the work of J. Smith today.", 1),
        ("Version 3.14 is out now.", 1),
        ("It ends. and goes on here.", 1),
        ("これは文です。これも文です。", 2),
        ("यह एक वाक्य है। यह दूसरा है।", 2),
        ("no end mark at all", 1),
        ("What?! Really now?", 2),
    ],
)
def test_sentences(line: str, count: int) -> None:
    assert c4.judge(tokenise([line]), c4.C4Rules("x", 0, 0, terminal_punctuation=False)).sentences.tolist() == [count]


def test_c4_document_signals() -> None:
    good = "This is a good line here."
    texts = [
        "\n".join([good] * 3),
        f"{good}\nHere is lorem ipsum in it.\nAnd a {{ bracket in it.",
        "",
        good + " {",
        "A { bracket in this line.\nHere is lorem ipsum in it.",
    ]
    found = c4.signals(tokenise(texts), C4)
    assert found["c4_sentences"].tolist() == [3, 1, 0, 0, 0]
    assert found["c4_lorem_ipsum"].tolist() == [0, 1, 0, 0, 0]
    assert found["c4_curly_bracket"].tolist() == [0, 0, 0, 0, 1]  # the first that drops; a cut line does not count


def test_c4_cut_lines() -> None:
    text = "Menu\n  This line[1] stays here today.  \nThis line is cut\nAnd this one also stays."
    spans = c4.cut_lines(text)
    assert join_spans(text, spans) == "This line stays here today.\nAnd this one also stays."
    assert all(text[a:b] for a, b in spans)
    assert c4.cut_lines("") == []


WORDS = st.sampled_from(
    ["one", "two", "[1]", "[edit]", "[citation needed]", "x[2]y", ".", "!", "{", "javascript", "'", "\n", "\n"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS, max_size=30), st.sampled_from(list(c4.RULES)))
def test_c4_equals_the_original_loop(parts: list[str], name: str) -> None:
    text, rules = " ".join(parts), c4.RULES[name]
    kept = []
    for raw in text.split("\n"):
        line = raw.strip()
        words = line.split()
        line = re.sub(r"\[\d*\]|\[edit\]|\[citation needed\]", "", line)
        ends = (".", "?", "!", '"', "'") if rules.apostrophe_ends else (".", "?", "!", '"')
        if rules.terminal_punctuation and (not line.endswith(ends) or line.endswith("...")):
            continue
        if len(line.split() if rules.words_after_citations else words) < rules.min_words:
            continue
        if "javascript" not in line and "{" not in line:
            kept.append(line)
    assert join_spans(text, c4.cut_lines(text, rules)) == "\n".join(kept)


def fine(text: str, after_c4: bool = False) -> list[float | None]:
    tokens = tokenise([text])
    found = fineweb.signals(tokens, c4.judge(tokens, FINEWEB) if after_c4 else None)
    return [None if math.isnan(v[0]) else float(v[0]) for v in found.values()]


def test_fineweb_signals() -> None:
    text = "A line that ends well.\nshort\n\n  \nA line of more than thirty characters\nshort"
    # Four lines that are not blank, of 22, 5, 37 and 5 characters; with the two spaces 71; 5 line ends;
    # 6 + 1 + 7 + 1 tokens, one of them the dot.
    assert fine(text) == pytest.approx([1 / 4, 3 / 4, 5 / 71, 5 / 15])


@pytest.mark.parametrize(("length", "short"), [(30, 1.0), (31, 0.0)])
def test_fineweb_short_line(length: int, short: float) -> None:
    assert fine("x" * length)[1] == short


@pytest.mark.parametrize(
    ("line", "ended"), [("a.", 1), ("a。", 1), ("a।", 1), ('a."', 0), ("a. ", 0), ("a…", 0), ("a؟", 1)]
)
def test_fineweb_terminal_punctuation(line: str, ended: float) -> None:
    assert fine(line)[0] == ended


def test_fineweb_after_c4() -> None:
    text = "Menu\nMenu\nThis is a line that stays.\nThis is a line that stays.\nuse cookies in here"
    # Two lines of 26 characters stay, the second a copy; 7 tokens each, one line end.
    assert fine(text, after_c4=True) == pytest.approx([1.0, 1.0, 26 / 52, 1 / 14])
    assert fine("", after_c4=True) == [0.0, None, None, None]
    assert fine("Menu", after_c4=True) == [0.0, None, None, None]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("ABab of", "kept"),  # 2 of 7
        ("ABC dd", "kept"),  # 3 of 6, not more than half
        ("ABCD ab", "uppercase"),  # 4 of 7
        ("123456", "numeric"),
        ("123 456", "kept"),
        ("3 likes", "counter"),
        ("1.2K followers!", "counter"),
        ("1,234 views", "counter"),
        ("3likes", "short"),
        ("3 nice likes", "kept"),
        ("likes 3", "kept"),
        ("one", "short"),
        ("one two", "kept"),
        ("", "kept"),
        ("  ", "short"),
        ("Sign-in", "short"),
        ("Sign-in to your account", "kept"),
        (" items in cart", "phrase"),
        ("Read more...", "phrase"),
        ("Read more…", "kept"),  # one character, DCLM's expression wants three
        ("Sign-in Read more...", "phrase"),
    ],
)
def test_refinedweb_lines(line: str, name: str) -> None:
    assert refinedweb.VERDICTS[refinedweb.judge(tokenise([line + "\n"])).verdict[0]] == name


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("You have 2 items in cart now", "You have 2 now"),
        ("A story of a man. Read more...", "A story of a man."),
        ("Sign-in to your account", "to your account"),
        ("a b c d e f g Read more...", "a b c d e f g"),  # nine items
        ("a b c d e f g h Read more...", "a b c d e f g h"),  # ten
        ("a b c d e f g h i Read more...", "a b c d e f g h i Read more..."),  # eleven
        ("SIGN-IN to your own account here", "to your own account here"),
    ],
)
def test_refinedweb_phrases(line: str, left: str) -> None:
    assert join_spans(line, refinedweb.cut_lines(line)) == left


def test_refinedweb_cut_words() -> None:
    body = "\n".join(["one two three four five"] * 19)  # 95 words
    share = [float(refinedweb.signals(tokenise([t]))["refinedweb_cut_words"][0]) for t in (body, body + "\none", "one")]
    assert share == pytest.approx([0, 1 / 96, 1])
    assert math.isnan(refinedweb.signals(tokenise([""]))["refinedweb_cut_words"][0])
    # "items in cart" is three of eight words, "Read more..." two of nine.
    found = refinedweb.signals(
        tokenise(["You have 2 items in cart right now", "A story of a very old man. Read more..."])
    )
    assert found["refinedweb_cut_words"].tolist() == pytest.approx([3 / 8, 2 / 9])
    text = "a b\n\n\nc d"
    assert join_spans(text, refinedweb.cut_lines(text)) == text


LINES = st.lists(st.sampled_from([
    "One two three four five.", "3 likes", "ABC", "Read more...", "x items in cart y z", "lorem ipsum is here now.",
    "a { b c d e.", "", " ", "日本語です。", "Sign-in", "12", "uses cookies are here.",
]), max_size=12).map("\n".join)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.lists(LINES, min_size=2, max_size=5), st.integers(1, 4))
def test_row_local(texts: list[str], at: int) -> None:
    def everything(part: list[str]) -> dict[str, np.ndarray]:
        tokens = tokenise(part)
        found = refinedweb.signals(tokens)
        for rules in c4.RULES.values():
            found |= c4.signals(tokens, rules)
        return found | fineweb.signals(tokens, c4.judge(tokens, FINEWEB))

    whole, first, second = everything(texts), everything(texts[:at]), everything(texts[at:])
    for name, column in whole.items():
        assert np.array_equal(column, np.concatenate((first[name], second[name])), equal_nan=True), name


@pytest.mark.parametrize(
    "text",
    [
        "x" * 3_000_000,
        "[" * 3_000_000,
        "a. " * 1_000_000,
        "\n" * 1_000_000,
        "Read more...\n" * 50_000,
        "5 likes\n" * 50_000,
        "lorem " * 500_000,
    ],
)
def test_huge_texts_take_linear_time(text: str) -> None:
    tokens = tokenise([text])
    started = time.process_time()
    for rules in c4.RULES.values():
        c4.signals(tokens, rules)
    refinedweb.signals(tokens)
    assert time.process_time() - started < 8
