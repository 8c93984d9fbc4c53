"""The release engine: brings a rendered chart into the cluster as a Helm release, on the apply engine.

The release Secret is its journal: a pending record says everything that is about to exist before anything does, and
after a crash the same revision is finished from its own record. Nothing else remembers.

model.py       what actions are told, and how they fail
record.py      a release as Helm 4 stores it, to and from the text in its Secret
"""
