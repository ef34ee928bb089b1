"""The extractor: which blocks are kept, what is left out for precision, and that the same page gives the same text."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import sentence, site_page

from pipeline.extract.api import Extracted, PageInput
from pipeline.extract.blocks import extractor as module
from pipeline.extract.blocks.extractor import (
    LEAST_SHARE,
    LEAST_SHARE_PRECISE,
    BlockExtractor,
    choose,
    default_model_path,
)
from pipeline.extract.blocks.features import feature_names
from pipeline.extract.blocks.forest import Forest, load_model
from pipeline.extract.extract import extract_page

SHARE = st.floats(0, 1, width=32)
BLOCKS = st.lists(st.tuples(SHARE, st.integers(1, 500)), min_size=1, max_size=40)


def run(html: str | bytes, charset: str | None = "utf-8", **options: Any) -> Extracted:
    body = html.encode() if isinstance(html, str) else html
    return extract_page(PageInput(body, "https://a.example/x", charset), BlockExtractor(**options))


def expected_f1(shares: list[float], words: list[int], kept: list[int]) -> float:
    """2 * expected words in common / (kept words + expected main words), in exact order and double precision."""
    common = sum(shares[i] * words[i] for i in kept)
    total = sum(share * count for share, count in zip(shares, words, strict=True))
    return 2 * common / (sum(words[i] for i in kept) + total) if total else 0.0


@settings(deadline=None, max_examples=300)
@given(BLOCKS)
def test_no_prefix_of_the_best_blocks_is_better(blocks: list[tuple[float, int]]) -> None:
    shares, words = [share for share, _ in blocks], [count for _, count in blocks]
    kept, confidence = choose(np.array(shares, np.float32), np.array(words, np.float32), 0.0)
    chosen = np.flatnonzero(kept).tolist()
    order = sorted(range(len(shares)), key=lambda i: -shares[i])
    best = max(expected_f1(shares, words, order[:k]) for k in range(len(order) + 1))
    assert expected_f1(shares, words, chosen) == pytest.approx(best, abs=1e-5)
    assert confidence == pytest.approx(best, abs=1e-5)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(SHARE, st.integers(1, 50)), min_size=1, max_size=9))
def test_no_other_set_of_blocks_is_better(blocks: list[tuple[float, int]]) -> None:
    shares, words = [share for share, _ in blocks], [count for _, count in blocks]
    kept, _ = choose(np.array(shares, np.float32), np.array(words, np.float32), 0.0)
    ours = expected_f1(shares, words, np.flatnonzero(kept).tolist())
    for bits in range(2 ** len(blocks)):
        other = [i for i in range(len(blocks)) if bits >> i & 1]
        assert ours >= expected_f1(shares, words, other) - 1e-5


@settings(deadline=None, max_examples=200)
@given(BLOCKS, st.sampled_from([0.0, LEAST_SHARE, LEAST_SHARE_PRECISE, 1.0]))
def test_least_share_confidence_and_determinism(blocks: list[tuple[float, int]], least: float) -> None:
    shares, words = (np.array(column, np.float32) for column in zip(*blocks, strict=True))
    kept, confidence = choose(shares, words, least)
    assert not kept[shares <= least].any()
    assert 0 <= confidence <= 1 + 1e-6
    assert (confidence > 0) == bool(kept.any())
    again, same = choose(shares.copy(), words.copy(), least)
    assert (again == kept).all()
    assert same == confidence


def test_nothing_to_choose_from() -> None:
    none = np.zeros(0, np.float32)
    for shares, words in ((none, none), (np.zeros(3, np.float32), np.ones(3, np.float32))):
        kept, confidence = choose(shares, words)
        assert not kept.any()
        assert len(kept) == len(shares)
        assert confidence == 0


def test_of_equal_blocks_the_earlier_are_kept_first() -> None:
    kept, _ = choose(np.array([0.9, 0.3, 0.3, 0.3], np.float32), np.array([100, 60, 60, 60], np.float32), 0.0)
    assert kept.tolist() == sorted(kept.tolist(), reverse=True)


def article(count: int = 12, seed: int = 7, comments: bool = True) -> str:
    """A blog post with all that precision mode looks at."""
    rng = random.Random(seed)
    body = "".join(f"<p>{sentence(rng, 14)} {sentence(rng, 12)}</p>" for _ in range(count))
    body += f"<h2>The records</h2><p>{sentence(rng, 14)} {sentence(rng, 12)}</p>" * 2
    said = "".join(
        f'<li class="comment"><div class="comment-author">Remarker {n}</div><p>Remark {n}: {sentence(rng, 15)}</p></li>'
        for n in range(5)
    )
    return (
        "<html lang=en><head><title>The harbour in winter - Site</title><meta property=og:type content=article></head>"
        '<body class="single-post"><nav><ul><li><a href=/>Home</a><li><a href=/about>About us</a></ul></nav>'
        '<article class="post"><h1 class="entry-title">The harbour in winter</h1>'
        '<p class="byline author">By Ada Writer</p><time datetime=2024-01-02>2 January 2024</time>'
        f'<div class="entry-content">{body}</div></article>'
        + (f'<section id="comments" class="comments"><h2>5 comments</h2><ol>{said}</ol></section>' if comments else "")
        + "<footer class=footer><p>Copyright <a href=/imprint>Imprint</a></p></footer></body></html>"
    )


def forum(count: int = 10) -> str:
    rng = random.Random(3)
    posts = "".join(
        f'<div class="post comment" id="p{n}"><div class="postprofile"><a href=/u{n}>member{n}</a> Posts: {n}</div>'
        f'<div class="postbody"><div class="content">Reply {n}: {sentence(rng, 45)}</div></div></div>'
        for n in range(count)
    )
    return (
        "<html lang=en><head><title>Which engine? - Forum</title><meta name=generator content=phpBB></head>"
        '<body class="viewtopic forum thread"><div class="navbar"><ul><li><a href=/>Board index</a></ul></div>'
        f'<h2 class="topic-title">Which engine?</h2>{posts}<div class=footer><a href=/x>Powered by phpBB</a></div>'
    )


def sure(kind: str, *, precision: bool) -> BlockExtractor:
    """An extractor that takes every block for main text and every page for one type: what it drops, a rule drops."""
    model = load_model(default_model_path(), feature_names())
    types = model.page_types
    value = np.zeros((len(types), 2), np.float32)
    value[types.index(kind)] = 1
    page = Forest(np.zeros((len(types), 1), np.uint16), np.zeros((len(types), 1), np.float32), value, len(types))
    block = Forest(np.zeros((1, 1), np.uint16), np.zeros((1, 1), np.float32), np.full((1, 2), 9, np.float32))
    return BlockExtractor(precision=precision, loaded=dataclasses.replace(model, block=block, page=page))


BESIDE = ("The harbour in winter", "By Ada Writer", "2 January 2024")
REMARKS = ("5 comments", *(f"Remark {n}" for n in range(5)))


@pytest.mark.parametrize("kind", ["article", "forum", "listing"])
def test_precision_leaves_out_what_is_beside_the_text(kind: str) -> None:
    page = PageInput(article().encode())
    whole = extract_page(page, sure(kind, precision=False)).text
    precise = extract_page(page, sure(kind, precision=True)).text
    assert all(text in whole for text in (*BESIDE, *REMARKS))
    assert not [text for text in BESIDE if text in precise]
    assert {text in precise for text in REMARKS} == {kind == "forum"}  # there, comments are the main text
    assert "The records" in precise
    assert "Home" in precise  # menus are for the forest to know
    assert set(precise.split("\n")) < set(whole.split("\n"))


def test_precision_keeps_the_paragraphs() -> None:
    whole, precise = run(article()), run(article(), precision=True)
    paragraphs = [line for line in run(article(comments=False)).text.split("\n") if len(line) > 80]
    assert len(paragraphs) >= 12
    assert all(line in precise.text for line in paragraphs)
    assert not any(text in precise.text for text in (*BESIDE, *REMARKS))
    assert set(precise.text.split("\n")) <= set(whole.text.split("\n"))


@pytest.mark.parametrize("precision", [False, True])
def test_posts_of_a_forum_are_no_comments(precision: bool) -> None:
    got = run(forum(), precision=precision)
    assert got.page_type in ("forum", None)  # None: less likely than all others together
    assert sum(f"Reply {n}:" in got.text for n in range(10)) >= 9


@pytest.mark.parametrize("number", range(6))
def test_generated_sites(number: int) -> None:
    html, text, _ = site_page(number)
    got = run(html)
    types = load_model(default_model_path(), feature_names()).page_types
    assert got.page_type in types
    assert got.confidence is not None
    assert 0 < got.confidence <= 1
    assert "Copyright" not in got.text
    lines = text.split("\n")[1:]  # whether the title is main text is what the truths do not agree on
    assert sum(line in got.text for line in lines) >= 0.9 * len(lines)
    assert got == run(html)


def test_markdown_has_the_same_words() -> None:
    plain, markdown = run(article(comments=False)), run(article(comments=False), markup="markdown")
    assert "\n## The records\n" in markdown.text
    assert markdown.text.replace("#", "").split() == plain.text.split()
    assert (markdown.page_type, markdown.confidence) == (plain.page_type, plain.confidence)


@pytest.mark.parametrize("html", ["", " ", "<html>", "<p>", "<!-- x -->", "<script>x</script>", "<img src=x>"])
def test_pages_without_text(html: str) -> None:
    got = run(html)
    assert (got.text, got.confidence, got.page_type) == ("", None, None)


@pytest.mark.parametrize("html", ["x", "<p>One word", "<title>t</title><h1>t</h1>", "<li>a", "\ufeff<td>1"])
@pytest.mark.parametrize("precision", [False, True])
def test_tiny_pages(html: str, precision: bool) -> None:
    got = run(html, precision=precision)
    words = set(html.replace("<", " <").replace(">", "> ").split())
    assert set(got.text.split()) <= words | {"x", "t", "a", "1"}
    assert got.confidence is not None
    assert 0 <= got.confidence <= 1
    assert bool(got.text) == (got.confidence > 0)


def test_only_navigation() -> None:
    links = "".join(f'<li><a href="/{n}">Section {n}</a></li>' for n in range(40))
    html = f"<title>Site</title><body><header><nav class=menu><ul>{links}</ul></nav></header><footer>Imprint</footer>"
    page = run(html)
    assert page.confidence is not None
    assert page.confidence < 0.5  # whatever is kept, it is said to be doubtful
    assert run(html, precision=True).text == ""


SAME = article().replace("winter", "h\xe4fen im \u201eWinter\u201c \u2014 1\u20ac").replace("river", "fl\xfcsse")


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (SAME.encode("utf-8"), None),
        (b"\xef\xbb\xbf" + SAME.encode("utf-8"), None),
        (SAME.encode("utf-16"), None),
        (b"\xfe\xff" + SAME.encode("utf-16-be"), "windows-1252"),  # a byte order mark goes before the header
        (SAME.encode("windows-1252"), "windows-1252"),
        (SAME.encode("windows-1252"), "iso-8859-1"),
        (SAME.replace("<head>", "<head><meta charset=windows-1252>").encode("windows-1252"), None),
    ],
)
def test_the_character_set_makes_no_difference(body: bytes, charset: str | None) -> None:
    want = run(SAME)
    got = run(body, charset)
    assert "h\xe4fen im \u201eWinter\u201c" in got.text
    assert (got.text, got.title) == (want.text, want.title)
    if b"<meta charset" not in body:  # one element more is in the features
        assert got.confidence == want.confidence


def test_the_version_tells_apart_what_gives_other_text(tmp_path: Path) -> None:
    model = tmp_path / "model.npz"
    with np.load(default_model_path()) as data:
        np.savez(model, **{name: data[name] for name in data})  # other bytes
    versions = [
        BlockExtractor(**options).version
        for options in (
            {}, {"markup": "markdown"}, {"precision": True}, {"markup": "markdown", "precision": True},
            {"model": model},
        )
    ]  # fmt: skip
    assert len(set(versions)) == len(versions)
    assert BlockExtractor().version == versions[0]


@pytest.mark.parametrize("name", ["TABLE_VERSION", "FEATURES_VERSION", "RENDER_VERSION", "NORMALISE_VERSION"])
def test_the_version_covers_every_step(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = BlockExtractor().version
    monkeypatch.setattr(module, name, 99)
    assert BlockExtractor().version != before


def test_a_model_without_page_types_gives_none() -> None:
    model = load_model(default_model_path(), feature_names())
    none = Forest(np.zeros((0, 1), np.uint16), np.zeros((0, 1), np.float32), np.zeros((0, 2), np.float32), 0)
    bare = dataclasses.replace(model, page=none, meta={**model.meta, "page_types": []})
    got = extract_page(PageInput(article().encode()), BlockExtractor(loaded=bare, precision=True))
    assert got.page_type is None
    assert len(got.text) > 500


# Menus, articles and footers in scripts without spaces.
SCRIPTS = {
    "zh": (
        ["首页", "新闻", "体育", "财经", "科技", "关于我们", "联系方式", "登录", "注册"],
        "长江大桥的修缮工程",
        [
            "今年春天，工程人员开始对长江大桥进行全面检查，他们沿着河岸测量了每一座桥墩的高度和倾斜程度。",
            "负责人表示，大桥建成已有六十多年，虽然每年都有维护，但钢梁的部分接缝需要更换，路面也要重新铺设。",
            "附近的居民说，施工期间渡轮会增加班次，方便大家每天上下班，孩子们也可以按时到学校上课。",
            "根据计划，整个工程将在明年秋天完成，届时桥上的行人通道会加宽，夜间的照明也会更加明亮。",
            "历史学者认为，这座桥不仅连接了两岸的城市，也记录了几代人的生活，因此修缮时必须保留原来的样子。",
            "市政府已经公布了详细的时间表，并欢迎市民通过信件提出意见和建议，所有意见都会得到答复。",
        ],
        ["版权所有", "隐私政策", "使用条款", "网站地图"],
    ),
    "ja": (
        ["ホーム", "ニュース", "スポーツ", "経済", "天気", "お問い合わせ", "会社概要", "ログイン", "新規登録"],
        "川の調査が始まる",
        [
            "今年の春、町の技術者たちは川の調査を始めました。岸に沿って歩きながら、水の深さと流れの速さを毎日記録しています。",
            "責任者によると、この川は十年前に大きな洪水を起こしており、そのときの記録が今の計画の基礎になっているということです。",
            "近くに住む人々は、調査の船が来るのを楽しみに待っていて、子どもたちは学校の帰りに作業の様子を見に行きます。",
            "調査は秋まで続き、その後で新しい堤防を作るかどうかが決まります。費用は県と町が半分ずつ負担する予定です。",
            "古い地図を見ると、川の流れは百年の間に何度も変わっており、昔の橋の跡が畑の中に残っている場所もあります。",
            "町役場では、集めた写真や記録を来年の夏に公開し、だれでも自由に見られるようにすると話しています。",
        ],
        ["著作権", "プライバシーポリシー", "利用規約", "サイトマップ"],
    ),
    "th": (
        ["หน้าแรก", "ข่าว", "กีฬา", "เศรษฐกิจ", "ติดต่อเรา", "เกี่ยวกับเรา", "เข้าสู่ระบบ", "สมัครสมาชิก"],
        "การสำรวจแม่น้ำในฤดูใบไม้ผลิ",
        [
            "ในปีนี้คณะสำรวจได้เดินทางไปตามแม่น้ำเพื่อวัดความลึกและความเร็วของกระแสน้ำในทุกหมู่บ้านที่อยู่ริมฝั่ง",
            "หัวหน้าคณะกล่าวว่าแม่น้ำสายนี้เคยท่วมใหญ่เมื่อสิบปีก่อนและข้อมูลในครั้งนั้นเป็นพื้นฐานของแผนงานในปัจจุบัน",
            "ชาวบ้านที่อาศัยอยู่ใกล้เคียงรอคอยเรือสำรวจด้วยความสนใจและเด็กนักเรียนมักแวะดูการทำงานหลังเลิกเรียน",
            "การสำรวจจะดำเนินต่อไปจนถึงปลายปีหลังจากนั้นจึงจะตัดสินใจว่าจะสร้างเขื่อนกั้นน้ำแห่งใหม่หรือไม่",
            "แผนที่เก่าแสดงให้เห็นว่าเส้นทางของแม่น้ำเปลี่ยนไปหลายครั้งในช่วงร้อยปีและยังมีซากสะพานเก่าอยู่กลางทุ่งนา",
            "สำนักงานเทศบาลจะเผยแพร่ภาพถ่ายและบันทึกทั้งหมดในปีหน้าเพื่อให้ทุกคนสามารถเข้าชมได้โดยไม่เสียค่าใช้จ่าย",
        ],
        ["สงวนลิขสิทธิ์", "นโยบายความเป็นส่วนตัว", "ข้อกำหนดการใช้งาน"],
    ),
}


@pytest.mark.parametrize("precision", [False, True])
@pytest.mark.parametrize("frame", ["semantic", "divisions"])
@pytest.mark.parametrize("language", sorted(SCRIPTS))
def test_scripts_without_spaces(language: str, frame: str, precision: bool) -> None:
    menu, title, paragraphs, footer = SCRIPTS[language]
    tags = ("nav", "article", "footer") if frame == "semantic" else ("div", "div", "div")
    items = "".join(f"<li><a href=/{n}>{name}</a></li>" for n, name in enumerate(menu))
    html = (
        f"<html lang={language}><head><meta charset=utf-8><title>{title} | Example</title></head><body>"
        f"<{tags[0]} class=menu><ul>{items}</ul></{tags[0]}>"
        f"<{tags[1]} class=content><h1>{title}</h1>{''.join(f'<p>{text}</p>' for text in paragraphs)}</{tags[1]}>"
        f"<{tags[2]} class=footer>{''.join(f'<a href=/f{n}>{name}</a> ' for n, name in enumerate(footer))}</{tags[2]}>"
        "</body></html>"
    )
    got = run(html, precision=precision)
    lines = got.text.split("\n")
    assert all(text in lines for text in paragraphs)
    assert not (precision and title in lines)
    assert not set(menu) & set(lines)
    assert not any(name in got.text for name in footer)


def test_a_long_text_is_kept_whole() -> None:
    """Much text on a page is no sign of comments: contracts and books have a thousand paragraphs."""
    rng = random.Random(1)
    paragraphs = [" ".join(sentence(rng, 12) for _ in range(3)) for _ in range(1_000)]
    html = (
        "<title>Terms</title><nav><a href=/>Home</a> <a href=/b>About</a></nav><div class=content><h1>Terms</h1>"
        + "".join(f"<p>{text}</p>" for text in paragraphs)
        + "</div><footer>Imprint</footer>"
    )
    kept = set(extract_page(PageInput(html.encode()), BlockExtractor()).text.split("\n"))
    assert sum(text in kept for text in paragraphs) > 980
