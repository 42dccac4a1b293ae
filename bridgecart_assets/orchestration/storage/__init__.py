"""Storage of Dagster's runs and events in SQLite files, as `dagster.yaml` names it: compressed, and pruned."""
