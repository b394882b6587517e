"""moto's own WSGI applications, one a service, called for whole answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from infra.localaws.world import Environ


@dataclass(frozen=True)
class MotoAnswer:
    """A complete response."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    def is_missing_action(self, environ: Environ, service: str) -> bool:
        """Whether moto's router, not an AWS action, answered: HTML, or an empty 404."""
        content_type = next((value for name, value in self.headers if name.lower() == "content-type"), "")
        if (
            self.status[0] in "45"
            and content_type.startswith("text/html")
            and b"<!doctype html" in self.body[:40].lower()
        ):
            return True
        return (
            self.status.startswith("404") and not self.body and environ["REQUEST_METHOD"] != "HEAD" and service != "s3"
        )


class MotoApplication(DomainDispatcherApplication):
    """moto's dispatcher, without its print-outs, and with the search for a service done once."""

    def __init__(self) -> None:
        super().__init__(_create_app)
        self._by_host: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """The service of a host name such as `sqs.us-east-1.amazonaws.com`.

        Raises:
            NotImplementedError: moto has no such service.
        """
        if host is None or host in self._by_host:
            return self._by_host.get(host)
        for backend, pattern in self.backend_url_patterns:
            if pattern.match(f"http://{host}"):
                self._by_host[host] = backend
                return backend
        if host not in ("instance_metadata", "s3control", "sesv2", "dynamodb", "dynamodb_v20111205", "dynamodbstreams"):
            raise NotImplementedError(host)
        self._by_host[host] = host
        return host

    def call(self, environ: Environ) -> MotoAnswer:
        """Run one request.

        Raises:
            NotImplementedError: moto lacks the service or the action.
        """
        answered: list[Any] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _exc_info: Any = None
        ) -> Callable[[bytes], Any]:
            answered[:] = [status, headers]
            return lambda _data: None

        chunks = self.get_application(environ)(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        status, headers = answered
        return MotoAnswer(status, headers, body)


def _create_app(service: Any) -> Any:
    app = create_backend_app(service)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    return app
