"""Writes the sample archive that comes with Headwater: pipeline/data/sample.warc.gz.

The sites, people and events are invented, and every text was written for this project. The archive holds ordinary
pages in thirteen languages and, among them, the cases that a crawl contains and a curator looks for. Those are listed
in `PLANTS`, and explained in pipeline/data/sample.README.md.

    python examples/make_sample.py [OUTPUT]

Nothing depends on the clock, on chance or on the machine. Only the compressor is a matter of the zlib build, so that
another build may write other bytes that unpack to the same records.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import struct
import sys
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

OUTPUT = Path(__file__).resolve().parent.parent / "pipeline" / "data" / "sample.warc.gz"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://headwater.example/sample")
WRITTEN_AT = datetime(2024, 12, 1, 6, 0, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Plant:
    """A case put into the archive on purpose; `of` is the address of the page that it repeats or leads to."""

    url: str
    kind: str
    note: str
    of: str | None = None


_TARN = "https://www.tarnwater.example"
_CRUMB = "https://www.crumbandcrust.example"

PLANTS: tuple[Plant, ...] = (
    Plant(
        "https://www.valley-digest.example/reprints/otters-at-the-mill",
        "exact_duplicate",
        "the same text on another site, in other boilerplate",
        f"{_TARN}/news/otters-return",
    ),
    Plant(
        f"{_CRUMB}/first-sourdough?utm_source=newsletter",
        "exact_duplicate",
        "the same page under an address with a tracking parameter",
        f"{_CRUMB}/first-sourdough",
    ),
    Plant(
        "https://mirror.slowtrains.example/2018/night-ferry",
        "exact_duplicate",
        "a mirror of the site",
        "https://slowtrains.example/2018/night-ferry",
    ),
    Plant(
        "https://www.stadtteilblatt.example/vereine/eisvogel",
        "exact_duplicate",
        "German; the same text on another site, in other boilerplate",
        "https://www.uferweg-verein.example/berichte/eisvogel",
    ),
    Plant(
        "https://www.gasworks-gazette.example/2018/07/eclipse",
        "near_duplicate",
        "a few words edited",
        "https://nightsky.example/log/lunar-eclipse-2018",
    ),
    Plant(
        "https://recipes.teatime-table.example/plum-tray-cake",
        "near_duplicate",
        "a few words edited",
        "https://www.smallkitchen.example/recipes/plum-cake-on-a-tray",
    ),
    Plant(
        "https://rezepte.landfrauen.example/brot/roggenmischbrot",
        "near_duplicate",
        "German; a few words edited",
        "https://www.backstube-lindner.example/rezepte/roggenmischbrot",
    ),
    Plant(
        "https://cuisine.marche-couvert.example/brioche-du-dimanche",
        "near_duplicate",
        "French; a few words edited",
        "https://www.boulangerie-des-halles.example/recettes/brioche",
    ),
    Plant(
        f"{_TARN}/guides/reading-a-gauge-board",
        "same_url_twice",
        "captured in 2018 and in 2024, unchanged",
    ),
    Plant(
        "https://news.calderpost.example/2024/06/bridge-reopens",
        "same_url_twice",
        "captured twice in 2024; the later capture has one more paragraph",
    ),
    Plant(
        "https://de.gartenmoebel-welt.example/ratgeber/holzpflege",
        "mt_google_xmtfrom",
        'German with the mark of Google Translate: lang="de-x-mtfrom-en"',
    ),
    Plant(
        "https://pt.healthy-paws-shop.example/artigos/escovar-o-gato",
        "mt_google_xmtfrom",
        'Portuguese with the mark of Google Translate: lang="pt-x-mtfrom-en"',
    ),
    Plant(
        "https://es.mountaingear-outlet.example/blog/como-elegir-botas",
        "mt_google_translated_ltr",
        'Spanish saved from a translating browser: class="translated-ltr", nested font elements',
    ),
    Plant(
        "https://it.smartkitchen-deals.example/guide/pulire-la-macchina",
        "mt_microsoft_msthash",
        "Italian saved from a translating browser: _msthash and _msttexthash attributes",
    ),
    Plant(
        "https://www.nordlys-cabins.example/fr/sejour",
        "mt_site_translator_active",
        "French with Weglot active, on a site whose own language is English",
    ),
    Plant(
        "https://www.alpenlodge-berghof.example/nl/omgeving",
        "mt_site_translator_active",
        "Dutch with GTranslate active, on a site whose own language is German",
    ),
    Plant(
        "https://www.harbourcheese.example/about-us",
        "mt_widget_present",
        "English original that offers Google's translation widget: not a translation",
    ),
    Plant(
        "https://shop.brightnest-home.example/p/bamboo-desk-organiser",
        "ai_residue",
        '"As an AI language model" left in the description of a product',
    ),
    Plant(
        "https://www.pageandstage.example/essays/the-sentence-that-gives-it-away",
        "ai_quoted",
        "an essay that quotes the phrase: not to be called",
    ),
    Plant(
        "https://visit.pinecove.example/guide/sunset-viewpoints",
        "digital_source_type",
        "JSON-LD digitalSourceType TrainedAlgorithmicMediaDigitalSource",
    ),
    Plant(
        "https://worksheets.chalkline.example/grade-5/bakery-boxes",
        "benchmark_item",
        "a word problem with its answer, like an item of a test set; written for this archive, in no benchmark",
    ),
    Plant(
        "https://inkandlight.example/gallery/harbour-series",
        "optout_meta_robots",
        '<meta name="robots" content="noai, noimageai">',
    ),
    Plant(
        "https://www.wexfordstreetpress.example/stories/the-lamp-mender",
        "optout_x_robots_tag",
        "X-Robots-Tag: noai",
    ),
    Plant(
        "https://essays.stillwater.example/on-letters",
        "optout_tdm_reservation",
        "tdm-reservation: 1 and tdm-policy as HTTP headers",
    ),
    Plant(
        "https://carnets-de-gare.example/2019/correspondance-a-limoges",
        "optout_tdm_reservation",
        'French; <meta name="tdm-reservation" content="1">',
    ),
    Plant(
        "https://open.fernwood-trust.example/leaflets/planting-a-hedge",
        "licence_cc_by",
        'rel="license" link to CC BY 4.0',
    ),
    Plant(
        "https://news.calderpost.example/2021/03/library-bus",
        "jsonld_dates",
        "JSON-LD datePublished 2021-03-09 and dateModified 2021-03-11",
    ),
    Plant(f"{_CRUMB}/shop/proving-baskets", "status_404", "a page that is not there"),
    Plant(
        "https://slowtrains.example/ferry",
        "redirect_301",
        "a permanent redirect",
        "https://slowtrains.example/2018/night-ferry",
    ),
    Plant("https://www.hollinsparish.example/files/agenda-2016-07.pdf", "pdf", "application/pdf"),
    Plant("https://api.valebuses.example/v1/departures?stop=harbour", "json", "application/json"),
    Plant(
        "https://www.hollinsparish.example/village/history-of-the-pump",
        "revisit",
        "captured, and later noted as unchanged in a revisit record",
    ),
    Plant(
        "https://www.kaesereihof.example/hofladen",
        "charset_windows_1252",
        "German in windows-1252; neither the header nor the page says so",
    ),
    Plant(
        "https://www.yubinkyoku-dori.example/oshirase/natsumatsuri",
        "charset_shift_jis",
        "Japanese in Shift_JIS; only the page says so",
    ),
    Plant(
        "https://docs.larkdb.example/guides/choosing-a-key",
        "content_encoding_gzip",
        "payload kept as it was sent, with Content-Encoding: gzip",
    ),
    Plant(
        "https://slowtrains.example/2017/market-town-on-a-monday",
        "transfer_encoding_chunked",
        "payload kept as it was sent, with Transfer-Encoding: chunked",
    ),
    Plant(
        "https://fieldnotes.tarnwater.example/2024/01/flood-night",
        "truncated",
        "cut off in the middle of a sentence, with WARC-Truncated: length",
    ),
    Plant("https://www.northquaymuseum.example/closed-today", "thin", "hardly any text"),
    Plant(
        "https://best-price-shoes-now.example/cheap-shoes-online",
        "spam_repetition",
        "the same sales lines over and over: fails the Gopher repetition rules",
    ),
    Plant("https://www.birdledger.example/lists/garden-birds", "list_only", "a list without a sentence"),
    Plant(
        "https://www.mercado-bilingue.example/puentes/carta-a-dos-voces",
        "mixed_languages",
        "Spanish and English in turns",
    ),
    Plant(
        "https://forum.homelab-corner.example/t/dns-again",
        "personal_data",
        "an e-mail address under .example and a public IP address (9.9.9.9, a well-known resolver)",
    ),
    Plant(
        "https://www.birdledger.example/2019/owl-boxes",
        "broken_record",
        "a changed byte in the deflate stream of the response; the records after it are sound",
    ),
)

PLANTED: dict[str, str] = {plant.url: plant.kind for plant in PLANTS}
"""Address -> kind. Each address has one kind; the pages that are repeated are not in here themselves."""

EDITS: dict[str, tuple[tuple[str, str], ...]] = {
    "https://www.gasworks-gazette.example/2018/07/eclipse": (
        ("eighteen people", "twenty people"),
        ("about the shade of a new brick", "about the colour of a new brick"),
        ("I counted twenty-three bites", "I counted thirty bites"),
    ),
    "https://recipes.teatime-table.example/plum-tray-cake": (
        ("Let it rise under a towel", "Let it rise under a cloth"),
        ("over a buttered tray", "over an oiled tray"),
        ("still faintly warm", "still slightly warm"),
    ),
    "https://rezepte.landfrauen.example/brot/roggenmischbrot": (
        ("die nie etwas abgewogen hat", "die nie etwas gewogen hat"),
        ("einer knappen Stunde", "einer guten Stunde"),
        ("ein wenig Schnittlauch", "etwas Schnittlauch"),
    ),
    "https://cuisine.marche-couvert.example/brioche-du-dimanche": (
        ("quand la cuisine est calme", "quand la maison est calme"),
        ("sous un torchon humide", "sous un linge humide"),
    ),
}
"""What was changed in each near duplicate."""

SITES: dict[str, tuple[str, str]] = {
    "www.tarnwater.example": ("Tarnwater River Survey", "en"),
    "fieldnotes.tarnwater.example": ("Tarnwater Field Notes", "en"),
    "www.valley-digest.example": ("The Valley Digest", "en"),
    "www.crumbandcrust.example": ("Crumb & Crust", "en"),
    "spokewise.example": ("Spokewise", "en"),
    "www.stedmundsingers.example": ("The St Edmund Singers", "en"),
    "nightsky.example": ("Night Sky for Beginners", "en"),
    "www.gasworks-gazette.example": ("Gasworks Gazette", "en"),
    "plots.hollowaylane.example": ("Holloway Lane Allotments", "en"),
    "www.harrowgaterovers.example": ("Harrowgate Rovers FC", "en"),
    "timetables.valebuses.example": ("Vale Buses", "en"),
    "api.valebuses.example": ("Vale Buses", "en"),
    "docs.larkdb.example": ("Lark Documentation", "en"),
    "www.smallkitchen.example": ("Small Kitchen", "en"),
    "recipes.teatime-table.example": ("Teatime Table", "en"),
    "slowtrains.example": ("Slow Trains", "en"),
    "mirror.slowtrains.example": ("Slow Trains (mirror)", "en"),
    "www.pageandstage.example": ("Page & Stage", "en"),
    "www.hollinsparish.example": ("Hollins Parish Council", "en"),
    "www.birdledger.example": ("The Bird Ledger", "en"),
    "mendingcircle.example": ("Mending Circle", "en"),
    "www.northquaymuseum.example": ("North Quay Museum", "en"),
    "www.harbourcheese.example": ("Harbour Cheese", "en"),
    "shop.brightnest-home.example": ("BrightNest Home", "en"),
    "visit.pinecove.example": ("Visit Pine Cove", "en"),
    "worksheets.chalkline.example": ("Chalkline Worksheets", "en"),
    "inkandlight.example": ("Ink and Light", "en"),
    "www.wexfordstreetpress.example": ("Wexford Street Press", "en"),
    "news.calderpost.example": ("The Calder Post", "en"),
    "essays.stillwater.example": ("Stillwater Essays", "en"),
    "open.fernwood-trust.example": ("Fernwood Trust", "en"),
    "forum.homelab-corner.example": ("Homelab Corner", "en"),
    "best-price-shoes-now.example": ("BEST PRICE SHOES", "en"),
    "www.uferweg-verein.example": ("Uferweg e. V.", "de"),
    "www.stadtteilblatt.example": ("Stadtteilblatt", "de"),
    "www.backstube-lindner.example": ("Backstube Lindner", "de"),
    "rezepte.landfrauen.example": ("Rezepte der Landfrauen", "de"),
    "nachtzug.example": ("Nachtzug", "de"),
    "www.sternwarte-am-hang.example": ("Sternwarte am Hang", "de"),
    "de.gartenmoebel-welt.example": ("Gartenmöbel-Welt", "de"),
    "www.kaesereihof.example": ("Käsereihof Müller-Höß", "de"),
    "www.jardins-du-canal.example": ("Les jardins du canal", "fr"),
    "www.boulangerie-des-halles.example": ("Boulangerie des Halles", "fr"),
    "cuisine.marche-couvert.example": ("La cuisine du marché couvert", "fr"),
    "carnets-de-gare.example": ("Carnets de gare", "fr"),
    "www.chorale-saint-roch.example": ("Chorale Saint-Roch", "fr"),
    "www.nordlys-cabins.example": ("Nordlys Cabins", "fr"),
    "www.huertodelrio.example": ("El huerto del río", "es"),
    "www.recetasdelabuela.example": ("Recetas de la abuela", "es"),
    "cuadernodecaminos.example": ("Cuaderno de caminos", "es"),
    "es.mountaingear-outlet.example": ("MountainGear Outlet", "es"),
    "www.mercado-bilingue.example": ("Mercado bilingüe", "es"),
    "www.ilforno-digiulia.example": ("Il forno di Giulia", "it"),
    "www.bandadelborgo.example": ("La banda del borgo", "it"),
    "it.smartkitchen-deals.example": ("SmartKitchen Deals", "it"),
    "www.quintaldaavo.example": ("Quintal da avó", "pt"),
    "www.barcosdofaial.example": ("Barcos do Faial", "pt"),
    "pt.healthy-paws-shop.example": ("Healthy Paws", "pt"),
    "www.fietswerkplaats.example": ("De Fietswerkplaats", "nl"),
    "www.volkstuinzonzicht.example": ("Volkstuin Zonzicht", "nl"),
    "www.alpenlodge-berghof.example": ("Alpenlodge Berghof", "nl"),
    "www.korforeningen.example": ("Körföreningen", "sv"),
    "www.cykelkoket.example": ("Cykelköket", "sv"),
    "www.dzialkapodlipa.example": ("Działka pod lipą", "pl"),
    "www.kuchniazosi.example": ("Kuchnia Zosi", "pl"),
    "www.reka-i-bereg.example": ("Река и берег", "ru"),
    "www.domashnyaya-pekarnya.example": ("Домашняя пекарня", "ru"),
    "www.zvezdnyj-dvor.example": ("Звёздный двор", "ru"),
    "www.bahcedenmutfaga.example": ("Bahçeden Mutfağa", "tr"),
    "www.vapurgunlugu.example": ("Vapur Günlüğü", "tr"),
    "www.kawabe-nikki.example": ("川辺日記", "ja"),
    "www.panya-komugi.example": ("パン屋こむぎ", "ja"),
    "www.yama-no-eki.example": ("山の駅", "ja"),
    "www.yubinkyoku-dori.example": ("郵便局通り商店街", "ja"),
    "www.hepan-riji.example": ("河畔日记", "zh"),
    "www.jiachang-chufang.example": ("家常厨房", "zh"),
    "www.xingkong-yangtai.example": ("星空阳台", "zh"),
    "www.bustan-alhay.example": ("بستان الحي", "ar"),
    "www.matbakh-salma.example": ("مطبخ سلمى", "ar"),
    "www.nujum-albadiya.example": ("نجوم البادية", "ar"),
}
"""Host -> name of the site and its language (for the translated pages, the language of the page)."""

# fmt: off
# home, about, archive, contact, search, comments, related, rights, cookies
WORDS: dict[str, tuple[str, ...]] = {
    "en": (
        "Home", "About", "Archive", "Contact", "Search", "Comments", "More from this site",
        "All rights reserved.", "This site keeps one cookie to remember your settings.",
    ),
    "de": (
        "Startseite", "Über uns", "Archiv", "Kontakt", "Suche", "Kommentare", "Weitere Beiträge",
        "Alle Rechte vorbehalten.", "Diese Seite speichert ein Cookie für Ihre Einstellungen.",
    ),
    "fr": (
        "Accueil", "À propos", "Archives", "Contact", "Rechercher", "Commentaires", "À lire aussi",
        "Tous droits réservés.", "Ce site garde un cookie pour retenir vos réglages.",
    ),
    "es": (
        "Inicio", "Quiénes somos", "Archivo", "Contacto", "Buscar", "Comentarios", "Más entradas",
        "Todos los derechos reservados.", "Este sitio guarda una cookie con sus preferencias.",
    ),
    "it": (
        "Home", "Chi siamo", "Archivio", "Contatti", "Cerca", "Commenti", "Altri articoli",
        "Tutti i diritti riservati.", "Questo sito conserva un cookie con le vostre preferenze.",
    ),
    "pt": (
        "Início", "Sobre nós", "Arquivo", "Contacto", "Procurar", "Comentários", "Outros textos",
        "Todos os direitos reservados.", "Este sítio guarda um cookie com as suas preferências.",
    ),
    "nl": (
        "Home", "Over ons", "Archief", "Contact", "Zoeken", "Reacties", "Meer lezen",
        "Alle rechten voorbehouden.", "Deze site bewaart één cookie voor uw instellingen.",
    ),
    "sv": (
        "Hem", "Om oss", "Arkiv", "Kontakt", "Sök", "Kommentarer", "Läs mer",
        "Alla rättigheter förbehållna.", "Webbplatsen sparar en kaka med dina inställningar.",
    ),
    "pl": (
        "Strona główna", "O nas", "Archiwum", "Kontakt", "Szukaj", "Komentarze", "Czytaj także",
        "Wszelkie prawa zastrzeżone.", "Strona zapisuje jedno ciasteczko z ustawieniami.",
    ),
    "ru": (
        "Главная", "О нас", "Архив", "Контакты", "Поиск", "Комментарии", "Читайте также",
        "Все права защищены.", "Сайт хранит один файл cookie с вашими настройками.",
    ),
    "tr": (
        "Ana sayfa", "Hakkımızda", "Arşiv", "İletişim", "Ara", "Yorumlar", "Diğer yazılar",
        "Tüm hakları saklıdır.", "Bu site ayarlarınız için tek bir çerez saklar.",
    ),
    "ja": (
        "ホーム", "このサイトについて", "過去の記事", "お問い合わせ", "検索", "コメント", "ほかの記事",
        "無断転載を禁じます。", "設定を保存するためにクッキーを使います。",
    ),
    "zh": (
        "首页", "关于我们", "归档", "联系", "搜索", "评论", "更多文章",
        "版权所有。", "本站只用一个 Cookie 保存您的设置。",
    ),
    "ar": (
        "الرئيسية", "من نحن", "الأرشيف", "اتصل بنا", "بحث", "تعليقات", "مقالات أخرى",
        "جميع الحقوق محفوظة.", "يحفظ هذا الموقع ملف ارتباط واحدا لإعداداتك.",
    ),
}

# fmt: on

# A page: "== address", the title, then blocks with an empty line between them. A block is a paragraph, or begins with
# "## " (heading), "- " (list), "| " (table, first row is its head) or "> " (comments, "name: text").

EN = """\
== https://www.tarnwater.example/surveys/spring-kick-samples

