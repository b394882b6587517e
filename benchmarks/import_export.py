"""The import that `account_export` measures, in a module that loads nothing else."""

import time
from datetime import UTC, datetime

import boto3

from include.curate import curate, write_tables
from include.garmin.export import ExportSource
from include.garmin.raw import read_raw, write_raw

BUCKET = "account-export"


def import_export(export: str, port: int) -> None:
    """From the zip through raw to the tables, as the DAG's tasks do it; prints the seconds since the start."""
    started = time.perf_counter()
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    source = ExportSource(export)
    (athlete,) = source.athletes()
    written = write_raw(s3, BUCKET, athlete, source.fetch(athlete, None, None), datetime.now(UTC))
    print(f"{time.perf_counter() - started:.2f} s: {written}")
    tables = curate(read_raw(s3, BUCKET, athlete))
    rows = {table: len(frame) for table, frame in tables.frames().items()}
    print(f"{time.perf_counter() - started:.2f} s: curated {rows}")
    write_tables(s3, BUCKET, athlete, tables)
    print(f"{time.perf_counter() - started:.2f} s: tables written")
