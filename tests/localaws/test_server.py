"""The server as a program: its command line, its HTTP, its end."""

import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from infra.localaws.iam.request import BodyTooLarge, read_body
from tests.localaws.conftest import ROOT

COMMAND = [sys.executable, "-m", "infra.localaws"]


def run(*arguments):
    return subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_help_says_all():
    text = run("--help").stdout
    for word in ("--port", "--host", "--state", "--jobs-python", "--region", "--verbose", "what is kept", "examples"):
        assert word in text


def test_a_taken_port_is_one_line_and_exit_2(localaws, tmp_path):
    ended = run("--port", str(localaws.port), "--state", str(tmp_path))
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1
    assert str(localaws.port) in ended.stderr


def test_a_state_folder_that_is_a_file_is_one_line_and_exit_2(tmp_path):
    (tmp_path / "file").touch()
    ended = run("--port", "0", "--state", str(tmp_path / "file"))
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_ends_on_a_signal_and_deletes_temporary_state(how):
    process = subprocess.Popen([*COMMAND, "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert "temporary" in line
    url, state = line.split()[4], Path(line.split()[6].rstrip(","))
    health = json.load(urllib.request.urlopen(f"{url}/_localaws/health"))
    assert health["status"] == "ready"
    assert health["uptime_s"] > 0
    assert state.is_dir()
    process.send_signal(how)
    assert process.wait(15) == 0
    assert not state.exists()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the table of sockets is Linux's")
def test_only_this_machine_is_served(localaws):
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [
        row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == localaws.port
    ]
    assert listening == ["0100007F"]


def test_connections_are_kept_alive(localaws):
    connection = http.client.HTTPConnection("127.0.0.1", localaws.port)
    connection.connect()
    sock = connection.sock
    for _ in range(3):
        connection.request("GET", "/_localaws/health")
        connection.getresponse().read()
        assert connection.sock is sock


def test_many_connections_at_once_do_not_wait_for_each_other(localaws):
    held = [socket.create_connection(("127.0.0.1", localaws.port)) for _ in range(60)]
    for sock in held:
        sock.sendall(b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab")  # never ends its body
    began = time.monotonic()
    urllib.request.urlopen(f"{localaws.url}/_localaws/health", timeout=5).read()
    assert time.monotonic() - began < 5
    for sock in held:
        sock.close()


def exchange(localaws, data):
    with socket.create_connection(("127.0.0.1", localaws.port), timeout=10) as sock:
        sock.sendall(data)
        return sock.recv(65536)


BROKEN_CHUNKS = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nX-Amz-Target: AmazonSSM.DescribeParameters\r\n"
    b"Authorization: AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/ssm/aws4_request, Signature=x\r\n\r\nzz\r\n"
)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nbroken header\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"a%d: b\r\n" % n for n in range(300)) + b"\r\n", b"431"),
        (b"PUT /b/k HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"PUT /b/k HTTP/1.1\r\nContent-Length: 6000000000\r\n\r\n", b"413"),
        (BROKEN_CHUNKS, b"400"),
    ],
)
def test_broken_requests_get_a_status_and_the_server_goes_on(localaws, data, status):
    assert exchange(localaws, data).split()[1] == status
    assert exchange(localaws, b"GET /_localaws/health HTTP/1.0\r\n\r\n").split()[1] == b"200"


def test_a_control_request_has_a_limit(localaws):
    head = (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSSM.PutParameter\r\nContent-Length: 200000000\r\n"
    )
    for key_id in (b"local", b"unknown"):  # nobody is asked who they are for what is never read
        scope = (
            b"Authorization: AWS4-HMAC-SHA256 Credential=%b/20260101/us-east-1/ssm/aws4_request, Signature=x\r\n\r\n"
        )
        answer = exchange(localaws, head + scope % key_id)
        assert answer.split()[1] == b"400"
        assert b"RequestEntityTooLargeException" in answer


def test_a_body_sent_in_chunks_has_the_same_limit():
    environ = {"wsgi.input": io.BytesIO(b"12345"), "HTTP_TRANSFER_ENCODING": "chunked"}
    with pytest.raises(BodyTooLarge):
        read_body(environ, limit_bytes=4)
    assert read_body({"wsgi.input": io.BytesIO(b"1234"), "HTTP_TRANSFER_ENCODING": "chunked"}, limit_bytes=4) == b"1234"


def test_clients_in_parallel_lose_nothing(localaws):
    localaws.client("s3").create_bucket(Bucket="parallel")

    def put(worker):
        client = localaws.client("s3")
        for n in range(20):
            client.put_object(Bucket="parallel", Key=f"{worker}/{n}", Body=b"x")

    workers = [threading.Thread(target=put, args=(worker,)) for worker in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert localaws.client("s3").list_objects_v2(Bucket="parallel")["KeyCount"] == 160


def test_a_server_for_other_machines_answers_to_its_names_alone(tmp_path):
    names = ["--host-name", "Local-AWS", "--host-name", "169.254.170.2"]
    command = [*COMMAND, "--host", "0.0.0.0", "--port", "0", "--state", str(tmp_path), *names]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        ready = process.stdout.readline()
        port = int(re.search(r"http://127.0.0.1:(\d+)", ready)[1])
        for host in ("local-aws:4566", "LOCAL-AWS", "169.254.170.2:4566", "127.0.0.1:4566", "localhost"):
            assert b"is not this machine" not in asked_as(host, port), host
        for host in ("rebound.example.com:4566", "local-aws.example.com", "10.0.0.1"):
            assert b"is not this machine" in asked_as(host, port), host
    finally:
        process.terminate()
        process.wait(30)


def asked_as(host: str, port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/", headers={"Host": host})
    return connection.getresponse().read()
