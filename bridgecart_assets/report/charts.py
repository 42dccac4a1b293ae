"""The report's charts, in Altair: what is drawn, not with which rows.

Each names the rows it draws; the page hands them in, with `name` (the segment in words) and the look of the segment
(`LOOK`: its own, always the same) beside a segment key. Colours are the page's CSS variables, so that a theme and paper
need no other drawing. The signals `segment`, `period`, `lifecycle` ('' for all) and `shown` (the period
that cards speak of) filter them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import altair as alt

from bridgecart_assets.contracts import KPIS, LIFECYCLES, SEGMENTATION_TRAITS, Kpi

Chart = alt.TopLevelMixin

HEIGHT = 220
ALL = "segment == '' "
IS_CHOSEN = f"{ALL}|| datum.segment_key == segment"
IN_LIFECYCLE = "lifecycle == '' || datum.lifecycle == lifecycle"
IN_PERIOD = "period == '' || datum.period == period"
SHORT_PERIOD = "as_period(datum.value)"
IS_SHORT = "length(datum.segment_key) < 5"
# A logarithmic scale has more lines than labels.
LABELLED = alt.condition("datum.label", alt.value(1), alt.value(0))
# Neither good nor bad.
BLUE, OCHRE, GREY = "#2f7fc1", "#b7791f", "#6b7683"
# How a segment looks as a line, a point and a bar; `numbers.js` says which key looks how.
LOOK = ("segment_key", "name", "color", "dash", "shape", "fill", "edge", "edge_dash", "ink")
# How the page writes the figure of a KPI; `charts.js` has all that it writes, as functions of the name `as_...`.
WRITTEN = {"signed": "growth", "share": "share", "money": "money", "ratio": "ratio"}
RATES: Mapping[str, tuple[str, list[int], str]] = {
    "what happened": (BLUE, [1, 0], "circle"),
    "early estimate": ("#c2410c", [5, 4], "diamond"),
    "estimate in hindsight": ("#97693a", [2, 3], "triangle-down"),
    "a year before": (GREY, [8, 3], "square"),
}
WHO: Mapping[str, tuple[str, list[int]]] = {"new": (OCHRE, [6, 3]), "returning": (BLUE, [1, 0])}


def specs() -> Mapping[str, Mapping[str, Any]]:
    """The Vega-Lite specification of every chart by its name; the same on every call."""
    # Heights that follow from the rows cannot fit to anything.
    fit = {"type": "fit-x", "contains": "padding"}
    return {name: {**chart.to_dict(), "autosize": fit} for name, chart in _charts().items()}


def _charts() -> Mapping[str, Chart]:
    return {
        **{f"trend_{kpi.column}": _trend(kpi) for kpi in KPIS},
        **{f"trend_{kpi.column}_log": _trend(kpi, scale="log") for kpi in KPIS if kpi.format == "money"},
        "shares": _shares(),
        "map": _map(),
        "apart": _apart(),
        "lifecycles": _lifecycles(),
        "migration": _migration(),
        "bridge": _bridge(),
        "bridge_near": _bridge(from_zero=False),
        "churn": _churn(),
        "categories": _by_value("categories", "Product category"),
        "payments": _by_value("payments", "Payment method"),
        "ages": _ages(),
        "discounts": _discounts(),
        "newcomers": _newcomers(),
        "newcomer_orders": _newcomer_orders(),
        "batches": _batches(),
        "drift": _drift(),
    }


def _base(rows: str, height: int | alt.Step = HEIGHT) -> alt.Chart:
    signals = [alt.param(name=name, value="") for name in ("segment", "period", "lifecycle", "shown")]
    return alt.Chart(alt.NamedData(name=rows), width="container", height=height).add_params(*signals)


def _periods(padding: float = 0.7) -> alt.X:
    axis = alt.Axis(
        labelAngle=0, labelOverlap="greedy", labelSeparation=6, labelExpr=SHORT_PERIOD, title=None, offset=6
    )
    return alt.X("period:O", axis=axis, scale=alt.Scale(padding=padding))


def _color() -> alt.Color:
    return alt.Color("color:N", scale=None)


def _dash() -> alt.StrokeDash:
    return alt.StrokeDash("dash:N", scale=None)


def _shape() -> alt.Shape:
    return alt.Shape("shape:N", scale=None)


def _bar() -> Mapping[str, Any]:
    return {
        "color": _color(),
        "fillOpacity": alt.FillOpacity("fill:Q", scale=None),
        "stroke": alt.Stroke("edge:N", scale=None),
        "strokeDash": alt.StrokeDash("edge_dash:N", scale=None),
    }


def _keys(base: alt.Chart, fits: str, **place: Any) -> alt.Chart:
    """The segment's key on each part of a stack that it fits on: `fits` is of its size in pixels. Words never fit."""
    return base.mark_text(fontSize=10).encode(
        # Not filtered: the others would be stacked without what was left out.
        text=alt.condition(f"{IS_SHORT} && {fits}", "segment_key:N", alt.value("")),
        color=alt.Color("ink:N", scale=None),
        **place,
    )


