"""kustomize-controller: builds a directory of a source's artifact and keeps the cluster equal to it.

main.py          what is plugged in: flags -> clients -> reconciler -> a Unit of the Manager
watches.py       what wakes a Kustomization: itself, its source, its dependencies, its members, its variables
reconciler.py    the story: source -> dependencies -> build -> apply -> prune -> health
deletion.py      what becomes of the objects when the Kustomization goes
sources.py       which source a Kustomization refers to
dependencies.py  whether what comes first is ready
variables.py     what postBuild substitutes; substitute.py how
inputs.py        the digest of all that an attempt is made from
build.py         a directory to objects: jail.py, overlay.py, plain.py
checks.py        health of what was applied
history.py       status.history
"""
