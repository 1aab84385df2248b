"""What Snapdrift knows of OpenAI: models, prices, both wire formats, and the one client that talks to the SDK."""
