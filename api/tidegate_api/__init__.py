"""The typed API objects of Tidegate, wire compatible with Flux v2: what users write and controllers report.

    codec.py      JSON <-> structs: camelCase, omitted defaults, null is absent, RFC 3339 times, Go durations
    schema.py     what a CRD says beyond a type: constraints, CEL rules, printer columns
    meta/         what all kinds share: object metadata, conditions, references, artifacts, agreed keys
    source/v1/    GitRepository
    kustomize/v1/ Kustomization

It does no I/O, decides nothing, and imports msgspec and itself only: usable on its own.
"""
