"""What `bridgecart up` says of itself; `up` as a whole: `integration/test_up.py`."""

from dagster._core.scheduler.instigation import InstigatorStatus

from bridgecart_assets.operations.home import dagster_instance
from bridgecart_assets.operations.serving import sensor_says
from bridgecart_assets.settings import Settings
from bridgecart_assets_tests.support.sensors import switch


def test_a_sensor_that_somebody_switched_off_is_not_said_to_be_on(settings: Settings):
    assert sensor_says(settings) == "the orders sensor is on"
    with dagster_instance(settings) as instance:
        switch(instance, InstigatorStatus.STOPPED)
    assert sensor_says(settings) == "the orders sensor is OFF: switch it on under Automation"
    with dagster_instance(settings) as instance:
        switch(instance, InstigatorStatus.RUNNING)
    assert sensor_says(settings) == "the orders sensor is on"
