// The tables below the charts: columns (name, head, kind, and the unit where the kind does not say it), sorting, download.

const COLUMNS = {
  figures: [
    ["period", "Period", "period"], ["name", "Segment", "text"], ["is_complete", "Complete", "flag"], ["customers", "Customers at the opening", "count"],
    ["clv_growth", "CLV growth", "growth"], ["clv_growth_reason", "Why none", "reason"], ["churn_rate", "Churn rate", "share"],
    ["churn_rate_reason", "Why none", "reason"], ["average_order_value", "Average order", "money"], ["buyers", "Customers who bought", "count"], ["orders", "Purchases", "count"],
    ["sales", "Net sales", "money"], ["sales_contribution", "Contribution", "share"], ["model_changed", "Model changed", "flag"], ["low_sample", "Low sample", "flag"],
  ],
  churn: [
    ["period", "Period", "period"], ["name", "Segment", "text"], ["active", "Active at the opening", "count"], ["churned", "Of these churned", "count"],
    ["churn_rate", "Churn rate", "share"], ["churn_rate_low", "95% from", "share"], ["churn_rate_high", "to", "share"],
    ["churn_rate_year_before", "A year before", "share"],
    ["estimated_churn_rate", "Estimate", "share"], ["estimate_error", "Error", "growth"], ["in_hindsight", "In hindsight", "flag"],
    ["matures_on", "Window over on", "date"],
  ],
  segments: [
    ["name", "Segment", "text"], ["customers", "Customers", "count"], ["share_of_customers", "Of customers", "share"],
    ["net_sales", "Net sales so far", "money"], ["share_of_sales", "Of net sales", "share"], ["mean_clv", "Each", "money"],
    ["predicted_clv", "Predicted value", "money"], ["mean_predicted_clv", "Each", "money"],
    ["mean_churn_risk", "Churn risk, all of them", "share"], ["active_churn_risk", "Churn risk, the active", "share"],
    ["purchase_days_a_year", "Purchase days a year", "figure"], ["net_a_purchase_day", "Net sales a purchase day", "money"],
    ["average_order_value", "Average order so far", "money"], ["refund_share", "Refund share", "share"],
    ["largest_customer_share", "Largest customer, of its net sales", "share"], ["coupon_share", "Purchases with coupon", "share"],
    ["ambiguous_share", "Between segments", "share"],
  ],
  opportunities: [
    ["title", "What", "text"], ["name", "Segment", "text"], ["lifecycle", "Lifecycle", "text"], ["customers", "Customers", "count"],
    ["money", "Amount", "money"], ["why", "Why none", "long"], ["like_them", "Compared with", "count"], ["came", "Of these bought again", "count"],
    ["with_coupon", "Purchases with coupon", "count"], ["without_coupon", "without", "count"], ["refund_share", "Refund share", "share"],
  ],
  lifecycles: [
    ["name", "Segment", "text"], ["lifecycle", "Lifecycle", "text"], ["customers", "Customers", "count"], ["net_sales", "Net sales so far", "money"],
    ["predicted_clv", "Predicted value", "money"], ["value_at_risk", "Value at risk", "money"],
  ],
  flows: [
    ["period", "Period", "period"], ["opening_key", "Opening", "text"], ["closing_key", "Close", "text"], ["customers", "Customers", "count"],
  ],
  bridge: [
    ["period", "Period", "period"], ["name", "Segment", "text"], ["place", "Step", "count"], ["step", "What", "text"],
    ["change", "Amount", "money"], ["ends", "Reached", "money"],
  ],
  categories: [
    ["period", "Period", "period"], ["name", "Segment", "text"], ["value", "Category", "text"], ["orders", "Purchases", "count"],
    ["sales", "Sales", "money"], ["discounts", "Discounts", "money"], ["with_coupon", "With coupon", "count"],
  ],
  payments: [
    ["period", "Period", "period"], ["name", "Segment", "text"], ["value", "Payment", "text"], ["orders", "Purchases", "count"],
    ["sales", "Sales", "money"], ["discounts", "Discounts", "money"], ["with_coupon", "With coupon", "count"],
  ],
  ages: [["name", "Segment", "text"], ["from_age", "From age", "count", "years"], ["customers", "Customers", "count"]],
  new_and_returning: [
    ["period", "Period", "period"], ["who", "Customers", "text"], ["is_complete", "Complete", "flag"], ["buyers", "Customers who bought", "count"],
    ["orders", "Purchases", "count"], ["sales", "Net sales", "money"], ["share", "Share of net sales", "share"],
    ["average_order_value", "Average order", "money"], ["low_sample", "Low sample", "flag"],
  ],
  cohorts: [
    ["cohort", "First purchase in", "month"], ["customers", "Customers", "count"], ["net_sales", "Net sales so far, all", "money"],
    ["whole_ages", "Whole months of age", "count"], ["is_shown", "In the grid", "flag"],
  ],
  cohort_ages: [
    ["cohort", "First purchase in", "month"], ["age", "Month of age", "count"], ["customers", "Customers", "count"],
    ["buyers", "Bought in it", "count"], ["retention", "Share", "share"], ["mean_clv", "Net sales so far, each", "money"],
  ],
  versions: [
    ["version", "Version", "count"], ["standing", "Standing", "text"], ["as_of", "Fitted as of", "date"], ["in_force_from", "In force from", "date"],
    ["segments", "Segments", "count"], ["fitted_customers", "Customers", "count"], ["silhouette", "Silhouette", "figure"],
    ["stability", "Stability", "figure"], ["smallest_share", "Smallest segment", "share"], ["agreement", "Agreement", "share"],
  ],
  segment_changes: [
    ["version", "Version", "count"], ["segment_key", "Segment", "text"], ["earlier_segment", "Name before", "text"], ["segment", "Name", "text"],
    ["became", "What became of it", "text"], ["earlier_segment_customers", "Customers of the fit before", "count"], ["segment_customers", "Of this fit", "count"],
  ],
  purchase_models: [
    ["version", "Version", "count"], ["as_of", "Fitted as of", "date"], ["in_force_from", "In force from", "date"],
    ["fitted_customers", "Customers", "count"], ["repeat_customers", "Repeat buyers", "count"], ["history_days", "History", "count", "days"],
    ["r", "r", "figure"], ["alpha", "alpha", "figure"], ["a", "a", "figure"], ["b", "b", "figure"], ["no_prediction_reason", "No predictions", "text"],
  ],
  drift: [
    ["measure", "Measure", "text"], ["psi", "PSI", "figure"], ["threshold", "Threshold", "figure"], ["alert", "Alert", "flag"],
    ["customers", "Customers", "count"], ["model_version", "Model", "count"], ["as_of", "As of", "date"],
  ],
  stored: [["table", "Table", "text"], ["rows", "Rows", "count"], ["meaning", "What it holds", "long"]],
  failed: [["severity", "Severity", "text"], ["asset", "Asset", "text"], ["check", "Check", "text"], ["says", "What it says", "long"]],
  rejects: [["reason", "Reason", "text"], ["records", "Records", "count"]],
  batches: [
    ["batch_key", "Batch", "text"], ["topic", "Topic", "text"], ["planned_records", "Planned", "count"], ["records", "Records", "count"],
  ],
};

