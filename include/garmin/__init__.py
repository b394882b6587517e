"""Where Garmin data comes from, and how its responses are kept exactly as received."""

from include.garmin.document import (
    Held,
    KeyNeeded,
    LoginNeeded,
    RawDocument,
    Source,
    SourceError,
    StoredDocument,
    TooManyRequests,
    UnknownAthlete,
)
from include.garmin.open import open_source

__all__ = [
    "Held",
    "KeyNeeded",
    "LoginNeeded",
    "RawDocument",
    "Source",
    "SourceError",
    "StoredDocument",
    "TooManyRequests",
    "UnknownAthlete",
    "open_source",
]
