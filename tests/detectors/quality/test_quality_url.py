"""The URL filter."""

from __future__ import annotations

import io
import pickle
import tarfile
import time
from pathlib import Path

import pytest

from detectors.quality.url import UrlFilter, normalise, parents, read_words


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """UT1 lists of two categories."""
    for category, domains, urls in [
        (
            "adult",
            "bad.example\n# comment\nsub.mixed.example\n192.0.2.7\n",
            "host.example/dir\nhttp://www.q.example/p?x=1\n",
        ),
        ("phishing", "phish.example\n", ""),
    ]:
        (tmp_path / category).mkdir()
        (tmp_path / category / "domains").write_text(domains)
        (tmp_path / category / "urls").write_text(urls)
    return tmp_path


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://bad.example/", "url_domain"),
        ("https://WWW.Bad.Example:8080/x?y#z", "url_domain"),
        ("https://user:pass@a.b.bad.example./x", "url_domain"),
        ("https://notbad.example/", None),
        ("https://bad.example.org/", None),
        ("https://mixed.example/", None),
        ("https://x.sub.mixed.example/", "url_domain"),
        ("http://192.0.2.7/a", "url_domain"),
        ("http://1.192.0.2.7/a", None),
        ("http://phish.example", "url_domain"),
        ("http://host.example/dir", "url_listed"),
        ("http://host.example/dir/", "url_listed"),
        ("http://www.host.example/dir/deep?x", "url_listed"),
        ("http://host.example/directory", None),
        ("http://host.example/", None),
        ("http://q.example/p?x=1", "url_listed"),
        ("http://q.example/p", None),
        ("", None),
        (None, None),
        ("not a url", None),
        ("http://[2001:db8::1]:80/x", None),
        ("http:///", None),
        ("\ud800", None),
    ],
)
def test_lists(folder: Path, url: str | None, reason: str | None) -> None:
    assert UrlFilter([folder]).check(url) == reason


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://a.example/casino", "url_banned_word"),
        ("https://a.example/CASINO-royal", "url_banned_word"),
        ("https://a.example/casinos", None),
        ("https://a.example/free/bet", "url_soft_words"),
        ("https://a.example/free/free", None),  # different words count
        ("https://a.example/free", None),
        ("https://a.example/xbad-wordy", "url_banned_subword"),
        ("https://a.example/%63asino", "url_banned_word"),
    ],
)
def test_words(url: str, reason: str | None) -> None:
    found = UrlFilter(banned_words=["Casino", "#"], soft_words=["free", "bet"], banned_subwords=["bad word"])
    assert found.check(url) == reason


def test_order_of_rules(folder: Path) -> None:
    found = UrlFilter([folder], banned_words=["dir"], soft_words=["bad"], soft_threshold=1)
    assert found.check("http://bad.example/dir") == "url_domain"
    assert found.check("http://host.example/dir") == "url_listed"


def test_categories_archive_and_digest(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "adult.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / "adult", "adult")
        link = tarfile.TarInfo("adult/../urls")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        other = tarfile.TarInfo("adult/usage")
        other.size = 3
        tar.addfile(other, io.BytesIO(b"abc"))
    packed, loose = UrlFilter([archive]), UrlFilter([folder], categories=["adult"])
    assert packed.check("http://bad.example") == "url_domain"
    assert loose.check("http://phish.example") is None
    assert packed.parameters()["lists"] == loose.parameters()["lists"]
    assert UrlFilter([folder]).parameters()["lists"] != loose.parameters()["lists"]
    assert UrlFilter([folder / "phishing"]).check("http://phish.example") == "url_domain"


def test_errors_and_defaults(tmp_path: Path) -> None:
    assert UrlFilter().check("http://a.example/") is None
    with pytest.raises(FileNotFoundError):
        UrlFilter([tmp_path / "missing"]).setup()
    with pytest.raises(FileNotFoundError, match="domains"):
        UrlFilter([tmp_path]).setup()


def test_loaded_lists_are_not_pickled(folder: Path) -> None:
    found = UrlFilter([folder])
    found.setup()
    copy = pickle.loads(pickle.dumps(found))  # noqa: S301
    assert copy._domains is None
    assert copy.check("http://bad.example") == "url_domain"


def test_long_urls_take_bounded_time(folder: Path) -> None:
    found = UrlFilter([folder], banned_subwords=["zzz"])
    started = time.process_time()
    for url in ("http://" + "a." * 500_000 + "example", "http://a.example/" + "b/" * 500_000):
        assert found.check(url) is None
    assert time.process_time() - started < 1


def test_helpers(tmp_path: Path) -> None:
    assert normalise("HTTPS://www.Example.org:443/a/?b=1#c") == ("example.org", "a/?b=1")
    assert list(parents("a.b.c.example")) == ["a.b.c.example", "b.c.example", "c.example"]
    assert list(parents("localhost")) == ["localhost"]
    (tmp_path / "words").write_text("# head\none\n\ntwo \n")
    assert read_words(tmp_path / "words") == ["one", "two"]
