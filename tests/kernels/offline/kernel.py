"""An IPython kernel that can open no connection and finds nothing at home; front ends reach it through ZeroMQ.

`pytest --nbval-kernel-name offline`, with tests/ in JUPYTER_PATH, checks notebooks in it.
"""

import os
import socket
import sys
import tempfile


def refuse(event, args):
    if event == "socket.getaddrinfo" or event == "socket.__new__" and args[1] in (socket.AF_INET, socket.AF_INET6):
        raise OSError(f"no network here: {event}")


if __name__ == "__main__":
    from ipykernel.kernelapp import IPKernelApp

    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"HOME": home, "RDSKD_LAB_MODE": "inline", "OMP_NUM_THREADS": "1"}
        os.environ.pop("RDSKD_DATA", None)
        sys.addaudithook(refuse)
        IPKernelApp.launch_instance()
