"""Where Garmin data comes from, and how its responses are kept exactly as received."""

from include.garmin.document import RawDocument, Source, SourceError, StoredDocument, UnknownAthlete
from include.garmin.open import open_source

__all__ = ["RawDocument", "Source", "SourceError", "StoredDocument", "UnknownAthlete", "open_source"]
