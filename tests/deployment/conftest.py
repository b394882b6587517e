"""A local AWS for what is deployed."""

from tests.localaws.conftest import localaws  # noqa: F401 (a fixture)
