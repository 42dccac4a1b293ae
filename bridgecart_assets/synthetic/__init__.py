"""A seeded e-commerce world: customers of five personas, their orders as Kafka events, and the truth.

Belongs here: what generates input. Does not: anything that reads it. The pipeline never imports this package,
and what it hides (persona, rates, drop-out) leaves it only through `write_truth`.
"""

from bridgecart_assets.synthetic.config import WorldConfig
from bridgecart_assets.synthetic.events import Event
from bridgecart_assets.synthetic.manifest import Manifest
from bridgecart_assets.synthetic.truth import write_truth
from bridgecart_assets.synthetic.world import World, drain, simulate

__all__ = ["Event", "Manifest", "World", "WorldConfig", "drain", "simulate", "write_truth"]
