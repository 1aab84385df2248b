"""Snapdrift: did this prompt, or this GPT-4o snapshot, get worse?"""

__version__ = "0.1.0"