def _tooltips(*fields: tuple[str, str, str]) -> list[alt.Tooltip]:
    """The lines of a tooltip: field, title, and how the page writes it; a text as it is."""
    return [
        # Vega-Lite writes numbers only as it is told, so a date is one to it.
        alt.Tooltip(f"{name}:Q", title=title, formatType=f"as_{written}")
        if written
        else alt.Tooltip(f"{name}:N", title=title)
        for name, title, written in fields
    ]


def _axis(written: str, **options: Any) -> alt.Axis:
    return alt.Axis(formatType=f"as_axis_{written}", **options)


def _log_axis(written: str, **options: Any) -> alt.Axis:
    """Of a logarithmic scale: it has more lines than labels."""
    label = f"datum.label ? as_{written}(datum.value) : ''"
    return alt.Axis(labelExpr=label, tickCount=5, gridOpacity=LABELLED, tickOpacity=LABELLED, **options)


def _y(field: str, written: str, scale: Literal["log"] | None) -> alt.Y:
    axis = _log_axis(f"axis_{written}") if scale else _axis(written, tickCount=5)
    return alt.Y(
        f"{field}:Q", title=None, axis=axis, scale=alt.Scale(type=scale, nice=False) if scale else alt.Undefined
    )


def _trend(kpi: Kpi, scale: Literal["log"] | None = None) -> Chart:
    field, low_sample = kpi.column, kpi.customers.low_sample
    written = WRITTEN[kpi.format]
    base = (
        _base("figures")
        .transform_filter("datum.segment_key != 'all'")
        .encode(
            x=_periods(),
            y=_y(field, written, scale),
            color=_color(),
            detail="segment_key:N",
            opacity=alt.condition(IS_CHOSEN, alt.value(1), alt.value(0.12)),
            tooltip=_tooltips(
                ("name", "Segment", ""),
                ("period", "Period", "period"),
                (field, kpi.label, written),
                (kpi.customers.column, kpi.customers.words, "count"),
            ),
        )
    )
    lines = base.mark_line(strokeWidth=2, invalid="break-paths-show-domains").encode(strokeDash=_dash())
    # Hollow: few customers, or a period that is still open.
    points = (
        base.transform_filter(f"isValid(datum.{field})")
        .mark_point(size=36, strokeWidth=1.5)
        .encode(
            shape=_shape(),
            fill=alt.condition(
                f"datum.{low_sample} || !datum.is_complete", alt.value("transparent"), alt.Fill("color:N", scale=None)
            ),
        )
    )
    chosen = (
        alt.Chart(alt.NamedData(name="figures"))
        .transform_filter("datum.period == period && datum.segment_key == 'all'")
        .mark_rule(strokeDash=[3, 3])
        # With the axis of the others: of two, one says how labels are turned and the other how they stand.
        .encode(x=_periods())
    )
    return alt.layer(chosen, lines, points)


def _shares() -> Chart:
    titles = "{share_of_customers: 'customers', share_of_sales: 'net sales', share_of_predicted_clv: 'predicted value'}"
    base = (
        _base("segments", alt.Step(44))
        .transform_fold(["share_of_customers", "share_of_sales", "share_of_predicted_clv"], as_=["kind", "share"])
        .transform_calculate(of=f"{titles}[datum.kind]")
        .encode(
            y=alt.Y("of:N", title=None, sort=["customers", "net sales", "predicted value"]),
            order=alt.Order("segment_key:O"),
            opacity=alt.condition(IS_CHOSEN, alt.value(1), alt.value(0.2)),
        )
    )
    x: dict[str, Any] = {
        "shorthand": "share:Q",
        "title": None,
        "axis": _axis("share", tickCount=5),
        "stack": "normalize",
    }
    bars = base.mark_bar().encode(
        x=alt.X(**x),
        tooltip=_tooltips(("name", "Segment", ""), ("of", "Share of", ""), ("share", "Share", "share")),
        **_bar(),
    )
    return alt.layer(bars, _keys(base, "datum.share * width > 30", x=alt.X(**x, bandPosition=0.5)))


