"""Function words that only one of a dozen languages has: which language a line is in, where a line has enough words.

A language detector for whole texts says that there is a second language; these words say where, from the token array.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.features.tokens import Int64, Tokens, UInt64, tokenise

# A word that several languages have says nothing and is left out of all.
FUNCTION_WORDS: dict[str, str] = {
    "eng": "the of and that with this from have which would their there been were what they has are is you your for",
    "deu": "der die und das nicht ist mit sich auf auch eine werden wird durch oder nach wenn einen dem zum zur sind",
    "fra": "les des est dans une pour qui pas sur plus avec sont vous cette être aux leur mais nous fait peut où ces",
    "spa": "los las del y una por con para como más pero sus este esta está son también entre cuando muy sobre hay",
    "ita": "il gli della che di è per non sono con più anche del questo nella alla dei delle essere ma ed può sua",
    "por": "os das dos uma não com mais ao pelo pela são também à até isso você seu sua foi ou mas quando nos na em",
    "nld": "het een van niet zijn voor met dat aan ook wordt naar bij worden maar deze heeft kan uit nog dan hun geen",
    "pol": "w się na nie jest do że z jak są przez oraz dla tym lub może tego które który być był po jego ich tylko",
    "swe": "och att det som en på är av för med den till inte har ett om var kan från när ska eller detta efter vid",
    "rus": "и не на что это как для по из к но от при или он его если они может также был быть их чтобы том",
    "ces": "se že je na to jsou pro ale jako které který nebo může být byl také podle až mezi při jen pokud jejich",
    "tur": "ve bir bu için ile olarak da olan daha çok gibi sonra kadar değil veya ancak her ne tarafından olduğu",
}
LANGUAGES = tuple(FUNCTION_WORDS)

LEAST_TOKENS = 9  # of a line that is judged: about eight words and a full stop
LEAST_HITS = 4
LEAST_SHARE = 0.2  # of the tokens of the line
LEAD = 4  # times the second language
_SHIFT = np.uint64(48)


class LineLanguages(NamedTuple):
    """Lines whose language is plain: line of the batch, and index of its language in `LANGUAGES`."""

    line: Int64
    language: npt.NDArray[np.int64]


class _Table(NamedTuple):
    present: npt.NDArray[np.bool_]  # by the first 16 bits of a hash
    keys: UInt64
    language: npt.NDArray[np.int64]


@lru_cache(maxsize=1)
def _table() -> _Table:
    owners: dict[str, set[int]] = {}
    for number, words in enumerate(FUNCTION_WORDS.values()):
        for word in words.split():
            owners.setdefault(word, set()).add(number)
    telling = {word: held.pop() for word, held in owners.items() if len(held) == 1}
    hashes = tokenise(list(telling)).hash
    order = np.argsort(hashes)
    present = np.zeros(1 << 16, np.bool_)
    present[hashes >> _SHIFT] = True
    return _Table(present, hashes[order], np.array(list(telling.values()), np.int64)[order])


def line_languages(batch: Tokens, rows: list[int]) -> LineLanguages:
    """Lines of some rows that are in one of `LANGUAGES`, by their function words."""
    table = _table()
    lines, hits = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for row in rows:
        begin, stop = int(batch.doc_token[row]), int(batch.doc_token[row + 1])
        at = begin + np.flatnonzero(table.present[batch.hash[begin:stop] >> _SHIFT])
        place = np.minimum(np.searchsorted(table.keys, batch.hash[at]), len(table.keys) - 1)
        exact = table.keys[place] == batch.hash[at]
        lines.append(np.searchsorted(batch.line_token, at[exact], "right") - 1)
        hits.append(table.language[place[exact]])
    held, line = np.unique(np.concatenate(lines), return_inverse=True)
    if not len(held):
        return LineLanguages(held, held)
    counts = np.bincount(line * len(LANGUAGES) + np.concatenate(hits), minlength=len(held) * len(LANGUAGES))
    counts = counts.reshape(len(held), len(LANGUAGES))
    best = np.argmax(counts, axis=1)
    ordered = np.sort(counts, axis=1)
    most, second = ordered[:, -1], ordered[:, -2]
    tokens = batch.line_token[held + 1] - batch.line_token[held]
    plain = (tokens >= LEAST_TOKENS) & (most >= LEAST_HITS) & (most >= LEAST_SHARE * tokens) & (second * LEAD <= most)
    return LineLanguages(held[plain], best[plain])
