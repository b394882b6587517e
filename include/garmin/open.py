"""From a setting such as `synthetic:athletes=12,years=3` to a source."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from include.garmin.document import Source, SourceError
from include.settings import settings

SYNTHETIC_LIMITS = {"athletes": (1, 1000), "years": (1, 15), "seed": (0, 2**31 - 1)}
FORMS = {
    "synthetic": "synthetic[:athletes=12,years=3,seed=7]",
    "folder": "folder:PATH",
    "export": "export:PATH.zip, export:FOLDER or export:s3://BUCKET/KEY",
    "garminexport": "garminexport (live) or garminexport:BACKUP_DIR",
    "personalapi": "personalapi (live, Garmin's own API)",
    "garminconnect": "garminconnect (live)",
}
LIVE = ("personalapi", "garminconnect", "garminexport")
"""Specs that ask Garmin Connect itself."""

Clients = Callable[[str], Any]
"""A boto3 client of a service, by its name."""


def open_source(spec: str, today: date, clients: Clients | None = None) -> Source:
    """The source that `spec` names.

    Args:
        today: the last day of which there can be data.
        clients: where tokens and `s3://` paths are read; needed by the live sources and by those paths.

    Raises:
        SourceError: a spec that is none of FORMS, or a place without athletes.
    """
    name, _, argument = spec.partition(":")
    if spec in LIVE:
        return _live(spec, today, clients)
    if name not in FORMS or name in ("personalapi", "garminconnect"):
        raise SourceError(f"unknown source {spec!r}: use one of\n  " + "\n  ".join(FORMS.values()))
    if name == "synthetic":
        from include.garmin.synthetic import SyntheticSource

        return SyntheticSource(today=today, **_synthetic_options(argument))
    if not argument:
        raise SourceError(f"source {name!r} needs a path: {FORMS[name]}")
    if name == "export":
        from include.garmin.export.source import ExportSource

        return ExportSource(_expanded(argument), clients)
    if name == "garminexport":
        from include.garmin.backup import BackupSource

        return BackupSource(Path(_expanded(argument)))
    from include.garmin.folder import FolderSource

    return FolderSource(Path(_expanded(argument)))


def is_live(spec: str) -> bool:
    """Whether the source asks Garmin Connect itself, and so one request after the other."""
    return spec in LIVE


def is_of_files(spec: str) -> bool:
    """Whether the source is files of the athlete, which are read whole each time."""
    name, _, argument = spec.partition(":")
    return name in ("folder", "export", "garminexport") and bool(argument)


def tells_all(spec: str) -> str | None:
    """The name of a source that tells all it knows of an athlete each time it is read; None for any other.

    A backup folder is none: an activity that was deleted at Garmin keeps its files.
    """
    name, _, argument = spec.partition(":")
    return name if name in ("folder", "export") and argument else None


def with_absolute_path(spec: str) -> str:
    """`spec` as any working folder understands it."""
    name, _, argument = spec.partition(":")
    if name not in ("folder", "export", "garminexport") or not argument or argument.startswith("s3://"):
        return spec
    return f"{name}:{Path(_expanded(argument)).absolute()}"


def _live(name: str, today: date, clients: Clients | None) -> Source:
    if clients is None:
        raise SourceError(f"source {name!r} keeps its tokens in Parameter Store: it is opened by a deployment")
    from include.garmin.connect.tokens import TokenStore

    deployment = settings()
    place = (TokenStore(clients("ssm"), deployment.project), clients("s3"), deployment.bucket, today)
    if name == "personalapi":
        from include.garmin.connect.personal_source import PersonalApiSource

        return PersonalApiSource(*place)
    if name == "garminconnect":
        from include.garmin.connect.garminconnect_source import GarminConnectSource

        return GarminConnectSource(*place)
    from include.garmin.connect.garminexport_source import GarminExportSource

    return GarminExportSource(*place)


def _expanded(path: str) -> str:
    return os.path.expanduser(path)  # noqa: PTH111 - Path's raises where ~name is nobody


def _synthetic_options(argument: str) -> dict[str, int]:
    options: dict[str, int] = {}
    for item in filter(None, (part.strip() for part in argument.split(","))):
        name, equals, text = item.partition("=")
        if name not in SYNTHETIC_LIMITS:
            raise SourceError(f"unknown option {name!r} of source 'synthetic': use {FORMS['synthetic']}")
        low, high = SYNTHETIC_LIMITS[name]
        if not equals or not (text.isascii() and text.isdigit()) or not low <= int(text[:12]) <= high:
            raise SourceError(f"option {name!r} of source 'synthetic' is a whole number {low} to {high}, not {text!r}")
        if name in options:
            raise SourceError(f"option {name!r} of source 'synthetic' is given twice")
        options[name] = int(text)
    return options
