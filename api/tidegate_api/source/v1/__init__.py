"""Version v1 of the sources, one file a kind."""

GROUP = "source.toolkit.fluxcd.io"
VERSION = "v1"
CATEGORIES = ("all", "fluxcd", "fluxcd-sources")
