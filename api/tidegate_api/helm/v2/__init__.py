"""Version v2 of the Helm releases, one file a kind, and the parts of its spec and status beside it."""

GROUP = "helm.toolkit.fluxcd.io"
VERSION = "v2"
CATEGORIES = ("all", "fluxcd", "fluxcd-appliers")
