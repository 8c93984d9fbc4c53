"""The release engine: brings a rendered chart into the cluster as a Helm release, on the apply engine.

The release Secret is its journal: a pending record says everything that is about to exist before anything does, and
after a crash the same revision is finished from its own record. Nothing else remembers.

What decides is pure:

model.py        what the engine is told and tells
words.py        Helm's words for each action
record.py       a release as Helm 4 stores it, to and from the text in its Secret
secrets.py      that text in a Secret: name, labels, journal
order.py        in which order kinds are installed and uninstalled
manifests.py    the objects of a manifest, and the marks that they are given
hook_plan.py    which hooks run, in which order, and when one is done

What acts:

engine.py       the face: a session per release and turn
scope.py        one release that is acted on
storage.py      its revisions in Secrets
sightings.py    the metadata of all of them, as a watch shows it
capabilities.py rendering.py crds.py preparing.py    what comes before a revision is on record
entry.py        the record of the action that is under way
deploy.py hooks.py    an install or upgrade, or what is left of one
uninstall.py departure.py    a release on its way out
"""
