"""Tidegate: GitOps for Kubernetes, wire compatible with Flux v2. This page is the map.

    runtime/     any controller: client, watch, cache, queue, leases, Manager; knows no Flux convention
    adapters/    one file, one outside world: Git, archives, kustomize, YAML; foreign errors stop here
    toolkit/     any Flux controller: conditions, how an attempt ends, status patches, events, artifacts, flags
    engine/      brings a set of objects into a cluster and keeps it there: apply, prune, health, drift
    source/      source-controller: GitRepository -> artifact
    kustomize/   kustomize-controller: Kustomization -> objects in the cluster
    helm/        helm-controller: HelmRelease -> a Helm release in the cluster
    cli/         the commands: which controllers run in this process, and what they are given

Imports flow one way: cli -> controllers -> engine -> toolkit -> adapters -> runtime -> tidegate_api. Controllers do not
know each other: they talk through the status of Kubernetes objects and through artifacts, in one process as in many.
"""

__version__ = "0.1.0"
