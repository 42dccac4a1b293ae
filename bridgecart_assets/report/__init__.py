"""The report: one HTML file with everything in it. Its figures, its charts, its page; no Dagster."""