What we found in the spring kick samples

On the second Saturday of April eleven of us walked the Tarn from the old weir to the railway bridge, stopping every
four hundred metres to take a kick sample. The water was cold enough to make the seams of everyone's waders ache,
and after the wet March it ran a shade higher than we like. Even so the nets came up full: mayfly nymphs clinging to
the mesh, cased caddis like tiny gravel chimneys, and the odd bullhead looking thoroughly offended.

The score for each site comes from the families present rather than from the number of animals. A stonefly is worth
ten points because it cannot live in water that is short of oxygen, while a worm is worth one because it can live
almost anywhere. Divide the total by the number of families and you get an average that hardly changes with the
skill of the person holding the net, which is a comfort to those of us who are new.

## Scores by site

| Site | Families | Average score
| Old weir | 17 | 6.4
| Mill meadow | 14 | 6.1
| Below the farm ford | 9 | 4.7
| Railway bridge | 15 | 6.0

The dip below the farm ford is the same one we reported last autumn. Cattle come down to drink there and the bank
has been trodden into a brown slope that slides into the river whenever it rains. The tenant has been kind about it
and has agreed to a fence with a drinking bay if the trust can find half of the money. We will sample again in
September and publish the numbers whichever way they go.

== https://www.tarnwater.example/guides/reading-a-gauge-board

How to read a gauge board

A gauge board is the striped ruler bolted to the bridge pier, and reading it is the simplest useful thing anyone can
do for a river. Stand where you can see it squarely, wait for a few ripples to pass, and take the middle of the
wobble rather than the top of it. Write down the level to the nearest centimetre, the time, and what the weather has
been doing. That is the whole of the job, and it takes less than a minute.

One reading tells you little. A reading every morning for a year tells you how quickly the valley empties after a
storm, how long the chalk keeps giving in a dry August, and whether the new houses on the hill have changed either
of those things. Our longest record was kept by a postman called Arthur, who noted the level on his round for
thirty-one years and missed only the mornings when the bridge itself was under water.

If the board is dirty, please do not climb down to clean it. Tell us instead, and somebody with a rope and a long
brush will go. Green slime on the lower half makes the numbers hard to read in summer, and every flood leaves a
collar of straw and plastic on the bracket. We try to visit each board twice a year, but there are nineteen of them
and some stand in places where only ducks feel at ease.

== https://www.tarnwater.example/news/otters-return

Otters at the lower mill, after forty years

The camera that we set under the lower mill to watch for mink has caught something better. At ten past three on
Tuesday morning an otter walked into the picture, shook itself, looked straight at the lens and left a spraint on
the very stone that we had swept the day before. There have been rumours since winter, and a footprint that two of
us argued about for a week, but this is the first proof since the early eighties.

Otters need three things from a river: fish to eat, cover to sleep in, and to be left alone. The fish came back when
the tannery closed. The cover is mostly bramble and the roots of alders that nobody has tidied, which is a small
victory for idleness. As for being left alone, we are not going to say exactly where the holt might be, and we ask
everybody who has worked it out to keep it to themselves.

Dogs should be on leads between the mill and the stepping stones until the end of June. We know that this is an
imposition on people who have walked there freely for years, and we will take the signs down on the first of July
without being asked. If you see an otter in daylight, stand still and enjoy it. Photographs are welcome, provided
that the background does not give the place away.

== https://fieldnotes.tarnwater.example/2017/08/low-water

Low water diary

Eight weeks without proper rain, and the river has shrunk into its own middle. Stones that I have known only as a
change in the sound of the current are standing dry with weed hung over them like washing. In the pool under the ash
tree the minnows have gathered in hundreds, facing upstream, waiting. A heron has noticed. It stands at the tail of
the pool for most of the afternoon with the patience of someone who knows that time is on its side.

I took temperatures at six places this morning. Where the spring comes in beside the chapel the water was eleven
degrees, as it has been on every day that anyone has measured it. Two hundred metres down, in full sun, it was
nineteen. You can feel the join with your hand: a cold tongue sliding along the left bank while the rest is as warm
as a bath. The trout know all about it, and were lying along that edge nose to tail.

> Hester: The spring by the chapel never failed in 1976 either. My mother used to send us there with buckets when
the tap ran brown.
> Old Tom: Pedants' corner: that is not an ash but a wych elm, one of the last. Otherwise spot on.

== https://www.crumbandcrust.example/first-sourdough

Your first sourdough starter, without the mystery

A starter is flour and water that somebody has remembered to feed. There is no secret in it, and nothing that needs
to be handed down from an aunt in another country. Put fifty grams of wholemeal flour and fifty grams of water into
a jar, stir it with a fork, and leave the lid resting on top. Tomorrow, throw half away and add the same again.
Within a week the yeast that was on the grain all along will have taken over.

Around the third day the jar often bubbles wildly and smells of old socks. This is not success. It is a crowd of
bacteria that enjoy plain dough and will die out as soon as it turns sour. Keep feeding. On the fifth or sixth day
things go quiet, people lose heart, and a great many starters are poured down the sink just hours before they would
have come good. Be stubborn for two days longer than seems reasonable.

You will know that it is ready when it doubles between one feed and the next and a spoonful dropped in water floats.
From then on it can live in the fridge and be fed on Fridays. I have left mine for seven weeks, come home to a grey
puddle with a layer of something like beer on top, and had a loaf out of it three days later. It is harder to kill
than most houseplants.

== https://www.crumbandcrust.example/oven-spring

Why loaves burst, and how to choose where

Bread bursts because the outside sets before the inside has finished growing. For the first ten minutes in the oven
gas expands, water turns to steam and the yeast has a last wild party before the heat puts an end to it. If the skin
has already hardened, the pressure finds the weakest place, which is usually the seam underneath, and you take out
something that looks like a slipper with a wound. A cut made with a sharp blade simply moves the weakness to where
you want it.

Steam keeps the skin soft for longer. Professional ovens inject it; the rest of us can bake in a lidded iron pot,
which traps what the dough gives off by itself. Take the lid off after twenty minutes and the crust will brown while
the crumb dries. I spent two years pouring boiling water into roasting tins and cracked the glass of an oven door
before somebody told me about the pot, so I pass it on with some feeling.

## If it still goes wrong

- A flat loaf with a pale crust has usually proved too long.
- A tight loaf that tears at the side has not proved long enough.
- A gummy line along the bottom means the oven floor was too cold.
- Large holes with walls of rubber mean that you cut it while it was warm.

== https://www.crumbandcrust.example/rye-for-beginners

Rye bread for people who are used to wheat

Forget kneading. Rye has hardly any of the protein that makes wheat dough stretchy, and working it only covers your
hands with something between clay and porridge. Stir it with a wet spoon until there are no dry patches, scrape it
into a tin, and smooth the top with the back of the same spoon. It will look hopeless. It is supposed to look like
that, and an hour later it will have risen just enough for small cracks to show on the surface.

What holds a rye loaf together is starch and acid, so a good sour starter matters more here than anywhere else.
Without it the enzymes in the flour go on eating the starch in the oven, and the middle stays wet however long you
bake. With it you get a loaf that slices thinly, keeps for ten days and tastes better on the third than on the
first. Wrap it in a cloth when it is cool and try to leave it alone until tomorrow.

My neighbour Ilse, who grew up on this bread, eats it with butter and a slice of raw onion and considers everything
else to be decoration. I like it with smoked fish or with plum jam. The crumbs, dried in a low oven and whizzed to
dust, are excellent stirred into ice cream, which sounds like the invention of a restaurant but was, she tells me,
what her grandmother did with the ends on birthdays.

== https://spokewise.example/workshop/true-a-wheel

Truing a wheel at the kitchen table

You do not need a stand to true a wheel. Turn the bicycle upside down, hold a pencil against the frame so that its
tip almost touches the rim, and spin. Where the rim brushes the pencil it is out of line. Spokes that come from the
left side of the hub pull the rim to the left, and those from the right pull it to the right, so the cure is to
tighten on the far side of the bump and slacken a little on the near one.

Work in quarter turns and stop often. The commonest mistake is to chase a bump around the wheel with a spoke key
until every spoke is tight enough to sing and the rim has taken the shape of a crisp. If the nipple will not move,
put a drop of oil where it enters the rim and go away for an hour. If it rounds off, cut the spoke, because a new
one costs less than the afternoon that you are about to lose.

When the wobble is less than the thickness of a coin, stop. Pluck the spokes one after another and listen: on each
side they should give roughly the same note, and one that only clicks is not doing any work. Then check that nothing
sticks through into the inner tube, put the rim tape back where it was, and ride around the block over the worst
surface you can find. New tension settles with a few small pings.

== https://spokewise.example/workshop/quiet-chain

A quiet chain in fifteen minutes

A noisy chain is nearly always a dirty chain, and a dirty chain is a file that you are drawing through the most
expensive parts of your bicycle. Wipe it first with a dry rag, running the pedals backwards until the rag stops
turning black. Only then put on oil, one drop on each roller, along the top of the lower run. Leave it for as long
as it takes to drink a cup of tea and wipe off everything that you can reach.

Oil belongs inside the rollers, where metal turns on metal. On the outside it does nothing but collect grit, and the
people who drown their chains in winter are making grinding paste. A wax lubricant stays cleaner in dry weather but
washes off in the first real rain; a thick oil lasts through a week of puddles but wants more wiping. I keep both on
the shelf and change over when the clocks do.

Every few months, measure. Twelve full links of a new chain are exactly twelve inches long from pin to pin. When a
steel ruler shows an eighth of an inch more, the chain has worn enough to start eating the sprockets, and replacing
it now will save you from replacing all three. Shops sell a gauge for this that costs about as much as the chain,
and the ruler is just as good if you hold it straight.

== https://spokewise.example/rides/three-reservoirs

Ride report: the three reservoirs, sixty-two kilometres

We met at the station at eight, five of us and a dog in a basket, and were out of the town before the first church
bells. The lane to the lower reservoir climbs so gently that you notice it only on the way back. There was mist over
the water and a line of cormorants on the boom, wings held out to dry as though they had been pegged there. Nobody
spoke for about a kilometre, which in this group is a record.

The middle section is the one that people complain about. Two cattle grids, a stretch of old concrete with weeds in
the joints, and then the hill that the map calls Long Acre and everyone else calls other things. I walked the last
bend. So did three of the others, and the dog, who had been lifted down to make the point that he at least could
still run up it. The view from the top takes in four counties on a clear day.

Lunch was at the sailing club, who let visitors use the terrace on Sundays and make a proper cheese sandwich. The
way home is downhill or flat for twenty kilometres with the wind behind you, and for once it was. One puncture,
cause unknown, mended in nine minutes by Priya, who would like that to be recorded. Next month we are going to look
for the abandoned canal.

== https://spokewise.example/forum/t/1182-brake-squeal

Rear brake squeals only in the morning

Here is a puzzle for the forum. My commuter has ordinary rim brakes, about a year old, and the rear one screams like
a kettle on the first two stops of the day. By the third stop it is silent and stays that way until the next
morning. I have cleaned the rim with alcohol, sanded the pads and checked that they meet the rim squarely. The
bicycle lives in an unheated shed with a tin roof. It does it in summer as well as in winter, though less.

> gearloose: Dew. A film of water on cold metal, gone as soon as the rim has warmed up a bit. Mine did exactly this
until I brought it into the hall. If you cannot, then give the lever a few light squeezes while you wheel it to the
gate, which does the same thing in ten metres.
> m_okafor: Agree about the dew, but also turn the pads in slightly at the front, so that the leading edge touches a
hair before the rest. A folded business card behind the back edge while you tighten the bolt gives about the right
angle. It cured a tandem that could be heard from the next village.
> slowpoke: It was both. Toe-in made it quieter, the hall made it silent, and the hall has made my husband less so.
Thank you all.

== https://www.stedmundsingers.example/history/founding

How the choir began: a leaking roof and a borrowed harmonium

The choir was founded in the winter of 1921 to mend a roof. Rain had been coming through above the font since before
the war, and the vicar, who had no ear for music but a good head for money, reckoned that people would pay
threepence to hear their own relations sing. Twenty-six came to the first rehearsal, of whom nine could read music
and one, Miss Adela Farrow, could make the others stop talking. She was appointed conductor on the spot.

There was no piano. The Methodists lent a harmonium on condition that it was never played on their own evenings, and
it was wheeled across the green on a handcart, under a tarpaulin, every Thursday for six years. A note in the minute
book for November 1924 records that it fell into the duck pond and was 'restored to health by Mr Pell, save for the
lower G, which now speaks only when it pleases'. The Methodists appear to have taken it well.

By 1930 the roof was paid for and the choir might reasonably have stopped. Instead it voted, nineteen to four, to
attempt the whole of Messiah. Seven of the original members were still singing in 1961, and the last of them, Walter
Pell, son of the man who rescued the harmonium, gave us most of these stories on a tape made in his kitchen, with a
clock striking throughout. We have left the clock in.

== https://www.stedmundsingers.example/history/war-years

Singing in the dark: the choir from 1939 to 1945

The minute book for September 1939 has a single line: 'Resolved, to carry on.' Rehearsals moved from the evening to
Sunday after lunch, because the hall had forty panes of glass and nobody could find enough black cloth. The basses
were the first to go. By the following summer there were three of them left, and Miss Farrow rewrote the lower parts
for the altos, who, according to one of them, had never had such a good time in their lives.

Evacuated children filled the gaps. A group of boys from the docks, who had been sent down with a teacher called Mr
Abrams, turned out to have been trained in a cathedral school, and could sing at sight anything that was put before
them. They stayed for four years. Two came back to marry in the village, and another wrote every Christmas from
Vancouver until 1998. Mr Abrams conducted on the nights when Miss Farrow was fire-watching on the tower.

The concert of May 1945 was arranged in nine days. There were no printed programmes because there was no paper, so
the words were chalked on the blackout boards, which had been carried in and stood along the walls. People joined in
wherever they felt like it. The collection came to eleven pounds and a foreign coin, and was spent, after a short
discussion, on replacing the glass.

== https://www.stedmundsingers.example/join

Come and sing with us

We rehearse on Thursdays from half past seven until half past nine in the church hall, with a break for tea that
lasts as long as the biscuits do. There is no audition. You will be asked whether you prefer to sing high or low,
put next to someone who knows the part, and left to find your feet. If after three weeks you hate it, nobody will
write to you. If you like it, the subscription is forty pounds a year, or nothing if that is difficult.

You do not have to read music, though you will find that you begin to without noticing. The tenors have made
themselves a recording of every part for the spring concert, with some editorial comment, and copies are on the
table by the door. Bring a pencil. More than anything else it is the pencil that divides the good choirs from the
others, since a breath that has been written down is a breath that everyone takes in the same place.

- Spring concert: Fauré's Requiem and a group of folk songs
- Summer: singing from the church tower at sunrise on May Day
- Autumn: a workshop day with visitors, lunch included
- Christmas: carols at the hospital and in the station booking hall

== https://nightsky.example/beginners/first-binoculars

Binoculars before telescopes

Everyone who becomes interested in the stars wants to buy a telescope, and most of them should wait a year. A cheap
telescope on a shaking tripod shows you a small trembling patch of sky, upside down, and finding anything in it is
like looking for a friend through a keyhole. A pair of binoculars shows a field as wide as your fist held at arm's
length, the right way up, and with it you can walk from one star to the next as you would walk down a street.

The numbers on the side are the magnification and the width of the front lenses in millimetres. Seven by fifty or
ten by fifty are right for the night; anything stronger shows more of the tremor in your hands than of the sky. Lean
against a wall or lie on a garden chair with your elbows on the arms. Give your eyes twenty minutes in the dark, and
turn off the kitchen light, which does more harm than the whole of the next town.

## Five things to find first

- The Pleiades, which turn from six stars into sixty
- The mountains along the edge of the half moon
- The moons of Jupiter, strung out in a line and different each night
- The hazy patch in Andromeda, the most distant thing that you will ever see with your own eyes
- The Milky Way in Cygnus, on a night in August, for as long as your neck allows

== https://nightsky.example/beginners/learning-constellations

Learning the constellations the slow way

Learn one shape a week. Begin with something that you already know, such as the Plough, and use it as a signpost.
The two stars at the end of the pan point to the Pole Star; the curve of the handle leads on to bright orange
Arcturus, and from there the same curve runs down to Spica. That is three constellations from one, and it will work
on any clear night in spring for the rest of your life, without a battery.

Phone apps are good for settling arguments and bad for learning, because they do the looking for you. A card
planisphere, the sort with a turning disc, makes you work out for yourself which way is south and what has already
set. Take it out with a red torch, find a shape on the card, then put the card down and find it overhead. It is
always larger than you expected. Nobody is prepared for how big Orion is.

Once you know thirty stars by name the sky changes from a scatter into a place. You will notice when something is
there that should not be, which is how planets and the occasional new star were found for most of history. You will
also start to feel the year going round: Orion leaning over the rooftops in October means coats, and Vega clearing
the chimney in May means that it is nearly time to sit outside again.

== https://nightsky.example/log/lunar-eclipse-2018

Watching the eclipse from the allotment

The Moon was already in shadow when it rose, so for a quarter of an hour eighteen people stood among the runner
beans and looked at nothing at all. Then somebody's daughter said 'there', and it was: a dull coppery ball hanging
just above the gasworks, so faint that you lost it if you looked straight at it. Nobody had expected it to look so
round. A full moon is a disc, but this was plainly a solid thing with a far side.

The colour comes from all the sunsets in the world at once. Light that grazes the edge of the Earth is bent inwards
by the air, loses its blue on the way, and falls on the Moon as a red glow. After a large volcanic eruption the same
light has to pass through dust and an eclipse can be nearly black. This one was on the bright side, about the shade
of a new brick, with a bluish rim near the end.

At thirteen minutes past ten a spark of white appeared on the left and everybody cheered, rather as one cheers a
train that has at last come in. We had the big binoculars on a stand and a telescope that Mr Dhillon made in 1974
out of a drainpipe. There was elderflower cordial. The mosquitoes had a wonderful evening too, and I counted
twenty-three bites by the time I reached home.

== https://plots.hollowaylane.example/diary/february

February on plot nineteen

There is not much to do in February, and the art of it is to leave well alone. The soil on our side of the lane is
heavy, and walking on it when it is wet undoes a year of patience. I stood on the path with a flask and made lists
instead. Garlic is up, broad beans are up, and the rhubarb has pushed its red knuckles through the straw. Everything
else looks like a wet blanket thrown over a fence.

I did mend the water butt. The tap had frozen and split, as it does every third winter, because every third winter I
forget to drain it. A new one costs four pounds and takes five minutes if you have somebody with thin arms to hold
the nut on the inside. I have promised to put a note in the calendar for November, and Joan on plot twenty has
promised to remind me, which is the more reliable of the two.

Seed potatoes are chitting on the windowsill at home in egg boxes, rose end up, to the despair of the cat who thinks
of that sill as hers. I have cut the varieties down to three this year: an early, a salad potato with a name like a
French aunt, and one great floury thing for baking. Last summer there were seven, and by the end nobody knew which
was which.

== https://plots.hollowaylane.example/advice/slugs

Slugs: what eleven of us tried last year

