"""Garmin's account export ("Export Your Data") as a source: read as a stream, straight from the zip.

`layout` says which members are read, `places` where exports lie, `archive`, `unpacked` and `s3_file` open them,
`measured` bounds what comes out, `items` cuts JSON into items, `pieces` makes documents of them, `uploaded`
finds METRICS files among the FIT files.
"""

from include.garmin.export.source import ExportSource

__all__ = ["ExportSource"]
