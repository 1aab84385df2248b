"""Asking: the order of calls, how many at once, when to try again, what may be spent, and when to stop.

`plan_calls` orders them, `Engine.run` asks them and hands each ending to the store.
"""
