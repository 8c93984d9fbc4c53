"""A worker for tests: does what its job says."""

import os
import signal
import time

from tidegate.runtime import worker_loop


def work(job: bytes) -> bytes:
    match job.split():
        case [b"pid"]:
            return str(os.getpid()).encode()
        case [b"die"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        case [b"hoard"]:
            return bytes(1 << 33)
        case [b"hang"]:
            time.sleep(60)
        case [b"environment"]:
            return " ".join(sorted(os.environ)).encode()
    print("this must not get between the answers")
    return job


if __name__ == "__main__":
    worker_loop.serve(work)
