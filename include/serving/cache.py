"""Small caches of a process: of values with an age, and of those that were asked for last."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class AgedCache:
    """Keeps up to `size` values; who asks says how old an answer may be."""

    def __init__(self, size: int = 1024, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._values: dict[Hashable, tuple[float, Any]] = {}

    def get(self, key: Hashable, load: Callable[[], Any], max_age_s: float) -> Any:
        """The kept value where it is younger than `max_age_s`, else that of `load`; its exceptions are not kept."""
        found = self._values.get(key)
        now = self._clock()
        if found is not None and now - found[0] < max_age_s:
            return found[1]
        value = load()
        if len(self._values) >= self._size:
            del self._values[min(self._values, key=lambda k: self._values[k][0])]
        self._values[key] = (now, value)
        return value

    def clear(self) -> None:
        self._values.clear()


class RecentCache:
    """Keeps the `size` values that were asked for last, whatever their age: for what never changes under its key."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable) -> Any:
        """The kept value, or None."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def keep(self, key: Hashable, value: Any) -> None:
        """Keep a value; the one that was not asked for the longest goes where there is no room."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)

    def clear(self) -> None:
        self._values.clear()
