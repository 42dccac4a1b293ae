"""Records with damaged ones among them, for tests of whatever reads them."""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

# A second holds 20,000 and more of them; what hangs takes for ever.
SECONDS_EACH = 0.005


Read = TypeVar("Read")


def damaged(good: bytes, chance: random.Random) -> bytes:
    """A record with some of its bytes flipped, lost, doubled, replaced or followed by others."""
    data = bytearray(good)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if place < len(data):
                data[place] ^= 1 << chance.randrange(8)
            case 1:
                del data[place:]
            case 2:
                data[place:place] = chance.randbytes(chance.randint(1, 4))
            case 3:
                del data[place : place + chance.randint(1, 4)]
            case 4:
                data[place : place + 9] = b"\xff" * chance.randint(1, 10) + b"\x01"
            case _:
                data[place:place] = data[place:]
    return bytes(data)


def among_good_ones(good: Sequence[bytes], count: int, seed: int) -> tuple[list[bytes], set[int]]:
    """Records of which every second one is damaged, and the places of the others."""
    chance = random.Random(seed)
    records = [good[place % len(good)] for place in range(count)]
    untouched = set(range(0, count, 2))
    return [one if place in untouched else damaged(one, chance) for place, one in enumerate(records)], untouched


def check_each_alone(
    read: Callable[[Sequence[bytes]], Read],
    said: Callable[[Read, Sequence[int]], Sequence[Any]],
    good: Sequence[bytes],
    count: int,
    seed: int,
) -> Read:
    """What was read of records with damaged ones among them: of the others it says what it says of each alone, soon."""
    alone = [said(read([one]), [0])[0] for one in good]
    records, untouched = among_good_ones(good, count, seed)
    began = time.process_time()
    done = read(records)
    took = time.process_time() - began
    places = sorted(untouched)
    assert said(done, places) == [alone[place % len(good)] for place in places]
    assert took < count * SECONDS_EACH
    return done
