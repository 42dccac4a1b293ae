// The grid of segments and lifecycles, and how to get exactly the customers that are chosen.

const AUDIENCES = "published/gold/audiences.parquet";

const inCell = (segment, lifecycle) => (row) =>
  (!segment || row.segment_key === segment) && (!lifecycle || row.lifecycle === lifecycle);

function cellOf(segment, lifecycle) {
  const rows = tables.lifecycles.filter(inCell(segment, lifecycle));
  const sum = (column) => {
    const known = rows.map((row) => row[column]).filter(is);
    return known.length ? known.reduce((total, one) => total + one, 0) : null;
  };
  return {
    customers: sum("customers") ?? 0, net_sales: sum("net_sales"),
    predicted_clv: sum("predicted_clv"), value_at_risk: sum("value_at_risk"),
  };
}

function showGrid() {
  const focused = document.activeElement?.dataset.cell;
  const segments = [...new Set(tables.lifecycles.map((row) => row.segment_key))].sort();
  const most = Math.max(...tables.lifecycles.map((row) => row.predicted_clv ?? 0));
  const heading = (text, ...children) => element("th", { scope: "col" }, ...children, text);
  const row = (key, ...head) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, ...head),
      ...[...figures.lifecycles, ""].map((lifecycle) => gridCell(key, lifecycle, lifecycle && key ? most : 0)),
    );
  byId("cells").replaceChildren(
    element("thead", {}, element("tr", {}, heading("Segment"), ...figures.lifecycles.map((one) => heading(one)), heading("all"))),
    element("tbody", {}, ...segments.map((key) => row(key, swatch(key), nameOf(key))), row("", "All segments")),
  );
  if (focused) byId("cells").querySelector(`[data-cell="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  bringIntoView(byId("cells").querySelector("[aria-pressed=true]"));
  showChosenCustomers();
}

// Sideways only: the page stays where it is.
function bringIntoView(button) {
  const region = byId("cells").parentElement;
  if (!button) return;
  const [beside, cell] = [region.querySelector("th").offsetWidth, button.parentElement];
  const isSeen = cell.offsetLeft >= region.scrollLeft + beside && cell.offsetLeft + cell.offsetWidth <= region.scrollLeft + region.clientWidth;
  if (!isSeen) region.scrollLeft = cell.offsetLeft - beside;
}

function gridCell(segment, lifecycle, most) {
  const cell = cellOf(segment, lifecycle);
  if (!cell.customers) return element("td", {}, "-");
  const isChosen = Boolean(segment || lifecycle) && chosen.segment === segment && chosen.lifecycle === lifecycle;
  const line = (text) => element("span", {}, text);
  const bar = element("span", { className: "bar", "aria-hidden": "true" });
  bar.style.width = `${most > 0 ? (100 * Math.max(cell.predicted_clv ?? 0, 0)) / most : 0}%`;
  const button = element(
    "button",
    { type: "button", "aria-pressed": String(isChosen) },
    element("span", { className: "unseen" }, `${segment ? nameOf(segment) : "All segments"}, ${lifecycle || "all lifecycles"}: `),
    element("strong", {}, counted(cell.customers, "customer")),
    line(`${brief(cell.net_sales)} so far`),
    line(is(cell.predicted_clv) ? `${brief(cell.predicted_clv)} predicted` : "no prediction"),
    cell.value_at_risk ? line(`${brief(cell.value_at_risk)} at risk`) : null,
    bar,
  );
  button.dataset.cell = `${segment}/${lifecycle}`;
  button.addEventListener("click", () => choose(isChosen ? { segment: "", lifecycle: "" } : { segment, lifecycle }));
  return element("td", {}, button);
}

// The command and the file for the customers of the chosen segment and lifecycle.
function showChosenCustomers() {
  const { segment, lifecycle } = chosen;
  const customers = lifecycle
    ? cellOf(segment, lifecycle).customers
    : (tables.segments.find((row) => row.segment_key === segment)?.customers ?? 0);
  const place = byId("chosen-customers");
  if (!segment && !lifecycle) {
    place.replaceChildren(element("p", {}, "Choose a cell: the page follows, and says how to get exactly these customers."));
    return;
  }
  const who = [segment ? nameOf(segment) : "all segments", lifecycle || "all lifecycles"].join(", ");
  const counted = element("p", {}, element("strong", {}, `${whole.format(customers)} customers: ${who}.`));
  place.replaceChildren(counted, ...(customers ? waysToGet(segment, lifecycle) : []));
}

function waysToGet(segment, lifecycle) {
  const options = [segment ? ` --segment ${segment}` : "", lifecycle ? ` --lifecycle ${quoted(lifecycle)}` : ""];
  const filter = Object.entries({ segment_key: segment, lifecycle }).filter(([, value]) => value);
  const where = filter.map(([column, value]) => `${column} = '${value}'`).join(" and ");
  return [
    copyable("Command", `bridgecart export${options.join("")}`),
    copyable(`File, in the folder of the data, and the filter that picks them`, `select * from '${AUDIENCES}' where ${where}`),
    lifecycle ? element("p", {}, "What to do, this grid and the chart of the lifecycles follow the lifecycle; all other figures are of whole segments.") : null,
  ].filter(is);
}

const quoted = (value) => (value.includes(" ") ? `"${value}"` : value);

function copyable(title, text) {
  const code = element("code", {}, text);
  const said = element("span", { role: "status" });
  const button = element("button", { type: "button", className: "copy" }, "Copy");
  button.setAttribute("aria-label", `Copy: ${text}`);
  button.addEventListener("click", async () => {
    said.textContent = (await copied(text, code)) ? "Copied." : "Selected: copy it with the keyboard.";
  });
  return element("p", {}, `${title}: `, code, " ", button, " ", said);
}

// Where a browser gives no access to the clipboard, as to pages of other machines without TLS, the text is selected.
async function copied(text, code) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return false;
  }
}
