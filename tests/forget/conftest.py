"""A local AWS to erase from, whose offline store lags only briefly."""

from collections.abc import Iterator

import pytest

from tests.localaws.conftest import LocalAws

OFFLINE_DELAY_S = 2.0


@pytest.fixture(scope="module")
def localaws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    server = LocalAws(tmp_path_factory.mktemp("localaws"), "--offline-delay-s", str(OFFLINE_DELAY_S))
    server.start()
    yield server
    server.stop()
