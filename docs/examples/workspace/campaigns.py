"""Another team's project: whom to win back, from the tables that BridgeCart publishes."""

import dagster as dg
import pandas as pd

from bridgecart_assets.tables import read

HIGH_CHURN_RATE = 0.2


@dg.asset(
    key=["campaigns", "win_back"],
    deps=[dg.AssetKey(["kpi", "churn_rate"]), dg.AssetKey(["gold", "customer_segments"])],
    group_name="campaigns",
    automation_condition=dg.AutomationCondition.eager(),
)
def win_back(context: dg.AssetExecutionContext) -> pd.DataFrame:
    """Customers at risk in the segments that lost many in the latest period that has matured, most valuable first."""
    churn = read("kpi/churn_rate")
    matured = churn[churn["matured"]]
    latest = matured[matured["period"] == matured["period"].max()]
    losing = latest.loc[latest["churn_rate"] > HIGH_CHURN_RATE, "segment_key"]
    customers = read("gold/customer_segments")
    chosen = customers[customers["segment_key"].isin(losing) & (customers["lifecycle"] == "at risk")]
    context.add_output_metadata({"segments": ", ".join(losing), "dagster/row_count": len(chosen)})
    return chosen.sort_values(["predicted_clv", "customer_id"], ascending=[False, True])[
        ["customer_id", "segment_key", "predicted_clv"]
    ]


defs = dg.Definitions(assets=[win_back])
