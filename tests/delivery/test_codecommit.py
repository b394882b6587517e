"""Git's way into CodeCommit: what is signed, and a real git that pushes to a server which checks it."""

import base64
import hashlib
import hmac
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.credentials import ReadOnlyCredentials

from include.settings import Settings
from infra.delivery.codecommit import credential_helper, repository_url, sign
from infra.delivery.git import files_of, git
from infra.delivery.publish import NotPublished, Remote, Source, publish
from tests.delivery.conftest import Checkout, in_bare

ROOT = Path(__file__).parents[2]
KEY, SECRET, TOKEN, REGION = "AKIDEXAMPLE", "not/a+secret", "session%token/", "eu-west-1"


def expected_signature(host: str, path: str, timestamp: str, secret: str = SECRET) -> str:
    """SigV4 of a repository's address, written out once more as AWS describes it."""
    day = timestamp[:8]
    scope = f"{day}/{REGION}/codecommit/aws4_request"
    canonical = hashlib.sha256(f"GIT\n{path}\n\nhost:{host}\n\nhost\n".encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in (day, REGION, "codecommit", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{canonical}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def test_the_address_is_signed_as_codecommit_expects() -> None:
    host, path = "git-codecommit.eu-west-1.amazonaws.com", "/v1/repos/p-ModelBuild"
    credentials = ReadOnlyCredentials(KEY, SECRET, TOKEN)
    username, password = sign(credentials, REGION, host, path, datetime(2026, 11, 26, 1, 2, 3, tzinfo=UTC))
    assert username == f"{KEY}%{TOKEN}"
    assert password == f"20261126T010203Z{expected_signature(host, path, '20261126T010203')}"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "git-codecommit.eu-west-1.amazonaws.com"),
        ("cn-north-1", "git-codecommit.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_address_is_that_of_the_region(region: str, host: str) -> None:
    settings = Settings(project="p-x", account_id="123456789012", region=region)
    assert repository_url(settings, "ModelDeploy") == f"https://{host}/v1/repos/p-x-ModelDeploy"


class CodeCommit(BaseHTTPRequestHandler):
    """A git server that lets in who signed its address; `git http-backend` does the rest."""

    repositories: Path
    seen: list[str]

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        if not self._is_signed(path.partition(".git")[0]):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="repositories"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.repositories),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "signed",
            "PATH_INFO": path.removeprefix("/v1/repos"),
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200 OK").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _is_signed(self, path: str) -> bool:
        given = self.headers.get("Authorization", "")
        if not given.startswith("Basic "):
            return False
        username, _, password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
        self.seen.append(username)
        timestamp, _, signature = password.partition("Z")
        expected = expected_signature(self.headers["Host"], f"{path}.git", timestamp)
        return username == f"{KEY}%{TOKEN}" and signature == expected


@pytest.fixture
def server(bare: Path) -> Iterator[str]:
    """The address of the bare repository."""
    CodeCommit.repositories, CodeCommit.seen = bare.parent, []
    with ThreadingHTTPServer(("127.0.0.1", 0), CodeCommit) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/v1/repos/{bare.name}"
        running.shutdown()


def remote(url: str, secret: str = SECRET) -> Remote:
    environment = {
        "PYTHONPATH": str(ROOT),
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": TOKEN,
    }
    return Remote(url, credential_helper(REGION, sys.executable), environment)


def test_git_publishes_with_signed_credentials(checkout: Checkout, bare: Path, server: str) -> None:
    commit = checkout.commit({"a.txt": "a"})
    source = Source(checkout.folder, commit)
    tree = files_of(checkout.folder, commit)
    done = publish(source, tree, remote(server), name="ModelBuild")
    assert in_bare(bare, "rev-parse", "main") == done.commit
    assert not publish(source, tree, remote(server), name="ModelBuild").changed
    assert CodeCommit.seen


def test_wrong_credentials_are_one_line_and_no_question(checkout: Checkout, bare: Path, server: str) -> None:
    commit = checkout.commit({"a.txt": "a"})
    source = Source(checkout.folder, commit)
    with pytest.raises(NotPublished, match="Authentication failed"):
        publish(source, files_of(checkout.folder, commit), remote(server, "wrong"), name="ModelBuild")
    assert CodeCommit.seen, "git asked the helper"
    assert git(bare, "for-each-ref") == ""
