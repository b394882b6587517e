"""A local AWS for deployments, and settings that one test sets and the next does not see."""

import os
from collections.abc import Iterator

import pytest

from include.settings import settings
from tests.localaws.conftest import localaws  # noqa: F401 (a fixture)


@pytest.fixture(autouse=True, scope="module")
def own_variables() -> Iterator[None]:
    """A deployment sets variables for its process."""
    before = dict(os.environ)
    settings.cache_clear()
    yield
    os.environ.clear()
    os.environ.update(before)
    settings.cache_clear()
