"""Ports on loopback that nobody listens on."""

import random
import socket

# Below the range that the kernel hands out for outgoing connections: between our look and the
# program's bind, none of those can take the port.
CANDIDATES = range(20_000, 32_000)


def free(count: int) -> list[int]:
    """So many different ports, free at this moment.

    Raises:
        OSError: there are none.
    """
    found: list[int] = []
    for port in random.sample(CANDIDATES, k=len(CANDIDATES)):
        if _is_free(port):
            found.append(port)
            if len(found) == count:
                return found
    raise OSError(f"no {count} free ports on loopback")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
