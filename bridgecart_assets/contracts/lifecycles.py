"""The stages of a customer's lifecycle, from new to gone silent; docs/kpis.md defines them."""

LIFECYCLES: tuple[str, ...] = ("new", "active", "needs attention", "at risk", "dormant")
