"""Statistics of paired comparisons: pure functions on numbers and arrays, no I/O, no other part of Snapdrift.

`intervals` (one rate, a paired difference), `betting` (means of few or hardly varying cases), `paired` (is there a
difference), `power` (what could have been seen), `multiplicity` (several claims at once). A difference is always
candidate minus baseline; `worse` is a mean difference below 0.
"""
