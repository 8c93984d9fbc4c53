"""Appliers of Kustomize overlays and plain YAML (kustomize.toolkit.fluxcd.io)."""
