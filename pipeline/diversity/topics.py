"""Topics without a topic model: spherical k-means of hashed content words, fitted on a part of the reference.

Weights are log(1 + count) x idf, features are hashed into buckets (Weinberger et al. 2009), clusters are those of
cosine similarity (Dhillon & Modha 2001). Clusters have no names: they serve to compare histograms.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.diversity.corpus import Corpus, Int64

BUCKETS = np.uint64(1024)
COMMON = 0.4  # words of more documents than this share say nothing of a topic
DOCUMENTS_PER_TOPIC = 20
MOST_TOPICS = 24
ROUNDS = 8
FITTED = 2_000  # documents that the clusters are fitted on, at most
_CHUNK = 2_048  # documents whose vectors are held at one time

Float64 = npt.NDArray[np.float64]


def topics(corpus: Corpus, fitted: Int64) -> Int64:
    """Topic of every document, fitted on the documents `fitted`; all -1 where those are too few."""
    documents = len(corpus.bounds) - 1
    count = min(MOST_TOPICS, len(fitted) // DOCUMENTS_PER_TOPIC)
    if count < 2:
        return np.full(documents, -1, np.int64)
    chosen = fitted[np.argsort(corpus.key[fitted], kind="stable")][:FITTED]
    buckets = (corpus.forms % BUCKETS).astype(np.int64)
    counted = _counts(corpus, buckets, chosen)
    met = (counted > 0).sum(axis=0)
    idf = np.where(met > COMMON * len(chosen), 0.0, np.log((1 + len(chosen)) / (1 + met)))
    vectors = _vectors(counted, idf)
    centroids = vectors[:count].copy()
    for _ in range(ROUNDS):
        nearest = np.argmax(vectors @ centroids.T, axis=1)
        sums = np.zeros_like(centroids)
        np.add.at(sums, nearest, vectors)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centroids = np.where(norms > 0, sums / np.maximum(norms, 1e-12), centroids)
    found = np.empty(documents, np.int64)
    for begin in range(0, documents, _CHUNK):
        part = np.arange(begin, min(begin + _CHUNK, documents))
        found[part] = np.argmax(_vectors(_counts(corpus, buckets, part), idf) @ centroids.T, axis=1)
    return found


def _counts(corpus: Corpus, buckets: Int64, documents: Int64) -> Float64:
    """Words of documents by bucket, (documents, buckets)."""
    rows = np.repeat(np.arange(len(documents)), corpus.sizes[documents])
    places = np.concatenate([np.arange(corpus.bounds[d], corpus.bounds[d + 1]) for d in documents.tolist()])
    size = int(BUCKETS)
    flat = np.bincount(rows * size + buckets[corpus.words[places]], minlength=len(documents) * size)
    return flat.reshape(len(documents), size).astype(np.float64)


def _vectors(counts: Float64, idf: Float64) -> Float64:
    vectors = np.log1p(counts) * idf
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Float64 = vectors / np.maximum(norms, 1e-12)
    return result
