"""How much a Git repository and its server may cost (reliability §4)."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class GitLimits:
    """Bounds of every exchange with a Git server and of what it sends."""

    pack_size: int = 4 << 30
    object_size: int = 512 << 20
    objects: int = 5_000_000
    delta_depth: int = 4_096
    refs: int = 1_000_000
    redirects: int = 10
    connect: timedelta = timedelta(seconds=10)
    silence: timedelta = timedelta(seconds=60)


LIMITS = GitLimits()
