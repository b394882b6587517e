import time
from random import Random

from tests.fuzz.runner import run, targets
from tests.fuzz.target import Target, spoilt


def _bytes(random: Random) -> bytes:
    return random.randbytes(4)


def _crash(body: bytes) -> None:
    if body[0] > 200:
        raise KeyError(body[0])


def test_a_crash_is_found_and_its_seed_makes_it_again() -> None:
    (fault,) = run([Target("reader", _bytes, _crash)], 1000, 10, seed=5).faults
    assert fault.error.startswith("KeyError")
    assert _bytes(Random(fault.seed)) == fault.body


def test_a_hang_is_found() -> None:
    (fault,) = run([Target("reader", _bytes, lambda _: time.sleep(5))], 3, 10, seed=1, max_input_s=0.05).faults
    assert fault.error.startswith("Hang")


def test_a_fault_of_one_reader_leaves_the_others_their_share() -> None:
    outcome = run([Target("bad", _bytes, _crash), Target("good", _bytes, len)], 2000, 10, seed=1)
    assert outcome.inputs["good"] == 1000
    assert outcome.inputs["bad"] < 1000


def test_time_is_bounded() -> None:
    outcome = run([Target("reader", _bytes, lambda _: time.sleep(0.01))], 10_000, 0.1, seed=1)
    assert outcome.ran_out_of_time
    assert outcome.inputs["reader"] < 100


def test_spoiling_changes_what_is_sound() -> None:
    sound = bytes(range(64))
    made = {spoilt(Random(seed), [sound]) for seed in range(50)}
    assert len(made) > 40
    assert sum(body == sound for body in made) <= 1


def test_every_target_stands_a_few_inputs() -> None:
    chosen = targets()
    outcome = run(chosen, 40 * len(chosen), 60, seed=1)
    assert not outcome.faults
    assert set(outcome.inputs) == {target.name for target in chosen}