def _map() -> Chart:
    base = (
        _base("segments", 300)
        .transform_filter("datum.purchase_days_a_year > 0 && datum.net_a_purchase_day > 0")
        .encode(
            x=alt.X(
                "purchase_days_a_year:Q",
                title="Purchase days of a customer a year (log scale)",
                scale=alt.Scale(type="log", padding=50, nice=False),
                axis=_log_axis("figure", grid=False),
            ),
            y=alt.Y(
                "net_a_purchase_day:Q",
                title="Net sales a purchase day (log scale)",
                scale=alt.Scale(type="log", padding=50, nice=False),
                axis=_log_axis("axis_money", grid=False),
            ),
            opacity=alt.condition(IS_CHOSEN, alt.value(0.85), alt.value(0.15)),
        )
    )
    bubbles = base.mark_point(shape="circle", strokeWidth=1.5).encode(
        color=_color(),
        fill=alt.Fill("color:N", scale=None),
        fillOpacity=alt.FillOpacity("fill:Q", scale=None),
        # None smaller than its key.
        size=alt.Size("customers:Q", scale=alt.Scale(range=[700, 2800], domainMin=0), legend=None),
        tooltip=_tooltips(
            ("name", "Segment", ""),
            ("customers", "Customers", "count"),
            ("purchase_days_a_year", "Purchase days a year", "tenths"),
            ("net_a_purchase_day", "Net sales a purchase day", "money"),
        ),
    )
    keys = base.mark_text(fontWeight="bold").encode(
        text=alt.condition(IS_SHORT, "segment_key:N", alt.value("")), color=alt.Color("ink:N", scale=None)
    )
    return alt.layer(bubbles, keys)


def _apart() -> Chart:
    base = _base("traits", 150).encode(
        x=alt.X("apart:Q", title="Standard deviations from the mean"),
        y=alt.Y("trait:N", title=None, sort=["buys often", "spends much", "uses coupons"]),
    )
    mean = alt.Chart(alt.NamedData(name="traits")).mark_rule().encode(x=alt.datum(0))
    points = base.mark_point(filled=True, size=150).encode(
        color=_color(),
        shape=_shape(),
        opacity=alt.condition(IS_CHOSEN, alt.value(0.9), alt.value(0.12)),
        tooltip=_tooltips(("name", "Segment", ""), ("trait", "Trait", ""), ("apart", "Deviations", "signed")),
    )
    return alt.layer(mean, points)


def _lifecycles() -> Chart:
    return (
        _base("lifecycles", alt.Step(30))
        .transform_joinaggregate(all_customers="sum(customers)", groupby=["segment_key"])
        .transform_calculate(
            share="datum.customers / datum.all_customers", place=f"indexof({list(LIFECYCLES)}, datum.lifecycle)"
        )
        .mark_bar()
        .encode(
            x=alt.X("customers:Q", stack="normalize", title=None, axis=_axis("share", tickCount=5)),
            y=alt.Y("segment_key:N", title=None),
            color=alt.Color(
                "lifecycle:N",
                title=None,
                sort=list(LIFECYCLES),
                scale=alt.Scale(domain=list(LIFECYCLES), range=["#3b8ed4", "#1b7f5c", "#a8871c", "#d2691e", "#7a7f87"]),
                legend=alt.Legend(orient="top", columns=3, labelLimit=120),
            ),
            order=alt.Order("place:Q"),
            opacity=alt.condition(f"({IS_CHOSEN}) && ({IN_LIFECYCLE})", alt.value(1), alt.value(0.25)),
            tooltip=_tooltips(
                ("name", "Segment", ""),
                ("lifecycle", "Lifecycle", ""),
                ("customers", "Customers", "count"),
                ("share", "Share of the segment", "share"),
            ),
        )
    )


