"""Which source a Kustomization refers to."""

from tidegate.toolkit.sources import SourceId
from tidegate_api.kustomize.v1.kustomization import Kustomization
from tidegate_api.meta.objects import ObjectKey


def source_id(kustomization: Kustomization) -> SourceId:
    """The kind and the key of its source."""
    reference = kustomization.spec.source_ref
    return reference.kind, ObjectKey(reference.namespace or kustomization.metadata.namespace, reference.name)