At the spring meeting we agreed to stop arguing about slugs and count them. Eleven plots took part, each with two
rows of the same lettuce, one treated and one left alone. Every Sunday morning we wrote down the number of plants
that were still worth eating. It was not a scientific trial in any sense that a scientist would accept, but it is a
good deal better than shouting over the hedge, which is what we did before.

| Method | Plants left of 20 | Untreated row
| Wool pellets | 14 | 6
| Beer traps | 11 | 7
| Copper tape | 8 | 8
| Coffee grounds | 5 | 6
| Going out with a torch | 18 | 5

The winner by a long way was the torch. Go out an hour after dark, preferably after rain, pick them up and put them
in a bucket. It is free, and it is as effective as it is unpleasant. Coffee grounds did nothing at all apart from
making the plot smell like a railway café. Copper tape may work on pots, but a bed has too many bridges. We will try
nematodes next season if the committee agrees to pay.

== https://plots.hollowaylane.example/advice/compost-that-heats

Getting a compost heap to heat up

A heap that stays cold is usually too small, too dry or too fussy. You want at least a cubic metre, because anything
less loses warmth through the sides faster than the bacteria can make it. Build it in one afternoon if you can, from
stuff that has been saved up: green things such as grass and nettles, brown things such as straw, torn cardboard and
last year's stalks, in layers as thick as your hand. Water each layer as though you were watering a plant.

By the third day it ought to be too warm to hold your arm inside. I use an old jam thermometer tied to a cane, and
the best that I have seen is sixty-eight degrees, on a cold morning in March, with steam coming off it like a horse.
When it begins to cool, turn it so that what was on the outside goes into the middle. Two turns are enough. Six
weeks later it will be brown and crumbly and will smell like a wood.

Things that people tell you never to put in, and that I put in anyway: citrus peel, cooked rice, the contents of the
vacuum cleaner, and one entire woollen jumper, of which only the zip was found. Things that I do leave out: meat,
because of the rats, and bindweed roots, because I am not a fool. The rest is a matter of time, and a heap has more
of that than you do.

== https://www.harrowgaterovers.example/reports/2019-10-12

Rovers 3, Millbrook Athletic 3: an afternoon that had everything but a pitch

There was some doubt whether the game would be played at all. The groundsman and two of the substitutes spent the
morning sweeping water towards the corner flag, where it stayed, and the referee bounced the ball four times before
it came back up. He looked at the sky, looked at the eighty-one people who had paid, and said that he was willing if
they were. Within six minutes Millbrook had scored, from a back pass that simply stopped.

Rovers were better when they learned to keep the ball in the air. Danny Osei headed in a corner on the half hour,
and a second just before the interval, when the goalkeeper slid past him on his stomach like a man on a sledge. Tea
was taken in something close to high spirits. Then came twenty minutes in which nobody could stand up, and two goals
for the visitors that will not appear in any coaching manual.

With the light going and the whistle already in the referee's mouth, young Callum Reyes, who is sixteen and had come
on because there was nobody else, hit the ball as hard as he could from the edge of the area. It struck a defender,
a post and the defender again, and rolled over the line. Three all. The team photograph was taken in the showers,
fully dressed, by popular request.

== https://www.harrowgaterovers.example/club/volunteers

The people who put the nets up

On a Saturday the gates open at one, but somebody has been there since eight. Maureen and her sister make the soup.
Vic marks the pitch with a machine that he has rebuilt so often that only the handle is original. Three retired
teachers run the turnstile, since they can add up quickly and are not easily frightened, and the programme is folded
by anyone who happens to be sitting down. Not one of them is paid, and several have never watched a whole match.

We lost two helpers over the summer, one to Portugal and one to a new knee, and the work is spreading rather thin.
What we need is not so much footballers as people who can spare two hours every other week. Painting, driving the
minibus, answering letters from the league, cutting the hedge behind the away end: there is something for most
tempers. You will be given a coat with the club's name on it and as much soup as you can eat.

If you are under eighteen you can count the hours towards your volunteering award, and the secretary writes a very
good reference. If you are over eighty, Vic would like somebody to talk to. Come and find us at the tea hut before
any home game, or leave a note under the door of the clubhouse, which is how most of our business is done.

== https://www.harrowgaterovers.example/reports/2024-03-02

Rovers Women 2, Saltby Town 0

A grey afternoon, a heavy roller of a pitch and a visiting side who had not lost since November: there were easier
ways to begin the month. Rovers set out to keep things narrow and to make Saltby play down the slope towards the
hedge, where the ball tends to die. It was not pretty for the first half hour. But Saltby, who like to pass through
the middle, found that there was no middle, and began to lose patience.

The first goal came from a throw. Everyone knows that Beth Adeyemi can throw a ball a long way, and everyone marked
the near post accordingly, so she threw it short to Ines, got it back, and crossed to the far one. Kirsty Lamb was
standing there by herself and had time to choose. The second, eight minutes from the end, was a penalty so obvious
that the defender helped Kirsty up and handed her the ball.

Clean sheet number nine for Jo Whitlock in goal, who made one save that drew applause from the Saltby bench, tipping
a header on to the bar while falling the wrong way. Rovers go third with two games in hand. The attendance was two
hundred and six, a record for a league match, and the burger van ran out of onions before the interval.

== https://timetables.valebuses.example/changes/september

What changes on the first of September

The 14 will leave four minutes earlier in the mornings so that it meets the train. For two years passengers have
watched the back of the 7.52 disappear as the bus came down Station Road, and we have received, by our own count,
one hundred and sixty letters about it. The rest of the day is unchanged. The last bus from town still leaves at ten
to eleven, and on Fridays at twenty past midnight.

The 22 no longer goes through the retail park. Only nine people a day got off there, and turning out across the dual
carriageway took so long that everybody else was late for work. The 22A serves it every hour instead. Drivers on
both routes have been told to wait for each other at the hospital when one of them is late, which we hope will put
an end to the sight of somebody running between them with a walking frame.

| Route | Old departure | New departure | Days
| 14 to Station | 07:21 | 07:17 | Monday to Friday
| 14 to Station | 07:51 | 07:47 | Monday to Friday
| 22A to Retail Park | none | 09:10, then hourly | Daily
| N5 night bus | 00:10 | 00:20 | Friday only

== https://timetables.valebuses.example/help/lost-property

I left something on the bus

First of all, do not worry too soon. Most things are handed in, and drivers walk through the bus at the end of every
journey. If you noticed straight away, telephone the depot and tell us the route, the direction and roughly where
you were sitting; the office can speak to the driver by radio, and with luck your bag will be waiting on the next
bus coming the other way. This works more often than people believe.

Otherwise the item comes to the office behind the bus station, where it is kept for six weeks in numbered boxes. You
will be asked to describe it. 'A black umbrella' describes forty-one of the things on our shelves at the time of
writing, so any small detail helps. Keys, telephones and glasses are by far the most common. The strangest this year
were a set of bagpipes, half of a chess set, and a cake with somebody's name on it, which could not be kept for six
weeks.

After that time goods go to the hospice shop, except for passports and bank cards, which are sent back to whoever
issued them, and toys, which the drivers have taken to seating along the windowsill of the canteen in case somebody
should come. There is a bear there who has been waiting since 2011. He has a small cap and, by now, a length of
service.

== https://timetables.valebuses.example/community/route-9-saved

Route 9 is staying

At its meeting on Monday the council voted to go on paying for route 9, which serves the four villages on the ridge
and carries on average eleven passengers. That sounds few. But those who spoke at the meeting made it clear who the
eleven are: a girl at the sixth form college, two cleaners who start at six, a man who visits his wife in the
nursing home on every day of the year. Without the bus there is no other way to get there.

In return the timetable will become simpler. There will be five journeys each way, at the same minutes past the
hour, with a small bus rather than a large one. On Tuesdays and Saturdays it will wait in the market square for ten
minutes, with its doors open, while people bring their shopping. The parish councils have agreed to look after the
shelters, and the primary school has asked if it may paint them.

> J. Harkness: I am one of the eleven. Thank you to everybody who came and to the lady who baked.
> Ridgeway Resident: Could the 4.40 please be held for the train on Saturdays as it used to be?
> Vale Buses: We have asked the depot about this and will answer here when we know.

== https://docs.larkdb.example/releases/3.4

Lark 3.4 release notes

This release makes large imports faster and repairs two mistakes in the way that dates before 1900 are stored.
Nothing needs to be changed in your configuration. The format on disk is the same as in 3.3, so that you can go back
if you have to, but tables with early dates should be rewritten once with the command given below, since the repair
affects only what is written from now on.

Imports now read, parse and write in three threads rather than one. On our own machine with four cores a file of
twelve gigabytes takes seven minutes where it used to take nineteen. Memory stays below the limit that you set,
where earlier versions treated the limit as a suggestion. If your input arrives over a slow network you will see no
difference, because the disk was never the thing that you were waiting for.

## Fixed

- Dates before 1 January 1900 were off by one day in time zones east of Greenwich.
- A query with more than 255 columns returned them in the wrong order.
- The shell no longer forgets its history when the terminal is resized.
- Error messages about a missing file now name the file.

We had hoped to include the new planner, and it is not ready. It chooses the better plan in nine cases out of ten,
and in the tenth a plan so bad that one of our testers thought the machine had been switched off. It is there behind
a setting for anybody who is curious. Please send us the queries on which it goes wrong, with the table sizes if you
may share them.

== https://docs.larkdb.example/guides/backups

Backups that you have tested

A backup is not a file. It is a file together with the knowledge that you can turn it back into a working system
before your patience or your customers run out. We have spoken to a good many people on the worst day of their year,
and in most cases there was a backup. It was of the wrong machine, or it had been empty since March, or nobody still
employed there knew the password.

The command that makes a snapshot takes a few seconds and does not stop anyone from writing. Copy the result to a
machine that is not in the same building and does not share the same login. Then, once a month, put a day in the
calendar on which somebody restores last night's copy on a spare machine and runs the ten questions whose answers
you know. Let a different person do it each time, following the written instructions and nothing else.

Keep a daily copy for two weeks, a weekly one for three months and one from every month for as long as the law or
your conscience asks for it. Mistakes are often noticed late. The most useful copy that we ever restored was seven
weeks old, from just before a colleague had tidied up some customer records that looked as though they were
duplicates and were in fact twins.

== https://docs.larkdb.example/releases/3.3.2

Lark 3.3.2, a small repair

If you run 3.3.0 or 3.3.1 and use read replicas, please install this version soon. When a replica lost its
connection in the middle of a transaction and came back within the same second, it could skip that transaction
without saying so. We have seen this happen twice in the wild and were able to reproduce it by pulling out a cable
at the right moment, which took most of an afternoon and the help of a child with quick hands.

After the upgrade, run the comparison tool on each replica. It reads both sides and prints the tables that differ.
On a quiet evening it manages about a million rows a second. A replica that differs should be built again from a
snapshot instead of being repaired by hand. We are sorry for the trouble. The test that would have caught this
exists now, and it pulls out a virtual cable four thousand times a night.

== https://www.smallkitchen.example/recipes/lentil-soup-with-lemon

Lentil soup with lemon and burnt onions

This is the soup that I make when there is nothing in the house. Rinse a large cup of red lentils until the water is
no longer cloudy, and put them on with six cups of water, a bay leaf and a carrot cut into coins. While they murmur
away, slice three onions and fry them in more oil than seems decent, over a low flame, for as long as you can bear.
They should go past golden to the colour of a violin.

Take out half of the onions and drain them on paper, where they will turn crisp. To the rest add two cloves of
garlic, a spoonful of cumin and the tip of a spoon of chilli, and when the kitchen smells right, tip everything into
the lentils. Ten minutes more, salt, and the juice of an entire lemon. It sounds like too much and is not. Ladle it
out, put the crisp onions on top, and eat it with yesterday's bread.

## You will need

- 200 g red lentils
- 3 onions, 1 carrot, 2 cloves of garlic
- 1 bay leaf, 1 tsp ground cumin, a little chilli
- 4 tbsp olive oil, 1 lemon, salt

It freezes well, although it sets like a brick and looks unpromising. Thin it with hot water, stir, and it comes
back to life. My children, who hold that soup is not food, will eat this one provided that nobody mentions the
carrot. A friend who cooks for sixty at a shelter makes it in a pot that you could bath a dog in, and says that the
amounts simply multiply.

== https://www.smallkitchen.example/recipes/plum-cake-on-a-tray

Plum cake on a tray

In September there are about ten days when plums cost nothing, and this is what they are for. Make a soft dough with
flour, a little yeast, warm milk, one egg, butter and not much sugar; it should be sticky enough to annoy you. Let
it rise under a towel while you stone the fruit. Cut each plum almost in half, so that it opens like a book, and
then nick both ends so that it lies flat.

Push the dough out over a buttered tray with wet hands and stand the plums up in rows, packed so closely that they
hold each other upright. They shrink. A tray that looks absurdly crowded will be just right in three quarters of an
hour, with dark juice bubbling along the edges. Scatter sugar and cinnamon over it only when it comes out, since
sugar that goes in at the start draws out the juice and leaves you with a bog.

Eat it the same day, still faintly warm, with cream that has been whipped but not sweetened. It does not keep. That
has never been a difficulty in our house, where it is considered fair to take a piece whenever you pass and to
straighten the edge with a knife afterwards, so that strictly speaking nobody has had any.

== https://www.smallkitchen.example/notes/knives

Three knives are enough

I once counted the knives in my mother's kitchen, arrived at twenty-six, and watched her for a week. She used three.
There was a large one for anything that has to be chopped, a small one for anything held in the hand, and a long one
with teeth for bread and tomatoes. The other twenty-three lived in a drawer and their only purpose was to blunt each
other. I have bought no others since, and have never missed them.

A knife is sharp when it goes through the skin of a tomato under its own weight. Get there with a stone: soak it,
hold the blade at the angle that lets a matchbox slide under the back, and draw the edge across as if you wanted to
shave a thin slice off the surface. Ten strokes on each side, then turn the stone over. It takes five minutes and
ought to be done about as often as you cut your hair.

Do not put them in the dishwasher, do not cut on glass, and do not leave them in the sink under the foam where
somebody else's hand will find them. That is all that there is to know. People who collect knives will tell you a
good deal more about steel, and it is interesting, but the onions cannot tell the difference.

== https://slowtrains.example/2018/night-ferry

The night ferry, with a bicycle

At eleven at night the car deck smells of diesel, wet rope and oranges. I was waved in behind a lorry from Lithuania
and a man in an orange jacket tied my bicycle to a pipe with a knot that took him one second and that I could not
undo in the morning. There were six other cyclists. We did that thing of pretending not to look at one another's
luggage, and then all went up to the bar and talked about nothing else.

The cabin had no window and a bunk like a shelf for long parcels. Somewhere around two the ship met the open sea,
and the coat hangers began to tap against the door, first in turns and then together. I lay and listened with great
contentment. There is no bed so comfortable as one that is taking you somewhere, and I have slept badly in hotels
ever since for lack of a throbbing in the floor.

At six they play a tune over the loudspeakers and by half past the coast is there, low and grey, with a church on
it. Immigration was a woman in a glass box who asked where I was going. I said, 'Inland.' She considered this, said
that it was a large place, and stamped the page. The first bakery was just opening. I had been abroad for eleven
minutes and already had jam on my sleeve.

== https://slowtrains.example/2024/branch-line-in-the-hills

To the end of the branch line

The train to the hills is one carriage with a driver at either end of his working life. It leaves from platform 4b,
a strip of tarmac behind the bicycle racks that does not appear on the departure board, and unless you know to ask
you will spend the afternoon in the waiting room. There were nine of us: schoolchildren, a vet, a couple with an
enormous lampshade. The windows opened. I had forgotten that windows used to do that.

For the first half hour the line follows the river so closely that you look straight down into the pools. Then it
turns its back, goes through a tunnel that was dug by miners out of work, and comes out in another country, all
stone walls and sheep. At one halt nobody got on or off, but the driver climbed down to hand over a newspaper to a
woman in slippers. They exchanged a few remarks about her hip while we waited.

The last station has a platform, a bench and a tap. The timetable gives you either nineteen minutes or four hours. I
took the four hours, walked up to a chapel with a view of three valleys, ate an egg, and was asleep in the grass
when the whistle blew below. The driver had seen me go up. He told me afterwards that he would have allowed another
minute, but no more than that, on account of the vet.

== https://slowtrains.example/2020/staying-at-home

Travels in my own street

This was to have been the year of the long train east, and the tickets are still on the shelf beside the clock.
Instead I have been travelling in my own street, which is two hundred and ten metres long and which it appears that
I had never seen. I go out at seven with a notebook. It has forty-four front doors in nine colours, and a date over
one of them, 1887, that sixteen years of walking past had not shown me.

At number twelve somebody practises the clarinet every day from ten until eleven. In March it was scales; by the
middle of May there was half of something by Brahms, and when it reached the hard place the window opposite would
open a little. Number thirty put a table by the gate with tomato seedlings in yoghurt pots and a card that said
'Take one, tell me how it goes'. I have taken one. It is going well and I have told her.

I have begun to keep accounts of it as I do abroad: weather, distance, kindnesses received. The distance comes to
about ninety kilometres so far, up and down. The kindnesses include a loaf, the loan of a ladder, and a long
conversation across four metres of road with a man who used to mend church organs. I shall go east one day. But I
used to think that I had to, and now I only want to.

== https://www.pageandstage.example/books/the-salt-road

Review: a novel about a road that is no longer there

Most novels about journeys are impatient to arrive. This one is content to walk. Its three carriers set out from the
coast with salt on their backs in the spring of a year that is never named, and it takes them two hundred pages to
cross a range of hills that you could drive over in the time it takes to listen to the news. Almost nothing happens.
A mule goes lame, a bridge is down, a letter is carried for somebody who cannot read.

What keeps you turning the pages is the talk. The carriers have known each other for so long that they quarrel in
halves of sentences, and the author trusts us to supply the rest. There is a wonderful chapter in which they argue
for a whole day about whether a certain inn had a green door, and by the evening it has become clear that one of
them was in love there. He never says so. The door, when they reach it, has been painted.

I have two complaints. The priest who appears towards the end makes speeches, and he makes them in a voice
suspiciously like that of the jacket copy. And the map at the front gives away the flood. Cover it with your hand,
leave the priest to his speeches, and you will have one of the best books of the year.

== https://www.pageandstage.example/theatre/the-understudy

Review: The Understudy at the Corn Exchange

Amateur companies are often told to avoid farce, since it needs timing and timing needs months. The Corn Exchange
Players have had five weeks and a set with seven doors, one of which stuck. It stuck at the very moment when the
vicar had to come through it in his underclothes, and the actor playing him, an electrician named Hugh Bannerman,
went out through the audience, around by the car park and in at the fire exit. I have seldom heard people laugh so
long.

The play itself is about a company putting on a play, and concerns a leading man who has locked himself in a
cupboard. Rosalind Teague is splendid as the stage manager who must keep everyone from finding out, and grows calmer
and more frightening as things go wrong. The second act sags a little. There is a telephone call which must have
been funny when telephones had wires. But the ending, with all the doors opening at once, comes off like clockwork.

It runs until Saturday, and I am told that the door has been planed. I hope that they will not make it run too
smoothly. Tickets are eight pounds at the library or on the night, children are half price, and there is a raffle
for a ham.

== https://www.pageandstage.example/music/kettle-drum-songs

Record review: songs for a kitchen and one drum

The four people on this recording met at an evening class in upholstery, and you can hear it, if that is possible,
in how well everything is stitched together. They sing in close harmony about small domestic matters: a kettle that
will not boil, a father's coat, the week when the post did not come. A single drum, played with the hands, goes
under it all like someone walking about upstairs. It was made in a kitchen, and on the third song the refrigerator
joins in.

