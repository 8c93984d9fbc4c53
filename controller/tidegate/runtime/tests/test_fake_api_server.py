"""The FakeAPIServer does what a real one does: the same checks run against both."""

import pytest

from tidegate.runtime.client import Client
from tidegate.runtime.tests import conformance
from tidegate.runtime.tests.conformance import Check


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_fake_conforms(check: Check, client: Client):
    await check(client, "default")
