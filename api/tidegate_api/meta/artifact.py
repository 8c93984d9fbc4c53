"""An artifact: what a source produced, where to get it, and how to know that it is intact."""

from typing import Annotated

from msgspec import field

from tidegate_api.codec import ApiStruct, Time
from tidegate_api.schema import Schema


class Artifact(ApiStruct, kw_only=True):
    """The newest content that a source has brought in."""

    path: str
    """Place of the file below the root of the artifact storage."""

    url: str
    """Address under which the artifact server hands the file out."""

    revision: str
    """What was fetched, as a human-readable name and a checksum in the source's own terms."""

    digest: Annotated[str, Schema(pattern=r"^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$")]
    """Checksum of the file itself, as `<algorithm>:<value>`."""

    last_update_time: Time
    """When this content was stored."""

    size: int = 0
    """Length of the file in bytes."""

    metadata: dict[str, str] = field(default_factory=dict)
    """What the source knows besides, such as the annotations of an OCI image."""
