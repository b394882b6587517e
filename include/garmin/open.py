"""From a setting such as `synthetic:athletes=12,years=3` to a source."""

import os
from datetime import date
from pathlib import Path

from include.garmin.document import Source, SourceError

SYNTHETIC_LIMITS = {"athletes": (1, 1000), "years": (1, 15), "seed": (0, 2**31 - 1)}
FORMS = "synthetic[:athletes=12,years=3,seed=7] or folder:PATH"


def open_source(spec: str, today: date) -> Source:
    """The source that `spec` names; `today` is the last day of which synthetic athletes have data.

    Raises:
        SourceError: a spec that is neither of the two forms, or a folder without athletes.
    """
    name, _, argument = spec.partition(":")
    if name == "synthetic":
        from include.garmin.synthetic import SyntheticSource

        return SyntheticSource(today=today, **_synthetic_options(argument))
    if name == "folder":
        from include.garmin.folder import FolderSource

        if not argument:
            raise SourceError("source 'folder' needs a path: folder:PATH")
        return FolderSource(Path(os.path.expanduser(argument)))  # noqa: PTH111 - Path's raises where ~name is nobody
    raise SourceError(f"unknown source {spec!r}: use {FORMS}")


def _synthetic_options(argument: str) -> dict[str, int]:
    options: dict[str, int] = {}
    for item in filter(None, (part.strip() for part in argument.split(","))):
        name, equals, text = item.partition("=")
        if name not in SYNTHETIC_LIMITS:
            raise SourceError(f"unknown option {name!r} of source 'synthetic': use {FORMS}")
        low, high = SYNTHETIC_LIMITS[name]
        if not equals or not (text.isascii() and text.isdigit()) or not low <= int(text[:12]) <= high:
            raise SourceError(f"option {name!r} of source 'synthetic' is a whole number {low} to {high}, not {text!r}")
        if name in options:
            raise SourceError(f"option {name!r} of source 'synthetic' is given twice")
        options[name] = int(text)
    return options
