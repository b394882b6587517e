"""Which version of the project runs here: the DAGs say it as a tag."""

from functools import cache
from pathlib import Path

CHECKOUT = "checkout"
"""The answer where the code was not packaged: in a checkout, whose files may change at any moment."""
STAMP = "version.txt"
"""Beside this module in a package; it holds the version, and a checkout has no such file."""


@cache
def running_version() -> str:
    """The version of the package that this code came from, or `checkout`."""
    try:
        return Path(__file__).with_name(STAMP).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return CHECKOUT
