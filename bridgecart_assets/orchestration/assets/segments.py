"""Gold: the models as tables of versions, every customer's current segment and value, and the history of segments."""

import json

import dagster as dg
import pandas as pd

from bridgecart_assets.contracts import (
    AUDIENCES,
    CUSTOMER_FEATURES,
    CUSTOMER_SEGMENTS,
    CUSTOMER_SNAPSHOTS,
    PURCHASE_MODEL,
    SEGMENT_DRIFT,
    SEGMENT_MEMBERSHIP,
    SEGMENT_MODEL,
    SILVER_ORDERS,
    Contract,
)
from bridgecart_assets.models.comparison import compare_versions
from bridgecart_assets.models.drift import measure_drift
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.models.model_table import newest_version
from bridgecart_assets.models.purchase_table import candidates_table
from bridgecart_assets.models.refitting import RefitOutcome
from bridgecart_assets.orchestration.asset_specs import read_from, table_asset
from bridgecart_assets.orchestration.metadata import table_metadata
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.warehouse.model_fits import fit_purchase_model, fit_segment_model
from bridgecart_assets.warehouse.queries import audiences_query, membership_query, segments_query, segments_sample
from bridgecart_assets.warehouse.storage.outputs import Query, Table


class RefitConfig(dg.Config):
    """`refit`: when_due (as every batch run does), now (on request), accept (take the proposed segments)."""

    refit: RefitMode = RefitMode.WHEN_DUE


@table_asset(
    PURCHASE_MODEL,
    kinds={"scipy"},
    ins={"features": read_from(CUSTOMER_FEATURES), "silver_orders": read_from(SILVER_ORDERS)},
)
def purchase_model(config: RefitConfig, platform: Platform, features: Table, silver_orders: Table) -> dg.Output[object]:
    """Choose and fit the purchase model when due or asked for; else keep the versions as they are."""
    known = platform.read_frame(PURCHASE_MODEL)
    versions = fit_purchase_model(known, platform.sample, platform.settings, mode=config.refit)
    return dg.Output(_unless_kept(versions, known, PURCHASE_MODEL), metadata=_parameters(versions))


def _unless_kept(versions: pd.DataFrame, known: pd.DataFrame, table: Contract) -> pd.DataFrame | Table:
    """The versions to be stored; the table itself where they are those that it has."""
    return Table(table.full_name) if versions is known and len(known) else versions


def _parameters(versions: pd.DataFrame) -> dict[str, dg.MetadataValue]:
    if versions.empty:
        return {"decision": dg.MetadataValue.text("nobody has bought yet")}
    newest = versions.iloc[-1]
    return {
        "version": dg.MetadataValue.int(int(newest["version"])),
        "fitted_customers": dg.MetadataValue.int(int(newest["fitted_customers"])),
        "predictions": dg.MetadataValue.text(newest["no_prediction_reason"] or "yes"),
        **_candidates(versions),
        "spend_model": dg.MetadataValue.text(str(newest["spend_model"])),
        **_spend_backtest(str(newest["spend_backtest"])),
    }


def _candidates(versions: pd.DataFrame) -> dict[str, dg.MetadataValue]:
    """The candidates of the newest version with their scores, where there was something to choose."""
    table = candidates_table(versions)
    because = versions.iloc[-1]["chosen_because"]
    metadata: dict[str, dg.MetadataValue] = {}
    if pd.notna(because):
        metadata["chosen_because"] = dg.MetadataValue.text(str(because))
    if len(table):
        metadata["candidates"] = table_metadata(table)
    return metadata


def _spend_backtest(stored: str) -> dict[str, dg.MetadataValue]:
    """The models of spend side by side; nothing where too few customers bought in the days held out."""
    compared = json.loads(stored)
    return {"spend_backtest": table_metadata(pd.DataFrame(compared))} if compared else {}


