"""What the migration service checks before Airflow starts."""

import pytest

from infra.compose import init
from infra.compose.place import CannotStart


def meminfo(kib: int) -> str:
    return f"MemFree:         1 kB\nMemTotal:       {kib} kB\n"


def test_too_little_memory_is_one_line_that_says_what_to_do() -> None:
    init.require_memory(meminfo(4 * 2**20))
    with pytest.raises(CannotStart, match=r"has 2\.0 GiB of memory .* needs 4 GiB: give it more") as caught:
        init.require_memory(meminfo(2 * 2**20))
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_one_line_that_says_what_to_do() -> None:
    init.require_disk(2 * init.GIB)
    with pytest.raises(CannotStart, match=r"has 0\.5 GiB left .*`docker system prune`") as caught:
        init.require_disk(init.GIB // 2)
    assert "\n" not in str(caught.value)
