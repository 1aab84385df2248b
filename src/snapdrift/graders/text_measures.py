"""How alike two texts are, as a number from 0 (nothing in common) to 1 (alike).

All but BLEU are symmetrical. Words are runs of letters, digits and underscores, in one case, without stemming.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import StrEnum
from functools import partial

import regex

from snapdrift.graders.marks import CannotGradeError

COMPARED_LIMIT = 10_000_000_000
"""Largest product of two lengths that is compared in order; the time it takes grows with that product."""

_WORD = regex.compile(r"\w+")
_WORD_OR_MARK = regex.compile(r"\w+|[^\w\s]")
_ARTICLE = regex.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation))
_GLEU_ORDERS = range(1, 5)


class Measure(StrEnum):
    """A measure by the name that a suite gives it."""

    EDIT = "edit"
    TOKEN_F1 = "token_f1"  # noqa: S105  a measure
    ROUGE_1 = "rouge_1"
    ROUGE_2 = "rouge_2"
    ROUGE_3 = "rouge_3"
    ROUGE_4 = "rouge_4"
    ROUGE_5 = "rouge_5"
    ROUGE_L = "rouge_l"
    GLEU = "gleu"
    BLEU = "bleu"


def similarity(measure: Measure, found: str, expected: str) -> float:
    """The measure of two texts, in [0, 1].

    Raises `CannotGradeError` where both are so long that comparing them in order would take too long.
    """
    return min(1.0, max(0.0, _MEASURES[measure](found, expected)))


def edit(found: str, expected: str) -> float:
    """1 less the Levenshtein distance over the length of the longer text (in code points)."""
    from rapidfuzz.distance import Levenshtein

    _check_lengths(found, expected)
    return float(Levenshtein.normalized_similarity(found, expected))


def token_f1(found: str, expected: str) -> float:
    """F1 of the words that the texts share, as SQuAD has it (Rajpurkar et al. 2016, and 2018 for empty texts).

    Its normalisation: lower case, without ASCII punctuation and the articles a, an and the; words stand between blanks.
    """
    return _f_measure(_squad_words(found), _squad_words(expected))


def rouge_n(found: str, expected: str, order: int) -> float:
    """ROUGE-N (Lin 2004) as F-measure with equal weights: n-grams of words in common, each as often as both have it.

    Texts too short for an n-gram are alike only if their words are the same.
    """
    ours, theirs = _words(found), _words(expected)
    if len(ours) < order and len(theirs) < order:
        return float(ours == theirs)
    return _f_measure(_ngrams(ours, order), _ngrams(theirs, order))


def rouge_l(found: str, expected: str) -> float:
    """ROUGE-L (Lin 2004) of the whole texts as F-measure with equal weights: by their longest common run of words.

    The words of that run (a subsequence) stand in the same order in both texts, with others between them.
    """
    from rapidfuzz.distance import LCSseq

    ours, theirs = _words(found), _words(expected)
    if not ours or not theirs:
        return float(ours == theirs)
    _check_lengths(ours, theirs)
    return 2 * LCSseq.similarity(ours, theirs) / (len(ours) + len(theirs))


def gleu(found: str, expected: str) -> float:
    """GLEU (Wu et al. 2016, section 4.3): 1- to 4-grams in common, over those of the text that has more of them.

    That is the smaller of precision and recall. Tokens are words and single punctuation marks, with their case.
    """
    ours, theirs = (_WORD_OR_MARK.findall(text) for text in (found, expected))
    if not ours or not theirs:
        return float(ours == theirs)
    common = sum(_in_common(_ngrams(ours, order), _ngrams(theirs, order)) for order in _GLEU_ORDERS)
    return common / max(_ngram_count(len(ours)), _ngram_count(len(theirs)))


def bleu(found: str, expected: str) -> float:
    """BLEU of one sentence as sacrebleu has it (Post 2018): tokens `13a`, exponential smoothing, effective order."""
    import sacrebleu

    if not found.strip() or not expected.strip():
        return float(found.strip() == expected.strip())
    return float(sacrebleu.sentence_bleu(found, [expected]).score) / 100


_MEASURES: Mapping[Measure, Callable[[str, str], float]] = {
    Measure.EDIT: edit,
    Measure.TOKEN_F1: token_f1,
    Measure.ROUGE_L: rouge_l,
    Measure.GLEU: gleu,
    Measure.BLEU: bleu,
    **{Measure(f"rouge_{order}"): partial(rouge_n, order=order) for order in range(1, 6)},
}


def _check_lengths(found: Sequence[Hashable], expected: Sequence[Hashable]) -> None:
    if len(found) * len(expected) > COMPARED_LIMIT:
        raise CannotGradeError(
            f"answer and expected text are too long to be compared ({len(found):,} and {len(expected):,} "
            f"{'characters' if isinstance(found, str) else 'words'}); `extract` a part of the answer"
        )


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _squad_words(text: str) -> Counter[Hashable]:
    return Counter(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _ngrams(tokens: Sequence[str], order: int) -> Counter[Hashable]:
    return Counter(zip(*(tokens[start:] for start in range(order)), strict=False))


def _ngram_count(tokens: int) -> int:
    return sum(max(0, tokens - order + 1) for order in _GLEU_ORDERS)


def _in_common(ours: Counter[Hashable], theirs: Counter[Hashable]) -> int:
    return (ours & theirs).total()


def _f_measure(ours: Counter[Hashable], theirs: Counter[Hashable]) -> float:
    """`2c / (m + n)` for c in common of m and n, which is the harmonic mean of precision and recall; 1 for nothing."""
    both = ours.total() + theirs.total()
    return 2 * _in_common(ours, theirs) / both if both else 1.0
