"""The HTTP session under Garmin's own client: what came is kept as received, within a bound.

The client hands out decoded JSON, and its errors tell neither headers (Retry-After) nor bytes.
"""

import io

import requests

from include.garmin.document import SourceError
from include.garmin.raw import MAX_DOCUMENT_BYTES

_CHUNK_BYTES = 256 * 1024


class StatusError(Exception):
    """An HTTP error as `Manners` knows it: with the response, and so with Retry-After."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(f"HTTP {response.status_code}")
        self.response = response


class ReceivingSession:
    """A session of requests, to be given to the client, and the last answer that it received."""

    def __init__(self) -> None:
        self.session = requests.Session()
        # requests calls the hook before it reads the body.
        self.session.hooks["response"].append(self._receive)
        self._received: requests.Response | None = None

    @property
    def received(self) -> requests.Response:
        """The last answer, its body in memory; without its request, which holds the key or the token."""
        if self._received is None:
            raise AssertionError("nothing was received")
        return self._received

    def _receive(self, response: requests.Response, **_: object) -> requests.Response:
        body = bytearray()
        for chunk in response.iter_content(_CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_DOCUMENT_BYTES:
                response.close()
                raise SourceError(f"Garmin's Personal API answered with more than {MAX_DOCUMENT_BYTES} bytes")
        received = requests.Response()
        received.status_code, received.reason, received.url = response.status_code, response.reason, response.url
        received.headers, received.encoding = response.headers, response.encoding
        received.raw = io.BytesIO(bytes(body))
        self._received = received
        return received
