"""What holds for every test of the project.

A test that runs one of the test bed's binaries says so, `@pytest.mark.builds("registry")`.
"""

import os

import pytest
from hypothesis import settings

from hack.controlplane import builds

# Two cores that others use too: a slow example says nothing about the code.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds what is missing before the first test: no test's time-out runs then, and the progress can be seen."""
    wanted = {name for item in session.items for mark in item.iter_markers("builds") for name in mark.args}
    if session.config.option.collectonly or not builds.missing(wanted):
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        builds.ensure(wanted)
