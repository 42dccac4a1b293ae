"""BridgeCart: orders from Kafka to customer segments and their KPIs."""
