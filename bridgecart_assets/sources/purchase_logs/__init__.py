"""Purchase logs of real shops, as order events."""
