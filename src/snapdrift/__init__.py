"""Snapdrift tells whether a prompt, or a GPT-4o snapshot, got worse."""

__version__ = "0.1.0"