At first I thought it too quiet. By the fourth hearing I had started to arrange my evenings around it. The best
thing here is a setting of a shopping list which the singer found in a library book, sung perfectly straight, with a
turn in the melody at 'candles, if cheap' that closes the throat. The last track goes on for two minutes longer than
it should, but they were plainly enjoying themselves, and I would not be the one to ask them to stop.

== https://www.pageandstage.example/reviews/tent-two-person

Tested: a two-person tent for under a hundred pounds

I have slept in this tent for twenty-three nights, of which fourteen were wet and one was very nearly the last. It
weighs two and a half kilos, packs to the size of a loaf and goes up in six minutes, or four if nobody offers to
help. Two people fit if they are fond of each other. There is a porch for boots and a stove, and a small pocket by
the head end in which I have now lost the same torch four times.

In steady rain it is dry. In rain with wind the side facing the weather sags against the inner wall by about three
in the morning, and you wake with a damp elbow. Tightening the guy lines at bedtime cures it, but the ones supplied
are made from something like boiled spaghetti, and I would change them on the first day. The pegs bend. The zip,
which I had expected to break, has been faultless, and the poles survived a visit by a cow.

## In short

- Good: price, weight, the porch, the zip
- Less good: pegs, guy lines, a rather cold floor
- Buy it if you camp in summer and own a hammer

== https://www.hollinsparish.example/minutes/2016-06

Notes from the June meeting of the parish council

Fourteen residents attended, the largest number since the matter of the weathercock. The chairman reported that the
bench on the green had been mended and that the anonymous donor of the brass plate had asked not to be thanked, and
so was not. The clerk has written to the county about the drain outside the school for the fifth time. It was agreed
that the sixth letter should include a photograph of the headmistress in waders.

There was a long discussion of the footpath behind the brewery. The owner wishes to move it thirty metres to the
north so that lorries can turn; those who use it pointed out that thirty metres to the north is a pond. A site visit
was arranged for Saturday at ten, sturdy shoes advised. Mrs Pargeter asked that the minutes record her belief that
the path is older than the brewery, and they do.

The accounts show a balance of four thousand one hundred and twelve pounds. The sum of two hundred was voted to the
youth club for table tennis, and sixty towards the hire of a bouncy castle for the fête, on the understanding that
the councillors may have a turn. The meeting closed at twenty to ten. The next is on the eleventh of July, in the
small hall because of the orchids.

== https://www.hollinsparish.example/village/history-of-the-pump

The pump that never ran dry

The iron pump on the corner of Church Lane was cast in 1864, after a summer in which the old well made half of the
village ill. Dr Cattermole, who was twenty-six and had just come down from London with ideas, went from house to
house marking on a map who had fallen sick and where they fetched their water. He then walked into the vestry
meeting and took the handle of the well out from under his coat. He would not give it back.

A subscription raised ninety pounds in a month. The new pump was sunk on the other side of the churchyard wall,
uphill of everything, to a depth of sixty-one feet, and it gave clear water throughout the great drought of 1921,
when carts came for it from nine miles away. It was last used in earnest in February 1947, while the mains were
frozen. Children were paid a penny a bucket to carry for the old.

The parish repainted it last spring in what we believe to be the first colour, a dark green found beneath seven
other layers. It still works. Ten strokes bring up the water, very cold, tasting faintly of pennies. The sign that
says it is not for drinking was put there by the county in 1988, and is generally understood to be advice to
strangers.

== https://www.birdledger.example/2021/swift-count

Swift count: the results for the whole town

Eighty-six households counted swifts this summer, more than twice as many as in the first year. Thanks to you we now
have a map with a hundred and nine nests, all but four of them in buildings older than 1930. The birds go in under
the eaves where a tile has slipped or a brick has gone, often through a gap no taller than a thumb. When the roof is
repaired the gap is closed, and the pair that has used it for ten years comes back from Africa to a wall.

That is why the map matters. The planning office has a copy, and so have three roofing firms who have promised to
look at it before they put up a scaffold. A special brick with a hollow in it costs about as much as a good lunch,
and swifts will take to one within a couple of seasons if you play them recordings of other swifts. The terrace in
Albion Street has fitted fourteen, and on July evenings sounds like a school at playtime.

Numbers as such are harder. We think that there are about as many birds as last year and a third fewer than the
older members remember, but memory is generous and nobody was counting then. In five years we shall be able to say
something. Meanwhile, if you hear them screaming around the chimneys at dusk, come outside. It lasts for only eleven
weeks.

== https://www.birdledger.example/garden/feeding-in-winter

Feeding birds in winter: a few plain answers

Start when you like and do not stop suddenly in a cold spell. Small birds lose a tenth of their weight on a frosty
night and spend the morning getting it back, and if yours is the garden that they have learned to rely on, an empty
table at eight o'clock costs them dearly. Sunflower hearts suit nearly everyone. Peanuts should be in a mesh so that
nothing large can be carried off, and fat balls should come out of their nets, which trap feet.

Wash the feeders. It is the dullest advice in this article and the most useful, for more garden birds die of one
another's droppings than of hunger. Once a week, hot water, a stiff brush and ten minutes in the sun are enough.
Move the whole arrangement a couple of metres every month so that the ground beneath has a rest. Put out water too,
in a shallow dish with a stone in it, and break the ice when you make the tea.

As for the squirrel, he has more time than you. Every device that I have bought has been defeated within a
fortnight, generally by someone hanging from his back feet. I now give him his own box of hazelnuts on the far side
of the shed, and he lets the others be until about noon, which is as much as one may ask of a squirrel.

== https://mendingcircle.example/guides/darning-a-sock

How to darn a sock so that it lasts

Darning is weaving on a very small loom. Stretch the hole over something smooth and round, such as a wooden
mushroom, a light bulb or an orange, and do not pull it tight. Begin in the sound fabric a finger's width away from
the edge, since the thin part around a hole is about to become a hole itself. Run your threads up and down, close
together, leaving a tiny loop at every turn so that the wool can shrink in the wash.

Then turn the work and go across, over one and under one, and on the way back the other way about. Push each row up
against the last with the point of the needle. It is slow for three rows and after that your hands understand. Use
wool slightly thinner than the sock. I like a colour that does not match: there is no hope of hiding it, and a heel
with a red square is something that you have made, whereas one that nearly matches is only something that you have
failed to buy.

Wash it by hand the first time. A good darn outlives the rest of the sock, and I have a pair at home in which there
is by now more darn than sock, so that my brother, who studied philosophy, declines to have an opinion on whether
they are still the ones that our grandmother knitted.

== https://mendingcircle.example/events/repair-cafe-report

Ninety-four broken things: a day at the repair café

The doors opened at ten, and by five past there was a queue down the steps with toasters in it. We had four people
for electrical things, three with sewing machines, a retired watchmaker, and a boy of fourteen called Idris who
turned out to be able to mend any kind of headphone. Visitors took a number, had tea, and sat beside whoever was
working on their object. That is the rule: you stay and you watch. Most end up holding something.

Of ninety-four things sixty-seven went home working. Eleven need a part. Sixteen were past saving, and we told
people why, as far as we could, with the lid off. A food mixer from 1971 wanted only a new brush, at forty pence,
while a kettle bought last Christmas had been glued together in such a way that it could not be opened without
destroying it. There was some muttering about that. We have written to the makers.

> Carys: My late husband's radio is playing in the kitchen as I write. I had not expected to cry in a church hall
over a fuse.
> Idris: I need more solder for next time pls
> Ben (organiser): Idris, it has been ordered.

== https://www.northquaymuseum.example/objects/tide-clock

Object of the month: the harbour master's tide clock

It has a face like any other clock, but a single hand, and instead of hours the dial says High, Ebb, Low and Flood.
The hand takes twelve hours and twenty-five minutes to go around. It was built in 1839 by Josiah Kemble, who made
watches in Chandler Street and had never been to sea, and it hung in the harbour master's window, where the captains
could read it through a telescope without rowing ashore.

Kemble's problem was that the tide is not regular. Wind holds it up, the Moon swings nearer and farther, and in
spring it may be forty minutes out. His answer was a second, smaller dial with a knob, so that each morning the
harbour master could look at the water and correct the clock. In other words it was a clock that had to be told the
time. The town made jokes about this for years, but no other instrument in the harbour was ever wrong by less.

It stopped in the gale of 1953 when the sea came in at the window. The mud is still in the case, because the
conservator found when she opened it that it had preserved a wren's feather and a bus ticket, and the trustees
thought that they ought to stay together. You will find it on the first floor next to the diving suit, on loan until
the spring.

== https://www.northquaymuseum.example/visit/with-children

Visiting with children

The museum is small, free and quite hard to break. Buggies can come in by the side door, where there is a ramp and a
bell. The lavatories are on the ground floor, with a table for changing babies, and a step so that smaller visitors
can see themselves in the mirror. You may eat your own sandwiches in the net loft. If somebody in your party needs
to run, there is a yard with a cannon that may be climbed upon.

Ask at the desk for the trail. There are two of them: one has pictures and asks you to find a cat in every room, and
the other is for readers and contains a mystery with four suspects. Both take about forty minutes. On the first
Sunday of the month you can try on a diver's boots, each of which weighs eight kilos, and attempt to walk to the
window and back. The record is held by a nine-year-old named Tomasz.

- Open Tuesday to Sunday, ten until five
- Last entry at half past four
- Free; gifts of a pound or two keep the lights on
- Dogs welcome downstairs, and parrots by arrangement

== https://www.harbourcheese.example/about-us

A dairy with a view of the lighthouse

We make three cheeses from the milk of sixty cows, and you can see the field they stand in from the shop. The
youngest is a soft one, sold in leaves, which ought to be eaten within the week and preferably on the beach. The
second is washed in cider and smells like a cupboard that has secrets. The third takes eleven months and is what the
lighthouse keepers used to be sent at Christmas, back when there were lighthouse keepers.

Visitors come from all over in the summer, and so there is a button at the top of this page with which your browser
can put our words into other languages. We do not know how good they are. A gentleman from Osaka was kind enough to
tell us that according to the site we sell 'a hard chair of strong character', and bought two. The page that you are
reading now is how we wrote it, on a wet Tuesday, in English.

== https://shop.brightnest-home.example/p/bamboo-desk-organiser

Bamboo Desk Organiser, 5 Compartments

Keep your workspace tidy with this elegant bamboo desk organiser. Its five roomy compartments provide the perfect
place for pens, notebooks, cables and more, while the smooth natural finish adds a touch of warmth to any office.
Made from sustainable materials, it is as kind to the planet as it is to your desk. Whether you are working from
home or studying for exams, this organiser is the ideal companion for a productive day.

As an AI language model, I do not have personal experience of using this product, but I can tell you that customers
value its sturdy construction and compact size. The organiser measures 32 by 18 by 12 centimetres and requires no
assembly. It makes a thoughtful gift for colleagues, teachers and students alike. Order today and enjoy the benefits
of a clutter-free workspace with the timeless beauty of bamboo.

| Material | Bamboo
| Size | 32 x 18 x 12 cm
| Weight | 940 g
| Delivery | 3 to 5 working days

== https://www.pageandstage.example/essays/the-sentence-that-gives-it-away

The sentence that gives it away

A friend who sells second-hand furniture sent me a screenshot last week with no comment. It showed the description
of a wardrobe, and halfway down, between the width and the price, stood the words 'As an AI language model, I cannot
see the item you are describing.' Nobody had read it before it was published. That is the part that stays with me. I
do not mind that a machine wrote the thing so much as that no person ever did the other half of the work.

Since then I have been collecting them. There is a hotel that has 'Certainly! Here is a charming description of your
property', and a recipe for scones which breaks off to regret that its knowledge does not extend past a certain
September. Editors of scholarly journals have found the same phrase sitting in papers that several professors had
signed. These are the fingerprints left on the glass. For every text that forgot to wipe them there must be a
hundred that remembered.

But I would ask anybody who counts such pages by searching for the phrase to be careful. This column contains it. So
do news reports, jokes, court judgments and a good deal of worried correspondence between teachers. A sentence in
quotation marks is not a confession. To know which is which somebody has to read what stands around it, and we are
back where we started, with the half of the work that was left undone.

== https://visit.pinecove.example/guide/sunset-viewpoints

Five sunset viewpoints around Pine Cove

Pine Cove offers a wide range of viewpoints for visitors who want to enjoy the evening light. From the gentle slopes
of Beacon Hill to the wooden walkway along the marsh, each location has a character of its own. The first three can
be reached on foot from the harbour in less than twenty minutes. Comfortable shoes are recommended, especially after
rain, and visitors should take a torch for the walk back.

The remaining two viewpoints are best reached by car or by bicycle. Gull Point has a small car park and a picnic
table, and faces directly west, so that in June the sun sets over open water. The old quarry lies a little farther
inland and frames the light between walls of pale stone. The text and pictures of this page were produced with a
generative model from notes supplied by the tourist office and were checked by its staff.

- Beacon Hill: twelve minutes on foot
- The marsh walkway: suitable for wheelchairs
- St Brannoc's tower: open until nine in summer
- Gull Point: faces west over open water
- The old quarry: bring a torch

== https://worksheets.chalkline.example/grade-5/bakery-boxes

Worksheet 12: the bakery boxes

This page is part of our set of word problems for the last year of primary school. Read the question twice,
underline the numbers that you need, and cross out any that you do not. Write one sentence for the answer. There is
a space for working on the printed sheet, and the solution is at the foot of the page, so fold it back before you
begin. Children who finish early may like to make up a problem of their own about a different shop.

Question: Leonie packs buns at a bakery. She fills 14 boxes with 6 buns each and has 5 buns left over. On the way to
the market 2 of the full boxes fall off the cart and cannot be sold. She sells all of the other boxes for 4 coins
each, and the left-over buns for 1 coin each. How many coins does Leonie take? Answer: 14 - 2 = 12 boxes; 12 x 4 =
48; 48 + 5 = 53. Leonie takes 53 coins.

== https://inkandlight.example/gallery/harbour-series

Notes on the harbour series

These nine drawings were made between January and March from the window of a room above the chandler's, with a reed
pen and an ink that I boil from oak galls. The ink goes on grey and turns black over a day or so in the light, which
means that you are drawing partly from memory of what you meant. I have come to depend on that. A line which can be
seen too well is apt to become careful, and careful boats look as though they are made of tin.

Numbers four and seven are of the same dredger on the same morning, before and after the fog. I had meant to draw
the church. Please do not use the pictures or these notes for the training of image or language models; the page
says so in a form that machines can read, and I say so here for people. If you want one for your wall, write to me,
and we shall come to some arrangement that involves either money or fish.

== https://www.wexfordstreetpress.example/stories/the-lamp-mender

The lamp mender (opening of a story)

On the evening when the lamps went out in the lower town, Ansel Brock was eating soup. He put down the spoon,
listened, and heard what he had expected to hear, which was nothing: no hum from the post outside the window, no hum
from the one beyond it. Then the first shutters opened and the first voices began to ask each other what had
happened. He finished the soup. In forty years nobody had thanked him for arriving hungry.

His daughter had the ladder out before he reached the yard. She was eleven, and had opinions about ladders. They
went down the steps together, she in front with the lantern, and at each landing people drew aside with that odd
politeness that comes over a crowd in the dark. 'It will be the same one as before,' she said. He did not answer,
since he had seen that the lamps across the river were out as well, and there were no wires across the river.

== https://news.calderpost.example/2024/06/bridge-reopens

Footbridge reopens after fourteen months

The footbridge at Calder Lock opened again on Friday, three months late and, as the county engineer was quick to
say, a little under budget. About two hundred people walked across in the first hour. Among them was Edith Farrar,
ninety-one, who had crossed it every day on her way to the mill and who was pushed to the middle in her chair, where
she asked everyone to be quiet so that she could hear the weir.

The old bridge was closed last April when divers found that the river had dug a hole beneath the southern pier that
was large enough for a van. Traders on the far bank say that they lost a third of their custom. A ferry, run by
volunteers in a borrowed rowing boat, carried eleven thousand passengers in the meantime and is to be kept on, on
Sundays, because nobody can bring themselves to stop it.

== https://essays.stillwater.example/on-letters

On keeping letters

My grandfather kept every letter that he was ever sent, and none of his own replies survive, so that reading through
the boxes is like listening to one side of a telephone call that lasted for sixty years. You can tell when he has
been unkind. The next letter is shorter, and there is something about the weather. You can tell when he was in love,
because the handwriting that answers him begins to lean forward, and the stamps are put on crooked.

I have no boxes. I have an account, the password to which I have reset so often that I no longer feel that it
belongs to me, and in it some ninety thousand messages, nearly all from shops. Somewhere in there is the one in
which my friend Paul told me that he was ill. I could find it in a second by typing his name. I never have. What the
boxes gave to my grandfather was the chance of coming upon things by accident.

== https://open.fernwood-trust.example/leaflets/planting-a-hedge

Planting a hedge in one weekend

A hedge is cheaper than a fence, lasts for ten times as long and feeds the blackbirds while it is about it. Order
bare-rooted plants in the autumn: two thirds hawthorn, and the rest a mixture of hazel, field maple, dog rose and
holly. Five to the metre, in two staggered rows, is about right. They come in bundles looking like firewood. Keep
the roots in a wet sack, for ten minutes of cold wind will do more harm to them than a month in a shed.

Cut a slit with the spade, lean it forward, slip the plant in to the depth at which it grew before, and close the
slit with your heel. Two people can do fifty metres in a day and still be on speaking terms. Then comes the part
that hurts: cut everything back to the height of your knee. It will thicken from the bottom, and in four years
nobody will be able to see through it. This leaflet may be copied, changed and passed on by anyone who says where it
came from.

== https://news.calderpost.example/2021/03/library-bus

The library bus finds a new driver

When Mohammed Aslam retired after twenty-eight years at the wheel of the library bus, the county advertised for a
driver with a heavy goods licence and a love of books, and did not get one reply. It then advertised for a person
who loved books and was willing to learn to drive a large vehicle, and had a hundred and forty. The job went to Sal
Whitby, a former swimming teacher, who passed her test at the second attempt.

The bus stops at thirty-one places in a fortnight, among them two farms, a prison and a lay-by where, according to
the timetable, there is nothing at all. 'There are three cottages behind the trees,' Ms Whitby explains. 'He told me
about them on my first day. One of them gets through eleven westerns a fortnight.' She has kept Mr Aslam's notebook,
in which he wrote down what each reader had already had, and what they had thought of it.

== https://docs.larkdb.example/guides/choosing-a-key

Choosing a primary key

There are two good answers to the question of what should identify a row, and a number of bad ones that look better.
A good key never changes, is never used again and says nothing. Telephone numbers change. Names are shared. The
number on a passport runs out after ten years, and the owner will be at the border when your system finds out. Give
each row a number of its own, or a random identifier if several machines have to hand them out without asking one
another.

Random identifiers scatter new rows over the whole table, which makes inserting slower as the table grows beyond
what fits into memory. If that matters, choose the kind whose first half is a time stamp: they are just as unique
and arrive nearly in order. Whatever you settle on, do not show it to customers as an account number. Sooner or
later somebody will wish to change the account number, and they will be right.

== https://slowtrains.example/2017/market-town-on-a-monday

A market town on a Monday

Every guidebook will tell you to come on a Thursday, when the square fills up with cheese and knitwear. I came on a
Monday, by mistake, and had the place to myself. The fountain was off. A man on a ladder was changing the letters
outside the cinema and asked me, without turning around, whether there were one or two t's in 'regretted'. In the
café the owner was teaching her nephew how to fold napkins and charged me for one coffee, although I had drunk
three.

