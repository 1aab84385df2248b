"""OpenAI's evals: of the open registry (YAML and JSONL), and as their hosted API gives them (JSON)."""
