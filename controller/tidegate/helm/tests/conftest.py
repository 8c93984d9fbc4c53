"""What the tests of this package share."""

from collections.abc import Mapping

from tidegate.runtime.testing.loop import SkippingLoop


def pytest_asyncio_loop_factories() -> Mapping[str, type[SkippingLoop]]:
    """Time can be skipped."""
    return {"skipping": SkippingLoop}