Nothing was open, so I looked at what does not close. There are swallows' nests all along the arcade, with a plank
below each to protect the shoppers. The church has a bench that goes right around the inside, because, says a card,
in the days before pews the weak were allowed to go to the wall. I sat there for an hour. A woman came in to water
the lilies, nodded, and turned on one lamp, so that I could read.

== https://fieldnotes.tarnwater.example/2024/01/flood-night

Flood night

The text message came at twenty to one and said only 'Gauge at 3.1 and still going up'. By the time that I had found
both boots there were lights in most of the houses along the quay. You hear a flood before you see it, a low
continuous grinding, which is stones being moved along the bed. The water itself came up the slipway without any
hurry, as a cat enters a room, and put its first paw across the road at ten past two.

Everyone knew what to do, having done it in 2015 and again in 2020. Boards went into the doorways, pianos on to
bricks. The Hendersons' freezer was carried up to the chapel. At four o'clock it reached the second step of the
memorial, stayed there for as long as it takes to eat a bacon roll, and began to go down. In the morning the whole
quay was painted brown to the height of the letter boxes, as neatly as though somebody had used a ruler, and

== https://forum.homelab-corner.example/t/dns-again

It was the name server again

Long post, sorry. For three weeks every device in the house lost its connection at about seven in the evening for a
few minutes. I replaced the cable. I replaced the router. I moved the router out of the cupboard that my wife had
only just persuaded me to put it into. In the end I left a laptop sending a request every ten seconds, once by name
and once by number, and wrote both results to a file. At seven the names stopped and the numbers went on.

So it was never the line. The provider's name server is simply overloaded when everybody comes home and switches on
a film. I have pointed the router at the public resolver at 9.9.9.9 instead and have not had a single gap since
Sunday. If anybody would like the little script, write to me at henrik.vale@homelab-corner.example and I will send
it, together with the graph, of which I am unreasonably proud.

> tallow: Framed and hung in the hall, I hope.
> henrik.vale: She says the cupboard, and that I may visit it.

== https://www.birdledger.example/2019/owl-boxes

Owl boxes: what we learned from forty of them

We put up forty boxes in barns and trees over two winters and went back to look into each of them in June. Barn owls
had taken nine, jackdaws had filled fourteen with sticks to the roof, stock doves were in six, and one held a family
of bees that had no wish to be counted. The remainder were empty. It is a better result than it may sound, for there
had been only two pairs of owls in the whole parish when we began.

Boxes inside buildings did far better than those on trees, and the ones that faced open grassland better than those
that faced a yard. Height made no difference above three metres. A farmer who had told us that owls would never come
within sight of his security light rang up in May to say that one was sitting on it. What they need above all is
rough grass full of voles, and no amount of carpentry will take the place of that.
"""

DE = """\
== https://www.uferweg-verein.example/berichte/fruehjahrsputz

Frühjahrsputz am Uferweg

Am letzten Samstag im März haben sich dreiundzwanzig Mitglieder und ungefähr halb so viele Hunde am Bootshaus
getroffen, um den Uferweg aufzuräumen. Es war kalt, aber trocken, und gegen zehn kam sogar die Sonne heraus.
Gefunden haben wir elf Säcke Plastik, zwei Fahrräder, einen Einkaufswagen und einen Koffer, in dem sich zum Glück
nur nasse Zeitungen befanden. Die Zeitungen waren von 1994, und beim Mittagessen wurde daraus vorgelesen.

Besonders freut uns, dass die neue Treppe beim Wehr gehalten hat. Im Winter stand das Wasser bis zur fünften Stufe,
und mancher hatte schon prophezeit, wir würden sie in Holland wiedersehen. Nun fehlt noch das Geländer. Der
Schlosser hat ein Angebot gemacht, das der Vorstand als freundlich bezeichnet, und wer Lust hat, beim Streichen zu
helfen, kann sich in die Liste eintragen, die am Bootshaus aushängt.

## Die nächsten Termine

- 20. April: Nistkästen reinigen, Treffpunkt am Wehr
- 5. Mai: Radtour zur Quelle, etwa vierzig Kilometer
- 16. Juni: Sommerfest mit Kuchenbuffet

== https://www.backstube-lindner.example/rezepte/roggenmischbrot

Roggenmischbrot für Anfänger

Dieses Brot habe ich von meiner Großmutter gelernt, die nie etwas abgewogen hat und trotzdem immer das gleiche Brot
aus dem Ofen holte. Für alle anderen habe ich nachgemessen: dreihundert Gramm Roggenmehl, zweihundert Gramm
Weizenmehl, ein gehäufter Esslöffel Salz und so viel Wasser, dass der Teig noch am Löffel klebt, aber nicht mehr
davon heruntertropft. Dazu kommt ein Glas Sauerteig, der am Abend vorher gefüttert wurde.

Man rührt alles zusammen, lässt es eine Stunde stehen und formt dann mit nassen Händen einen Laib, der nicht schön
sein muss. Im Ofen wird er von allein schön. Die ersten zehn Minuten braucht er große Hitze, danach weniger, und
nach einer knappen Stunde klopft man auf die Unterseite. Klingt es hohl, ist das Brot fertig. Klingt es dumpf,
trinkt man noch eine Tasse Kaffee und klopft danach noch einmal.

Angeschnitten wird erst am nächsten Tag. Das ist der schwierigste Teil des Rezepts, und ich kenne niemanden, der ihn
immer einhält. Wer es schafft, wird mit einer Krume belohnt, die nicht klebt, und mit einem Geschmack, der erst über
Nacht entsteht. Am vierten Tag schmeckt das Brot am besten getoastet, mit Butter und ein wenig Schnittlauch.

== https://nachtzug.example/2018/mit-dem-rad-an-die-ostsee

Mit dem Rad an die Ostsee

Wir hatten uns vorgenommen, in vier Tagen von Berlin ans Meer zu fahren und dabei kein einziges Mal auf das Telefon
zu schauen. Das erste Vorhaben ist gelungen. Das zweite scheiterte am Abend des ersten Tages in einem Kiefernwald,
in dem alle Wege gleich aussahen und die einzige Auskunftsperson ein Reh war. Danach vereinbarten wir, dass einmal
am Tag erlaubt sei, und hielten uns im Großen und Ganzen daran.

Das Schönste an der Strecke sind die Alleen. Stundenlang fährt man unter Linden dahin, das Licht liegt in Flecken
auf dem Asphalt, und alle paar Kilometer steht eine Bank mit einer Aufschrift, die an irgendeinen Bürgermeister
erinnert. In den Dörfern wird an den Gartentoren Honig verkauft, das Geld steckt man in einen Briefkasten. Wir haben
mehr Honig gekauft, als man mit dem Rad vernünftigerweise transportieren kann.

== https://www.sternwarte-am-hang.example/blog/erste-beobachtungen

Die ersten Abende mit dem eigenen Fernrohr

Wer sein erstes Fernrohr auspackt, möchte sofort Galaxien sehen, und genau davon rate ich ab. Fangen Sie mit dem
Mond an, und zwar nicht bei Vollmond, sondern wenn er halb beleuchtet ist. Dann werfen die Krater lange Schatten,
und man versteht auf einen Blick, dass dort oben wirklich Berge stehen. Nehmen Sie die schwächste Vergrößerung. Sie
zeigt weniger, aber was sie zeigt, ist scharf und hell und läuft Ihnen nicht gleich aus dem Bild.

Als Nächstes kommt der Jupiter an die Reihe, dessen vier große Monde jeden Abend anders stehen. Zeichnen Sie ihre
Lage in ein Heft, auch wenn Sie nicht zeichnen können. Nach zwei Wochen haben Sie dasselbe entdeckt wie Galilei, und
zwar mit dem gleichen Beweis. Auf unserem Hang treffen wir uns an jedem klaren Freitag. Bringen Sie warme Socken
mit, denn beim Sternegucken friert man zuerst an den Füßen und erst viel später vor Begeisterung.

== https://www.uferweg-verein.example/berichte/eisvogel

Der Eisvogel ist wieder da

Drei Jahre lang haben wir ihn vermisst, nun ist er zurück: Am Steilufer unterhalb der Mühle brütet wieder ein
Eisvogelpaar. Frau Behrens hat es am Ostermontag als Erste gesehen und war so klug, niemandem außer dem Vorstand
davon zu erzählen. Inzwischen sind die Jungen geschlüpft, und die Eltern fliegen alle paar Minuten mit einem kleinen
Fisch im Schnabel in die Röhre. Man sieht eigentlich nur einen blauen Strich über dem Wasser.

Damit das so bleibt, bitten wir alle Bootsfahrer, auf diesem Abschnitt die Mitte des Flusses zu halten und nicht
anzulegen. Auch die Angler sind einverstanden und haben ihren Steg bis Ende Juli gesperrt. Fotografieren kann man
vom Weg aus, ein gutes Fernglas ist jedoch die bessere Wahl. Wer Geduld hat und sich auf die Bank unter der Weide
setzt, wird meist innerhalb einer Viertelstunde belohnt.

== https://de.gartenmoebel-welt.example/ratgeber/holzpflege

So pflegen Sie Ihre Holzmöbel richtig

Holzmöbel im Freien sind eine große Weise, Ihren Garten zu genießen, aber sie brauchen etwas Liebe jedes Jahr.
Starten Sie durch das Entfernen des losen Schmutzes mit einer weichen Bürste. Machen Sie sicher, dass das Holz
vollständig trocken ist, bevor Sie das Öl anwenden, ansonsten wird die Feuchtigkeit innen gefangen. Wir empfehlen,
zwei dünne Mäntel anstatt eines dicken aufzutragen und zwischen ihnen über Nacht zu warten.

Wenn Ihre Möbel bereits grau gedreht haben, sorgen Sie sich nicht. Ein leichtes Sandpapier wird die ursprüngliche
Farbe zurück in keiner Zeit bringen. Arbeiten Sie immer mit dem Korn und nicht gegen es. Am Ende der Saison decken
Sie den Tisch und die Stühle mit einer atmungsaktiven Abdeckung und speichern Sie sie an einem trockenen Platz. Auf
diese Weise werden sie für viele Jahre zu kommen dauern.

== https://www.kaesereihof.example/hofladen

Unser Hofladen

Der Hofladen ist von Dienstag bis Samstag geöffnet, im Sommer auch am Sonntagvormittag. Sie finden bei uns Käse aus
eigener Milch, Eier von den Hühnern, die Ihnen auf dem Parkplatz begegnen, und je nach Jahreszeit Äpfel, Kürbisse
oder Spargel vom Nachbarn. Wer mit dem Zug kommt, geht vom Bahnhof eine Viertelstunde immer am Bach entlang. Für
Gruppen öffnen wir nach Absprache auch außerhalb der Zeiten und kochen eine große Kanne Kaffee.

Jeden ersten Freitag im Monat zeigen wir, wie aus Milch Käse wird. Das dauert ungefähr zwei Stunden, man darf
rühren, schneiden und kosten, und am Ende nimmt jeder einen kleinen Frischkäse mit nach Hause. Kinder sind
willkommen, müssen sich aber die Hände waschen, und zwar länger, als sie es für möglich halten. Über eine Anmeldung
freuen wir uns, nötig ist sie nur für Gruppen ab acht Personen. Grüße aus der Käserei, Ihre Familie Müller-Höß.
"""

FR = """\
== https://www.jardins-du-canal.example/journal/printemps

Le printemps aux jardins du canal

Cette année, le printemps est arrivé un mardi. La veille encore, nous cassions la glace dans les arrosoirs, et le
lendemain les merles se disputaient déjà le vieux poirier. Dans les parcelles du bas, la terre reste lourde et
froide, et les anciens conseillent d'attendre la floraison du lilas avant de semer quoi que ce soit. Les nouveaux,
bien entendu, n'attendent pas. Ils auront des radis deux semaines avant tout le monde, ou pas de radis du tout.

L'assemblée générale a décidé de remplacer la pompe, qui datait de 1978 et faisait le bruit d'un bateau à vapeur.
Chacun paiera douze euros, et ceux qui viendront creuser la tranchée n'en paieront que six. Il a aussi été question
de la haie, des limaces et du coq de monsieur Ferrand, sans que l'on parvienne à un accord sur le coq. Le banc sous
le tilleul, lui, a été repeint en vert, et il est enfin sec.

== https://www.boulangerie-des-halles.example/recettes/brioche

La brioche du dimanche

Une bonne brioche se commence le samedi soir, quand la cuisine est calme et que personne ne demande ce qu'il y a à
manger. On mélange la farine, les œufs, un peu de sucre et la levure, puis on pétrit longtemps, jusqu'à ce que la
pâte se décolle des mains. Ensuite seulement vient le beurre, mou mais pas fondu, ajouté par petits morceaux. À ce
moment-là tout semble perdu. Il faut continuer, et la pâte redevient lisse comme par magie.

Elle passe la nuit au réfrigérateur sous un torchon humide. Le lendemain matin, on la façonne froide, car elle se
laisse alors faire sans coller, et on la laisse gonfler près d'une fenêtre ensoleillée. Un œuf battu pour la dorure,
trente minutes de four, et toute la maison descend l'escalier sans qu'il soit nécessaire d'appeler. Ma fille prétend
que le meilleur morceau est celui que l'on déchire trop tôt et qui brûle les doigts.

== https://carnets-de-gare.example/2019/correspondance-a-limoges

Une heure de correspondance

Il y a des gares où l'on voudrait manquer son train. Celle-ci possède une coupole, un buffet qui sert encore des
œufs mayonnaise et une horloge que l'on voit de toute la ville. J'avais une heure. Je l'ai passée sur un banc à
regarder les gens lever la tête en entrant, tous, même ceux qui viennent chaque jour et qui marchaient en lisant. Un
enfant a demandé à sa mère si c'était une église pour les trains.

Au buffet, un conducteur à la retraite m'a expliqué comment on reconnaissait autrefois une locomotive à son sifflet.
Il en imitait cinq, à voix basse, pour ne pas déranger. Il vient tous les jeudis, commande la même chose, salue les
anciens collègues et repart par l'autocar, parce que, dit-il, il a assez pris le train. Quand le mien a été annoncé,
il a regardé sa montre et il a dit : « Deux minutes de retard. De mon temps, c'était trois. »

== https://www.chorale-saint-roch.example/histoire

Histoire de la chorale

La chorale est née en 1952 d'un pari entre le facteur et l'instituteur. Le premier soutenait que personne au village
ne savait chanter, le second qu'il suffisait de leur apprendre. On les réunit dans la salle de classe, assis sur des
bancs trop petits, et l'instituteur gagna son pari en six semaines, avec une chanson à trois voix que les plus âgés
connaissent encore. Le facteur paya le vin et s'inscrivit chez les basses.

Depuis, quatre chefs se sont succédé, et l'on a chanté dans des églises, des granges, une piscine vide et une fois
dans le car, en panne au bord de la route, devant des automobilistes qui s'arrêtaient. Nous sommes aujourd'hui
trente-huit, dont beaucoup de sopranos et, comme partout, trop peu de ténors. Les répétitions ont lieu le mercredi.
On peut venir écouter avant de se décider, mais il est rare qu'on vous laisse écouter longtemps.

== https://www.nordlys-cabins.example/fr/sejour

Votre séjour dans nos cabanes

Nos cabanes sont localisées juste à côté du lac, vous donnant une vue incroyable dès que vous réveillez. Chaque
cabane vient avec une cuisine pleinement équipée, deux chambres et un poêle à bois pour ces nuits froides. Vous
pouvez vérifier dans après trois heures, et la clé sera attendre pour vous dans la petite boîte près de la porte.
Les animaux de compagnie sont bienvenus pour une petite charge.

Durant l'été, les invités peuvent emprunter un canot gratuit de charge et prendre avantage du soleil de minuit.
Durant l'hiver, nous courons des tours guidés à travers la forêt avec des raquettes. S'il vous plaît sentez-vous
libre de nous atteindre si vous avez n'importe quelles questions. Nous regardons en avant pour accueillir vous et
votre famille bientôt dans notre petit coin de paradis.
"""

ES = """\
== https://www.huertodelrio.example/diario/tomates

Los tomates de este año

Este verano he plantado seis variedades de tomate y he aprendido que con dos habría bastado. Los grandes, los de
ensalada, han madurado todos en la misma semana de agosto, justo cuando medio barrio estaba de vacaciones y no había
a quién regalárselos. Los pequeños, en cambio, han ido dando un puñado cada día desde junio, y los niños se los
comen al pasar, como si fueran caramelos que crecen en la valla.

Mi vecino Anselmo riega por la noche y dice que el agua de la acequia sabe a menta. No le creo, pero sus tomates son
mejores que los míos, así que he empezado a regar a la misma hora. Hablamos poco. Se oyen los grillos, el agua y de
vez en cuando un tren a lo lejos. Cuando terminamos, cada uno deja un tomate en el muro del otro, y nunca hemos
comentado nada sobre el asunto.

== https://www.recetasdelabuela.example/lentejas

Lentejas de los lunes

En casa de mi abuela los lunes había lentejas, y nadie discutía. Las ponía en agua fría la noche anterior, aunque
todo el mundo asegura que no hace falta, y por la mañana las echaba a la olla con una cebolla entera, una cabeza de
ajos, una hoja de laurel y una zanahoria partida en dos. El truco, decía, está en que no hiervan nunca con fuerza:
deben temblar, como quien tiene un poco de frío.

El sofrito se hace aparte, con aceite, pimentón y una cucharada de harina, y se añade cuando faltan diez minutos. En
ese momento la cocina cambia de olor y aparecen los que estaban en otras habitaciones. Se deja reposar media hora,
tapado, y se come con pan y una cuchara grande. Si sobran, el martes se aplastan con un tenedor y se fríen, y
entonces se comprende por qué siempre hacía de más.

## Ingredientes

- Medio kilo de lentejas
- Una cebolla, una zanahoria y una cabeza de ajos
- Una cucharadita de pimentón dulce
- Laurel, aceite de oliva y sal

== https://cuadernodecaminos.example/2017/puente-de-piedra

El puente de piedra

Para llegar al puente hay que preguntar tres veces. La primera respuesta siempre es equivocada, la segunda es
correcta pero incompleta, y la tercera te la da alguien que ha decidido acompañarte. A nosotros nos acompañó una
mujer con un cesto de higos que iba a visitar a su hermana, al otro lado del río. El camino baja entre encinas y se
estrecha tanto que hay que ir en fila, de modo que la conversación también iba en fila.

El puente es pequeño y perfecto. Dicen que lo hicieron los romanos, aunque en un sillar del lado norte hay grabado
un 1604 y un pez. La mujer nos contó que, de niñas, ella y su hermana jugaban a cruzarlo con los ojos cerrados, y
que ahora lo cruza con los ojos abiertos y con más miedo. Nos dio cuatro higos, dos a cada uno, y siguió sola. Desde
abajo la vimos saludar a alguien que no alcanzábamos a ver.

== https://es.mountaingear-outlet.example/blog/como-elegir-botas

Cómo escoger sus botas de senderismo

Escoger el par correcto de botas de senderismo puede hacer o romper su viaje. Primero de todo, usted debe pensar
sobre el terreno donde usted va a estar caminando la mayoría del tiempo. Botas ligeras son grandes para senderos de
día, mientras botas pesadas proveen más apoyo para cargar un paquete. Siempre trate las botas encendido en la tarde,
cuando sus pies son más grandes que en la mañana.

