"""What any controller needs: knows Kubernetes, knows no Flux convention.

errors.py       every error raised on purpose, drawn as a tree
credentials.py  where the API server is and how to authenticate; kubeconfig.py THE door to kubernetes_asyncio
transport.py    THE door to the API server: request() and stream() under one identity
resources.py    a kind's place in the API; discovery.py finds it
json_text.py    JSON, however deep; client.py get, list, create, apply, patch, delete
watch.py        list, then watch, as an async iterator; cache.py what a watch has seen
backoff.py      how long to wait; queue.py which key is next
controller.py   a queue, its slots, and how a turn ends
leases.py       leader election; manager.py owns every task
workers.py      foreign code in limited processes that can be killed; worker_loop.py is their inside
probes.py metrics.py logs.py loop.py threads.py bounded.py clock.py
testing/        an API server and a clock for tests
"""
