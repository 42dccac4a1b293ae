"""The tools that have a file of their own kind: what stands in it, under which heading. One record a tool.

Only tools that take a shop's own customer ids: BridgeCart knows no e-mail address, and keeps numbers to call to itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Tool:
    """Headings of the file in their order, each with the column of an export that it stands for."""

    columns: Mapping[str, str]


# Attributes that Braze does not know are the shop's own; each that is written is counted, so only these.
_BRAZE_ATTRIBUTES = (
    "segment_key",
    "segment",
    "lifecycle",
    "predicted_clv",
    "value_at_risk",
    "last_purchased_on",
    "as_of",
)

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        "braze": Tool({"external_id": "customer_id", **{f"bridgecart_{name}": name for name in _BRAZE_ATTRIBUTES}}),
        "meta": Tool({"EXTERN_ID": "customer_id", "LOOKALIKE_VALUE": "predicted_clv"}),
    }
)