def _migration() -> Chart:
    base = (
        _base("flows", alt.Step(34))
        .transform_filter("datum.period == shown")
        .transform_joinaggregate(opened="sum(customers)", groupby=["opening_key"])
        .transform_calculate(share="datum.customers / datum.opened")
        .encode(
            x=alt.X(
                "closing_key:N",
                title="Segment at the close",
                axis=alt.Axis(labelAngle=0, labelOverlap="parity", orient="top"),
            ),
            y=alt.Y("opening_key:N", title="Segment at the opening"),
        )
    )
    is_chosen = f"{ALL}|| datum.opening_key == segment || datum.closing_key == segment"
    cells = base.mark_rect().encode(
        color=alt.Color(
            "share:Q",
            scale=alt.Scale(domain=[0, 1], scheme="blues"),
            legend=None,
        ),
        opacity=alt.condition(is_chosen, alt.value(1), alt.value(0.2)),
        tooltip=_tooltips(
            ("opening_key", "Opening", ""),
            ("closing_key", "Close", ""),
            ("customers", "Customers", "count"),
            ("share", "Of those at the opening", "share"),
        ),
    )
    numbers = base.mark_text(fontSize=12).encode(
        text=alt.Text("customers:Q", formatType="as_count"),
        color=alt.condition(f"datum.share > 0.5 && ({is_chosen})", alt.value("#ffffff"), alt.value("#10243e")),
    )
    return alt.layer(cells, numbers)


def _bridge(*, from_zero: bool = True) -> Chart:
    """From the opening to the closing value; not `from_zero` where the steps are small beside it."""
    steps = ["opening value", "added by the same customers", "came from other segments", "left for other segments"]
    is_value = "datum.place == 1 || datum.place == 7"
    start = "min(0, datum.least)" if from_zero else "datum.least - 0.2 * (datum.most - datum.least)"
    base = (
        _base("bridge", 260)
        .transform_filter("datum.period == shown && datum.segment_key == (segment == '' ? 'all' : segment)")
        .transform_joinaggregate(least="min(ends)", most="max(ends)")
        .transform_calculate(kind=f"{is_value} ? 'value' : datum.change < 0 ? 'less' : 'more'", start=start)
        .transform_calculate(left="datum.begins" if from_zero else f"{is_value} ? datum.start : datum.begins")
        .encode(
            y=alt.Y(
                "step:N",
                title=None,
                sort=[*steps, "new customers", "erased", "closing value"],
                axis=alt.Axis(labelLimit=190),
            )
        )
    )
    x: dict[str, Any] = {
        "title": None,
        "axis": _axis("money", tickCount=5),
        "scale": alt.Scale(zero=from_zero, nice=from_zero),
    }
    bars = base.mark_bar(cornerRadius=2).encode(
        x=alt.X("left:Q", **x),
        x2="ends:Q",
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=["value", "more", "less"], range=[GREY, BLUE, OCHRE]),
            legend=None,
        ),
        tooltip=_tooltips(("step", "Step", ""), ("change", "Amount", "money"), ("ends", "Reached", "money")),
    )
    return alt.layer(
        bars, *_amounts(base, "change", ends="max(datum.left, datum.ends)", whole="datum.most - datum.start", x=x)
    )


def _amounts(base: alt.Chart, field: str, *, ends: str, whole: str, x: Mapping[str, Any]) -> tuple[alt.Chart, ...]:
    """The amount in figures where each bar `ends`, so that small bars say something beside large ones; room for it."""
    base = base.transform_calculate(bar_ends=ends, room=f"{ends} + 0.18 * ({whole})")
    texts = base.mark_text(align="left", dx=4, fontSize=11).encode(
        x=alt.X("bar_ends:Q", **x), text=alt.Text(f"{field}:Q", formatType="as_axis_money")
    )
    return texts, base.mark_text(text="").encode(x=alt.X("room:Q", **x))


def _churn() -> Chart:
    base = (
        _base("figures").transform_filter("datum.segment_key == (segment == '' ? 'all' : segment)").encode(x=_periods())
    )
    axis = _axis("share", tickCount=5)
    happened, early, hindsight, year_before = RATES
    colors, dashes, shapes = ([looks[place] for looks in RATES.values()] for place in range(3))
    interval = (
        base.transform_filter("isValid(datum.churn_rate)")
        .mark_errorbar(ticks=True, opacity=0.6)
        .encode(y=alt.Y("churn_rate_low:Q", title=None, axis=axis), y2="churn_rate_high:Q")
    )
    rates = (
        base.transform_fold(["churn_rate", "estimated_churn_rate", "churn_rate_year_before"], as_=["what", "rate"])
        .transform_calculate(
            kind=f"datum.what == 'churn_rate' ? '{happened}' : datum.what == 'churn_rate_year_before' ? "
            f"'{year_before}' : datum.in_hindsight ? '{hindsight}' : '{early}'"
        )
        .transform_filter("isValid(datum.rate)")
        .encode(
            y=alt.Y("rate:Q", title=None, axis=axis),
            color=_kinds(alt.Color, RATES, colors, legend=_dashes(2)),
        )
    )
    lines = rates.mark_line().encode(strokeDash=_kinds(alt.StrokeDash, RATES, dashes))
    points = rates.mark_point(size=45).encode(
        shape=_kinds(alt.Shape, RATES, shapes),
        tooltip=_tooltips(
            ("period", "Period", "period"),
            ("kind", "Churn rate", ""),
            ("rate", "Rate", "share"),
            ("active", "Customers active at the opening", "count"),
        ),
    )
    return alt.layer(interval, lines, points)


