"""Canonical text: typography, Markdown, spacing and attacks on characters are undone; length and cost are bounded."""

from __future__ import annotations

import pytest

from detectors.text_model.canonical import PREFIX, WORDS, canonicalise

PROSE = "The river runs down to the sea. It has done so for a long time. "


def one(text: str | None) -> str:
    return canonicalise([text]).text(0)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("“Well”, she said … ‘yes’ — no – or‑else.", '"Well", she said. \'yes\' - no - or-else.'),
        ("`` Hello , '' he said . It 's fine , they do n't mind .", '"Hello," he said. It\'s fine, they don\'t mind.'),
        ("He read ( twice ) 20 % of it ; then left !!!", "He read (twice) 20% of it; then left!"),
        ("We left the place.The end came fast.", "We left the place. The end came fast."),
        ("one--two -- three—four.", "one - two - three - four."),
        ("## A long heading that is kept here\n* **Bold** words in an item.\n12. Another item, here.",
         "A long heading that is kept here Bold words in an item. Another item, here."),
        ("Home\nAbout us\nThe prose of the page is here.\nRead more", "The prose of the page is here."),
        ("The text is\nbroken within\na sentence.", "The text is broken within a sentence."),
        ("a\u00a0b\tc\x00d.\r\ne f g.", "a b c d. e f g."),
        ("ﬁne ＡＢＣ text.", "fine ABC text."),
    ],
)  # fmt: skip
def test_typography(written: str, canonical: str) -> None:
    assert one(written) == canonical


def test_hidden_characters_go_but_joiners_that_mean_something_stay() -> None:
    assert one("wo\u200brd in\u00advisi\u2060ble a\u200db.") == "word invisible ab."
    assert "\u200d" in one("क्\u200dष है और यह हिन्दी का एक वाक्य है।")


def test_lookalikes_are_undone_in_mixed_words_and_in_latin_text_only() -> None:
    assert one("Тhе сat sаt on а mat.") == "The cat sat on a mat."
    russian = "Это русский текст, а не шутка, и сор остался."
    assert one(russian) == russian


def test_capitals_inside_words_go() -> None:
    assert one("hElLo WORLD iN tHe Morning.") == "hello WORLD in the Morning."


def test_length_is_bounded_in_words_and_the_cut_sentence_goes() -> None:
    found = canonicalise([PROSE * 200])
    assert found.text(0).endswith(("sea.", "time."))
    assert WORDS - 15 < len(found.text(0).split()) <= WORDS
    assert found.words()[0] >= WORDS
    assert one("A first sentence is here. A second one is cut off in the") == "A first sentence is here."


def test_scripts_without_spaces_have_their_own_length() -> None:
    found = canonicalise(["日本語の文章です。" * 200, "日本語の文章です。" * 4])
    assert 500 < len(found.text(0)) <= 2.5 * WORDS + 100
    assert found.words().tolist()[1] < 50 <= found.words().tolist()[0]


def test_only_a_prefix_counts() -> None:
    text = PROSE * (PREFIX // len(PROSE) + 2)
    assert one(text) == one(text + "something else entirely")


def test_rows_are_independent() -> None:
    texts = [None, "", PROSE, "日本語。", "x" * 9000, "\ud800 lone", PROSE * 30]
    together = canonicalise(texts)
    assert [together.text(i) for i in range(len(texts))] == [one(text) for text in texts]
    taken = together.take([6, 2])
    assert [taken.text(0), taken.text(1)] == [one(texts[6]), one(PROSE)]
    assert taken.words().tolist() == [together.words()[6], together.words()[2]]
