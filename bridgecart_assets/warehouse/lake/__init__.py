"""The lake: tables that grow with orders and customers, as Apache Iceberg tables that Apache Spark writes."""
