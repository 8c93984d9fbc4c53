"""Keys and values of the labels, annotations and finalizers that controllers and users agree on."""

FINALIZER = "finalizers.fluxcd.io"

# Requests to reconcile; a force or reset counts only while its value equals the one of `requestedAt`.
RECONCILE_REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
RECONCILE_FORCE_AT = "reconcile.fluxcd.io/forceAt"
RECONCILE_RESET_AT = "reconcile.fluxcd.io/resetAt"

# A label on ConfigMaps and Secrets: changes wake the objects that refer to them.
WATCH = "reconcile.fluxcd.io/watch"
WATCH_ENABLED = "Enabled"

# Whatever follows the prefix is copied to the object's events.
EVENT_PREFIX = "event.toolkit.fluxcd.io/"
EVENT_CHANGE_REQUEST = EVENT_PREFIX + "change_request"
EVENT_COMMIT = EVENT_PREFIX + "commit"

DISABLED = "disabled"
ENABLED = "enabled"

# Owner labels on what a Kustomization applies, and what users may say on such an object (label or annotation).
KUSTOMIZE_NAME = "kustomize.toolkit.fluxcd.io/name"
KUSTOMIZE_NAMESPACE = "kustomize.toolkit.fluxcd.io/namespace"
KUSTOMIZE_RECONCILE = "kustomize.toolkit.fluxcd.io/reconcile"
KUSTOMIZE_FORCE = "kustomize.toolkit.fluxcd.io/force"
KUSTOMIZE_PRUNE = "kustomize.toolkit.fluxcd.io/prune"
KUSTOMIZE_SUBSTITUTE = "kustomize.toolkit.fluxcd.io/substitute"
KUSTOMIZE_DECRYPT = "kustomize.toolkit.fluxcd.io/decrypt"
KUSTOMIZE_SSA = "kustomize.toolkit.fluxcd.io/ssa"
SSA_OVERRIDE = "Override"
SSA_MERGE = "Merge"
SSA_IF_NOT_PRESENT = "IfNotPresent"
SSA_IGNORE = "Ignore"

# Owner labels on what a HelmRelease renders, and its users' word on drift (label or annotation).
HELM_NAME = "helm.toolkit.fluxcd.io/name"
HELM_NAMESPACE = "helm.toolkit.fluxcd.io/namespace"
HELM_DRIFT_DETECTION = "helm.toolkit.fluxcd.io/driftDetection"

# Helm's own word on an object of a release: it stays when the release goes.
HELM_RESOURCE_POLICY = "helm.sh/resource-policy"
KEEP = "keep"

# source-watcher: makes ExternalArtifacts from ArtifactGenerators.
GENERATOR_RECONCILE = "source.extensions.fluxcd.io/reconcile"
GENERATOR = "source.extensions.fluxcd.io/generator"
GENERATOR_FINALIZER = "source.extensions.fluxcd.io/finalizer"

SHARD_KEY = "sharding.fluxcd.io/key"
TENANT = "toolkit.fluxcd.io/tenant"
RECEIVER_WEBHOOK = "notification.toolkit.fluxcd.io/webhook"
