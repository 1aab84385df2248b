"""Imported once by the process that stand-ins are forked of, so that each is born with all that it would load."""

from snapdrift.standin.loading import load_server

load_server()
