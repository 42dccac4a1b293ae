"""What several tests share: records for the raw layer, running the pipeline without Dagster, comparing warehouses."""
