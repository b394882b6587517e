"""A local AWS to erase from."""

from tests.localaws.conftest import localaws  # noqa: F401 (a fixture)
