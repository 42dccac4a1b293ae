"""`bridgecart announce`: options and words."""

import click


@click.command()
def announce() -> None:
    """Send who entered, moved or left which segment, or turned to another lifecycle, to a Kafka topic, each once.

    The topic is BRIDGECART_SEGMENT_CHANGES_TOPIC; the first time everybody enters. In the Dagster UI the sensor
    segment_changes_sensor, off by default, does so after every batch.
    """
    from bridgecart_assets.orchestration.resources import Platform

    platform = Platform()
    sent = platform.announce_segments()
    print(f"{sent:,} changes of segments and lifecycles sent to topic {platform.settings.segment_changes_topic}.")