def _kinds(channel: Any, kinds: Iterable[str], looks: Sequence[Any], **options: Any) -> Any:
    scale = alt.Scale(domain=[*kinds], range=[*looks])
    return channel("kind:N", title=None, sort=[*kinds], scale=scale, **options)


def _dashes(columns: int) -> alt.Legend:
    """A legend of lines."""
    return alt.Legend(orient="top", columns=columns, labelLimit=240, symbolType="stroke", symbolSize=300)


def _by_value(rows: str, title: str) -> Chart:
    base = (
        _base(rows, alt.Step(22))
        .transform_filter(f"({IS_CHOSEN}) && ({IN_PERIOD})")
        .transform_aggregate(sales="sum(sales)", orders="sum(orders)", groupby=["value", *LOOK])
        .transform_joinaggregate(of_value="sum(sales)", groupby=["value"])
        .transform_joinaggregate(most="max(of_value)")
        .encode(
            y=alt.Y(
                "value:N",
                title=None,
                sort=alt.EncodingSortField("of_value", op="max", order="descending"),
                axis=alt.Axis(labelLimit=130),
            ),
            order=alt.Order("segment_key:O"),
        )
    )
    x: dict[str, Any] = {
        "shorthand": "sales:Q",
        "title": "Sales",
        "axis": _axis("money", tickCount=4),
        "stack": "zero",
    }
    bars = base.mark_bar().encode(
        x=alt.X(**x),
        tooltip=_tooltips(
            ("value", title, ""), ("name", "Segment", ""), ("sales", "Sales", "money"), ("orders", "Purchases", "count")
        ),
        **_bar(),
    )
    keys = _keys(base, "datum.sales / datum.most * width > 30", x=alt.X(**x, bandPosition=0.5))
    whole = base.transform_aggregate(of_value="max(of_value)", most="max(most)", groupby=["value"])
    axis = {name: x[name] for name in ("title", "axis")}
    return alt.layer(bars, keys, *_amounts(whole, "of_value", ends="datum.of_value", whole="datum.most", x=axis))


def _ages() -> Chart:
    band = alt.Axis(labelAngle=0, labelExpr="datum.value + '-' + (datum.value + 9)", labelOverlap="greedy")
    base = (
        _base("ages")
        .transform_filter(IS_CHOSEN)
        .transform_joinaggregate(of_age="sum(customers)", groupby=["from_age"])
        .transform_joinaggregate(most="max(of_age)")
        .encode(x=alt.X("from_age:O", title="Age, years", axis=band), order=alt.Order("segment_key:O"))
    )
    y: dict[str, Any] = {
        "shorthand": "customers:Q",
        "title": None,
        "axis": _axis("count", tickCount=5),
        "stack": "zero",
    }
    bars = base.mark_bar().encode(
        y=alt.Y(**y),
        tooltip=_tooltips(("name", "Segment", ""), ("from_age", "From age", ""), ("customers", "Customers", "count")),
        **_bar(),
    )
    return alt.layer(bars, _keys(base, "datum.customers / datum.most * height > 14", y=alt.Y(**y, bandPosition=0.5)))


