"""Answers obtained elsewhere: logs, stored completions, batch outputs, results of other tools."""
