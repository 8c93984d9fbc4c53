"""Charts whose revision has a digest: it becomes part of their version, so that a tag that moves is seen. Pure."""

from tidegate.adapters.versions import parse_version
from tidegate.runtime.errors import TidegateError
from tidegate_api.helm.v2.charts import ChartRefKind

_SHOWN = 12


class RevisionMismatch(TidegateError):
    """A revision does not fit the chart that came with it, or has no digest."""


def tracked(kind: str, revision: str, version: str) -> tuple[str, str]:
    """The version of a chart with the digest of its revision, and that digest; "" where the revision has none.

    Raises: RevisionMismatch.
    """
    if kind == ChartRefKind.HELM_CHART or (kind == ChartRefKind.EXTERNAL_ARTIFACT and ":" not in revision):
        return version, ""
    if parse_version(version) is None:
        raise RevisionMismatch(f"invalid chart version {version}")
    tag, separator, digest = revision.partition("@")
    tagged = parse_version(tag.replace("_", "+")) if separator else None
    if tagged is None:
        return f"{version.partition('+')[0]}+{_short(revision)}", revision
    if tagged != parse_version(version):
        raise RevisionMismatch(f"artifact revision {tag} does not match chart version {version}")
    return f"{version.partition('+')[0]}+{_short(digest)}", digest


def _short(digest: str) -> str:
    algorithm, separator, value = digest.partition(":")
    if not (algorithm and separator) or ":" in value or len(value) < _SHOWN:
        raise RevisionMismatch(f"invalid artifact revision {digest}")
    return value[:_SHOWN]
