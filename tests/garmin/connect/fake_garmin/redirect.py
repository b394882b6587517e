"""Leads the clients' requests to the fake, below everything that they do themselves.

requests (garminconnect, garth) sends by `HTTPAdapter.send`, curl_cffi by `Session.request`: each is replaced by one
that first turns `https://*.garmin.com/…` into the fake's address. Any other address is refused.
"""

from typing import Any
from urllib.parse import urlsplit

import curl_cffi.requests
import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.garmin.connect.fake_garmin.server import HOST_HEADER, FakeGarmin

HOSTS = ("garmin.com", "thegarth.s3.amazonaws.com")


def redirect(monkeypatch: pytest.MonkeyPatch, fake: FakeGarmin) -> None:
    send, request = HTTPAdapter.send, curl_cffi.requests.Session.request

    def send_to_fake(self: HTTPAdapter, prepared: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        led = prepared.copy()
        led.url, led.headers[HOST_HEADER] = _led(str(prepared.url), fake)
        response = send(self, led, *args, **kwargs)
        response.url, response.request = str(prepared.url), prepared
        return response

    def request_of_fake(self: Any, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
        to, host = _led(url, fake)
        kwargs["headers"] = {**(kwargs.get("headers") or {}), HOST_HEADER: host}
        return request(self, method, to, *args, **kwargs)

    monkeypatch.setattr(HTTPAdapter, "send", send_to_fake)
    monkeypatch.setattr(curl_cffi.requests.Session, "request", request_of_fake)


def _led(url: str, fake: FakeGarmin) -> tuple[str, str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" or not host.endswith(HOSTS):
        raise AssertionError(f"a request that is not for Garmin: {url}")
    return fake.url + url.removeprefix(f"https://{parts.netloc}"), host
