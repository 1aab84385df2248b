"""The types of assertions that promptfoo has, and why some of them have no counterpart here."""

from __future__ import annotations

from collections.abc import Mapping

LISTS = ("contains-any", "contains-all", "icontains-any", "icontains-all")

NO_COUNTERPART: Mapping[str, str] = {
    "answer-relevance": "compares embeddings of questions; a `judge` with the criterion comes nearest",
    "agent-rubric": "asks an agent; a `judge` sees what `sees` says",
    "bertscore": "needs a model of its own; `similarity` or a `judge` comes nearest",
    "classifier": "asks a classifier elsewhere; a `judge` in mode label comes nearest",
    "contains-html": "there is no grader of HTML inside text; `regex` finds a tag",
    "contains-sql": "there is no grader of SQL; a `python` grader can parse it",
    "contains-xml": "there is no grader of XML inside text; `well_formed: xml` takes all of the answer",
    "context-faithfulness": "takes an answer apart with several prompts; a `judge` with `context` comes nearest",
    "context-recall": "takes an answer apart with several prompts; a `judge` with `context` comes nearest",
    "context-relevance": "grades what was retrieved, not the answer",
    "conversation-relevance": "grades a conversation turn by turn; a `judge` sees the whole of it",
    "guardrails": "asks a provider's guardrails",
    "human": "is a person's; `snapdrift calibrate` takes labels",
    "is-html": "there is no grader of HTML",
    "is-sql": "there is no grader of SQL; a `python` grader can parse it",
    "javascript": "is JavaScript, which is not run; `python`, `regex`, `path` or `count` may say the same",
    "max-score": "compares providers with each other; the gate does",
    "meteor": "needs WordNet's synonyms; `similarity` with rouge_l or token_f1 comes nearest",
    "moderation": "asks the moderation API; a `judge` with the criterion comes nearest",
    "perplexity": "needs log probabilities of the whole answer",
    "perplexity-score": "needs log probabilities of the whole answer",
    "pi": "asks another service",
    "ruby": "is Ruby, which is not run",
    "search-rubric": "searches the web; a `judge` sees what `sees` says",
    "select-best": "compares providers with each other; `pairwise` asks a judge which of two answers is better",
    "webhook": "asks another service; a `python` grader can",
}
COUNTERPARTS = (
    "assert-set", "bleu", "contains", *LISTS, "contains-json", "cost", "ends-with", "equals", "factuality",
    "finish-reason", "g-eval", "gleu", "icontains", "is-json", "is-refusal", "is-valid-function-call",
    "is-valid-openai-function-call",
    "is-valid-openai-tools-call", "is-xml", "latency", "levenshtein", "llm-rubric", "model-graded-closedqa",
    "model-graded-factuality", "python", "regex", "rouge-n", "similar", "starts-with", "tool-call-f1", "word-count",
)  # fmt: skip
TYPES = frozenset({*NO_COUNTERPART, *COUNTERPARTS})
