"""A process with an /opt/ml of its own: a folder of ours bind-mounted there in a namespace of the process.

Where namespaces are denied (`unshare` refused or missing) the path `/opt/ml` is rewritten to the folder in arguments
and environment instead; `MOUNTS_DENIED` is then the first line of the log.

A process that asks for network isolation also gets a network namespace without interfaces. Where the kernel permits
none it runs with the network of this machine, and `NETWORK_SHARED` says so in its log and when local AWS starts.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

OPT_ML = "/opt/ml"
MOUNTS_DENIED = (
    "local AWS: this machine denies mount namespaces; /opt/ml is rewritten to a folder in arguments and environment, "
    "a path written into the code is not"
)
NETWORK_SHARED = (
    "local AWS: this machine denies network namespaces; what asks for network isolation runs with the network of this "
    "machine, on AWS it would have none"
)

# The host's /opt is never written to: where it has no `ml`, the namespace gets an /opt with the same entries plus `ml`.
# The death signal is set last, since a change of user clears it.
_ENTER = """
set -e
tree=$1; cwd=$2; die_with_parent=$3; shift 3
if [ ! -d /opt/ml ]; then
  kept=$(mktemp -d "${TMPDIR:-/tmp}/opt.XXXXXX")
  mount --rbind /opt "$kept"
  mount -t tmpfs tmpfs /opt
  for entry in "$kept"/*; do
    [ -e "$entry" ] || continue
    place=/opt/${entry##*/}
    if [ -d "$entry" ]; then mkdir "$place"; else : > "$place"; fi
    mount --rbind "$entry" "$place"
  done
  mkdir /opt/ml
fi
mount --bind "$tree" /opt/ml
cd "$cwd"
if [ "$die_with_parent" = yes ] && command -v setpriv > /dev/null; then
  exec setpriv --pdeathsig KILL -- "$@"
fi
exec "$@"
"""


@dataclass(frozen=True)
class Launch:
    """One process to start."""

    tree: Path
    """The folder that the process finds at /opt/ml."""
    command: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: str
    """A path as the process sees it, e.g. `/opt/ml/code`."""
    is_isolated: bool = False
    """Whether the process has no network at all."""


@cache
def can_mount() -> bool:
    """Whether this machine lets us give a process its own /opt/ml."""
    return _can_enter(is_isolated=False)


@cache
def can_isolate() -> bool:
    """Whether this machine lets us give a process a network of its own, without interfaces."""
    return _can_enter(is_isolated=True)


def warnings(*, wants_isolation: bool) -> list[str]:
    """What a container of this machine lacks, as lines for its log."""
    shares_network = wants_isolation and not can_isolate()
    return ([] if can_mount() else [MOUNTS_DENIED]) + ([NETWORK_SHARED] if shares_network else [])


def start(launch: Launch, *, stdin: int = subprocess.DEVNULL, die_with_parent: bool) -> subprocess.Popen[bytes]:
    """Start the process in a session of its own, with stdout and stderr in one pipe.

    `stdin` is a file descriptor. `die_with_parent` ties its life to the calling *thread* (the kernel's rule), which
    must outlive it.
    """
    if can_mount():
        flags = _namespaces(is_isolated=launch.is_isolated and can_isolate())
        command = _entering(flags, launch.tree, launch.cwd, launch.command, die_with_parent)
        environment, cwd = dict(launch.environment), "/"
    else:
        command = [rewritten(argument, launch.tree) for argument in launch.command]
        environment = {name: rewritten(value, launch.tree) for name, value in launch.environment.items()}
        cwd = rewritten(launch.cwd, launch.tree)
    return subprocess.Popen(
        command,
        env=environment,
        cwd=cwd,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def rewritten(text: str, tree: Path) -> str:
    """`text` with /opt/ml replaced by the folder, for machines without mounts."""
    return text.replace(OPT_ML, str(tree))


def inside(tree: Path, path: str) -> Path:
    """Where a container path under /opt/ml lies on this machine.

    Raises:
        ValueError: for a path outside of /opt/ml.
    """
    local = (tree / Path(path).relative_to(OPT_ML)).resolve()
    if not local.is_relative_to(tree.resolve()):
        raise ValueError(f"{path} leaves {OPT_ML}")
    return local


def _can_enter(*, is_isolated: bool) -> bool:
    if shutil.which("unshare") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        flags = _namespaces(is_isolated=is_isolated)
        command = _entering(flags, Path(folder), OPT_ML, ("true",), die_with_parent=False)
        environment = {**os.environ, "TMPDIR": folder}
        done = subprocess.run(command, env=environment, capture_output=True, timeout=20, check=False)
        return done.returncode == 0


def _namespaces(*, is_isolated: bool) -> list[str]:
    return ["--map-root-user", "--mount", *(["--net"] if is_isolated else [])]


def _entering(flags: list[str], tree: Path, cwd: str, command: Sequence[str], die_with_parent: bool) -> list[str]:
    dies = "yes" if die_with_parent else "no"
    return ["unshare", *flags, "sh", "-c", _ENTER, "enter", str(tree), cwd, dies, *command]
