"""The mapping that the settings ask for."""

from bridgecart_assets.base.settings import PREFIX, Settings
from bridgecart_assets.sources.mapping.errors import MappingError
from bridgecart_assets.sources.mapping.mapping_file import Mapping, load_mapping


def topic_mapping(settings: Settings) -> Mapping | None:
    """The mapping of the topic; None where it carries BridgeCart's own event. Raises MappingError."""
    if settings.mapping is None:
        return None
    try:
        return load_mapping(settings.mapping)
    except MappingError as error:
        raise MappingError(f"{PREFIX}MAPPING: {error}") from None
