"""Processes: started so that a child ends with its parent; signals, ports, locks, memory. No Dagster."""
