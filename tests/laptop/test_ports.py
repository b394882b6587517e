import socket

import pytest

from infra.laptop import ports
from infra.laptop.options import LaptopError


@pytest.fixture
def taken() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_taken_port_is_one_line_that_names_it_and_the_option(taken: int) -> None:
    with pytest.raises(LaptopError) as caught:
        ports.require_free({"--port-aws": ports.free_port(), "--port-airflow": taken})
    message = str(caught.value)
    assert str(taken) in message
    assert "--port-airflow" in message
    assert "--port-aws" not in message
    assert "\n" not in message


def test_the_port_that_is_proposed_is_free(taken: int) -> None:
    with pytest.raises(LaptopError, match=r"--port-aws (\d+)") as caught:
        ports.require_free({"--port-aws": taken})
    proposed = int(str(caught.value).rpartition("--port-aws ")[2].rstrip("`."))
    assert proposed != taken
    assert ports.is_free(proposed)


def test_free_ports_pass_and_stay_free() -> None:
    port = ports.free_port()
    ports.require_free({"--port-aws": port})
    assert ports.is_free(port)
    assert not ports.answers(port)


def test_answers_only_where_someone_listens(taken: int) -> None:
    assert ports.answers(taken)
