"""Telling people and machines how the pipeline is: alerts, metrics, one sensor."""
