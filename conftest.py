"""What holds for every test of the project."""

import os

from hypothesis import settings

# Two cores that others use too: a slow example says nothing about the code.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
