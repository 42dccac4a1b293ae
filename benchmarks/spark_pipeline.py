"""The pipeline's steps in PySpark on two cores, from Parquet. Runs in an interpreter of its own that has PySpark."""

import time
from typing import TYPE_CHECKING, Any

from benchmarks.benchmark import Figures

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CHURN_DAYS = 90


def run(orders_file: str, output: str, orders: int) -> Figures:
    """From Parquet to the four KPIs, written as Parquet; the start of Spark and of its workers is not counted."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    # As many partitions as cores and a little more: the default of 200 is for clusters.
    builder = builder.config("spark.sql.shuffle.partitions", "4").config("spark.driver.memory", "4g")
    spark = builder.config("spark.sql.session.timeZone", "UTC").config("spark.log.level", "ERROR").getOrCreate()
    spark.range(1_000).selectExpr("sum(id)").collect()
    ready = time.perf_counter()
    for name, table in steps(spark, orders_file).items():
        table.write.mode("overwrite").parquet(f"{output}/{name}")
    seconds = time.perf_counter() - ready
    spark.stop()
    # Its Java ends with its input; what is not waited for has no processor time that anybody sees.
    gateway = SparkContext._gateway
    gateway.shutdown()
    gateway.proc.communicate()
    return {"seconds": seconds, "orders_per_second": orders / seconds}


def steps(spark: "SparkSession", orders_file: str) -> "dict[str, DataFrame]":
    """Duplicates out, customers as of every month's first day and of now, segments of them, four KPIs by month."""
    from pyspark.sql import functions as fn

    found = spark.read.parquet(orders_file).dropDuplicates(["order_id", "purchased_at"])
    orders = found.select(
        "customer_id",
        fn.to_date("purchased_at").alias("day"),
        fn.trunc("purchased_at", "month").alias("period"),
        (fn.col("purchase_amount") - fn.col("discount_amount")).alias("net"),
        (fn.col("purchase_amount") > 0).alias("is_purchase"),
        fn.col("coupon_used").cast("int").alias("coupon"),
    ).cache()
    snapshots = _segmented(_snapshots(orders)).cache()
    openings = snapshots.select("customer_id", fn.col("as_of").alias("period"), "segment", "net_sales", "last_day")
    sales = orders.join(openings.drop("net_sales", "last_day"), ["customer_id", "period"], "left").fillna(
        -1, ["segment"]
    )
    closings = openings.select(
        "customer_id", fn.add_months("period", -1).alias("period"), fn.col("net_sales").alias("closing")
    )
    active = openings.where(fn.col("last_day") >= fn.date_sub("period", CHURN_DAYS))
    days = orders.where("is_purchase").select(fn.col("customer_id").alias("buyer"), "day").distinct()
    is_return = f"buyer = customer_id and day >= period and day < date_add(period, {CHURN_DAYS})"
    stayed = active.join(days, fn.expr(is_return), "left_semi")
    by = ["period", "segment"]
    contribution = sales.groupBy(by).agg(fn.sum("net").alias("sales"))
    total = contribution.groupBy("period").agg(fn.sum("sales").alias("total"))
    return {
        "snapshots": snapshots,
        "clv_growth": openings.join(closings, ["customer_id", "period"])
        .groupBy(by)
        .agg((fn.sum("closing") / fn.sum("net_sales") - 1).alias("clv_growth")),
        "churn_rate": active.groupBy(by)
        .agg(fn.count("*").alias("active"))
        .join(stayed.groupBy(by).agg(fn.count("*").alias("stayed")), by, "left")
        .withColumn("churn_rate", 1 - fn.col("stayed") / fn.col("active")),
        "average_order_value": sales.where("is_purchase").groupBy(by).agg(fn.avg("net").alias("average_order_value")),
        "sales_contribution": contribution.join(total, "period").withColumn("share", fn.col("sales") / fn.col("total")),
    }


def _snapshots(orders: "DataFrame") -> "DataFrame":
    """Running totals of every customer as of every month's first day after their first order."""
    from pyspark.sql import Window
    from pyspark.sql import functions as fn

    moves = orders.groupBy("customer_id", fn.add_months("period", 1).alias("as_of")).agg(
        fn.countDistinct(fn.when(fn.col("is_purchase"), fn.col("day"))).alias("days"),
        fn.sum(fn.col("is_purchase").cast("int")).alias("purchases"),
        fn.sum(fn.coalesce("coupon", fn.lit(0))).alias("coupons"),
        fn.sum("net").alias("net"),
        fn.min("day").alias("first"),
        fn.max("day").alias("last"),
    )
    dates = moves.select("as_of").distinct()
    starts = moves.groupBy("customer_id").agg(fn.min("as_of").alias("start"))
    grid = starts.join(fn.broadcast(dates), dates["as_of"] >= starts["start"]).select("customer_id", "as_of")
    so_far = Window.partitionBy("customer_id").orderBy("as_of")
    return grid.join(moves, ["customer_id", "as_of"], "left").select(
        "customer_id",
        "as_of",
        *(fn.coalesce(fn.sum(name).over(so_far), fn.lit(0)).alias(name) for name in ("days", "purchases", "coupons")),
        fn.sum("net").over(so_far).alias("net_sales"),
        fn.min("first").over(so_far).alias("first_day"),
        fn.max("last").over(so_far).alias("last_day"),
    )


def _segmented(snapshots: "DataFrame") -> "DataFrame":
    """K-Means, fitted to everybody as of now, applied to every snapshot."""
    from pyspark.ml import Pipeline
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.feature import StandardScaler, VectorAssembler
    from pyspark.sql import functions as fn

    traits = snapshots.where("days > 0 and net_sales > 0").select(
        "*",
        fn.log((fn.col("days") + 1) / (fn.datediff("as_of", "first_day") / 7 + 4)).alias("rate"),
        fn.log(fn.col("net_sales") / fn.col("days")).alias("spend"),
        ((fn.col("coupons") + 1) / (fn.col("purchases") + 3)).alias("coupon_share"),
    )
    # Read by the fit many times over.
    traits = traits.cache()
    stages: list[Any] = [
        VectorAssembler(inputCols=["rate", "spend", "coupon_share"], outputCol="raw"),
        StandardScaler(inputCol="raw", outputCol="features", withMean=True),
        KMeans(k=4, seed=42, predictionCol="segment"),
    ]
    latest = traits.agg(fn.max("as_of")).first()
    fitted = Pipeline(stages=stages).fit(traits.where(fn.col("as_of") == fn.lit(latest[0] if latest else None)))
    return fitted.transform(traits).drop("raw", "features")
