"""The digest of all that a release is made from: equal inputs need no work (DESIGN §5)."""

import hashlib

import msgspec

import tidegate
from tidegate.helm import digests
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.meta.artifact import Artifact


def digest(release: HelmRelease, artifact: Artifact, values: JsonObject) -> str:
    """Over the chart's content, spec and generation, the values, and our version."""
    parts = [
        tidegate.__version__,
        artifact.digest,
        release.metadata.generation,
        codec.encode(release.spec),
        digests.of_values(values),
    ]
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:32]
