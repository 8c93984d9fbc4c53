"""A real Kubernetes control plane without containers: built from pinned Go modules, on loopback, gone afterwards.

    catalogue   what can be built and how
    toolchain   a Go that is new enough: the one on PATH, or a private one
    builds      the binaries, cached by version outside the tree
    cluster     ControlPlane: etcd, API server, controller manager, scheduler and kwok, which plays node and pods
    stages      what becomes of a pod: told by its own spec

`python -m hack.controlplane build|up|path` is the same for people.
"""