function columnsOf(name) {
  if (name !== "figures") return COLUMNS[name];
  const beside = figures.kpis.flatMap((kpi) => kpi.beside.map((one) => [one.column, one.label, KINDS[one.format]]));
  const further = plainKpis().flatMap((kpi) => [
    [kpi.column, kpi.label, KINDS[kpi.format]], [`${kpi.column}_reason`, "Why none", "reason"],
  ]);
  return [...COLUMNS.figures.slice(0, -2), ...beside, ...further, ...COLUMNS.figures.slice(-2)];
}

function isShown(row) {
  const inSegment =
    !chosen.segment ||
    !("segment_key" in row || "opening_key" in row) ||
    [row.segment_key, row.opening_key, row.closing_key].includes(chosen.segment);
  const inLifecycle = !chosen.lifecycle || !("lifecycle" in row) || row.lifecycle === chosen.lifecycle;
  return inSegment && inLifecycle && (!chosen.period || !("period" in row) || row.period === chosen.period);
}

function sorted(name, rows) {
  const by = sorting.get(name);
  if (!by) return rows;
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en") : a - b);
  return [...rows].sort((one, other) => {
    const [a, b] = [one[by.column], other[by.column]];
    if (!is(a) || !is(b)) return is(a) ? -1 : is(b) ? 1 : 0;
    return by.descending ? compare(b, a) : compare(a, b);
  });
}

