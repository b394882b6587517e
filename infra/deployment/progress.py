"""Tells what is going on: a live line on a terminal, plain lines otherwise, never silent for long."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

HEARTBEAT_S = 5.0
LIVE_REFRESH_S = 0.25
Clock = Callable[[], float]


@dataclass
class _Stage:
    name: str
    started_at: float
    detail: str = ""
    told_at: float = 0.0


@dataclass
class Progress:
    """Stages may overlap; the breakdown at the end shows when each began and how long it took.

    Args:
        out: where lines go; a live line is drawn at its end when it is a terminal.
        clock: seconds, monotonic.
    """

    out: TextIO
    clock: Clock = time.monotonic
    started_at: float = field(init=False)
    finished: list[tuple[str, float, float]] = field(default_factory=list)
    """(name, began after s, took s) of every stage that has ended."""
    failed: str | None = None
    """The stage that was left by an error, the last one where there were several."""

    def __post_init__(self) -> None:
        self.started_at = self.clock()
        self._live = self.out.isatty()
        self._stages: dict[str, _Stage] = {}
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._drawn = False
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
        self._ticker.start()

    def elapsed_s(self) -> float:
        return self.clock() - self.started_at

    def say(self, line: str) -> None:
        """One line of its own, with the time since the start."""
        with self._lock:
            self._erase()
            self.out.write(f"{self.elapsed_s():6.1f} s  {line}\n")
            self.out.flush()

    def plain(self, text: str) -> None:
        """Text as it is."""
        with self._lock:
            self._erase()
            self.out.write(f"{text}\n")
            self.out.flush()

    @contextmanager
    def stage(self, name: str, look: str = "") -> Iterator[Callable[[str], None]]:
        """A stage while the block runs. The value takes the detail shown beside its name ("4 of 12 tasks")."""
        stage = _Stage(name, self.clock(), told_at=self.clock())
        with self._lock:
            self._stages[name] = stage
        self.say(f"{name} …" + (f" (see {look})" if look else ""))

        def detail(text: str) -> None:
            stage.detail = text

        done = False
        try:
            yield detail
            done = True
        finally:
            took_s = self.clock() - stage.started_at
            with self._lock:
                self._stages.pop(name)
                self.failed = self.failed if done else name
                self.finished.append((name, stage.started_at - self.started_at, took_s))
            self.say(f"{name}: {'done' if done else 'failed'} after {took_s:.1f} s")

    def breakdown(self) -> str:
        """A table of the stages: when each began and what it took."""
        rows = [f"{'stage':<32}{'from s':>8}{'took s':>8}"]
        rows += [f"{name:<32}{began:>8.1f}{took:>8.1f}" for name, began, took in sorted(self.finished, key=_began)]
        return "\n".join(rows)

    def close(self) -> None:
        self._ended.set()
        self._ticker.join(1)
        with self._lock:
            self._erase()

    def _tick(self) -> None:
        while not self._ended.wait(LIVE_REFRESH_S):
            with self._lock:
                if self._live:
                    self._draw()
                else:
                    self.tell_silent_stages()

    def tell_silent_stages(self) -> None:
        """A plain line for each stage that nothing was told of for HEARTBEAT_S."""
        for stage in self._stages.values():
            if self.clock() - stage.told_at >= HEARTBEAT_S - LIVE_REFRESH_S:
                stage.told_at = self.clock()
                self.say(_line(stage, self.clock()))

    def _draw(self) -> None:
        if self._stages:
            line = " | ".join(_line(stage, self.clock()) for stage in self._stages.values())
            self.out.write(f"\r\x1b[2K{self.elapsed_s():6.1f} s  {line[:110]}")
            self.out.flush()
            self._drawn = True

    def _erase(self) -> None:
        if self._drawn:
            self.out.write("\r\x1b[2K")
            self._drawn = False


def _began(row: tuple[str, float, float]) -> float:
    return row[1]


def _line(stage: _Stage, now: float) -> str:
    detail = f": {stage.detail}" if stage.detail else ""
    return f"{stage.name}{detail} ({now - stage.started_at:.0f} s)"
