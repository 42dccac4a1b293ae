"""Pools of Indian names, made once: Faker is slow, so customers combine pool entries by index."""

from dataclasses import dataclass

from bridgecart_assets.base.errors import BridgeCartError

FAKER_DRAWS = 1_000

OTHER_FIRST_NAMES = ("Zoë", "आरव", "अनन्या")
OTHER_LAST_NAMES = ("D'Souza", "O'Brien", "Núñez")


class FakerMissing(BridgeCartError):
    """The package that names made-up customers is not installed."""


@dataclass(frozen=True)
class NamePools:
    """First names (`female` of them for women, then those for men) and last names, in a fixed order."""

    first: tuple[str, ...]
    female: int
    last: tuple[str, ...]


def build_name_pools(seed: int) -> NamePools:
    """Distinct names out of seeded Faker draws, with a few that need more than ASCII letters. Raises FakerMissing."""
    # Imported late: an installation that takes real orders only may leave the package out, as the image does.
    try:
        from faker import Faker
    except ImportError as error:
        raise FakerMissing(
            "made-up customers have their names from faker, which is not installed: pip install faker; "
            "in the compose stack, the service `orders` has it"
        ) from error
    fake = Faker("en_IN")
    fake.seed_instance(seed)
    female = sorted({fake.first_name_female() for _ in range(FAKER_DRAWS)})
    male = sorted({fake.first_name_male() for _ in range(FAKER_DRAWS)})
    last = sorted({fake.last_name() for _ in range(FAKER_DRAWS)})
    return NamePools(first=(*female, *male, *OTHER_FIRST_NAMES), female=len(female), last=(*last, *OTHER_LAST_NAMES))
