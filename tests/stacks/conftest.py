"""A local AWS for deployments."""

from tests.localaws.conftest import localaws  # noqa: F401 (a fixture)
