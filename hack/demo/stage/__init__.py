"""What the acts of the demo stand on.

setting     everything that runs: control plane, Git server, proxy, controllers
config      our CRDs and RBAC, put into the cluster
view        the cluster as watches tell it, and when it became as expected
manifests   the files in Git
narrator    what the user reads
timetable   commit -> applied -> healthy, act by act
evidence    what the cluster says when something is not as expected
"""
