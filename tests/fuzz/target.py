"""What one file of fuzzing says of its format, and how sound bytes are spoilt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

_INTERESTING = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)
_MAX_CHANGES = 8


@dataclass(frozen=True)
class Target:
    """One reader under test.

    Attributes:
        name: as the report calls it.
        make: one input, from chance alone: the same seed gives the same bytes.
        read: reads the input; raises AssertionError where an answer is wrong, and nothing that the reader does not
            promise to raise.
    """

    name: str
    make: Callable[[Random], bytes]
    read: Callable[[bytes], object]


def spoilt(random: Random, sound: Sequence[bytes]) -> bytes:
    """One of the sound inputs with a few bytes changed, removed, doubled or cut off."""
    body = bytearray(random.choice(sound))
    for _ in range(random.randint(1, _MAX_CHANGES)):
        at = random.randrange(len(body) + 1)
        length = random.choice((1, 1, 2, 4, random.randint(1, 64)))
        match random.randrange(6):
            case 0 | 1:
                body[at : at + 1] = bytes([random.choice(_INTERESTING)])
            case 2:
                body[at : at + length] = random.randbytes(length)
            case 3:
                del body[at : at + length]
            case 4:
                body[at:at] = body[at : at + length] * random.choice((1, 2, 50))
            case _:
                if random.random() < 0.1:
                    del body[at:]
    return bytes(body)
