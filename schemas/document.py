"""DOCUMENTS: columns, types, units and the rule of the document id."""

from __future__ import annotations

import pyarrow as pa
import xxhash

from schemas.evidence import EVIDENCE_STRUCT

TIMESTAMP = pa.timestamp("us", tz="UTC")
NAME_VALUE = pa.struct([("name", pa.string()), ("value", pa.string())])
LINK = pa.struct([("rel", pa.string()), ("lang", pa.string()), ("href", pa.string())])

# What extraction keeps of a page beside its text, so that no detector ever parses HTML.
PAGE_STRUCT = pa.struct(
    [
        ("html_lang", pa.string()),  # lang attribute of <html>, as written
        ("html_attributes", pa.list_(NAME_VALUE)),  # attributes of <html> and <body>, names as `html.class`
        ("meta", pa.list_(NAME_VALUE)),  # name / property / http-equiv (lower case) and content
        ("links", pa.list_(LINK)),  # link elements with rel alternate (hreflang), canonical, license, …
        ("canonical", pa.string()),
        ("generator", pa.string()),
        ("robots", pa.list_(pa.string())),  # meta robots and X-Robots-Tag directives, lower case, with agent prefix
        ("licence_links", pa.list_(pa.string())),  # href of a[rel=license], link[rel=license], creativecommons.org
        ("published_at", TIMESTAMP),  # from JSON-LD, meta or the URL, in this order
        ("modified_at", TIMESTAMP),
        ("date_source", pa.string()),  # json_ld, meta, url
        ("scripts", pa.list_(pa.string())),  # script sources (addresses without query)
        ("marks", pa.list_(pa.struct([("name", pa.string()), ("count", pa.int32())]))),  # translator and CMS marks
        ("structured", pa.list_(NAME_VALUE)),  # JSON-LD @type, inLanguage, license …; languages of Weglot
        ("headers", pa.list_(NAME_VALUE)),  # HTTP response headers that a detector reads, lower case
        ("depth", pa.int32()),  # deepest element
    ]
)