Una vez que usted ha encontrado un par que se siente bien, lléveselas alrededor de la casa por unos pocos días antes
de golpear el sendero. Esto ayudará a romperlas adentro y prevenir ampollas. No olvide de tomar cuidado de ellas
después de cada viaje. Limpie apagado el barro con un cepillo, sáquelas los interiores y déjelas secar al aire lejos
de calor directo. Con propio cuidado ellas le servirán bien por años.

== https://www.mercado-bilingue.example/puentes/carta-a-dos-voces

Carta a dos voces / A letter in two voices

Mi hermana vive en Leeds desde hace veinte años y ya sueña en inglés. Yo sigo en Zamora y sueño, cuando sueño, con
la cocina de nuestra madre. Nos escribimos una vez al mes, cada una en la lengua que le sale, y como no siempre es
la misma hemos decidido publicar las cartas tal como son. Esta semana me tocaba empezar a mí, y quería contarte que
han talado el castaño de la plaza.

I read your letter on the bus and missed my stop. They cannot have cut it down, because I am still sitting under it,
aged nine, with a plaster on each knee. Do you remember the bench that was nailed around the trunk, and how the
nails had sunk in, so that the tree seemed to be eating it? Tell me that somebody kept a piece. If there is a piece
I will come and fetch it, and pay for the seat beside me.

Guardé un trozo, claro. Está debajo de mi cama, envuelto en la manta azul, y pesa más que tú cuando naciste. El
carpintero dice que con él se puede hacer una mesa pequeña o dos cajas. Yo prefiero las dos cajas, una para cada
casa, y que viajen vacías hasta que se nos ocurra qué poner dentro.

Two boxes, yes. I know already what goes into mine. I shall put in your letters, which are all over this house in
drawers and inside cookery books, and the key to a door that has not existed since 1998. Come in October. The trees
here are nothing much, but there is one by the canal that leans in the right way.
"""

IT = """\
== https://www.ilforno-digiulia.example/ricette/focaccia

La focaccia di mio zio

Mio zio faceva il fornaio a Recco e si alzava alle due di notte senza sveglia. La sua focaccia aveva tre regole:
molta acqua, molto olio e nessuna fretta. Si impasta la sera con pochissimo lievito, si lascia riposare fino al
mattino, poi la si stende nella teglia con le dita, come se si suonasse un pianoforte molto piano. I buchi devono
restare, perché è lì che si raccoglie la salamoia fatta con acqua, olio e sale grosso.

In forno sta un quarto d'ora, alla temperatura più alta che avete. Quando esce va tolta subito dalla teglia e
appoggiata su una griglia, altrimenti sotto si inumidisce e perde quel rumore che fa quando la si spezza. Noi la
mangiavamo a colazione, intinta nel caffelatte, sotto lo sguardo inorridito dei cugini di Milano. Dopo due giorni di
vacanza la intingevano anche loro, e a settembre telefonavano per chiedere la ricetta.

== https://www.bandadelborgo.example/storia

La banda del borgo

La banda fu fondata nel 1888 con undici strumenti comprati di seconda mano da un circo fallito. Per questo, ancora
oggi, il bombardino più vecchio porta inciso un elefante. I primi musicisti erano muratori, calzolai e un notaio,
che suonava i piatti con grande precisione e scarsa fantasia. Provavano nella stalla comunale il lunedì sera, e pare
che le mucche dessero meno latte il martedì, tanto che il consiglio ne discusse in due sedute.

Oggi siamo quarantadue, dai nove agli ottantaquattro anni. Suoniamo per la festa del patrono, per i funerali di chi
lo ha chiesto e per il ritorno delle rondini, che cade quando lo decide la maestra Ines. I corsi per i ragazzi sono
gratuiti e gli strumenti si prestano. Chi vuole provare può venire il giovedì alle sei nella vecchia scuola, dove le
mucche, ormai, non si lamentano più.

== https://it.smartkitchen-deals.example/guide/pulire-la-macchina

Come pulire la vostra macchina del caffè

Pulire la vostra macchina del caffè è più facile di quanto pensate e fa una differenza enorme nel gusto. Iniziate da
svuotando il serbatoio dell'acqua e rimuovendo qualsiasi motivo di caffè vecchio dal filtro. Prossimo, mescolate
parti uguali di aceto bianco e acqua e versate la soluzione dentro il serbatoio. Correte la macchina per un mezzo
ciclo e poi lasciatela sedere per trenta minuti prima di continuare.

Dopo che il ciclo è finito, gettate la soluzione e correte la macchina due volte con acqua fresca per ottenere
liberi del gusto di aceto. Non dimenticate di asciugare giù l'esterno con un panno umido. Noi raccomandiamo di
ripetere questi passi una volta ogni mese, o più spesso se la vostra acqua è dura. La vostra macchina vi ringrazierà
e il vostro prossimo espresso gusterà come nuovo.
"""

PT = """\
== https://www.quintaldaavo.example/receitas/bolo-de-laranja

Bolo de laranja com casca e tudo

A receita veio escrita nas costas de uma conta de luz, com a letra da minha avó e uma mancha de manteiga onde devia
estar a quantidade de açúcar. Fizemos muitas experiências até descobrir que era uma chávena e meia. Leva duas
laranjas inteiras, com casca, cortadas aos pedaços e sem caroços, que se trituram com os ovos e o óleo. Depois
juntam-se a farinha e o fermento, mexe-se pouco, e vai ao forno.

Enquanto coze, aperta-se mais uma laranja e ferve-se o sumo com um pouco de açúcar. Assim que o bolo sai, ainda na
forma, pica-se com um palito e rega-se devagar, para que ele beba tudo sem se afogar. No dia seguinte está melhor,
mas isso é uma coisa que sabemos apenas por ouvir dizer. A minha avó guardava sempre uma fatia escondida atrás da
caixa dos botões, e nós fingíamos que não sabíamos.

== https://www.barcosdofaial.example/diario/sair-cedo

Sair cedo

O meu pai dizia que o mar se lê antes de amanhecer, quando ainda não há vento que o desarrume. Saíamos às quatro,
com o termo de café entre os joelhos e a lanterna apagada para poupar a pilha. Primeiro ouvia-se a boia, depois os
cagarros, e só muito mais tarde se via alguma coisa. Quando a ilha em frente aparecia inteira, com o cume
descoberto, ele sorria e acelerava. Se tinha chapéu, voltávamos para trás.

Hoje levo turistas a ver baleias, e o barco tem mais aparelhos do que a casa. Mas continuo a olhar para o cume. Um
dia, com todos os aparelhos a dizer que sim, a nuvem dizia que não, e eu dei meia volta diante de doze pessoas
zangadas. À tarde o porto fechou. Ninguém pediu o dinheiro de volta, e uma senhora de Lyon mandou-me depois uma
fotografia do chapéu, emoldurada.

== https://pt.healthy-paws-shop.example/artigos/escovar-o-gato

Como escovar o seu gato em casa

Escovar o seu gato regularmente é um dos melhores caminhos para manter o seu casaco saudável e livre de emaranhados.
Comece por escolher um tempo quando o seu gato é relaxado, tal como depois de uma refeição. Deixe ele cheirar a
escova primeiro, então que ele ganha usado a ela. Trabalhe suavemente na direção do crescimento do cabelo e evite
puxar difícil em qualquer nó que você pode encontrar.

Se o seu gato tem cabelo longo, você pode precisar de escovar ele cada dia durante a estação de derramamento. Para
gatos de cabelo curto, uma vez por semana é usualmente suficiente. Sempre termine a sessão com um deleite, para que
o seu amigo peludo olhe para a frente ao próximo tempo. Se você nota qualquer remendo careca ou pele vermelha, nós
recomendamos de contatar o seu veterinário tão logo quanto possível.
"""

NL = """\
== https://www.fietswerkplaats.example/tips/lekke-band

Een lekke band plakken zonder vloeken

Iedereen heeft het op school geleerd en iedereen is het vergeten, dus hier staat het nog eens. Zet de fiets op zijn
kop, haal de binnenband aan één kant uit de buitenband en pomp hem een beetje op. Luister eerst. De meeste gaten
hoor je, zeker als je het ventiel met je duim dichthoudt. Hoor je niets, dan heb je een bak water nodig en iemand
die niet bang is voor natte mouwen.

Schuur de plek rond het gat, ook al lijkt hij schoon, en smeer er dun lijm op. Nu komt het moeilijkste: vijf minuten
wachten tot de lijm dof is. Wie te vroeg plakt, plakt morgen weer. Voel in de tussentijd met je vingers langs de
binnenkant van de buitenband, want het glasscherfje zit er meestal nog in. Op zaterdag helpen wij je gratis, maar je
moet het wel zelf doen en de koffie is een euro.

== https://www.volkstuinzonzicht.example/nieuws/oogstfeest

Terugblik op het oogstfeest

Het regende tot twaalf uur en daarna scheen de zon, precies zoals Willem had voorspeld, en hij heeft het ons de hele
middag laten weten. Er stonden zeventien soorten soep op tafel. De prijs voor de grootste pompoen ging naar tuin 31:
achtenveertig kilo, vervoerd in een kinderwagen. De prijs voor de lelijkste wortel werd gedeeld, omdat de jury, die
uit drie kinderen bestond, er niet uit kwam en alle twee de wortels had opgegeten.

Bijzonder was dat de eerste tuinders er ook waren. Mevrouw De Groot heeft hier in 1961 als meisje nog stenen
geraapt, toen het terrein een voormalige vuilstort was en niemand geloofde dat er iets zou groeien. Zij sneed de
taart aan. De opbrengst van de loterij, tweehonderdtien euro, gaat naar een nieuwe deur voor het toilet, die volgens
de voorzitter na de storm van februari vooral symbolisch was.

== https://www.alpenlodge-berghof.example/nl/omgeving

De omgeving van de lodge

Onze lodge is perfect gelegen voor gasten die willen onderzoeken de bergen in hun eigen pas. Recht buiten de deur
vindt u gemerkte paden voor alle niveaus van fitness. De kabelauto is slechts een korte wandeling weg en neemt u
omhoog naar tweeduizend meter in minder dan tien minuten. Aan de top kunt u genieten van een adembenemend zicht en
een heet drankje in het zonterras.

In de winter is het gebied een waar paradijs voor skiërs en snowboarders. De skibus stopt in voorkant van de lodge
elke vijftien minuten en is vrij voor onze gasten. Na een lange dag op de hellingen u kunt ontspannen in onze sauna
of gewoon leunen terug bij het vuur. Ons team is altijd gelukkig om u te geven tips voor de beste plekken die de
meeste toeristen missen.
"""

SV = """\
== https://www.korforeningen.example/om-oss

Om kören

Vi började som en grupp grannar som sjöng i tvättstugan, eftersom akustiken där är så god. Efter ett klagomål,
skrivet på rim, flyttade vi till biblioteket, och där har vi repeterat varje tisdag sedan 1996. Vi är nu tjugonio
sångare och en hund. Ingen behöver sjunga upp för att få vara med, men den som kommer får räkna med att sitta
bredvid någon som kan stämman och som gärna sjunger den lite för starkt.

Två gånger om året ger vi en konsert, på våren ute i parken och i december i den gamla tågstallet, där varje ton
blir kvar under taket en god stund efteråt. Repertoaren bestäms genom omröstning, vilket har lett till att vi kan
elva visor om båtar och ingen om kärlek. Efter repetitionen finns det kaffe och bullar. Bullarna är den egentliga
anledningen till att tenorerna aldrig är frånvarande.

== https://www.cykelkoket.example/guider/vinterdack

Dags för vinterdäck på cykeln

Den första frosten brukar komma en morgon när man är sen, och därför är det klokt att byta däck redan i oktober.
Dubbdäck rullar tungt och låter som en påse grus, men de gör att man slipper gå med cykeln genom halva november.
Lägg det bättre däcket fram. Om framhjulet glider ligger man redan på marken, medan ett bakhjul som sladdar mest är
en nyttig påminnelse om att sakta ner.

Kör in dubbarna i lugn takt på torr asfalt de första två milen, så sätter de sig ordentligt. Kontrollera trycket
varje vecka, för luft krymper i kyla och ett mjukt däck blir snabbt ett platt däck. Smörj kedjan oftare än på
sommaren och torka av saltet när du kommer hem. Hos oss i verkstaden får man låna verktyg gratis, och på torsdagar
finns det någon där som vet vad de heter.
"""

PL = """\
== https://www.dzialkapodlipa.example/notatki/wrzesien

Wrzesień na działce

We wrześniu działka pachnie jabłkami i mokrym dymem. Papierówki dawno się skończyły, za to renety spadają w nocy na
dach altany z takim hukiem, że pies pani Haliny szczeka aż do rana. Zbieramy je do wiader, kroimy, suszymy na
nitkach nad piecem, a i tak połowa zostaje dla szpaków. Sąsiad twierdzi, że w tym roku będzie ostra zima, bo cebula
ma siedem łupin, ale mówił tak również w zeszłym roku.

W sobotę przekopaliśmy ostatnią grządkę i posadziliśmy czosnek, każdy ząbek na głębokość palca. Potem usiedliśmy na
ławce, żeby odpocząć, i siedzieliśmy do zmroku, bo nikt nie chciał wstać pierwszy. Z pociągu, który przejeżdża za
płotem, machała do nas jakaś dziewczynka. Pomachaliśmy wszyscy naraz. Babcia powiedziała, że dla takich rzeczy warto
mieć działkę, nawet jeśli marchew znowu się nie udała.

== https://www.kuchniazosi.example/przepisy/zurek

Żurek na własnym zakwasie

Zakwas nastawia się pięć dni wcześniej, co wymaga pewnej wiary w przyszłość. Do słoika wsypujemy szklankę mąki
żytniej, zalewamy letnią wodą, dodajemy trzy ząbki czosnku, liść laurowy i kilka ziaren ziela angielskiego. Słoik
przykrywamy gazą i codziennie mieszamy drewnianą łyżką. Trzeciego dnia zapach bywa niepokojący, ale piątego robi się
przyjemnie kwaśny, i wtedy wiadomo, że wszystko poszło dobrze.

Na wywarze z wędzonki i warzyw gotujemy białą kiełbasę, wyjmujemy ją, a do garnka wlewamy zakwas, cały czas
mieszając. Potem majeranek, dużo majeranku, roztarty w dłoniach, i łyżka chrzanu. Jajko na twardo kroi się na
ćwiartki dopiero na talerzu. Mój dziadek jadł żurek w milczeniu, z głową pochyloną, a po ostatniej łyżce mówił
zawsze to samo: „No, to teraz można żyć”.
"""

RU = """\
== https://www.reka-i-bereg.example/zametki/ledohod

Ледоход

В этом году лёд тронулся ночью, и никто, кроме сторожа на пристани, этого не видел. Утром река уже шла вся целиком,
серая, с треском и шорохом, и на льдинах плыли вещи, забытые за зиму: чей-то ящик, ветка с прошлогодними листьями,
деревянный стул. Дети бежали за стулом по берегу до самого моста. Говорят, что он доплыл до города, где его поймали
рыбаки и теперь на нём сидят.

Через неделю вода поднялась до второй ступеньки, и по старому обычаю учительница отметила уровень мелом на стене
школы. Отметок там больше шестидесяти, самая высокая сделана в 1966 году, выше человеческого роста. Потом вода ушла,
оставив на лугу ил и запах, который приезжие считают неприятным, а мы ждём всю зиму. Первые лодки спустили в
субботу. Дед Егор покрасил свою в жёлтый цвет и никому не объяснил почему.

== https://www.domashnyaya-pekarnya.example/recepty/yablochnyj-pirog

Яблочный пирог моей тёти

Тётя пекла этот пирог в сковороде, потому что формы у неё не было, а потом, когда форму подарили, она хранила в ней
пуговицы. Нужно взять четыре кислых яблока, нарезать их тонко и сразу полить лимонным соком. Три яйца взбиваются со
стаканом сахара до белой пены, затем добавляется стакан муки, щепотка соли и немного соды. Тесто получается жидкое,
как сметана, и пугаться этого не следует.

Яблоки выкладывают в смазанную маслом сковороду, заливают тестом и ставят в духовку на сорок минут. Открывать дверцу
нельзя, даже если очень хочется посмотреть. Готовый пирог переворачивают на тарелку одним быстрым движением, и в эту
секунду вся семья обычно молчит. Есть его лучше тёплым, с холодным молоком. А утром, если что-нибудь осталось, он
становится плотнее и пахнет почему-то мёдом, хотя мёда в нём нет.

== https://www.zvezdnyj-dvor.example/stati/pervyj-binokl

Небо с балкона

Чтобы смотреть на звёзды, не обязательно ехать в горы. Я живу на девятом этаже, под окнами горят фонари, и всё-таки
за год с балкона удалось увидеть четыре планеты, две кометы и бесчисленное множество кошек на соседних крышах.
Главное — выключить свет в комнате и подождать. Первые пять минут кажется, что неба нет. Через десять появляются
яркие звёзды, а через двадцать начинаешь различать цвет: эта красноватая, та голубая.

Бинокль лучше взять самый простой и опереть локти о перила. Начните с Луны, когда она ещё узкая: вдоль границы света
и тени видно больше всего подробностей. Записывайте дату и час в тетрадь. Сначала записи будут скучными, но через
несколько месяцев вы заметите, что планета сдвинулась, и сделаете это открытие сами, без чужой помощи. Сосед снизу
теперь тоже выходит с биноклем, и мы переговариваемся вполголоса.
"""

TR = """\
== https://www.bahcedenmutfaga.example/yazilar/domates-salcasi

Ağustosta salça zamanı

Bizim sokakta ağustosun son haftası salça haftasıdır. Sabah erkenden kasalar kapının önüne dizilir, çocuklar
domatesleri leğende yıkar, büyükler keser. Kim hızlı kesiyorsa hikâyeyi de o anlatır. Annem her yıl aynı hikâyeyi
anlatır, kazanın devrildiği yazı, ve her yıl kazan biraz daha büyür. Öğleye doğru bütün mahalle aynı kokuyu solur,
kediler bile duvarın üstünde uslu uslu oturur.

Domatesler önce ezilir, sonra süzülür ve geniş tepsilerle dama çıkarılır. Güneş işini üç günde bitirir, yeter ki
akşamları üstünü örtmeyi unutmayın. Tuzunu sona bırakın, çünkü su çektikçe tadı koyulaşır. Kavanozların ağzına bir
parmak zeytinyağı dökülür. Kışın o kavanozu açtığınızda mutfağa önce koku gelir, sonra ses: leğenin sesi, bıçakların
sesi, annemin hikâyesi. Bu yüzden biz salçayı satın alamayız.

== https://www.vapurgunlugu.example/2018/sabah-seferi

Sabah vapuru

Yedi yirmi vapurunda herkesin yeri bellidir. Gazete okuyan bey sol tarafta pencere kenarına oturur, iki hemşire çay
ocağının yanına, ben de arka güverteye. Yağmur yağsa da dışarı çıkarım, çünkü martıları saymayı seviyorum. En çok
otuz dört saydım. Simitçi beni tanır, parayı almadan önce bugün kaç tane olduğunu sorar, ben de söylerim. Bazen
pazarlık eder, "Yirmi desek olmaz mı?" der.

Geçen kış sis yüzünden seferler iptal edilince iskelede mahsur kaldık. Kimse kimseyle konuşmazken gazeteli bey
yüksek sesle bulmacadan bir soru sordu, hemşirelerden biri cevapladı, derken bütün bekleme salonu bulmacaya girdi.
Sis kalktığında son iki kelime eksikti. Vapura bindik, herkes yine kendi yerine oturdu, ama karşıya varmadan önce
simitçi bağırdı: "Buldum, sekiz harf, deniz feneri!" Dokuz harften fazla olduğunu söylemeye kimsenin gönlü
elvermedi.
"""

JA = """\
== https://www.kawabe-nikki.example/diary/sakura-no-tsutsumi

