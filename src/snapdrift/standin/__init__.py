"""A local server that speaks the OpenAI protocol: what it answers is recorded or simulated, and says so.

`config.StandinConfig` says what it answers, `launch.StandinProcess` runs it as a process of its own, `server.serve`
runs it in this one, `app.create_app` is the application. See `docs/design/standin.md`.
"""
