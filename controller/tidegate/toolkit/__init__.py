"""What any Flux controller needs: knows the GitOps conventions, knows no kind.

texts.py          what may stand in a condition or an event: clean, bounded
conditions.py     set, find, remove, order; Ready summarised by polarity
outcomes.py       the ways an attempt can end, and conclude(), the only code that knows what each means
status.py         the smallest patch from one status to the next
attempt.py        try once: progress while it lasts, conclusion and write-back however it ends
events.py         one event to Kubernetes and to notification-controller
requests.py       reconcile.fluxcd.io/requestedAt
artifacts.py      fetch and verify what source-controller serves
sources.py        a source as its consumers see it; dependencies.py what has to be ready first
configs.py        the Secrets and ConfigMaps that wake those who refer to them
access.py         cross-namespace rules and whom to act as
jitter.py flags.py
"""
