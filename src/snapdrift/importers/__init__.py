"""Suites made of what other tools hold: promptfoo configurations, OpenAI evals, and answers obtained elsewhere.

An importer reads files and returns a value, `Made`; nothing is asked, no code is run, nothing is written here.
"""
