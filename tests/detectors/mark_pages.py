"""Pages for every rule about marks and residue: active, there but inactive, and quoted in an article about it.

They are whole pages with navigation, an article and a footer, and are read by the real extraction.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

ENGLISH = (
    "The old garden behind the mill was laid out by a miller who wanted apples for his family and shade for the"
    " people who waited with their carts. Some of the trees that he planted are still there today.",
    "Every spring the association meets to cut the hedges and to clear the paths. Children come with their parents, and"
    " there is soup for everyone who has worked through the morning.",
    "Last year the water wheel was repaired with oak from the forest near the village. It had stood still for more than"
    " sixty years, and nobody was sure whether it would ever turn again.",
    "Visitors are welcome on the first weekend of each month. The way from the station takes about twenty minutes, and"
    " there are signs at every crossing.",
)
GERMAN = (
    "Der alte Garten hinter der Mühle wurde von einem Müller angelegt, der Äpfel für seine Familie wollte und Schatten"
    " für die Leute, die mit ihren Wagen warteten. Einige der Bäume stehen heute noch.",
    "Jedes Frühjahr trifft sich der Verein, um die Hecken zu schneiden und die Wege frei zu machen. Kinder kommen mit"
    " ihren Eltern, und es gibt Suppe für alle, die am Vormittag gearbeitet haben.",
    "Im letzten Jahr wurde das Wasserrad mit Eichenholz aus dem Wald beim Dorf ausgebessert. Es hatte mehr als sechzig"
    " Jahre stillgestanden, und niemand wusste, ob es sich jemals wieder drehen würde.",
    "Besucher sind am ersten Wochenende jedes Monats willkommen. Der Weg vom Bahnhof dauert etwa zwanzig Minuten, und"
    " an jeder Kreuzung stehen Schilder.",
)
ABOUT = (
    "This article explains how one can tell from the source of a page which software has worked on it. We looked at"
    " many pages for it and show here what we found, as it stands in their source.",
    "The example below is what such a page has. Copy it into a file and open it with a browser to see for yourself what"
    " happens, or look for it with the search of your editor.",
    "Nothing of this is wrong in itself. The people who keep a site have good reasons for what they do, and a visitor"
    " can always ask them.",
)


@dataclass(frozen=True)
class Page:
    """A page as an archive has it."""

    html: str
    url: str = "https://muehle.example/garden/"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Case:
    """Pages of one rule. `weight` is what the active page gets of it."""

    detector: str
    signal: str
    weight: float | None
    active: Page
    inactive: Page
    quoted: Page


def page(
    body: str = "",
    head: str = "",
    html: str = 'lang="en"',
    url: str = "https://muehle.example/garden/",
    headers: tuple[tuple[str, str], ...] = (),
    paragraphs: tuple[str, ...] = ENGLISH,
    title: str = "The garden behind the mill",
) -> Page:
    """A page with navigation, an article that begins with `body`, and a footer."""
    text = body + "".join(f"<p>{paragraph}</p>\n" for paragraph in paragraphs)
    return Page(
        f"<!DOCTYPE html>\n<html {html}>\n<head><meta charset=utf-8><title>{title}</title>\n{head}</head>\n<body>"
        '<nav><ul><li><a href="/">Start</a><li><a href="/news">News</a><li><a href="/contact">Contact</a></ul></nav>\n'
        f'<main><article class="post">\n{text}</article></main>\n'
        "<footer><p>© 2024 Mill association</p></footer></body></html>",
        url,
        headers,
    )


def quoting(source: str, name: str) -> Page:
    """An article that shows the source of a page in every way in which one can, on the English part of a German site.

    The name of what it is about is in its address, its tags and the ids of its headings.
    """
    name = name.replace("_", "-")
    shown, url = escape(source), f"https://muehle.example/en/what-is-{name}/"
    links = alternates("de", "en", "fr").replace("garden/", f"what-is-{name}/")
    return page(
        f'<h2 id="{name}">What is {name}?</h2><h3 id="{name}-review" class="tag-{name}">{name}</h3>'
        f"<p>{ABOUT[0]}</p><pre><code>{shown}</code></pre><p>In short: <code>{shown}</code></p>"
        f'<p title="{shown}">{ABOUT[1]}</p><textarea>{shown}</textarea><!-- {source.replace("--", "")} -->'
        f"<p>Without marks it reads: {shown}</p>",
        head=f'<link rel="canonical" href="{url}">{links}<meta name="keywords" content="{name}">',
        html=f'lang="en" data-topic="{name}"',
        url=url,
        paragraphs=ABOUT[1:],
        title="What software leaves in pages",
    )


def case(detector: str, signal: str, weight: float | None, active: Page, inactive: Page) -> Case:
    """The quoted page is made of the active one."""
    lines = [f"{name}: {value}" for name, value in active.headers]
    return Case(detector, signal, weight, active, inactive, quoting("\n".join([*lines, active.html]), signal))


def alternates(*languages: str, default: str = "") -> str:
    """Alternate links of a site whose own language has no token in its addresses."""
    links = f'<link rel="alternate" hreflang="x-default" href="https://muehle.example/{default}garden/">'
    for language in languages:
        folder = "" if language == "de" else f"{language}/"
        links += f'<link rel="alternate" hreflang="{language}" href="https://muehle.example/{folder}garden/">'
    return links


def _site(mark_head: str, mark_body: str) -> tuple[Page, Page]:
    """The English and the German page of a German site."""
    head = alternates("de", "en", "fr") + mark_head
    foreign = page(mark_body, head, 'lang="en"', "https://muehle.example/en/garden/")
    return foreign, page(mark_body, head, 'lang="de"', paragraphs=GERMAN, title="Der Garten")


_FONT = '<font style="vertical-align: inherit;"><font style="vertical-align: inherit;">{}</font></font>'
_STATS = '{{"total_phrases":55,"translated_phrases":{0},"human_translated_phrases":{1},"hidden_phrases":4}}'
_STATS_META = "<meta name=\"translation-stats\" content='{}'>"


def _host(url: str) -> tuple[Page, Page]:
    return page(url=url), page(f'<p>Read <a href="{url}">this page in English</a>.</p>')


def _wrapped(template: str, times: int) -> Page:
    return page("".join(f"<p>{template.format(ENGLISH[i % 4])}</p>" for i in range(times)), paragraphs=())


# By name and place of the rule: the active and the inactive page.
TRANSLATION: dict[str, tuple[Page, Page]] = {
    "google_lang html_lang": (page(html='lang="en-x-mtfrom-de"'), page(html='lang="en-x-mt"')),
    "google_translated_by meta:x-translated-by": (
        page(head='<meta http-equiv="X-Translated-By" content="Google">'),
        page(head='<meta http-equiv="X-Translated-By" content=""><meta name="author" content="Google">'),
    ),
    "google_translated_by header:x-translated-by": (
        page(headers=(("X-Translated-By", "Google"),)),
        page(headers=(("X-Translated-By", ""), ("Vary", "X-Translated-By"))),
    ),
    "google_alternate link:rel": (
        page(head='<link rel="alternate machine-translated-from" hreflang="de" href="https://a.example/">'),
        page(head='<link rel="alternate" hreflang="de" href="https://a.example/machine-translated-from">'),
    ),
    "google_proxy_host host": _host("https://muehle-example.translate.goog/garden/?_x_tr_sl=de&amp;_x_tr_tl=en"),
    "translator_proxy_host host": _host("https://www.translatoruser-int.com/translate?to=en&amp;a=muehle.example"),
    "google_class html.class": (
        page(html='lang="en" class="js translated-ltr"'),
        page('<p class="translated-ltr">A line.</p>', html='lang="en" class="not-translated-ltr"'),
    ),
    "google_source_text mark:google_source_text": (
        _wrapped('<span class="notranslate"><span class="google-src-text">Der Garten.</span>{}</span>', 8),
        page('<p class="google-src-texts">A list of search texts.</p>'),
    ),
    "google_font mark:google_font": (
        _wrapped(_FONT, 8),
        page('<p><font style="vertical-align: inherit;">Old mark-up of a person.</font></p>' * 8),
    ),
    "google_class mark:google_translated": (
        page(html='lang="en" class="translated-rtl"'),
        page("<template><html class='translated-rtl'></template><p>A line.</p>"),
    ),
    "edge_msthash mark:msthash": (
        page("".join(f'<p _msttexthash="123{i}" _msthash="{i}">{text}</p>' for i, text in enumerate(ENGLISH))),
        page('<p data-msthash="1" class="_msthash">A line about hashes.</p>' * 4),
    ),
    "yandex_span mark:yandex_span": (
        _wrapped('<ya-tr-span data-index="1-0" data-translated="true" data-source-lang="de">{}</ya-tr-span>', 8),
        page('<p><span class="ya-tr-span">A line.</span></p>' * 4),
    ),
    "transposh_stats meta:translation-stats": (
        page(head=_STATS_META.format(_STATS.format(52, 0))),
        page(head=_STATS_META.format(_STATS.format("null", "null"))),
    ),
    "immersive_translate mark:immersive_translate": (
        _wrapped('{} <font class="notranslate immersive-translate-target-wrapper">Der Garten.</font>', 4),
        page('<p class="immersive-translated">An immersive tour.</p>'),
    ),
}

_WP = '<script src="/wp-content/themes/mill/main.js"></script>'
SITE: dict[str, tuple[Page, Page]] = {
    "gtranslate": _site(
        '<script src="https://cdn.gtranslate.net/widgets/latest/float.js"></script>',
        '<div class="gtranslate_wrapper"></div>',
    ),
    "weglot": _site('<script src="https://cdn.weglot.com/weglot.min.js"></script>', '<aside class="wg-drop"></aside>'),
    "conveythis": _site('<script src="//cdn.conveythis.com/javascript/conveythis-initializer.js"></script>', ""),
    "linguise": _site('<script src="https://static.linguise.com/script-js/switcher.bundle.js"></script>', ""),
    "bablic": _site('<script src="//cdn2.bablic.com/js/bablic.3.9.js"></script>', '<div id="bablic-switch"></div>'),
    "transposh": _site('<link rel="stylesheet" href="/wp-content/plugins/transposh-translation/t.css">', ""),
    "trp_gettext_empty": _site("", '<p><a data-trp-gettext="" href="/x">Read more</a></p>'),
    "trp_translated": _site("", '<p data-trp-translate-id="17">The garden.</p>'),
    "trp_gettext": _site("", '<p data-trp-gettext="Read more">Read more</p>'),
    "trp_switcher": _site(_WP, '<div class="trp-language-switcher"><a href="/en/">English</a></div>'),
    "wp_translate": _site(_WP, '<div id="wp-translate"></div>'),
    "gtranslate_click": _site("", '<a href="#" onclick="doGTranslate(\'de|en\');return false;">English</a>'),
    "qtranslate": _site('<link rel="stylesheet" href="/wp-content/plugins/qtranslate-x/q.css">', ""),
}
_MANY = (
    "de",
    "en",
    "fr",
    "es",
    "it",
    "pt",
    "nl",
    "pl",
    "sv",
    "da",
    "cs",
    "ru",
    "ja",
    "ko",
    "zh",
    "tr",
    "fi",
    "el",
    "hu",
    "ro",
)
FAN = {
    count: (
        page(head=alternates(*_MANY[:count]), url="https://muehle.example/en/garden/"),
        page(head=alternates(*_MANY[:count]), html='lang="de"', paragraphs=GERMAN, title="Der Garten"),
    )
    for count in (20, 8)
}

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SPELLED = {
    "trainedalgorithmicmedia": "trainedAlgorithmicMedia",
    "compositewithtrainedalgorithmicmedia": "compositeWithTrainedAlgorithmicMedia",
    "algorithmicmedia": "algorithmicMedia",
}


def json_ld(**values: Any) -> str:
    """A script of structured data."""
    return f'<script type="application/ld+json">{json.dumps(values)}</script>'


def sourced(kind: str) -> tuple[Page, Page]:
    """An article with a source type, and one whose picture has it."""
    picture = {"@type": "ImageObject", "url": "/mill.jpg", "digitalSourceType": IPTC + kind}
    return (
        page(head=json_ld(**{"@type": "Article", "headline": "The garden", "digitalSourceType": IPTC + kind})),
        page(head=json_ld(**{"@type": "Article", "headline": "The garden", "image": picture})),
    )


def hidden(data: bytes) -> str:
    """Bytes as variation selectors, as in C2PA manifests of text."""
    return "".join(chr(0xFE00 + byte if byte < 16 else 0xE0100 + byte - 16) for byte in data)


def manifest(statement: str) -> str:
    """A manifest in text."""
    body = b"jumb" + statement.encode()
    return "\ufeff" + hidden(b"C2PATXT\0\x01" + len(body).to_bytes(4, "big") + body)


_CUT = hidden(b"C2PATXT\0\x01\0\0\x09\x09jumb")
AI: dict[str, tuple[float | None, Page, Page]] = {
    "ai_meta": (
        6.0,
        page(head='<meta name="ai-generated" content="true">'),
        page(head='<meta name="ai-generated" content="false"><meta name="keywords" content="ai-generated, true">'),
    ),
    "ai_assisted_meta": (
        1.0,
        page(head='<meta name="ai-disclosure" content="ai-assisted">'),
        page(head='<meta name="ai-disclosure" content="none">'),
    ),
    "aigc_label": (
        6.0,
        page(head="<meta name=\"AIGC\" content='{&quot;Label&quot;:&quot;1&quot;}'>"),
        page(head="<meta name=\"AIGC\" content='{&quot;Label&quot;:&quot;0&quot;}'>"),
    ),
    "ai_generator": (
        4.0,
        page(head='<meta name="generator" content="ChatGPT 4o">'),
        page(head='<meta name="generator" content="WordPress 6.5 with a plugin for ChatGPT">'),
    ),
    "ai_author": (
        4.0,
        page(head='<meta name="author" content="ChatGPT">'),
        page(head='<meta name="author" content="Claudia Gemini-Jasper">'),
    ),
    "c2pa_manifest": (
        6.0,
        page(f"<p>{ENGLISH[0]}{manifest(IPTC + 'trainedAlgorithmicMedia')}</p>"),
        page(f"<p>{ENGLISH[0]}{manifest(IPTC + 'humanEdits')}</p>"),
    ),
    "c2pa_manifest_broken": (None, page(f"<p>{ENGLISH[0]}{_CUT}</p>"), page("<p>Fine \u2764\ufe0f indeed.</p>")),
    "chatgpt_markup": (
        1.5,
        page('<div data-message-author-role="assistant"><p data-is-last-node="">The garden.</p></div>'),
        page('<div data-author-role="assistant" class="last-node"><p>The garden.</p></div>'),
    ),
    "gemini_markup": (1.5, page('<p data-path-to-node="0,1">The garden.</p>'), page('<p data-path="0">A path.</p>')),
    "claude_markup": (
        1.5,
        page('<div class="font-claude-message"><p>The garden.</p></div>'),
        page('<div class="font-claudette"><p>The garden.</p></div>'),
    ),
}

# Residue: what the active page says, what an ordinary page says, and what an article about chatbots says.
ARTEFACTS: dict[str, tuple[str, str]] = {
    "self_reference": (
        "<p>As an AI language model, I have no garden of my own, but apples need sun.</p>",
        "<p>As an AI researcher, I have no time for a garden, and as a model of a language garden it is small.</p>",
    ),
    "knowledge_cutoff": (
        "<p>As of my last knowledge update in September 2021, the mill was closed.</p>",
        "<p>As of the last update of this page in September 2021, the mill was closed.</p>",
    ),
    "refusal": (
        "<p>I'm sorry, but I cannot fulfill this request for a text about the mill.</p>",
        "<p>I am sorry that the miller could not fulfill the request of the village.</p>",
    ),
    "chat_markup": (
        "<p>The mill was built in 1790 :contentReference[oaicite:0]{index=0}.</p>",
        "<p>At the second turn, search for the sign; the content reference is on the map.</p>",
    ),
    "interface_words": (
        "<p>The mill was built in 1790.</p><p>Regenerate response</p>",
        "<p>A click on Regenerate response gives another text about the mill.</p>",
    ),
    "chat_opening": (
        "<p>Certainly! Here is a short text about the garden behind the mill in our village.</p>",
        "<p>Is the garden open? Certainly! Here is the calendar of the association.</p>",
    ),
    "chat_opening_weak": (
        "<p>Sure, here is a short text about the garden behind the mill in our village.</p>",
        "<p>Is it far? Not very, and sure, here is the map of the way to the garden.</p>",
    ),
    "placeholder": (
        "<p>Dear [insert name here], the garden is open again. Yours, [Your Name]</p>",
        "<p>Press [Insert] to add a plant to the list of [your] garden.</p>",
    ),
    "chat_link": (
        '<p>See <a href="https://a.example/mill?utm_source=chatgpt.com">the history of the mill</a> for more.</p>',
        '<p>See <a href="https://a.example/mill?utm_source=newsletter">the chatgpt.com of mills</a> for more.</p>',
    ),
    "markdown": (
        "<p>**The mill** was built in 1790.</p><p>**The garden** is older.</p><p>## Ways to it</p><p>**Walk**.</p>",
        "<p>The rating of the garden is **** of *****, and 2 ** 3 is 8.</p>",
    ),
}
# Residue of translation: what the active page says, what an ordinary page says, and what shows it in an article.
RESIDUE: dict[str, tuple[str, str]] = {
    "broken_placeholder": (
        "<p>You have % s new messages from the mill, and { {name} } wrote the last one of them.</p>",
        "<p>La bière a 5 % d'alcool. Der Anteil in % d. Umsatzes ist 12 % s. Tabelle 3, and {so on}.</p>",
    ),
    "translated_placeholder": (
        "<p>Hallo {{größe}}, willkommen im Garten hinter der Mühle am Rand des Dorfes.</p>",
        "<p>Sets such as {{1}, {2}} and {größe} are shown on the board in the garden.</p>",
    ),
    "unfilled_placeholder": (
        "<p>Dear {{first_name}}, you are welcome in the garden behind the mill this weekend.</p>",
        "<p>Dear {first name} or [first name], you are welcome in the garden this weekend.</p>",
    ),
    "broken_entity": (
        "<p>Apples &amp; nbsp; pears &amp; amp; plums grow in the garden behind the mill in the village.</p>",
        "<p>Apples &amp; pears; R &amp; D; plums &amp; more; all that grows in the garden behind the mill.</p>",
    ),
    "visible_entity": (
        "<p>The miller&amp;#39;s garden, the mill&amp;#39;s wheel and the village&amp;#39;s apples are old.</p>",
        "<p>The miller&#39;s garden, the mill&#39;s wheel and the village&#39;s apples are old.</p>",
    ),
    "unknown_word_marks": (
        "<p>El *miller tenía un *garden con una *wheel y muchas *apples para su familia.</p>",
        "<p>Name *Required, and *required again; the *nix tools of *nix people. * one * two * three</p>",
    ),
    "wrong_digits": (
        "<p>The mill was built in ١٧٩٠ and the garden in ١٧٩٥ by the same miller.</p>",
        "<p>The mill (بنيت عام ١٧٩٠ والحديقة عام ١٧٩٥) was built by a miller.</p>",
    ),
    "untranslated_lines": (
        f"<p>{GERMAN[0]} {GERMAN[1]}</p>",
        "<p>“Grüß Gott”, said the miller, and the visitors from the town did not know what to say to it.</p>",
    ),
}
PROGRAMMERS = (
    "A format string has placeholders such as %s and %1$s, and software that translates it must leave them alone.",
    "Templates write {{name}} and HTML has entities; numerals of another script are easily overlooked in both.",
)
EVASION: dict[str, tuple[str, str]] = {
    "hidden_characters": (
        "<p>" + " ".join(ENGLISH).replace("e", "e\u200b") + "</p>",
        "<p>می\u200cخواهم کتاب\u200cها را به خانه\u200cام ببرم. Die Ge\u00adsell\u00adschaft und ihr Gar\u00adten.</p>",
    ),
    "homoglyphs": (
        "<p>" + ENGLISH[0].replace("a", "а").replace("o", "о") + "</p>",
        "<p>TNFα and IFNα; Компания Google и завод Ford из города Ростова построили мельницу.</p>",
    ),
}
LITERAL = (
    "<p>The crisis led to hamster purchases in all shops of the village behind the mill.</p>",
    "<p>They buy a hamster. Purchases at the mill are final, and the garden is not for sale.</p>",
)
CHATBOTS = (
    "We asked ChatGPT and other chatbots for texts about a garden, and looked for what language models leave behind.",
    "Prompts that ask for a list leave the most. Readers can look for such words with any search engine.",
)


def quoted_residue(body: str) -> Page:
    """An article for programmers that shows what translation does to their texts."""
    return page(
        f"<p>{PROGRAMMERS[0]}</p><pre><code>{escape(body)}</code></pre><p>{PROGRAMMERS[1]}</p>"
        f"<p>Seen on a page: <code>{body.replace('<p>', '').replace('</p>', '')}</code></p>",
        paragraphs=(PROGRAMMERS[1], *ABOUT[2:]),
        title="What translation does to placeholders",
    )


def quoted_evasion(words: str) -> Page:
    """An article about attacks, with a few words as an example."""
    return page(f"<p>An attack changes words so that readers do not see it: {words}.</p>")


def quoted_artefact(body: str) -> Page:
    """An article about chatbots that shows what they leave, as text in quotation marks and as code."""
    text = body.replace("<p>", "").replace("</p>", " ").strip()
    return page(
        f"<p>{CHATBOTS[0]}</p><p>One page said: “{text}” and nobody had noticed it.</p>"
        f"<pre><code>{escape(body)}</code></pre><p>{CHATBOTS[1]}</p>",
        paragraphs=(CHATBOTS[1], *ABOUT[2:]),
        title="What ChatGPT leaves in pages",
    )