function showTable(place) {
  const name = place.dataset.table;
  const rows = tables[name].filter(isShown);
  let details = place.querySelector("details");
  if (!details) {
    details = element("details", {}, element("summary", {}), element("div", {}));
    details.addEventListener("toggle", () => fillTable(place));
    place.append(details);
  }
  details.querySelector("summary").textContent = `${place.dataset.title} (${rows.length === 1 ? "1 row" : `${whole.format(rows.length)} rows`})`;
  if (details.open) fillTable(place);
  else details.lastElementChild.replaceChildren();
}

const SHORT = 20; // characters: a longer text may be cut off in its cell, and is told whole on hovering

const isName = ([column]) => ["name", "opening_key"].includes(column);

function fillTable(place) {
  const name = place.dataset.table;
  const details = place.querySelector("details");
  if (!details.open) return;
  const columns = columnsOf(name);
  const rows = sorted(name, tables[name].filter(isShown));
  const by = sorting.get(name);
  const heading = ([column, title, kind, unit = unitOf(kind)]) => {
    const isBy = by?.column === column;
    const button = element("button", { type: "button" }, (unit ? `${title}, ${unit}` : title) + (isBy ? (by.descending ? " ↓" : " ↑") : ""));
    button.addEventListener("click", () => {
      sorting.set(name, { column, descending: isBy ? !by.descending : isNumber(kind) });
      fillTable(place);
      details.querySelectorAll("th button")[columns.findIndex((one) => one[0] === column)].focus();
    });
    const order = isBy ? (by.descending ? "descending" : "ascending") : "none";
    return element("th", { scope: "col", className: isNumber(kind) ? "number" : "", "aria-sort": order }, button);
  };
  const cell = (row, [column, , kind]) => {
    const text = shown(row[column], kind, cells);
    const isCut = kind === "text" && text.length > SHORT;
    return element("td", { className: isNumber(kind) ? "number" : kind, title: isCut ? text : "" }, text);
  };
  // A row of a period is told by its segment, too.
  const table = element(
    "table",
    { className: columns[0][0] === "period" && isName(columns[1]) ? "named-by-two" : "" },
    element("thead", {}, element("tr", {}, ...columns.map(heading))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...columns.map((column) => cell(row, column))))),
  );
  const download = element("button", { type: "button" }, "Download as CSV");
  download.addEventListener("click", () => save(`${name}.csv`, csv(columns, rows)));
  details.lastElementChild.replaceChildren(
    element("div", { className: "tools" }, download),
    rows.length
      ? element("div", { className: "scroll", role: "region", tabIndex: 0, "aria-label": place.dataset.title }, table)
      : element("p", { className: "nothing" }, "Nothing here for this choice."),
  );
}

function csv(columns, rows) {
  const field = (value, kind) => {
    if (!is(value)) return "";
    if (kind === "money") return value.toFixed(2);
    // A text that a spreadsheet would take for a formula.
    const text = typeof value === "string" && /^[=+@\t\r-]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [
    columns.map(([column]) => column),
    ...rows.map((row) => columns.map(([column, , kind]) => field(row[column], kind))),
  ];
  // Spreadsheets know by the byte order mark that it is UTF-8.
  return "\ufeff" + lines.map((line) => line.join(",") + "\r\n").join("");
}

function save(file, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  element("a", { href: url, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
