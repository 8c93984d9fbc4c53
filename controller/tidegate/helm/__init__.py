"""helm-controller: HelmRelease -> a Helm release in the cluster.

release/    the release engine: records, their storage, install, upgrade, uninstall, hooks, resume after a crash
"""
