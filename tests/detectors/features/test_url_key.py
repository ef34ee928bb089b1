"""Keys of addresses: what is one address, what is not, and what hostile ones cost."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detectors.features.url_key import (
    canonical_host,
    host_of,
    normalise_url,
    registrable_domain,
    split_address,
    url_key,
)
from detectors.quality.url import normalise

HEX = "9682993c8daa2c5497996114facdc805"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://www.example.com/", "http://example.com"),
        ("http://EXAMPLE.com.:80/a", "https://example.com:443/a/"),
        ("http://me:secret@example.com/a", "//example.com/a"),
        ("example.com:8080/a", "http://example.com:08080/a"),
        ("http://example.com/a#part", "http://example.com/a#"),
        ("http://bücher.example.de/", "http://XN--BCHER-KVA.example.de"),
        ("http://faß.de/", "http://xn--fa-hia.de/"),  # IDNA 2008; IDNA 2003 makes it fass.de
        ("http://ex%61mple.com/a", "http://example.com/a"),
        ("http://bücher.example.de../a", "http://bücher.example.de/a"),
        ("http://例え。テスト。%2e/", "http://例え.テスト"),
        ("http://例え。テスト/", "http://xn--r8jz45g.xn--zckzah/"),
        ("http://example.com/%7euser/%c3%bc", "http://example.com/~user/ü"),
        ("http://example.com/wiki/A_%28b%29", "http://example.com/wiki/A_(b)"),
        ("http://example.com/100%", "http://example.com/100%25"),
        ("http://example.com/a/./b/../c//d/", "http://example.com/a/c/d"),
        ("http://example.com/../../a", "http://example.com/a"),
        (r"http:\\example.com\a\b", "http://example.com/a/b"),
        (" http://example.com/a\n", "http://exam\tple.com/a"),
        ("http://example.com/a/index.html", "http://example.com/a"),
        ("http://example.com/Default.aspx?x=1", "http://example.com/?x=1"),
        ("http://example.com/?b=2&a=1", "http://example.com/?a=1&b=2"),
        ("http://example.com/?q=a+b", "http://example.com/?q=a%20b"),
        ("http://example.com/?", "http://example.com/?&"),
        ("http://example.com/?utm_source=x&a=1&amp;UTM_medium=y", "http://example.com/?a=1"),
        ("http://example.com/p?ref=x&feed=rss&gclid=1&fbclid=2", "http://example.com/p"),
        ("http://example.com/a;jsessionid=1A2B!-12/b;jsessionid=3", "http://example.com/a/b"),
        (f"http://example.com/a;sid={HEX}", "http://example.com/a"),
        (f"http://example.com/?PHPSESSID=x&sid={HEX}&s={HEX}", "http://example.com"),
        ("http://example.com/?ASPSESSIONIDAQBSDSRT=EOHBLBDDPFCLHKPGGKLILNAM", "http://example.com"),
        ("http://example.com/(S(4hqa0555fwsecu455xqckv45))/a.aspx", "http://example.com/a.aspx"),
        (
            "http://example.com/(A(4hqa0555fwsecu455xqckv45)F(4hqa0555fwsecu455xqckv45))/a.aspx",
            "http://example.com/a.aspx",
        ),
    ],
)
def test_one_address(one: str, other: str) -> None:
    assert normalise_url(one) == normalise_url(other)
    assert url_key(one) == url_key(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://example.com/a", "http://example.com/A"),
        ("http://example.com/a", "http://example.com/a.html"),
        ("http://example.com/", "http://m.example.com/"),
        ("http://example.com/", "http://www2.example.com/"),
        ("http://example.com/", "http://example.com:8080/"),
        ("http://www.gov.uk/", "http://gov.uk/"),
        ("http://www.github.io/", "http://github.io/"),
        ("http://example.com/#!/a", "http://example.com/#!/b"),
        ("http://example.com/#!/a", "http://example.com/"),
        ("http://example.com/?a=1&a=2", "http://example.com/?a=2&a=1"),  # order within a name may mean something
        ("http://example.com/?a=1%262", "http://example.com/?a=1&2"),
        ("http://example.com/?a=1%2B2", "http://example.com/?a=1+2"),
        ("http://example.com/?a=1%0Ab=2", "http://example.com/?a=1&b=2"),
        ("http://example.com/a%2Fb", "http://example.com/a/b"),
        ("http://example.com/a%253F", "http://example.com/a%3F"),
        ("http://example.com/?sid=12", "http://example.com/?sid=13"),
        ("http://example.com/?sessionid=talk-7", "http://example.com/"),
        ("http://example.com/?session=internationalisation", "http://example.com/"),
        ("http://example.com/?reference=1", "http://example.com/"),
        ("http://example.com/a;sid=7", "http://example.com/a"),
        ("http://example.com/(S(short))/a", "http://example.com/a"),
        ("http://example.com/index.html/a", "http://example.com/a"),
        ("ftp://example.com/a", "http://example.com/a"),
        ("http://1.2.3.4/", "http://www.1.2.3.4/"),
    ],
)
def test_two_addresses(one: str, other: str) -> None:
    assert url_key(one) != url_key(other)


def test_what_is_no_address_is_itself() -> None:
    assert url_key(None) is url_key("") is None
    for text in ("http://", "http://:80/x", "ftp://x/#a", "///"):
        assert normalise_url(f" {text} ") == text
    assert host_of("http://[2001:DB8::1]:80/") == "[2001:db8::1]"
    assert split_address("http://[::1").host == "[::1"
    assert split_address("http://a:99999/").port == "99999"


PIECES = st.sampled_from(
    [*"%/\\?#&=;:@.[]()!+ aA1\t\n\x00ü。İ\ud800", "http:", "//", "www.", "com", "..", "index.html", "%2", "%25", "%3A",
     "xn--", "xn--bcher-kva", ";sid=", HEX, "utm_a=", "(S(", "))", "4hqa0555fwsecu455xqckv45", ":80", "jsessionid="]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join).map("http://".__add__)))
@example("http://%%341/%%341?%%341")
@example("http:http:99999/x")
@example("http://a /")
@example("http://www. www.a.com")
@example("http://xn--/")
def test_never_raises_and_is_idempotent(url: str) -> None:
    normal = normalise_url(url)
    assert normalise_url(normal) == normal
    normalise(url)
    check_host(url)


HOSTS = st.sampled_from(
    ["a", "A", "ü", "İ", "ß", "１", "𝟏", "com", "www", "www.", "ｗｗｗ", "xn--", "1.2.3.4", ".", "..", "。", "．", "｡",
     "‥", "\u2024", "⒈", "%2e", "%E3%80%82", "%ef%bd%a1", "%c3%bc", "%41", "\u200d", "\u00ad", "%c2%ad", "\u3000",
     "／", "：80", "＠", "℀"]
)  # fmt: skip


@given(st.lists(HOSTS, min_size=1, max_size=8).map("".join))
@example("ü..")
@example("İ。%2e")
@example("a．.")
@example("a" * 300 + "ü。.")
def test_hosts_of_other_scripts_are_idempotent(host: str) -> None:
    normal = normalise_url(f"http://{host}/x")
    assert normalise_url(normal) == normal
    check_host(f"http://{host}/x")


def check_host(url: str) -> None:
    host = host_of(url)
    assert host is None or canonical_host(host) == host
    registrable_domain(url)


HOSTILE = {
    "dots": "http://x.com/" + "../" * 100_000,
    "percents": "http://x.com/" + "%" * 300_000,
    "pairs": "http://x.com/?" + "a&" * 150_000,
    "labels": "http://" + "www." * 75_000 + "com",
    "users": "http://" + "@" * 300_000 + "x",
    "colons": "http://x" + ":" * 300_000,
    "sessions": "http://x.com/" + ";sid=" * 60_000,
    "asp.net": "http://x.com/" + "/(S(" * 75_000,
    "asp.net open": "http://x.com/(" + "A(aaaaaaaaaaaaaaaa)" * 15_000,
    "index pages": "http://x.com/" + "index.html/" * 30_000,
    "value": "http://x.com/?sid=" + "a" * 300_000 + "!",
    "unicode host": "http://" + "ü" * 300_000,
    "scheme": "a" * 300_000 + "://x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_addresses_take_linear_time(name: str) -> None:
    began = time.process_time()
    normal = normalise_url(HOSTILE[name])
    assert time.process_time() - began < 2
    assert normalise_url(normal) == normal


def test_registrable_domains() -> None:
    assert registrable_domain("news.example.co.uk") == "example.co.uk"
    assert registrable_domain("a.b.github.io") == "b.github.io"
    for host in ("co.uk", "github.io", "com", "", ".", "1.2.3.4", "[::1]", "a" * 300 + ".com"):
        assert registrable_domain(host) is None
    assert registrable_domain("1.2.3.com") == "3.com"


def test_block_lists_read_addresses_alike() -> None:
    assert normalise("http://bücher.example.de:81/a/?b#c") == ("xn--bcher-kva.example.de", "a/?b")
    assert normalise("www.gov.uk") == ("www.gov.uk", "")
    assert normalise("http://example.org:8080\\a\\b") == ("example.org", "a/b")
    assert normalise("example.org:8080/a") == ("example.org", "a")
