"""`make demo`: GitOps from the first commit to a killed controller, on a real control plane, narrated with times.

    story     what is played, in which order
    acts      each act: what happens, what must be true afterwards
    stage     what the acts stand on: cluster, Git server, controllers, watches, narration

Every act checks what it tells: the demo ends with exit code 1 where something is not so.
"""
