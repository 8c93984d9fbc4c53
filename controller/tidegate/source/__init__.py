"""source-controller: brings content from outside into the cluster as artifacts that others fetch by digest.

main.py         what is plugged in: flags -> clients -> reconcilers -> a Unit of the Manager
watches.py      what wakes a source
pipeline.py     what all kinds do around their own fetching: prepare -> fetch -> archive -> publish -> conclude
git_repository.py   the story of one GitRepository; git.py which revision is wanted
helm_repository.py  the story of one HelmRepository: its index
helm_chart.py   the story of one HelmChart; charts.py where charts are and how they are had
oci_repository.py   the story of one OCIRepository; registry_auth.py who we are to its registry
credentials.py  what Secrets hold, for all of them
conditions.py   the conditions and reasons of sources, and how Ready follows from them
storage.py      artifacts on disk: published whole or not at all, verified, collected
server.py       the artifact server: knows names, not directories
"""
