"""promptfoo configurations: prompts, providers, tests and assertions."""
