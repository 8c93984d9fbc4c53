"""What tests of controllers stand on: an API server small enough to read, and a clock that can be moved.

loop.py        an event loop whose time can be skipped
store.py       objects with versions, a history and preconditions
api_server.py  the store over loopback HTTP

What both this server and a real one do is in tests/conformance.py.
"""
