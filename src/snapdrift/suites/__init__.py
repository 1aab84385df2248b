"""Suites: YAML, datasets, prompts and paths, resolved into one `Suite` that needs no file any more."""