def _discounts() -> Chart:
    kinds = ["discount of the gross amount", "purchases with a coupon", "purchases with a discount"]
    return (
        _base("purchases")
        .transform_filter(IS_CHOSEN)
        .transform_aggregate(
            discounts="sum(discounts)",
            gross="sum(gross)",
            with_coupon="sum(with_coupon)",
            coupon_known="sum(coupon_known)",
            discounted="sum(discounted)",
            orders="sum(orders)",
            groupby=["period"],
        )
        .transform_calculate(
            **{
                kinds[0]: "datum.discounts / datum.gross",
                kinds[1]: "datum.with_coupon / datum.coupon_known",
                kinds[2]: "datum.discounted / datum.orders",
            }
        )
        .transform_fold([*kinds], as_=["kind", "share"])
        .transform_filter("isFinite(datum.share)")
        .mark_line(point=True)
        .encode(
            x=_periods(),
            y=alt.Y("share:Q", title=None, axis=_axis("share", tickCount=5)),
            color=_kinds(
                alt.Color,
                kinds,
                [BLUE, "#c2410c", "#1b7f5c"],
                legend=_dashes(1),
            ),
            strokeDash=_kinds(alt.StrokeDash, kinds, [[1, 0], [6, 3], [2, 2]]),
            tooltip=_tooltips(("period", "Period", "period"), ("kind", "Share", ""), ("share", "", "share")),
        )
    )


def _newcomers() -> Chart:
    return (
        _base("new_and_returning")
        .mark_bar()
        .encode(
            x=_periods(padding=0.25),
            y=alt.Y("sales:Q", title=None, stack="zero", axis=_axis("money", tickCount=5)),
            color=_who(alt.Color, 0, legend=alt.Legend(orient="top")),
            order=alt.Order("who:N", sort="descending"),
            opacity=alt.condition(IN_PERIOD, alt.value(1), alt.value(0.3)),
            tooltip=_tooltips(
                ("period", "Period", "period"),
                ("who", "Customers", ""),
                ("sales", "Net sales", "money"),
                ("share", "Share of all", "share"),
                ("orders", "Purchases", "count"),
            ),
        )
    )


def _newcomer_orders() -> Chart:
    base = (
        _base("new_and_returning")
        .transform_filter("isValid(datum.average_order_value)")
        .encode(
            x=_periods(),
            y=alt.Y("average_order_value:Q", title=None, axis=_axis("money", tickCount=5)),
            color=_who(alt.Color, 0, legend=_dashes(2)),
        )
    )
    # Hollow as in the trends.
    points = base.mark_point(size=36, strokeWidth=1.5).encode(
        fill=alt.condition("datum.low_sample || !datum.is_complete", alt.value("transparent"), _who(alt.Fill, 0)),
        tooltip=_tooltips(
            ("period", "Period", "period"),
            ("who", "Customers", ""),
            ("average_order_value", "Average order", "money"),
            ("orders", "Purchases", "count"),
            ("buyers", "Customers who bought", "count"),
        ),
    )
    return alt.layer(base.mark_line().encode(strokeDash=_who(alt.StrokeDash, 1)), points)


def _who(channel: Any, place: int, **options: Any) -> Any:
    scale = alt.Scale(domain=[*WHO], range=[looks[place] for looks in WHO.values()])
    return channel("who:N", title=None, scale=scale, **options)


def _batches() -> Chart:
    # A first batch may hold years, the others seconds: all have to be seen.
    axis = _axis("count", values=[0, *(10**power for power in range(1, 9))])
    return (
        _base("batches", 140)
        .mark_bar(color=BLUE, size=12)
        .encode(
            x=alt.X("batch_key:O", title="Batch, oldest to newest", axis=alt.Axis(labels=False, ticks=False)),
            y=alt.Y("records:Q", title=None, axis=axis, scale=alt.Scale(type="symlog")),
            tooltip=_tooltips(("batch_key", "Batch", ""), ("records", "Records", "count")),
        )
    )


def _drift() -> Chart:
    words = {**{trait.name: trait.label for trait in SEGMENTATION_TRAITS}, "segment_mix": "sizes of the segments"}
    base = _base("drift", alt.Step(28)).encode(
        y=alt.Y("measure:N", title=None, axis=alt.Axis(labelLimit=150, labelExpr=f"{words}[datum.value]"))
    )
    bars = base.mark_bar().encode(
        x=alt.X(
            "psi:Q",
            title="Population stability index: 0 is no change, from the tick on it is an alert",
            axis=_axis("figure", tickCount=5),
        ),
        color=alt.condition("datum.alert", alt.value("#c2410c"), alt.value(BLUE)),
        tooltip=_tooltips(("measure", "Measure", ""), ("psi", "PSI", "figure"), ("threshold", "Threshold", "figure")),
    )
    return alt.layer(bars, base.mark_tick(thickness=2, size=20).encode(x="threshold:Q"))
