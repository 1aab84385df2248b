"""Graders: how an answer is judged right or wrong. `docs/design/graders.md` has the families and their rules."""
