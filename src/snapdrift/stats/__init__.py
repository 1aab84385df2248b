"""Statistics of paired comparisons: pure functions on numbers and arrays, no I/O, no other part of Snapdrift.

`intervals` (one rate, a paired difference), `betting` (means of few or hardly varying cases), `paired` (is there a
difference), `skewness` and `score_t` (t where mean and variance hang together), `within_cases` (the very cases that
were asked), `power` and `betting_power` (what could have been seen), `multiplicity` (several claims at once),
`variance` (more cases or more repeats), `sequential` and `case_order` (ending early), `operational` and `ratio_scores`
(cost, tokens, latency), `agreement`, `judges` and `prediction_powered` (judges against people), `history` and `canary`
(from run to run).

A difference is always candidate minus baseline; `worse` is a mean difference below 0.
"""
