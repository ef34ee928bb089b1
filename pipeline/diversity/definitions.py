"""What is measured: names, meanings, and which side of human text is a loss."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """`loss` is -1 where less than human text is a loss of diversity, 1 where more is."""

    title: str
    meaning: str
    loss: int
    divergence: bool = False  # Jensen-Shannon divergence from other human text, bits: 0 equal, 1 nothing in common


def _divergence(title: str, of: str) -> Definition:
    return Definition(title, f"how far the distribution of {of} is from that of other human text", 1, True)


# Over words of text, at equal numbers of words.
WORD_METRICS = {
    "vocabulary_kept": Definition("vocabulary kept", "share of the word types of other human text that occur", -1),
    "tail_mass": Definition("mass of rare words", "share of words that are rare in other human text", -1),
    "missing_mass": Definition("missing mass", "Good-Turing chance N1/N that the next word is new", -1),
    "hapax_share": Definition("hapax share", "share of word types that occur once", -1),
    "distinct_1": Definition("distinct-1", "distinct words per word", -1),
    "distinct_2": Definition("distinct-2", "distinct word pairs per pair", -1),
    "distinct_3": Definition("distinct-3", "distinct word triples per triple", -1),
    "zipf_slope": Definition("Zipf exponent", "how fast frequency falls with rank, ranks 10 to 1000", 1),
    "compression_ratio": Definition("compression ratio", "bytes of text per byte of zstd, level 3", 1),
    "entities_kept": Definition(
        "rare names kept", "share of rare capitalised words of other human text that occur", -1
    ),
}
# Over documents, at equal numbers of documents.
DOCUMENT_METRICS = {
    "openings_entropy": Definition("entropy of openings", "bits of the first three words of documents", -1),
    "length_divergence": _divergence("lengths", "document lengths, in powers of two of words"),
    "page_type_divergence": _divergence("page types", "page types"),
    "topic_divergence": _divergence("topics", "clusters of content words"),
    "language_divergence": _divergence("languages", "languages"),
}
# Over documents that have a host, split by document: a split by host would leave no host in common.
HOST_METRICS = {
    "effective_hosts": Definition(
        "effective hosts", "number of equally frequent hosts of the same entropy, exp(H)", -1
    ),
    "host_divergence": _divergence("hosts", "hosts"),
}
METRICS = {**WORD_METRICS, **DOCUMENT_METRICS, **HOST_METRICS}
