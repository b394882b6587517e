"""What the services of local AWS share: configuration, routes of the data plane, events, life and death."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.localaws.iam.guard import Guard

log = logging.getLogger("localaws")

ACCOUNT_ID = "123456789012"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class StateError(Exception):
    """Kept state that cannot be used; the text says what to do."""


@dataclass(frozen=True)
class Config:
    """How one local AWS is run."""

    port: int
    state_dir: Path
    """Where S3, registry, records and stacks are kept; may be a temporary folder."""
    jobs_python: Path
    """The interpreter that stands in for the SageMaker XGBoost container."""
    host: str = "127.0.0.1"
    region: str = "us-east-1"
    list_page_size: int = 100
    """Most entries that ListModelPackages looks at for one page, before it filters them."""
    model_package_delay_s: float = 0.5
    """How long a new model package is InProgress."""
    offline_delay_s: float = 1.0
    """Seconds from the last put into a feature group until all that was put is in its offline store."""
    offline_seed: int = 0
    """Decides in which order the partitions of an offline store are written within the delay."""
    write_units_per_s: int = 500
    """Write units of one record identifier of a feature group, beyond which puts are throttled."""
    host_names: tuple[str, ...] = ()
    """Names by which other machines call this one; where there are any, no others are answered to."""

    @property
    def url(self) -> str:
        """Where children of this server reach it."""
        return f"http://{'127.0.0.1' if self.host in ('0.0.0.0', '::') else self.host}:{self.port}"  # noqa: S104

    def on_port(self, port: int) -> "Config":
        """The same, listening on `port` (the system chose it where 0 was asked for)."""
        return replace(self, port=port)


@dataclass
class World:
    """Handed to every service's `install(world)`."""

    config: Config
    routes: list[tuple[Callable[[Environ], bool], WsgiApp]] = field(default_factory=list)
    event_sinks: list[Callable[[dict[str, Any]], None]] = field(default_factory=list)
    shutdown_hooks: list[Callable[[], None]] = field(default_factory=list)
    restore_hooks: list[Callable[[], None]] = field(default_factory=list)
    commit_hooks: list[Callable[[Environ], None]] = field(default_factory=list)
    close_hooks: list[Callable[[], None]] = field(default_factory=list)
    changed: threading.Event = field(default_factory=threading.Event)
    changed_later: threading.Event = field(default_factory=threading.Event)
    guard: "Guard" = field(init=False)
    """Decides who may do what; the application sets it before any service is installed."""
    save: Callable[[], None] = lambda: None
    """Write the state to disk now, for what may not be said before it is kept; the application sets it.

    Raises OSError where the disk is full or not writable, RuntimeError where the state changes too fast."""

    @property
    def work_dir(self) -> Path:
        """Scratch of running jobs, endpoints and Lambdas; emptied at start."""
        return self.config.state_dir / "work"

    def route(self, matches: Callable[[Environ], bool], app: WsgiApp) -> None:
        """Answer requests that `matches` accepts by `app`, ahead of moto: the fast path of data planes."""
        self.routes.append((matches, app))

    def publish(self, event: dict[str, Any]) -> None:
        """Put an AWS event (`source`, `detail-type`, `detail`, `resources`) on the default event bus."""
        for sink in self.event_sinks:
            sink(event)

    def on_shutdown(self, hook: Callable[[], None]) -> None:
        """Run `hook` when the server stops: end the processes that this service started."""
        self.shutdown_hooks.append(hook)

    def on_restore(self, hook: Callable[[], None]) -> None:
        """Run `hook` after kept state was loaded: start again what lives outside of it (endpoint workers)."""
        self.restore_hooks.append(hook)

    def on_close(self, hook: Callable[[], None]) -> None:
        """Run `hook` last of all, after the final snapshot: close files and databases."""
        self.close_hooks.append(hook)

    def on_commit(self, hook: Callable[[Environ], None]) -> None:
        """Run `hook` after a request that changed something, before its answer is sent: write-through to disk."""
        self.commit_hooks.append(hook)

    def mark_changed(self, *, soon: bool = True) -> None:
        """Say that control-plane state changed outside a request (a job ended) and is to be kept.

        Args:
            soon: in some 0.3 s; else (log lines, counters) within some 10 s, so that busy data planes stay fast.
        """
        (self.changed if soon else self.changed_later).set()

    def child_environment(self) -> dict[str, str]:
        """AWS variables for jobs, endpoints and Lambdas, credentials excepted: those are their role's."""
        return {
            "AWS_ENDPOINT_URL": self.config.url,
            "AWS_REGION": self.config.region,
            "AWS_DEFAULT_REGION": self.config.region,
        }
