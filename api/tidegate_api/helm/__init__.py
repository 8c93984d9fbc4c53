"""Helm releases (helm.toolkit.fluxcd.io)."""
