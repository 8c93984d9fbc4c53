"""What all sources have in common: an artifact."""

from typing import Annotated, Any

from msgspec import field

from tidegate_api.meta.artifact import Artifact
from tidegate_api.meta.status import UNOBSERVED, ObjectStatus, ReconciledObject


class SourceStatus(ObjectStatus, kw_only=True):
    """What was fetched last."""

    artifact: Artifact | None = None
    """Newest content that was fetched."""


class Source(ReconciledObject, kw_only=True):
    """Base of the kinds that have an artifact."""

    spec: Any = None
    """What to fetch; each kind has its own."""

    status: Annotated[SourceStatus, UNOBSERVED] = field(default_factory=SourceStatus)
    """What was fetched."""
