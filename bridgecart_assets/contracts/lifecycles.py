"""Stages of a customer's life, by the names that `gold.customer_segments.lifecycle` has for them."""

LIFECYCLES: tuple[str, ...] = ("new", "active", "needs attention", "at risk", "dormant")
