"""A usual pipeline of a scheduler and pandas: messages one by one, whole tables in a SQL database, everything reloaded.

The database is SQLite through pandas' own `to_sql`: nothing to install, no server, no network; a server takes longer.
"""

import json
import sqlite3
import time
import uuid
from contextlib import closing

import pandas as pd
from confluent_kafka import Consumer, TopicPartition
from sklearn.cluster import KMeans

from benchmarks.benchmark import Figures
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.sources.kafka.connection import client_config
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.positions import topic_state

CHURN_DAYS = 90


def run(records: int) -> Figures:
    """Four tasks, each of which writes its whole table anew and reads the one that another wrote before it."""
    tasks = {
        "raw_orders": lambda _: _consumed(records),
        "silver_orders": _cleaned,
        "gold_segments": _segments,
        "kpis": _kpis,
    }
    started = time.perf_counter()
    with closing(sqlite3.connect(load_settings().data_dir / "pipeline.sqlite")) as database:
        for table, made in tasks.items():
            made(database).to_sql(table, database, if_exists="replace", index=False)
            database.commit()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "orders_per_second": records / seconds}


def _consumed(records: int) -> pd.DataFrame:
    connection = kafka_connection(load_settings())
    consumer = Consumer(client_config(connection, defaults={}, required={"group.id": uuid.uuid4().hex}))
    partitions = topic_state(connection).partitions
    consumer.assign([TopicPartition(connection.topic, p, span.start) for p, span in partitions.items()])
    orders: list[dict[str, object]] = []
    while len(orders) < records:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            orders.append(json.loads(message.value() or b"{}"))
    consumer.close()
    return pd.DataFrame(orders)


def _cleaned(database: sqlite3.Connection) -> pd.DataFrame:
    """Duplicates dropped, gaps filled, texts in title case."""
    orders = pd.read_sql("select * from raw_orders", database).drop_duplicates()
    orders["purchase_date"] = pd.to_datetime(orders["purchase_date"], format="ISO8601", utc=True)
    for column in ("purchase_amount", "discount_amount", "age", "income"):
        orders[column] = pd.to_numeric(orders[column], errors="coerce").fillna(0)
    for column in ("name", "gender", "payment_method", "product_category"):
        orders[column] = orders[column].fillna("Unknown").str.strip().str.title()
    return orders.assign(net_amount=orders["purchase_amount"] - orders["discount_amount"])


def _segments(database: sqlite3.Connection) -> pd.DataFrame:
    """K-Means with k = 4 on raw age, income and total spend of each customer."""
    orders = pd.read_sql("select customer_id, age, income, net_amount from silver_orders", database)
    customers = orders.groupby("customer_id", as_index=False).agg(
        age=("age", "last"), income=("income", "last"), total_spend=("net_amount", "sum")
    )
    model = KMeans(n_clusters=4, n_init=10, random_state=42)
    return customers.assign(segment=model.fit_predict(customers[["age", "income", "total_spend"]]))


def _kpis(database: sqlite3.Connection) -> pd.DataFrame:
    """The four KPIs by segment, of the whole history."""
    orders = pd.read_sql("select * from silver_orders", database, parse_dates=["purchase_date"])
    orders = orders.merge(pd.read_sql("select customer_id, segment from gold_segments", database), on="customer_id")
    now = orders["purchase_date"].max()
    sales = orders.groupby("segment")["net_amount"].sum()
    is_before = orders["purchase_date"] < now - pd.Timedelta(days=30)
    latest = orders.groupby(["segment", "customer_id"])["purchase_date"].max()
    kpis = {
        "clv_growth": sales / orders[is_before].groupby("segment")["net_amount"].sum() - 1,
        "churn_rate": (latest < now - pd.Timedelta(days=CHURN_DAYS)).groupby("segment").mean(),
        "average_order_value": orders.groupby("segment")["net_amount"].mean(),
        "sales_contribution": sales / sales.sum(),
    }
    return pd.DataFrame(kpis).reset_index()
