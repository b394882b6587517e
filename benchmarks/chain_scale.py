"""The whole chain for hundreds of athletes on one machine: its time, and the memory of all its processes together."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.local_aws import client, free_port, local_aws_command, running
from benchmarks.results import Result
from benchmarks.training_scale import feature_rows
from include.features.schema import COLUMNS, EVENT_TIME, NAMES, RECORD_ID
from include.features.store import to_record

ROOT = Path(__file__).parents[1]
SOURCE = "synthetic:athletes=300,years=5"
LIMIT_S = 3600
SAMPLE_EVERY_S = 2.0
PUTS_AT_ONCE = 4
SINGLE_PUTS = 2000
"""So many puts tell what one costs."""
GROUP = "single-puts"


@dataclass
class Memory:
    """The memory that the processes of a run share among them, at its peak."""

    peak_mib: float = 0.0
    at_peak_mib: dict[str, float] = field(default_factory=dict)
    """By kind of process."""

    def sample(self, root: psutil.Process) -> None:
        """Look once; a shared page counts once in all (PSS)."""
        by_kind: Counter[str] = Counter()
        with suppress(psutil.NoSuchProcess):
            for process in [root, *root.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                    rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
                    pss = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
                    by_kind[_kind(process.cmdline())] += int(pss[1]) if pss else 0
        total_mib = sum(by_kind.values()) / 1024
        if total_mib > self.peak_mib:
            self.peak_mib = total_mib
            self.at_peak_mib = {kind: kib / 1024 for kind, kib in by_kind.most_common()}

    def __str__(self) -> str:
        return ", ".join(f"{kind} {mib:.0f} MiB" for kind, mib in self.at_peak_mib.items())


def _kind(command: list[str]) -> str:
    text = " ".join(command)
    for kind, sign in (("local AWS", "infra.localaws"), ("jobs", "include.jobs"), ("Airflow", "airflow")):
        if sign in text:
            return kind
    return "others"


def measure(work: Path, source: str = SOURCE) -> list[Result]:
    """`make e2e` for 300 athletes × 5 years, from the command until all forecasts are printed, and the deletion after.

    Beside it, what putting the rows one by one would take by itself.
    """
    environment = {**os.environ, "TMPDIR": str(work)}
    command = [sys.executable, "-m", "infra.laptop", "e2e", "--source", source]
    memory, ended = Memory(), threading.Event()
    started, log = time.perf_counter(), work / "chain-scale.log"
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    sampler = threading.Thread(target=_sample, args=(psutil.Process(process.pid), memory, ended), daemon=True)
    deadline = threading.Timer(LIMIT_S, process.terminate)
    sampler.start()
    deadline.start()
    try:
        times = read_times(_lines(process, log), lambda: time.perf_counter() - started)
        code = process.wait()
    finally:
        deadline.cancel()
        ended.set()
        process.terminate()
        sampler.join()
    if code != 0 or times is None:
        raise RuntimeError(f"make e2e failed; its output is in {log}")
    athletes, years = (int(text) for text in re.findall(r"\d+", source)[:2])
    rows, put_ms = athletes * years * 365, _single_put_ms(work)
    versus = f"{rows * put_ms / 1000:.0f} s: {rows} rows put one by one alone ({put_ms:.2f} ms each, measured)"
    name = f"chain_{athletes}x{years}y"
    return [
        Result(f"{name}_s", times.chain_s, "s", 420.0, f"{versus}; {_stages(log.read_text())}"),
        Result(f"{name}_delete_s", times.deletion_s, "s", None, "the whole deployment with its data, after the chain"),
        Result(f"{name}_gib", memory.peak_mib / 1024, "GiB", 4.0, f"at the peak: {memory}"),
    ]


@dataclass(frozen=True)
class Times:
    """Seconds from the command until all forecasts were printed, and those that the deletion then took."""

    chain_s: float
    deletion_s: float


def read_times(lines: Iterable[str], clock: Callable[[], float]) -> Times | None:
    """Read what `make e2e` says as it says it; None where it ended before the deletion was done.

    The deletion begins right after the last forecast is printed.

    Args:
        clock: seconds since the command was started.
    """
    chain_s = None
    for line in lines:
        if chain_s is None and re.fullmatch(r"\s*[\d.]+ s  deletion …\n?", line):
            chain_s = clock()
        if chain_s is not None and (done := re.search(r"deletion: done after ([\d.]+) s", line)):
            deletion_s = float(done[1])
            for _ in lines:  # all that is said later is for the log
                pass
            return Times(chain_s, deletion_s)
    return None


def _lines(process: subprocess.Popen[bytes], log: Path) -> Iterator[str]:
    """The output of a process, line by line, kept in the log as well."""
    assert process.stdout is not None
    with log.open("wb") as out:
        for line in process.stdout:
            out.write(line)
            out.flush()
            yield line.decode(errors="replace")


def _sample(root: psutil.Process, memory: Memory, ended: threading.Event) -> None:
    while not ended.wait(SAMPLE_EVERY_S):
        memory.sample(root)


def _stages(log: str) -> str:
    """What each DAG took, as the run itself told it."""
    found = re.findall(r"(garmin_ingest|model_build|model_deploy): done after ([\d.]+) s", log)
    return ", ".join(f"{dag} {seconds} s" for dag, seconds in found)


def _single_put_ms(work: Path) -> float:
    """Milliseconds a row to put rows one by one, PUTS_AT_ONCE side by side, to the offline store alone."""
    rows = feature_rows(2, SINGLE_PUTS // 730 + 1).head(SINGLE_PUTS)
    records = [to_record({str(name): value for name, value in row.items()}) for row in rows.to_dict("records")]
    types = {name: "Fractional" if name in NAMES else "String" for name in COLUMNS}
    port, state = free_port(), work / "single-puts"
    shutil.rmtree(state, ignore_errors=True)
    with running(local_aws_command(state, port), port):
        _make_group(port, types)
        runtime = client("sagemaker-featurestore-runtime", port)

        def put(record: list[dict[str, str]]) -> None:
            runtime.put_record(FeatureGroupName=GROUP, Record=record, TargetStores=["OfflineStore"])

        started = time.perf_counter()
        with ThreadPoolExecutor(PUTS_AT_ONCE) as pool:
            list(pool.map(put, records))
        return (time.perf_counter() - started) / len(records) * 1000


def _make_group(port: int, types: dict[str, str]) -> None:
    """A feature group with an offline store, and the role that writes it."""
    client("s3", port).create_bucket(Bucket=GROUP)
    trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}
    allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam = client("iam", port)
    role = iam.create_role(RoleName="store", AssumeRolePolicyDocument=_policy(trusted))["Role"]
    iam.put_role_policy(RoleName="store", PolicyName="s3", PolicyDocument=_policy(allowed))
    sagemaker = client("sagemaker", port)
    sagemaker.create_feature_group(
        FeatureGroupName=GROUP,
        RecordIdentifierFeatureName=RECORD_ID,
        EventTimeFeatureName=EVENT_TIME,
        FeatureDefinitions=[{"FeatureName": name, "FeatureType": kind} for name, kind in types.items()],
        OnlineStoreConfig={"EnableOnlineStore": True},
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{GROUP}/offline"}},
        RoleArn=role["Arn"],
    )
    while sagemaker.describe_feature_group(FeatureGroupName=GROUP)["FeatureGroupStatus"] == "Creating":
        time.sleep(0.05)


def _policy(statement: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def main() -> None:
    """Measure another source: `python -m benchmarks.chain_scale synthetic:athletes=100,years=5`."""
    work = ROOT / "benchmarks/work"
    work.mkdir(exist_ok=True)
    for result in measure(work, sys.argv[1] if len(sys.argv) > 1 else SOURCE):
        print(f"{result.name}: {result.value:.2f} {result.unit} ({result.versus})")


if __name__ == "__main__":
    main()