土手の桜が咲きました

川沿いの土手の桜が、今年は例年より五日ほど早く咲きました。朝の散歩に出ると、まだ誰もいない道に花びらが二、三枚だけ落
ちていて、もったいなくて踏めません。向こう岸では、近所の高橋さんが犬を連れて立ち止まり、長いこと上を見上げていました。
犬のほうは花に興味がないらしく、早く行こうと紐を引っ張っています。

午後になると、お弁当を広げる家族や、写真を撮る学生たちでにぎやかになりました。屋台は出ていませんが、橋のたもとの和菓
子屋さんが、店先で桜餅を売っています。一つ買って、ベンチで食べました。塩漬けの葉の香りがすると、ああ、春が来たなと思
います。来週は雨の予報なので、見頃は今度の日曜日までかもしれません。

== https://www.panya-komugi.example/blog/shokupan

毎朝の食パンができるまで

当店の一日は、午前三時に始まります。まず前の晩に仕込んだ生地の様子を見て、その日の気温と湿度に合わせて水の量を少しだ
け変えます。夏は冷たい水を使い、冬はぬるま湯を足します。数字で書けばわずかな違いですが、これを怠ると、焼き上がりの高
さがはっきり変わってしまいます。生地は毎日違うことを言う、というのが先代の口癖でした。

型に入れた生地がふくらんで、縁から顔を出すころ、窓の外が明るくなってきます。焼き時間は三十八分です。オーブンから出し
たら、型ごと台にとんと落として、中の蒸気を抜きます。こうすると、横がへこみません。開店は七時ですが、六時半には一番の
お客さまが並んでいます。焼きたては切りにくいので、どうぞ少し冷ましてから召し上がってください。

== https://www.yama-no-eki.example/tabi/owari-no-eki

終点の駅で降りる

一両だけの列車に乗って、終点まで行ってみました。途中の駅で高校生が降りてしまうと、乗客は私と、大きな荷物を抱えたおば
あさんの二人だけになりました。おばあさんは、孫に届ける柿だと言って、私にも一つくださいました。線路は川に沿って何度も
曲がり、そのたびに山が右に見えたり左に見えたりします。

終点の駅には駅員がいません。待合室には誰かが編んだ座布団が並び、壁のノートには、訪れた人の短い言葉が書いてありました。
次の列車まで二時間あるので、坂を上って神社にお参りし、湧き水を飲み、石段に座って柿を食べました。帰りの列車の運転士さ
んは、行きと同じ人でした。「ゆっくりできましたか」と聞かれて、はい、とだけ答えました。

== https://www.yubinkyoku-dori.example/oshirase/natsumatsuri

夏祭りのお知らせ

今年も商店街の夏祭りを八月の第一土曜日に行います。雨の場合は翌日に延期します。午後三時から子どもみこしが町内を回りま
すので、参加するお子さんは二時半までに郵便局の前に集まってください。法被は貸し出しますが、帽子と水筒はご自分でご用意
ください。夕方からは広場で盆踊りがあります。踊りを知らない方も、前の人をまねすれば大丈夫です。

屋台は、焼きそば、かき氷、金魚すくいのほか、文房具店の店主が作る名物のカレーが三年ぶりに登場します。ごみは持ち帰るか、
決められた場所に分けて捨ててください。片付けを手伝ってくださる方を募集しています。終わったあとに、冷たい麦茶とすいか
を用意してお待ちしています。お問い合わせは、魚屋の中村までお願いします。
"""

ZH = """\
== https://www.hepan-riji.example/riji/zaochen-de-shichang

早晨的菜市场

天还没有完全亮，菜市场已经热闹起来了。卖豆腐的老周最早到，他的木板上盖着一层白布，热气从布下面慢慢冒出来。旁边卖青菜
的大姐一边摆菜一边和他说话，说昨天夜里下了雨，今天的菠菜特别嫩。我每个星期六都来，其实家里并不缺什么，只是喜欢听他们
讨价还价，那声音让人觉得日子过得很踏实。

走到市场的尽头，有一位老人专门修伞和磨刀。他的摊子很小，只有一张凳子和一个木箱，箱子上写着“不急”两个字。有人问他什么
时候能取，他就指一指那两个字。我把家里的剪刀交给他，买了两块豆腐、一把小葱，在路边吃了一碗馄饨。等我回来的时候，剪刀
已经磨好了，用旧报纸包着，上面还压了一颗糖。

== https://www.jiachang-chufang.example/caipu/xihongshi-jidan

西红柿炒鸡蛋怎么做才好吃

这道菜人人都会做，可是每家的味道都不一样。先把三个鸡蛋打散，加一点盐和一小勺水，用筷子搅到看不见蛋白为止。锅要烧热，
油要多一些，鸡蛋倒下去以后不要马上翻动，等边上鼓起来，再轻轻推几下，八分熟就盛出来。很多人把鸡蛋炒老了，就是因为舍不
得早一点关火。

西红柿最好选熟透的，用开水烫一下，去掉皮，切成大小不一的块。大的留着吃，小的化成汁。锅里放一点葱花，把西红柿炒出红色
的汤，加半勺糖，再把鸡蛋倒回去，翻两下就可以了。我父亲喜欢把它浇在面条上，我母亲坚持要配米饭，他们为这件事争论了三十
年，最后商量好单日吃面，双日吃饭。

== https://www.xingkong-yangtai.example/rumen/ren-xing

在城市里认星星

城里的天空虽然不够黑，但是最亮的几十颗星还是看得见的。冬天的晚上，面朝南方，先找三颗排成一条直线、距离差不多的星，那
就是猎户座的腰带。顺着腰带往左下方看，会遇到全天最亮的恒星天狼星；往右上方看，是一颗橙色的星，叫毕宿五。认识了这几颗，
冬季的夜空就不再陌生了。

不需要马上买望远镜。准备一本笔记本，每天在同一个时间、同一个位置站十分钟，记下哪颗星在哪座楼的上方。一个月以后，你会
发现它们都向西移动了一段距离，这就是地球绕着太阳走的证据。我女儿刚开始觉得无聊，后来却比我更认真，她给每一座楼都起了
名字，还画了一张只有我们家才看得懂的星图。
"""

AR = """\
== https://www.bustan-alhay.example/maqalat/shajarat-altin

شجرة التين في آخر الشارع

في آخر شارعنا شجرة تين قديمة لا يعرف أحد من زرعها. يقول الحاج سليم إنها كانت هنا قبل البيوت، وإن البنائين غيروا مكان
السور حتى لا يقطعوها. في شهر آب تمتلئ أغصانها بالثمر، فيضع الجيران سلما خشبيا قرب الجذع، ويأخذ كل واحد ما يكفيه
ويترك الباقي للأطفال والعصافير. لم يكتب أحد هذه القاعدة، ولم يخالفها أحد.

في السنة الماضية كسرت العاصفة غصنا كبيرا، فاجتمع أهل الشارع في المساء كأنهم يزورون مريضا. أحضرت أم خالد حبلا، وأحضر
النجار دعامة من الخشب، وشربنا الشاي حتى انتهى العمل. هذا الصيف عاد الغصن مثقلا بالتين، وكان ألذ من غيره كما تقول
جدتي، لأن الشجرة لا تنسى من وقف معها. علقنا الدعامة القديمة على الحائط للذكرى.

== https://www.matbakh-salma.example/wasafat/shorbat-adas

شوربة العدس كما تعلمتها من أمي

لا أذكر شتاء بلا شوربة عدس. كانت أمي تغسل كوبين من العدس الأحمر حتى يصفو الماء، ثم تضعهما في القدر مع بصلة مفرومة
وجزرة وحبة بطاطا صغيرة. تتركها على نار هادئة نصف ساعة، وتعود إليها بين حين وآخر بملعقة خشبية طويلة. عندما تنضج
الخضار تهرسها جيدا، وتضيف الملح والكمون والقليل من الكركم ليصبح لونها مثل الشمس.

السر كله في الخطوة الأخيرة. في مقلاة صغيرة نحمر الثوم مع زيت الزيتون حتى يصبح ذهبيا، ثم نسكبه فوق القدر فيصدر ذلك
الصوت الذي ينادي الجميع إلى المائدة. نقدم الشوربة مع الليمون والخبز المحمص، ومن أراد زاد رشة من الفلفل. كان أبي يقول
إن الصحن الأول للجوع والثاني للدفء، أما الثالث فهو احترام للطباخة، ولم يكن يكتفي أبدا بالاحترام القليل.

== https://www.nujum-albadiya.example/maqalat/layl-alsahra

ليلة تحت نجوم البادية

خرجنا من المدينة بعد العصر، وتركنا السيارة عند آخر بيت، ثم مشينا ساعة كاملة حتى اختفت أضواء الطريق. جلسنا على الرمل
ننتظر. في البداية ظهرت الزهرة وحدها فوق التلال، ثم تبعتها نجوم قليلة، وبعد نصف ساعة صار عددها أكبر من أن يعد. قال
دليلنا إن جده كان يسافر بهذه النجوم وحدها، وإن لكل نجم منها اسما وحكاية وموعدا للمطر.

علمنا كيف نجد القطب الشمالي من غير بوصلة، وكيف نعرف من طلوع سهيل أن الحر قد انكسر. كتبت ابنتي الأسماء في دفترها
واحدا بعد آخر، واكتشفت أن كثيرا منها يستعمل في كتب الفلك في العالم كله. شربنا القهوة قرب النار، ونمنا في العراء.
وعند الفجر أيقظنا البرد، فرأينا هلالا رفيعا جدا يسبق الشمس بخطوة واحدة.
"""

TEXTS = (EN, DE, FR, ES, IT, PT, NL, SV, PL, RU, TR, JA, ZH, AR)

SPAM_LINES = (
    "Buy cheap shoes online today best price shoes free shipping best price shoes.",
    "Best price shoes for men best price shoes for women best price shoes for kids.",
    "Click here for cheap shoes online today and get the best price shoes now.",
)

GARDEN_BIRDS = (
    "Blackbird: in every garden, all year",
    "Blackcap: a few in winter, at the fat balls",
    "Blue tit: daily, up to nine at once",
    "Bullfinch: pairs in April, on the plum buds",
    "Chaffinch: all year, under the feeders",
    "Chiffchaff: from the end of March, heard first",
    "Coal tit: all year, quick and alone",
    "Collared dove: all year, on the aerial",
    "Dunnock: all year, along the hedge",
    "Goldcrest: October to February, in the yew",
    "Goldfinch: all year, flocks in autumn",
    "Great spotted woodpecker: now and then, at the peanuts",
    "Great tit: daily, nests in the letter box",
    "Greenfinch: fewer than five years ago",
    "House martin: May to September, overhead",
    "House sparrow: all year, mostly in the ivy",
    "Jackdaw: all year, on chimneys",
    "Jay: October, after acorns",
    "Long-tailed tit: parties of a dozen in winter",
    "Magpie: all year, early mornings",
    "Mistle thrush: January, guarding the mistletoe",
    "Nuthatch: one garden near the wood",
    "Pied wagtail: car park and playing field",
    "Redwing: November to March, in cold spells",
    "Robin: in every garden, sings all winter",
    "Siskin: February and March, on the alders",
    "Song thrush: three pairs in the parish",
    "Sparrowhawk: twice a month, briefly",
    "Starling: all year, many more in winter",
    "Swift: May to early August, at dusk",
    "Tawny owl: heard from the churchyard",
    "Treecreeper: the old orchard only",
    "Woodpigeon: all year, all day",
    "Wren: all year, louder than its size",
)

LATER_PARAGRAPH = (
    "Update, Monday: the county has now confirmed that the gate at the southern end will stay unlocked at night. "
    "A reader has pointed out that Mrs Farrar worked at the upper mill and not at the lower one, and that she would "
    "not thank us for the mistake. We are glad to put it right, and she has been sent a copy of the paper."
)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a page: `kind` is p, h, list, table or comments; `items` its lines."""

    kind: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The text of a page, before it is dressed up as HTML."""

    url: str
    title: str
    blocks: tuple[Block, ...]

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def site(self) -> str:
        return SITES[self.host][0]

    @property
    def language(self) -> str:
        return SITES[self.host][1]

    def text(self) -> str:
        """Title and blocks as lines, without the boilerplate of the site."""
        return "\n".join([self.title, *(item for block in self.blocks for item in block.items)])


@dataclass(frozen=True, slots=True)
class Capture:
    """One fetch of an address: what becomes a request, a response and a metadata record."""

    url: str
    fetched_at: datetime
    payload: bytes
    status: str = "200 OK"
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html; charset=UTF-8"),)
    media_type: str = "text/html"
    charset: str | None = "UTF-8"
    truncated: bool = False
    broken: bool = False
    revisit_of: Capture | None = None


@dataclass(slots=True)
class Dress:
    """What a kind of page changes in the HTML around its text."""

    html_attributes: str = ""
    head: list[str] = field(default_factory=list)
    before: str = ""  # first thing in the body
    after: str = ""  # last thing in the body
    declare_charset: str | None = "utf-8"
    paragraph: str = "<p>{}</p>"  # how a paragraph is written; {n} counts
    footer: str = ""


MARKERS = {"## ": "h", "- ": "list", "| ": "table", "> ": "comments"}


def parse(source: str) -> list[Page]:
    """The pages of a text in the notation described above."""
    pages = []
    for part in re.split(r"(?m)^== ", source.strip())[1:]:
        url, title, *blocks = (chunk.strip() for chunk in re.split(r"\n\n", part.strip()))
        joint = "" if SITES[urlsplit(url).hostname or ""][1] in ("ja", "zh") else " "
        pages.append(Page(url, title, tuple(_block(chunk, joint) for chunk in blocks)))
    return pages


def _block(chunk: str, joint: str) -> Block:
    lines = chunk.split("\n")
    marker = next((m for m in MARKERS if chunk.startswith(m)), None)
    if marker is None:
        return Block("p", (joint.join(lines),))
    items: list[str] = []
    for line in lines:
        if line.startswith(marker):
            items.append(line[len(marker) :])
        else:
            items[-1] += joint + line
    return Block(MARKERS[marker], tuple(items))


def _number(url: str, salt: str = "") -> int:
    """A fixed number for an address."""
    return uuid.uuid5(NAMESPACE, salt + url).int


def _paragraphs(*texts: str) -> tuple[Block, ...]:
    return tuple(Block("p", (text,)) for text in texts)


def all_pages() -> list[Page]:
    """Every HTML page that has text of its own or repeats another's, one per address."""
    pages = parse("\n".join(TEXTS))
    by_url = {page.url: page for page in pages}
    for plant in PLANTS:
        if plant.kind in ("exact_duplicate", "near_duplicate") and plant.of is not None:
            original = by_url[plant.of]
            pages.append(replace(_edited(original, EDITS.get(plant.url, ())), url=plant.url))
    pages.append(
        Page(
            "https://www.northquaymuseum.example/closed-today",
            "Closed today",
            _paragraphs("We are closed today. See you tomorrow."),
        )
    )
    pages.append(
        Page(
            "https://best-price-shoes-now.example/cheap-shoes-online",
            "Cheap shoes online best price shoes",
            _paragraphs(*(" ".join(SPAM_LINES[(start + i) % 3] for i in range(4)) for start in range(12))),
        )
    )
    pages.append(
        Page("https://www.birdledger.example/lists/garden-birds", "Garden birds", (Block("list", GARDEN_BIRDS),))
    )
    return pages


def _edited(page: Page, edits: tuple[tuple[str, str], ...]) -> Page:
    blocks = page.blocks
    for old, new in edits:
        if sum(item.count(old) for block in blocks for item in block.items) != 1:
            raise ValueError(f"{page.url} does not hold {old!r} exactly once")
        blocks = tuple(replace(b, items=tuple(item.replace(old, new) for item in b.items)) for b in blocks)
    return replace(page, blocks=blocks)


RECENT = (
    "mt_", "ai_", "optout_", "digital_", "licence_", "benchmark_", "charset_", "spam_", "transfer_", "content_",
)  # fmt: skip


