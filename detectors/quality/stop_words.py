"""Stop words by language (ISO 639-3): the most frequent function words, eight to thirty a language.

English is Gopher's own list of eight (Rae et al. 2021). The others were written for Headwater: articles, prepositions,
conjunctions, and forms of `be` and `have`, all lower case and each one word of our tokeniser. At most 64 a language.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from detectors.features.tokens import Int64, UInt64, tokenise

_WORDS = {
    "eng": "the be to of and that have with",
    "deu": "der die das und ist nicht ein eine zu den mit von sich auf für dem im auch als es an werden aus haben hat",
    "fra": "le la les de des et un une du en que qui dans pour pas sur est au avec ne se ce il par plus sont",
    "spa": "el la los las de que y en un una por con no para es se del al lo como más su este son",
    "ita": "il la le i di che e un una per non in con del della si è da sono come più al nel questo ha",
    "por": "o a os as de que e um uma do da em para com não por no na se é ao mais como são dos",
    "nld": "de het een en van in is dat op te zijn met voor niet aan er ook als door bij maar om naar heeft",
    "pol": "i w na z się nie że do jest to o jak ale po co od za przez dla są oraz tym może być",
    "ces": "a v na se je že s z do to i o jako by ale pro za jsou po která který tak jeho být",
    "slk": "a v na sa je že s z do to i o ako by ale pre za sú po ktorá ktorý tak jeho byť",
    "rus": "и в не на что с по как это он я к но из у за от так же для было быть или они",
    "ukr": "і в не на що з як до та у за це по від для але про або його бути був є які",
    "bul": "и на да се в за не от с че по е са като това до ще или при но още как",
    "swe": "och att det i en som är på för med av den till inte har om ett var men från så kan",
    "dan": "og at det i en er som på for med af den til ikke har om et var men fra så kan de",
    "nob": "og det i en er som på for med av den til ikke har om et var men fra så kan å de",
    "fin": "ja on ei se että oli joka mutta myös kun niin tai ovat kuin hän sen ole jos mukaan",
    "hun": "a az és hogy nem is egy van ez de meg csak ha mint volt már vagy még el azt ki",
    "ron": "și de în la a cu pe nu este care un o să din mai pentru că sunt au se ce prin",
    "tur": "ve bir bu için ile da de çok olarak daha olan en gibi ne var sonra kadar ise ya o",
    "ell": "και το η ο τα να της του την με που για τον σε από είναι στο δεν οι μια θα",
    "cat": "el la els les de que i en un una per amb no és del al com més es seva són va",
    "ind": "yang dan di dengan untuk ini itu dari dalam tidak pada adalah ke akan juga atau oleh ada",
    "vie": "và của là có được cho không trong một người những với các để này khi đã đến như từ",
    "arb": "من في على أن إلى عن مع هذا هذه التي الذي كان لا ما هو هي و أو كما بعد قد",
    "heb": "של את על לא הוא זה עם כי גם או אם היא אני כל יש אל מה היה אבל",
    "pes": "و در به از که این را با است برای آن یک خود تا بر هم نیز می شود شده",
    "hin": "के में की है और से को का पर यह कि एक ने लिए हैं इस भी नहीं हो कर",
}

STOP_WORDS: dict[str, tuple[str, ...]] = {code: tuple(words.split()) for code, words in _WORDS.items()}


@dataclass(frozen=True, slots=True)
class StopHashes:
    """Hashes of all lists, one after the other; list i is `start[i]:start[i + 1]`."""

    start: Int64
    folded: UInt64
    exact: UInt64


@lru_cache(maxsize=1)
def codes() -> dict[str, int]:
    """Number of the list of each language."""
    return {code: i for i, code in enumerate(STOP_WORDS)}


@lru_cache(maxsize=1)
def hashes() -> StopHashes:
    """Hashes of all lists as the tokeniser gives them."""
    words = [word for words in STOP_WORDS.values() for word in words]
    found = tokenise(words)
    if len(found.hash) != len(words):
        raise AssertionError("a stop word is not one token")
    start = np.cumsum([0, *map(len, STOP_WORDS.values())]).astype(np.int64)
    return StopHashes(start, found.hash, found.exact)
