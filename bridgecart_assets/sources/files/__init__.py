"""Files with orders: history older than the topic as records, and published purchase logs as events."""
