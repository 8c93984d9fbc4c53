"""Sources: where the wanted state comes from (source.toolkit.fluxcd.io)."""