def _field(name: str, kind: pa.DataType, description: str, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


IDENTITY = [
    _field("doc_id", pa.string(), "32 hex digits; a function of URL, capture time and payload", False),
    _field("record_id", pa.string(), "WARC-Record-ID, or the id of the text table"),
    _field("url", pa.string(), "address of the page as archived"),
    _field("source_file", pa.string(), "input file as given", False),
    _field("source_offset", pa.int64(), "byte offset of the record; row number in text tables", False),
    _field("fetched_at", TIMESTAMP, "capture time, UTC; null when unknown"),
]

# What a detector may read. `page` is null for text tables and WET.
DOCUMENT_INPUT = pa.schema(
    [
        *IDENTITY,
        _field("title", pa.string(), "title of the page"),
        _field("text", pa.string(), "main text; paragraphs, headings and list items are lines", False),
        _field("page", PAGE_STRUCT, "signals of the page beside its text"),
        _field("page_type", pa.string(), "article, forum, listing …: what the layout says; null without a model"),
        _field(
            "extraction_confidence",
            pa.float32(),
            "expected word F1 of `text` against the main text, 0 to 1; null where the extractor has none",
        ),
    ]
)

LANGUAGE_SHARE = pa.struct([("language", pa.string()), ("share", pa.float32())])
PERSONAL_DATA = pa.struct([("kind", pa.string()), ("start", pa.int32()), ("end", pa.int32())])
RIGHTS_STRUCT = pa.struct(
    [
        ("opt_out", pa.list_(pa.string())),  # noai, noindex, tdm-reservation …, with where it was found
        ("licence", pa.string()),  # licence code where stated, e.g. cc-by-4.0
        ("licence_url", pa.string()),
    ]
)
BENCHMARK_STRUCT = pa.struct(
    [
        ("benchmark", pa.string()),
        ("item", pa.string()),
        ("overlap", pa.float32()),
        ("start", pa.int32()),
        ("end", pa.int32()),
    ]
)

CUT_STRUCT = pa.struct(
    [
        ("rule", pa.string()),  # profile_c4, profile_refinedweb, line_site, line_c4, line_cc_net, substring
        ("start", pa.int32()),  # code points of the text before any cut
        ("end", pa.int32()),
    ]
)

PARALLEL_STRUCT = pa.struct(
    [
        ("group", pa.string()),  # smallest doc_id of the group
        ("languages", pa.int32()),  # languages in which the text was found, this one included
        ("is_source", pa.bool_()),  # whether this page is probably the one that the others were made from
        ("confidence", pa.float32()),  # probability that the page belongs to the group
    ]
)

# What detectors find in a document by itself.
SCORES = [
    _field("language", pa.string(), "ISO 639-3 and script where the model has it, e.g. `eng_Latn`"),
    _field("language_score", pa.float32(), "probability of `language`, of a bounded sample of the text"),
    _field("words", pa.int32(), "words of `text`; each letter is one in writing without spaces"),
    _field("languages", pa.list_(LANGUAGE_SHARE), "share of characters by language of the lines, largest first"),
    _field("ai_text_score", pa.float32(), "raw score of text of chat models in [0, 1]; null where no model applies"),
    _field("raw_text_score", pa.float32(), "raw score of text of language models without chat training, likewise"),
    _field("translation_score", pa.float32(), "raw score of translated text in [0, 1]; null where no model applies"),
    _field("machine_translation_score", pa.float32(), "raw score of machine given translated; null where none applies"),
    _field("evidence", pa.list_(EVIDENCE_STRUCT), "findings of all detectors", False),
    _field("personal_data", pa.list_(PERSONAL_DATA), "spans of e-mail and public IP addresses in the text", False),
    _field("rights", RIGHTS_STRUCT, "opt-outs and licences that the page states"),
    _field("benchmarks", pa.list_(BENCHMARK_STRUCT), "benchmark items found in the text", False),
]

# What is fused from them, and from the other pages of a run and its controls.
PROVENANCE = [
    _field("p_human", pa.float32(), "probability that a person wrote or translated the text; null without calibration"),
    _field("p_machine_translated", pa.float32(), "probability that a machine translated it"),
    _field("p_ai_generated", pa.float32(), "probability that a model wrote it"),
    _field("provenance_label", pa.string(), "human, machine_translated, ai_generated or unknown", False),
    _field("provenance_reasons", pa.list_(pa.string()), "strongest evidence first"),
    _field(
        "provenance_basis",
        pa.string(),
        "what the probabilities rest on: mark, date, conformal, shrunk or margin; null where there are none",
    ),
    _field("parallel", PARALLEL_STRUCT, "the same text in other languages; null where none was found"),
]

DECIDED = [
    _field("cluster_id", pa.string(), "doc_id of the page that stands for the cluster of duplicates", False),
    _field("cluster_size", pa.int32(), "pages in the cluster, this one included", False),
    _field("split", pa.string(), "train, validation or test, by hash of the cluster", False),
    _field("mix_weight", pa.float32(), "how often the page counts in a mix, by `policy.duplicates.rehydration`", False),
    _field("cuts", pa.list_(CUT_STRUCT), "spans that were cut from the text, with offsets before any was cut", False),
]

DROPPED = pa.schema(
    [
        *IDENTITY,
        _field("reason", pa.string(), "why the page was not kept, snake_case", False),
        _field("duplicate_of", pa.string(), "doc_id of the page kept instead"),
        _field("duplicate_run", pa.string(), "earlier run that kept it; null for this one"),
        _field("matched", pa.string(), "doc_id of the most similar page that it was compared with"),
        _field("matched_run", pa.string(), "earlier run of `matched`; null for this one"),
        _field(
            "similarity",
            pa.float32(),
            "verified similarity to `matched`: Jaccard of shingles, or cosine of meanings (semantic_duplicate)",
        ),
        _field("cluster_id", pa.string(), "cluster of duplicates, where the page belongs to one"),
        _field("language", pa.string(), "as in data, where the page was scored"),
        _field("language_score", pa.float32(), "as in data"),
        _field("provenance_label", pa.string(), "as in data"),
        _field("status", pa.int32(), "HTTP status, where there is one"),
        _field("media_type", pa.string(), "media type that the server stated"),
    ]
)


def quality_struct(signals: list[str]) -> pa.DataType:
    """Type of the `quality` column for the named float32 signals of a configuration."""
    return pa.struct([(name, pa.float32()) for name in signals])


def data_schema(quality_signals: list[str]) -> pa.Schema:
    """Schema of the files under `data/`."""
    return pa.schema(
        [
            *DOCUMENT_INPUT,
            *SCORES,
            *PROVENANCE,
            _field("quality", quality_struct(quality_signals), "signals of the quality rules, by name"),
            *DECIDED,
        ]
    )


def document_id(url: str | None, fetched_at: int | None, payload_digest: bytes) -> str:
    """32 hex digits of xxh3-128 over URL, capture time (microseconds, UTC) and payload digest.

    Never a function of file, order or run, so that two copies of one record have one id.
    """
    key = b"\x00".join(((url or "").encode("utf-8", "surrogateescape"), str(fetched_at).encode(), payload_digest))
    return str(xxhash.xxh3_128_hexdigest(key))
