"""Every port is checked before anything starts: a taken one is one clear line."""

import socket
from collections.abc import Mapping

from infra.laptop.options import LaptopError

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of 127.0.0.1 now."""
    # macOS lets one listen on 127.0.0.1 beside a server that listens on every address.
    if answers(port):
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def require_free(ports: Mapping[str, int]) -> None:
    """Check the ports, given by the option that sets each (`--port-aws`).

    Raises:
        LaptopError: naming the first taken port, who wanted it and the option that changes it.
    """
    for option, port in ports.items():
        if not is_free(port):
            other = free_port()
            raise LaptopError(
                f"Port {port} on {HOST} is taken by another program: end that one, "
                f"or choose another port, e.g. `{option} {other}`."
            )


def answers(port: int) -> bool:
    """Whether something accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0
