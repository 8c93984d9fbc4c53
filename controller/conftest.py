"""What the tests of all controllers share: an event loop whose time can be skipped."""

from collections.abc import Mapping

from tidegate.runtime.testing.loop import SkippingLoop


def pytest_asyncio_loop_factories() -> Mapping[str, type[SkippingLoop]]:
    """The loop of every async test."""
    return {"skipping": SkippingLoop}