def fetched_at(url: str) -> datetime:
    """The fixed time at which an address was fetched: 2016 to 2021 or 2024, never before the year in its path."""
    seed = _number(url, "date")
    match = re.search(r"\b(20[12]\d)(?:[/-](\d\d))?\b", url)
    month = seed // 7 % 12 + 1
    if match:
        year = int(match[1])
        month = max(month, int(match[2])) if match[2] else month
    elif PLANTED.get(url, "").startswith(RECENT):
        year = 2024
    else:
        year = (2016, 2017, 2018, 2019, 2020, 2021, 2024, 2024, 2024, 2024)[seed % 10]
    # Days 10 to 25, so that a page dated in the month of its address was there when it was fetched.
    day = datetime(year, min(month, 11) if year == 2024 else month, 10 + seed // 97 % 16, tzinfo=UTC)
    return day + timedelta(seconds=seed // 1009 % 86_400)


def dress_for(page: Page) -> Dress:
    """What the kind of a page adds to its HTML."""
    dress = Dress()
    kind = PLANTED.get(page.url, "")
    language = page.language
    if kind == "mt_google_xmtfrom":
        dress.html_attributes = f'lang="{language}-x-mtfrom-en"'
        dress.head.append('<meta name="robots" content="none">')
    elif kind == "mt_google_translated_ltr":
        dress.html_attributes = f'lang="{language}" class="translated-ltr"'
        font = '<font style="vertical-align: inherit;">'
        dress.paragraph = f"<p>{font}{font}{{}}</font></font></p>"
    elif kind == "mt_microsoft_msthash":
        # Edge marks every text element, those of the frame too.
        dress.paragraph = '<p _msttexthash="{n}813278" _msthash="{n}">{}</p>'
        dress.after = "".join(f'<span _msthash="9{n}" _msttexthash="77{n}01">·</span>' for n in range(4))
    elif kind == "mt_site_translator_active" and language == "fr":
        dress.head += [
            '<link rel="alternate" hreflang="en" href="https://www.nordlys-cabins.example/sejour">',
            '<link rel="alternate" hreflang="fr" href="https://www.nordlys-cabins.example/fr/sejour">',
            '<script src="https://cdn.weglot.com/weglot.min.js"></script>',
            '<script type="application/json" id="weglot-data">{"website":"https://www.nordlys-cabins.example",'
            '"language_from":"en","languages":[{"language_to":"fr","enabled":true}],"current_language":"fr"}</script>',
        ]
        dress.after = (
            '<aside data-wg-notranslate class="country-selector weglot-dropdown"><div data-wg-notranslate '
            'class="wgcurrent wg-li weglot-flags fr" data-code-language="fr"><span>Français</span></div></aside>'
        )
    elif kind == "mt_site_translator_active":
        dress.head += [
            '<link rel="alternate" hreflang="de" href="https://www.alpenlodge-berghof.example/omgeving">',
            '<link rel="alternate" hreflang="nl" href="https://www.alpenlodge-berghof.example/nl/omgeving">',
        ]
        dress.after = (
            '<div class="gtranslate_wrapper"></div><script>window.gtranslateSettings = {"default_language":"de",'
            '"languages":["de","en","nl"],"url_structure":"sub_directory","wrapper_selector":".gtranslate_wrapper"}'
            '</script><script src="https://cdn.gtranslate.net/widgets/latest/dropdown.js" defer></script>'
        )
    elif kind == "mt_widget_present":
        dress.before = (
            '<div id="google_translate_element"></div><script>function googleTranslateElementInit() { new '
            "google.translate.TranslateElement({pageLanguage: 'en'}, 'google_translate_element'); }</script><script "
            'src="https://translate.google.com/translate_a/element.js?cb=googleTranslateElementInit"></script>'
        )
    elif kind == "digital_source_type":
        dress.head.append(
            _json_ld(
                {
                    "@context": "https://schema.org",
                    "@type": "Article",
                    "headline": page.title,
                    "digitalSourceType": "https://schema.org/TrainedAlgorithmicMediaDigitalSource",
                }
            )
        )
    elif kind == "jsonld_dates":
        dress.head.append(
            _json_ld(
                {
                    "@context": "https://schema.org",
                    "@type": "NewsArticle",
                    "headline": page.title,
                    "datePublished": "2021-03-09T08:30:00+00:00",
                    "dateModified": "2021-03-11T17:05:00+00:00",
                    "author": {"@type": "Person", "name": "Dilys Moore"},
                }
            )
        )
    elif kind == "optout_meta_robots":
        dress.head.append('<meta name="robots" content="noai, noimageai">')
    elif kind == "optout_tdm_reservation" and language == "fr":
        dress.head.append('<meta name="tdm-reservation" content="1">')
    elif kind == "licence_cc_by":
        dress.footer = (
            '<p>This leaflet is available under a <a rel="license" '
            'href="https://creativecommons.org/licenses/by/4.0/">Creative Commons Attribution 4.0 International '
            "Licence</a>.</p>"
        )
    elif kind == "charset_windows_1252":
        dress.declare_charset = None
    elif kind == "charset_shift_jis":
        dress.declare_charset = "Shift_JIS"
    return dress


def _json_ld(value: dict[str, object]) -> str:
    return f'<script type="application/ld+json">{json.dumps(value, ensure_ascii=False)}</script>'


def _main_html(page: Page, dress: Dress) -> str:
    parts = []
    count = 0
    escape = html.escape
    for block in page.blocks:
        if block.kind == "p":
            count += 1
            text = escape(block.items[0], quote=False)
            parts.append(dress.paragraph.replace("{n}", str(count)).replace("{}", text))
        elif block.kind == "h":
            parts.append(f"<h2>{escape(block.items[0], quote=False)}</h2>")
        elif block.kind == "list":
            items = "\n".join(f"  <li>{escape(item, quote=False)}</li>" for item in block.items)
            parts.append(f'<div class="list"><ul>\n{items}\n</ul></div>')
        elif block.kind == "table":
            head, *rows = ([escape(cell.strip(), quote=False) for cell in item.split(" | ")] for item in block.items)
            top = "".join(f"<th>{cell}</th>" for cell in head)
            body = "\n".join("  <tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
            parts.append(f"<table>\n  <thead><tr>{top}</tr></thead>\n  <tbody>\n{body}\n  </tbody>\n</table>")
        else:
            comments = []
            for item in block.items:
                name, _, said = item.partition(": ")
                said = escape(said, quote=False)
                comments.append(f'  <li class="comment"><cite>{escape(name)}</cite><p>{said}</p></li>\n')
            heading = f"<h2>{WORDS[page.language][5]}</h2>"
            parts.append(f'<section id="comments" class="comments">{heading}<ol>\n{"".join(comments)}</ol></section>')
    return "\n".join(parts)


def render(page: Page, others: list[Page], when: datetime) -> str:
    """A page as HTML: one of five layouts, by host; `others` are the pages of the same site."""
    dress = dress_for(page)
    home, about, archive, contact, search, _, related, rights, cookies = WORDS[page.language]
    main = _main_html(page, dress)
    title, site = html.escape(page.title, quote=False), html.escape(page.site, quote=False)
    style = _number(page.host, "layout") % 5
    links = [("/", home), ("/about", about), ("/archive", archive), ("/contact", contact)]
    nav = "\n".join(f'    <li><a href="{href}">{label}</a></li>' for href, label in links)
    nav = f"<ul>\n{nav}\n  </ul>"
    siblings = "\n".join(
        f'    <li><a href="{html.escape(other.url)}">{html.escape(other.title, quote=False)}</a></li>'
        for other in others
        if other.url != page.url
    )
    more = f"<h3>{related}</h3>\n  <ul>\n{siblings}\n  </ul>" if siblings else ""
    date = (when - timedelta(days=_number(page.url, "age") % 9)).date().isoformat()
    rights = f"© {when.year} {site}. {rights}"
    field_html = f'<input type="search" name="q" placeholder="{search}">'
    form = f'<form action="/search">{field_html}<button>{search}</button></form>'
    if style == 0:
        body = (
            f'<header>\n<a class="logo" href="/">{site}</a>\n<nav>\n  {nav}\n</nav>\n</header>\n<main>\n<article>\n'
            f'<h1>{title}</h1>\n<p class="meta"><time datetime="{date}">{date}</time></p>\n'
            f"{main}\n</article>\n</main>\n"
            f"<aside>\n  {form}\n  {more}\n</aside>\n<footer>{dress.footer}<p>{rights}</p></footer>"
        )
    elif style == 1:
        body = (
            f'<div id="wrapper">\n<div id="header"><b>{site}</b></div>\n<div id="menu">\n  {nav}\n</div>\n'
            f'<table width="100%" cellpadding="6"><tr>\n<td id="sidebar" width="180" valign="top">\n  {more}\n</td>\n'
            f'<td id="content" valign="top">\n<h1>{title}</h1>\n{main}\n</td>\n</tr></table>\n'
            f'<div id="footer">{dress.footer}<p>{rights}</p></div>\n</div>'
        )
    elif style == 2:
        body = (
            f'<div class="site-header"><p class="site-title"><a href="/">{site}</a></p>\n'
            '<nav class="main-navigation">\n'
            f'  {nav}\n</nav></div>\n<div id="primary" class="content-area"><main id="main" class="site-main">\n'
            f'<article class="post hentry">\n<header class="entry-header"><h1 class="entry-title">{title}</h1>\n'
            f'<div class="entry-meta"><time class="entry-date" datetime="{date}">{date}</time></div></header>\n'
            f'<div class="entry-content">\n{main}\n</div>\n</article>\n</main></div>\n'
            f'<div class="widget-area" role="complementary">\n  {form}\n  {more}\n</div>\n'
            f'<footer class="site-footer">{dress.footer}<p>{rights}</p></footer>'
        )
    elif style == 3:
        body = (
            f'<div class="topbar">{site} {form}</div>\n<nav class="toc" role="navigation">\n  {nav}\n  {more}\n</nav>\n'
            f'<div role="main" class="document">\n<h1>{title}</h1>\n{main}\n</div>\n'
            f'<div class="footer">{dress.footer}<p>{rights}</p><p class="updated">{date}</p></div>'
        )
    else:
        body = (
            f'<div class="cookie-banner" role="dialog"><p>{cookies}</p><button>OK</button></div>\n'
            f'<header class="masthead"><p class="brand">{site}</p>\n<nav class="navbar">\n  {nav}\n</nav></header>\n'
            f'<nav class="breadcrumb"><a href="/">{home}</a> &rsaquo; <span>{title}</span></nav>\n<main id="main">\n'
            f'<article class="article-body">\n<h1>{title}</h1>\n{main}\n</article>\n</main>\n'
            f'<section class="related">\n  {more}\n</section>\n'
            f'<footer class="page-footer">{dress.footer}<p>{rights}</p></footer>'
        )
    attributes = dress.html_attributes or (
        f'lang="{page.language}"' + (' dir="rtl"' if page.language == "ar" else "") if style != 1 else ""
    )
    head = [
        f'<meta charset="{dress.declare_charset}">' if dress.declare_charset else "",
        f"<title>{title} - {site}</title>",
        '<meta name="viewport" content="width=device-width, initial-scale=1">' if style != 1 else "",
        f'<link rel="canonical" href="{html.escape(page.url)}">' if style in (0, 2) else "",
        '<link rel="stylesheet" href="/style.css">',
        *dress.head,
    ]
    return (
        f"<!DOCTYPE html>\n<html{' ' + attributes if attributes else ''}>\n<head>\n"
        + "\n".join(line for line in head if line)
        + f"\n</head>\n<body>\n{dress.before}{body}\n{dress.after}</body>\n</html>\n"
    )


def _gzip(data: bytes) -> bytes:
    """One gzip member with a fixed header: no time, no name, level 9, written on Unix."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = compressor.compress(data) + compressor.flush()
    return b"\x1f\x8b\x08\x00\0\0\0\0\x02\x03" + stream + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


def _chunked(data: bytes, size: int = 1024) -> bytes:
    chunks = (data[i : i + size] for i in range(0, len(data), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def _pdf(lines: tuple[str, ...]) -> bytes:
    """A PDF of one page with lines of text."""
    shown = " ".join(f"({line}) Tj T*" for line in lines)
    stream = f"BT /F1 12 Tf 16 TL 72 760 Td {shown} ET".encode("ascii")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(out)
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, table, len(objects) + 1, start)
    )


def captures() -> list[Capture]:
    """Every fetch in the archive, in its order; the broken one is the third from the end."""
    pages = all_pages()
    sites: dict[str, list[Page]] = {}
    for page in pages:
        sites.setdefault(page.host, []).append(page)
    found: list[Capture] = []
    for page in pages:
        found.extend(_page_captures(page, sites[page.host]))
    found.extend(_other_captures())
    found.sort(key=lambda c: (_number(c.url, "order"), c.fetched_at))
    broken = next(c for c in found if c.broken)
    found.remove(broken)
    found.insert(len(found) - 2, broken)
    return found


def _page_captures(page: Page, others: list[Page]) -> list[Capture]:
    url, kind = page.url, PLANTED.get(page.url, "")
    when = fetched_at(url)
    markup = render(page, others, when)
    plain = Capture(url, when, markup.encode())
    typed = ("Content-Type", "text/html; charset=UTF-8")
    if kind == "same_url_twice" and "/guides/" in url:
        first = datetime(2018, 5, 14, 9, 12, 44, tzinfo=UTC)
        payload = render(page, others, first).encode()
        return [replace(plain, payload=payload, fetched_at=w) for w in (first, first.replace(year=2024))]
    if kind == "same_url_twice":
        first = datetime(2024, 6, 15, 7, 3, 21, tzinfo=UTC)
        longer = replace(page, blocks=(*page.blocks, *_paragraphs(LATER_PARAGRAPH)))
        second = first + timedelta(days=37)
        return [
            replace(plain, payload=render(p, others, w).encode(), fetched_at=w)
            for p, w in ((page, first), (longer, second))
        ]
    if kind == "revisit":
        first = datetime(2017, 9, 20, 16, 40, 5, tzinfo=UTC)
        original = replace(plain, fetched_at=first, payload=render(page, others, first).encode())
        again = replace(original, fetched_at=datetime(2021, 4, 18, 3, 22, 50, tzinfo=UTC), revisit_of=original)
        return [original, again]
    if kind == "broken_record":
        return [replace(plain, broken=True)]
    if kind == "charset_windows_1252":
        payload = markup.encode("cp1252")
        return [replace(plain, payload=payload, headers=(("Content-Type", "text/html"),), charset="windows-1252")]
    if kind == "charset_shift_jis":
        # The copyright sign is not in Shift_JIS.
        payload = markup.replace("©", "&copy;").encode("shift_jis")
        return [replace(plain, payload=payload, headers=(("Content-Type", "text/html"),), charset="Shift_JIS")]
    if kind == "content_encoding_gzip":
        return [replace(plain, payload=_gzip(plain.payload), headers=(typed, ("Content-Encoding", "gzip")))]
    if kind == "transfer_encoding_chunked":
        return [replace(plain, payload=_chunked(plain.payload), headers=(typed, ("Transfer-Encoding", "chunked")))]
    if kind == "truncated":
        end = markup.index("used a ruler, and") + len("used a ruler, and")
        return [replace(plain, payload=markup[:end].encode(), truncated=True)]
    if kind == "optout_x_robots_tag":
        return [replace(plain, headers=(typed, ("X-Robots-Tag", "noai")))]
    if kind == "optout_tdm_reservation" and page.language == "en":
        policy = ("tdm-policy", "https://essays.stillwater.example/tdm-policy.json")
        return [replace(plain, headers=(typed, ("tdm-reservation", "1"), policy))]
    return [plain]


def _other_captures() -> Iterator[Capture]:
    """The responses that are not pages."""
    for plant in PLANTS:
        when = fetched_at(plant.url)
        capture = Capture(plant.url, when, b"")
        if plant.kind == "status_404":
            body = (
                '<!DOCTYPE html>\n<html lang="en"><head><title>Not found - Crumb &amp; Crust</title></head><body>\n'
                "<h1>Not found</h1>\n<p>The page that you asked for has risen and gone. Try the "
                '<a href="/">front page</a>.</p>\n</body></html>\n'
            )
            yield replace(capture, payload=body.encode(), status="404 Not Found")
        elif plant.kind == "redirect_301" and plant.of is not None:
            body = f'<html><body>Moved to <a href="{plant.of}">the night ferry</a>.</body></html>\n'
            headers = (("Content-Type", "text/html"), ("Location", plant.of))
            yield replace(capture, payload=body.encode(), status="301 Moved Permanently", headers=headers)
        elif plant.kind == "pdf":
            lines = (
                "Hollins Parish Council",
                "Agenda for Monday 11 July 2016, half past seven, in the small hall",
                "1. Apologies",
                "2. The drain outside the school: reply from the county, if any",
                "3. The footpath behind the brewery: report of the site visit",
                "4. Orchids",
            )
            media = "application/pdf"
            yield replace(
                capture, payload=_pdf(lines), headers=(("Content-Type", media),), media_type=media, charset=None
            )
        elif plant.kind == "json":
            value = {
                "stop": "harbour",
                "departures": [
                    {"route": "14", "to": "Station", "due": "07:47", "late_minutes": 0},
                    {"route": "22A", "to": "Retail Park", "due": "09:10", "late_minutes": 3},
                    {"route": "9", "to": "Ridgeway", "due": "09:25", "late_minutes": 0},
                ],
            }
            payload = json.dumps(value, indent=1).encode()
            media = "application/json"
            yield replace(capture, payload=payload, headers=(("Content-Type", media),), media_type=media)


def _record_id(capture: Capture, kind: str) -> str:
    return f"<urn:uuid:{uuid.uuid5(NAMESPACE, f'{kind} {capture.fetched_at.isoformat()} {capture.url}')}>"


def _warc_date(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _digest(payload: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(payload, usedforsecurity=False).digest()).decode("ascii")


def _member(
    kind: str,
    uri: str | None,
    headers: dict[str, str],
    payload: bytes,
    content_type: str,
    http: StatusAndHeaders | None = None,
) -> bytes:
    """One WARC/1.0 record as one gzip member."""
    buffer = BytesIO()
    writer = WARCWriter(buffer, gzip=False, warc_version="WARC/1.0")
    record = writer.create_warc_record(
        uri,
        kind,
        payload=BytesIO(payload),
        length=len(payload),
        warc_content_type=content_type,
        warc_headers_dict=headers,
        http_headers=http,
    )
    writer.write_record(record)
    return _gzip(buffer.getvalue())


def members() -> Iterator[bytes]:
    """The archive, record by record."""
    info_id = f"<urn:uuid:{uuid.uuid5(NAMESPACE, 'warcinfo')}>"
    info = (
        "isPartOf: HEADWATER-SAMPLE\r\npublisher: The Headwater authors\r\n"
        "description: Sample archive for Headwater. Invented sites, original texts, no crawl took place.\r\n"
        "operator: none\r\nhostname: sample.headwater.example\r\nsoftware: examples/make_sample.py\r\n"
        "robots: not applicable\r\nformat: WARC File Format 1.0\r\n"
    )
    yield _member(
        "warcinfo",
        None,
        {"WARC-Record-ID": info_id, "WARC-Date": _warc_date(WRITTEN_AT), "WARC-Filename": OUTPUT.name},
        info.encode(),
        "application/warc-fields",
    )
    for capture in captures():
        yield from _triple(capture, info_id)


def _triple(capture: Capture, info_id: str) -> Iterator[bytes]:
    parts = urlsplit(capture.url)
    date = _warc_date(capture.fetched_at)
    kind = "revisit" if capture.revisit_of else "response"
    address = f"203.0.113.{_number(parts.netloc, 'address') % 254 + 1}"  # documentation range
    common = {"WARC-Date": date, "WARC-Warcinfo-ID": info_id}
    response_id = _record_id(capture, kind)

    path = parts.path + (f"?{parts.query}" if parts.query else "")
    asked = [
        ("User-Agent", "headwater-sample/1.0"),
        ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
        ("Accept-Encoding", "gzip"),
        ("Host", parts.netloc),
        ("Connection", "Keep-Alive"),
    ]
    yield _member(
        "request",
        capture.url,
        {"WARC-Record-ID": _record_id(capture, "request"), **common, "WARC-IP-Address": address},
        b"",
        "application/http; msgtype=request",
        StatusAndHeaders(f"GET {path} HTTP/1.1", asked, is_http_request=True),
    )

    headers = {
        "WARC-Record-ID": response_id,
        **common,
        "WARC-Concurrent-To": _record_id(capture, "request"),
        "WARC-IP-Address": address,
    }
    if capture.revisit_of:
        headers["WARC-Profile"] = "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest"
        headers["WARC-Refers-To"] = _record_id(capture.revisit_of, "response")
        headers["WARC-Refers-To-Target-URI"] = capture.url
        headers["WARC-Refers-To-Date"] = _warc_date(capture.revisit_of.fetched_at)
        headers["WARC-Payload-Digest"] = _digest(capture.payload)
    else:
        headers["WARC-Identified-Payload-Type"] = capture.media_type
    if capture.truncated:
        headers["WARC-Truncated"] = "length"
    served = [
        ("Date", capture.fetched_at.strftime("%a, %d %b %Y %H:%M:%S GMT")),
        ("Server", ("nginx", "Apache", "Caddy")[_number(parts.netloc, "server") % 3]),
        *capture.headers,
    ]
    if not any(name == "Transfer-Encoding" for name, _ in served):
        served.append(("Content-Length", str(len(capture.payload))))
    response = _member(
        kind,
        capture.url,
        headers,
        b"" if capture.revisit_of else capture.payload,
        "application/http; msgtype=response",
        StatusAndHeaders(capture.status, served, protocol="HTTP/1.1"),
    )
    yield _damaged(response) if capture.broken else response

    fields = f"fetchTimeMs: {_number(capture.url, 'ms') % 900 + 80}\r\n"
    if capture.charset:
        fields += f"charset-detected: {capture.charset}\r\n"
    yield _member(
        "metadata",
        capture.url,
        {"WARC-Record-ID": _record_id(capture, "metadata"), **common, "WARC-Concurrent-To": response_id},
        fields.encode(),
        "application/warc-fields",
    )


def _damaged(member: bytes) -> bytes:
    """The member with one byte of its deflate stream changed so that the stream itself is invalid."""
    for position in range(len(member) // 2, len(member) - 8):
        broken = member[:position] + bytes([member[position] ^ 0xFF]) + member[position + 1 :]
        try:
            zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(broken)
        except zlib.error as error:
            if "incorrect" not in str(error):  # not merely a wrong checksum at the end
                return broken
    raise ValueError("no byte of the member breaks its stream")


def build() -> bytes:
    """The whole archive."""
    return b"".join(members())


def main() -> None:
    """Write the archive to the path given, or to where the package keeps it."""
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    data = build()
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(data)
    sys.stdout.write(f"{output}: {len(data)} bytes, {len(captures())} captures\n")


if __name__ == "__main__":
    main()