@table_asset(
    SEGMENT_MODEL,
    kinds={"scikitlearn"},
    ins={
        "features": read_from(CUSTOMER_FEATURES),
        "purchase_model": read_from(PURCHASE_MODEL, columns=["version", "history_days", "no_prediction_reason"]),
    },
)
def segment_model(
    config: RefitConfig, platform: Platform, features: Table, purchase_model: pd.DataFrame
) -> dg.Output[object]:
    """Fit K-Means on the standardised traits when due, drifted or asked for; else keep the versions as they are."""
    known = platform.read_frame(SEGMENT_MODEL)
    outcome = fit_segment_model(known, purchase_model, platform.sample, platform.settings, mode=config.refit)
    return dg.Output(
        _unless_kept(outcome.model, known, SEGMENT_MODEL),
        metadata={
            "decision": outcome.decision,
            **_quality(outcome.model),
            **_comparison(outcome),
            **_drift_metadata(outcome.drift),
        },
    )


def _quality(model: pd.DataFrame) -> dict[str, dg.MetadataValue]:
    """The newest version in figures."""
    if model.empty:
        return {}
    newest = newest_version(model).iloc[0]
    figures = ("inertia", "silhouette", "stability", "smallest_share", "agreement")
    return {
        "version": dg.MetadataValue.int(int(newest["version"])),
        "status": dg.MetadataValue.text(str(newest["status"])),
        "traits_hash": dg.MetadataValue.text(str(newest["traits_hash"])),
        **({"remarks": dg.MetadataValue.text(str(newest["remarks"]))} if pd.notna(newest["remarks"]) else {}),
        **{name: dg.MetadataValue.float(float(newest[name])) for name in figures if pd.notna(newest[name])},
    }


def _comparison(outcome: RefitOutcome) -> dict[str, dg.MetadataValue]:
    """The newest version's segments beside those that it follows, when it is new or waits for a person."""
    model = outcome.model
    is_old = outcome.decision.startswith("kept")
    if model.empty or (is_old and newest_version(model).iloc[0]["status"] != "proposed"):
        return {}
    return {"old_and_new_segments": table_metadata(compare_versions(model))}


def _drift_metadata(drift: pd.DataFrame) -> dict[str, dg.MetadataValue]:
    if drift.empty:
        return {}
    """The index of each measure, which Dagster plots; beside its threshold while there is an alert."""
    figures = {f"psi {measure}": dg.MetadataValue.float(float(psi)) for measure, psi in _known(drift)}
    alerts = int(drift["alert"].sum())
    shown = drift[["measure", "psi", "threshold", "alert", "model_version"]]
    table = {"drift": table_metadata(shown)} if alerts else {}
    return {"alerts": dg.MetadataValue.int(alerts), **figures, **table}


def _known(drift: pd.DataFrame) -> list[tuple[str, float]]:
    return [(measure, psi) for measure, psi in zip(drift["measure"], drift["psi"], strict=True) if pd.notna(psi)]


@table_asset(
    CUSTOMER_SEGMENTS,
    kinds={"sql"},
    ins={
        "features": read_from(CUSTOMER_FEATURES),
        "purchase_model": read_from(PURCHASE_MODEL),
        "segment_model": read_from(SEGMENT_MODEL),
    },
)
def customer_segments(platform: Platform, features: Table, purchase_model: Table, segment_model: Table) -> Query:
    """Score everyone with the frozen parameters, scaler and centroids of the models in force."""
    return segments_query(platform.settings, features, purchase_model, segment_model)


@table_asset(
    AUDIENCES,
    kinds={"sql"},
    ins={"customer_segments": read_from(CUSTOMER_SEGMENTS)},
)
def audiences(customer_segments: Table) -> Query:
    """Say of everyone who would be chosen for which campaign."""
    return audiences_query(customer_segments)


@table_asset(
    SEGMENT_MEMBERSHIP,
    kinds={"sql"},
    ins={"snapshots": read_from(CUSTOMER_SNAPSHOTS)},
)
def segment_membership(snapshots: Table) -> Query:
    """Join consecutive snapshots in the same segment to validity intervals."""
    return membership_query(snapshots)


@table_asset(
    SEGMENT_DRIFT,
    kinds={"scipy"},
    ins={"customer_segments": read_from(CUSTOMER_SEGMENTS), "model": read_from(SEGMENT_MODEL)},
)
def segment_drift(platform: Platform, customer_segments: Table, model: pd.DataFrame) -> dg.Output[pd.DataFrame]:
    """Compare the customers as they are now with those that the model in force was fitted to."""
    drift = measure_drift(model, platform.sample(segments_sample()))
    return dg.Output(drift, metadata=_drift_metadata(drift))
