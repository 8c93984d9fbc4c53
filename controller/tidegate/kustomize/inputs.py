"""The digest of all that an attempt is made from: equal inputs need no work (DESIGN §5)."""

import hashlib

import msgspec

import tidegate
from tidegate.kustomize.variables import Variables
from tidegate_api import codec
from tidegate_api.kustomize.v1.kustomization import Kustomization
from tidegate_api.meta.artifact import Artifact


def digest(kustomization: Kustomization, artifact: Artifact, variables: Variables, flags: str) -> str:
    """Over the artifact's content, its revision, spec and generation, the variables, our version and flags.

    The revision counts because the status names it; of Secrets only their versions, since the digest is public.
    """
    parts = [
        tidegate.__version__,
        flags,
        artifact.digest,
        artifact.revision,
        kustomization.metadata.generation,
        codec.encode(kustomization.spec),
        variables.versions,
    ]
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:32]
