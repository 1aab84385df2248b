"""Statistics of paired comparisons: pure functions on numbers and arrays, no I/O, no other part of Snapdrift.

`intervals` (one rate, a paired difference), `betting` (means of few or hardly varying cases), `paired` (is there a
difference), `power` (what could have been seen), `multiplicity` (several claims at once).

`operational`, `ratio_scores` and `skewness` (cost, tokens, latency).

For verdicts to come, and not asked by any command yet: `variance` (more cases or more repeats), `sequential` and
`case_order` (ending early), `agreement`, `judges` and
`prediction_powered` (judges against people), `history` and `canary` (from run to run).

A difference is always candidate minus baseline; `worse` is a mean difference below 0.
"""
