"""Files of the offline store: the group's features, and the three columns that AWS adds."""

import io
import json
from collections.abc import Iterable

Row = tuple[str, int, bool]
"""A record's JSON, its api invocation time in microseconds, and whether it marks a deletion."""


def parquet_bodies(types: dict[str, str], files: Iterable[tuple[int, list[Row]]]) -> list[bytes | None]:
    """The body of each file, given its write time in microseconds and its rows; None for one without rows.

    A feature that a record lacks is null. All files are made from one table: most hold a row or two, and to make a
    table of thirty columns costs more than to write it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    contents = list(files)
    rows = [(write_time_us, *row) for write_time_us, part in contents for row in part]
    records = [{f["FeatureName"]: f["ValueAsString"] for f in json.loads(row[1])} for row in rows]
    arrow = {"String": (pa.string(), str), "Integral": (pa.int64(), int), "Fractional": (pa.float64(), float)}
    names, columns = [], []
    for name, feature_type in types.items():
        dtype, convert = arrow[feature_type]
        texts = (record.get(name) for record in records)
        names.append(name)
        columns.append(pa.array([None if text is None else convert(text) for text in texts], dtype))
    moment = pa.timestamp("us", tz="UTC")
    names += ["write_time", "api_invocation_time", "is_deleted"]
    columns.append(pa.array([row[0] for row in rows], moment))
    columns.append(pa.array([row[2] for row in rows], moment))
    columns.append(pa.array([row[3] for row in rows], pa.bool_()))
    table = pa.table(columns, names=names)
    bodies: list[bytes | None] = []
    start = 0
    for _, part in contents:
        body = io.BytesIO()
        if part:
            pq.write_table(table.slice(start, len(part)), body, use_dictionary=False, write_statistics=False)
        bodies.append(body.getvalue() or None)
        start += len(part)
    return bodies
