"""Servers and instruments that tests use beside the control plane, all on loopback.

git_server     Git over smart HTTP, by git's own http-backend; counts what it is asked
git_repo       the repositories that it serves, and how a test changes them
registry       an OCI registry, open or with a login, over HTTP or HTTPS
chart_repository  a Helm repository over HTTP; counts what it is asked
charts         small charts, built in code and packed
helm           the real helm, without anybody's settings
pipeline       how an application's chart gets its tokens replaced, its version and into the registry
controller     Tidegate's controllers as processes
fault_proxy    stands before any HTTP server and lets requests go wrong, or lets a test step in between
audit          who asked the API server for what, and how often, from its audit log
"""
