"""What Dagster's UI shows beside an asset: small tables, and where the report is."""

import dagster as dg
import pandas as pd

from bridgecart_assets.settings import Settings

_UI_TYPES = {"b": "bool", "i": "int", "f": "float"}


def table_metadata(frame: pd.DataFrame) -> dg.TableMetadataValue:
    """A small frame as a table in the UI, typed like its columns; what is not known stays empty."""
    columns = [dg.TableColumn(name, _UI_TYPES.get(frame[name].dtype.kind, "string")) for name in frame.columns]
    records = [
        dg.TableRecord({str(name): None if pd.isna(value) else _plain(value) for name, value in row.items()})
        for row in frame.to_dict("records")
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))


def report_link(settings: Settings) -> dict[str, dg.MetadataValue]:
    """Where the report is: a link where it is served, else its file."""
    if settings.report_url is not None:
        return {"report": dg.MetadataValue.url(settings.report_url)}
    return {"report": dg.MetadataValue.path(settings.report_path)}


def _plain(value: object) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else str(value)
