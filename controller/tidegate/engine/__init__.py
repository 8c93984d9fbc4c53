"""Brings a set of objects into a cluster and keeps it there; both appliers stand on it.

What decides is pure (objects in, words out) and does no I/O:

identity.py     what names an object, and the texts it is written as
stages.py       in which ranks a set is applied, and in which order it is reported and pruned
normalize.py    a desired object as it is sent
policy.py       what users' labels and annotations allow: skip, create only, recreate, keep
ownership.py    owner labels, other owners, and the clean-up of field managers before us
inventory.py    what belongs to an applier: union, stale, survivors
fingerprint.py  digests that tell drift of our own fields from everything else
messages.py     the words of failures, without Secret values
health/         kstatus: is an object as its controller wants it

What acts does I/O and decides nothing: apply.py, prune.py, waits.py, watches.py.
"""
