"""Version v1 of the Kustomize appliers, one file a kind."""

GROUP = "kustomize.toolkit.fluxcd.io"
VERSION = "v1"
CATEGORIES = ("all", "fluxcd", "fluxcd-appliers")
