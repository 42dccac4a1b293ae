"""Files with orders that are older than the topic: their rows, as records that a topic might have had."""
