"""Language codes: ISO 639-1 to 639-3, old and odd codes, labels of fastText models, BCP 47 tags, and telling scripts.

Macro-language codes are kept as the model says them (`ara`, `zho`, `nor`, `msa` …): a model that cannot tell `arb` from
`ary` must not seem to. Three codes of Wikipedia that lid.176 uses have no living ISO 639-3 code of their own: `bh`
becomes `bho` (its Wikipedia is Bhojpuri), `eml` (retired in 2009 for `egl` and `rgn`) and the collective `nah` stay.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby

# ISO 639-1 (two letters) followed by ISO 639-3 (three), all 184 of the registry of 2025.
_ISO_639_1 = """
aaaar ababk aeave afafr akaka amamh anarg arara asasm avava ayaym azaze babak bebel bgbul bibis bmbam bnben
bobod brbre bsbos cacat ceche chcha cocos crcre csces cuchu cvchv cycym dadan dedeu dvdiv dzdzo eeewe elell
eneng eoepo esspa etest eueus fafas ffful fifin fjfij fofao frfra fyfry gagle gdgla glglg gngrn guguj gvglv
hahau heheb hihin hohmo hrhrv hthat huhun hyhye hzher iaina idind ieile igibo iiiii ikipk ioido isisl itita
iuiku jajpn jvjav kakat kgkon kikik kjkua kkkaz klkal kmkhm knkan kokor krkau kskas kukur kvkom kwcor kykir
lalat lbltz lglug lilim lnlin lolao ltlit lulub lvlav mgmlg mhmah mimri mkmkd mlmal mnmon mrmar msmsa mtmlt
mymya nanau nbnob ndnde nenep ngndo nlnld nnnno nonor nrnbl nvnav nynya ococi ojoji omorm orori ososs papan
pipli plpol pspus ptpor quque rmroh rnrun roron rurus rwkin sasan scsrd sdsnd sesme sgsag shhbs sisin skslk
slslv smsmo snsna sosom sqsqi srsrp ssssw stsot susun svswe swswa tatam tetel tgtgk ththa titir tktuk tltgl
tntsn toton trtur tstso tttat twtwi tytah uguig ukukr ururd uzuzb veven vivie vovol wawln wowol xhxho yiyid
yoyor zazha zhzho zuzul
"""

# Codes withdrawn from ISO 639-1, then ISO 639-2/B (bibliographic) and retired codes still met in `lang` attributes.
_OTHER = """
bh:bho in:ind iw:heb ji:yid jw:jav mo:ron alb:sqi arm:hye baq:eus bur:mya chi:zho cze:ces dut:nld fre:fra geo:kat
ger:deu gre:ell ice:isl mac:mkd mao:mri may:msa per:fas rum:ron slo:slk tib:bod wel:cym scc:srp scr:hrv mol:ron bih:bho
"""

ISO_639_3: dict[str, str] = {pair[:2]: pair[2:] for pair in _ISO_639_1.split()}
ISO_639_3.update((pair[:-4], pair[-3:]) for pair in _OTHER.split())

# Labels of lid.176 and of Wikipedia that mean something else in ISO 639-3.
WIKIPEDIA_CODES = {"als": "gsw", "simple": "eng", "bat-smg": "sgs", "fiu-vro": "vro", "zh-yue": "yue", "roa-rup": "rup"}

# Nearest 639-3 macro-language of codes that sites and models use for its members: for comparing, never for output.
_MACRO = """
ara:arb,ary,arz,apc,acm,ajp,ars,aeb zho:cmn,yue,wuu,lzh msa:zsm,zlm nor:nob,nno fas:pes,prs swa:swh uzb:uzn aze:azj
mlg:plt lav:lvs est:ekk sqi:als khk:khk mon:khk nep:npi ori:ory pus:pbt,pbu orm:gaz yid:ydd kur:kmr,ckb grn:gug que:quy
aym:ayr ful:fuc,fuv tgl:fil hbs:hrv,srp,bos
"""
MACRO = {member: macro for macro, members in (p.split(":") for p in _MACRO.split()) for member in members.split(",")}

# Scripts that one language writes in practice (Unicode Standard 16, chapters 13, 16, 17, 19, 20), as block ranges. For
# models whose labels have no script and that do not know the language: the script says what the model cannot.
SCRIPT_LANGUAGES: tuple[tuple[int, int, str], ...] = (
    (0x0700, 0x074F, "syr"),  # Syriac
    (0x07C0, 0x07FF, "nqo"),  # N'Ko
    (0x13A0, 0x13FF, "chr"),  # Cherokee
    (0xAB70, 0xABBF, "chr"),  # Cherokee, lower case
    (0x1900, 0x194F, "lif"),  # Limbu
    (0x1950, 0x197F, "tdd"),  # Tai Le
    (0x1980, 0x19DF, "khb"),  # New Tai Lue
    (0x1A00, 0x1A1F, "bug"),  # Buginese
    (0x1B00, 0x1B7F, "ban"),  # Balinese
    (0x1C00, 0x1C4F, "lep"),  # Lepcha
    (0x1C50, 0x1C7F, "sat"),  # Ol Chiki
    (0x2D30, 0x2D7F, "zgh"),  # Tifinagh: the standard language of Morocco is the one that publishes in it
    (0xA000, 0xA4CF, "iii"),  # Yi
    (0xA4D0, 0xA4FF, "lis"),  # Lisu
    (0xA500, 0xA63F, "vai"),  # Vai
    (0xA980, 0xA9DF, "jav"),  # Javanese
    (0xABC0, 0xABFF, "mni"),  # Meetei Mayek
    (0x11100, 0x1114F, "ccp"),  # Chakma
    (0x1E900, 0x1E95F, "ful"),  # Adlam
    (0x104B0, 0x104FF, "osa"),  # Osage
    (0x10D00, 0x10D3F, "rhg"),  # Hanifi Rohingya
    (0x1E100, 0x1E14F, "mww"),  # Nyiakeng Puachue Hmong
)
# Canadian syllabics: several languages (iku, cre, oji), none of them in lid.176, so the answer is none.
UNKNOWN_SCRIPTS: tuple[tuple[int, int], ...] = ((0x1400, 0x167F), (0x18B0, 0x18FF))

_TAG = re.compile(r"([a-zA-Z]{2,3})(?=$|[-_@.])")
_SCRIPT = re.compile(r"[A-Z][a-z]{3}\Z")


@lru_cache(maxsize=4096)
def normalise_label(label: str) -> str:
    """A label of a fastText model as ISO 639-3 and script: `__label__en` -> `eng`, `__label__eng_Latn` -> `eng_Latn`.

    Two-letter labels come from models of Wikipedia, whose `als` is Alemannic. A label with a script is ISO already,
    so there `als_Latn` stays Tosk Albanian.
    """
    name = label.removeprefix("__label__")
    head, _, tail = name.partition("_")
    if _SCRIPT.match(tail):
        return f"{ISO_639_3.get(head.lower(), head.lower())}_{tail}"
    name = name.lower().replace("_", "-")
    if name in WIKIPEDIA_CODES:
        return WIKIPEDIA_CODES[name]
    return ISO_639_3.get(name.partition("-")[0], name.partition("-")[0])


@lru_cache(maxsize=4096)
def language_of_tag(tag: str | None) -> str | None:
    """ISO 639-3 of a BCP 47 tag or a locale as pages write it (`pt-BR`, `zh_CN`, `en_US.UTF-8`), or None.

    Unknown two-letter codes give None; three-letter codes are taken as they are (old ones renewed).
    """
    match = _TAG.match(tag.strip()) if tag else None
    if match is None:
        return None
    code = match.group(1).lower()
    code = ISO_639_3.get(code, code)
    return code if len(code) == 3 and code not in {"und", "mul", "zxx", "mis"} else None


def same_language(first: str | None, second: str | None) -> bool:
    """Whether two codes (with or without script) may name one language: equal, or within one macro-language."""
    if not first or not second:
        return False
    a, b = first.partition("_")[0], second.partition("_")[0]
    return a == b or MACRO.get(a, a) == MACRO.get(b, b)


def script_class() -> re.Pattern[str]:
    """A pattern of one letter of the scripts that `language_of_script` decides."""
    ranges = [(low, high) for low, high, _ in SCRIPT_LANGUAGES] + list(UNKNOWN_SCRIPTS)
    return re.compile("[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in ranges) + "]")


def language_of_script(letters: str) -> str | None:
    """The language of most of `letters` (all from `script_class`), or None where the script has several."""
    names = sorted(next((name for low, high, name in SCRIPT_LANGUAGES if low <= ord(c) <= high), "") for c in letters)
    best = max(((len(list(group)), name) for name, group in groupby(names)), default=(0, ""))
    return best[1] or None
