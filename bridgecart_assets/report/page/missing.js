// What a young or small shop does not have yet, and why: no dash and no empty chart without a reason.

const OF_SEGMENTS = ["map", "shares", "apart", "migration"]; // charts that compare segments
// One of these columns has to be known for a chart to draw anything.
const NEEDS = { churn: ["churn_rate", "estimated_churn_rate"] };
const NOTHING = {
  drift: "there is no segment model that customers could drift from",
  ages: "no order says how old its customer is", batches: "no batch has run",
};

const hasSegments = () => tables.segments.some((row) => !(row.segment_key in PLACES));

// Why a chart has nothing to draw; empty where it has.
function nothingToDraw({ chart, rows }) {
  if (OF_SEGMENTS.includes(chart) && !hasSegments()) return "Nothing to compare: there are no segments yet.";
  const needs = NEEDS[chart] ?? (chart.startsWith("trend_") ? [chart.replace("trend_", "")] : []);
  const key = chosen.segment || "all";
  const own = chart === "churn" ? tables[rows].filter((row) => row.segment_key === key) : tables[rows];
  if (own.length && (!needs.length || own.some((row) => needs.some((column) => is(row[column]))))) return "";
  const reason = own.length && rows === "figures" ? figureOf(shownPeriod(), key)?.[`${needs[0]}_reason`] : null;
  const why = NOTHING[chart] ?? reasons[reason];
  return why ? `Nothing to draw yet (${why}).` : "Nothing to draw yet.";
}

function showMissing() {
  const words = [fewWords(), openWords(), churnWords(), segmentWords(), predictionWords()].filter((one) => one);
  byId("missing").hidden = words.length === 0;
  byId("missing-words").replaceChildren(...words.map((one) => element("li", {}, one)));
}

const bought = () => tables.lifecycles.reduce((sum, row) => sum + row.customers, 0);

function fewWords() {
  const all = tables.segments.reduce((sum, row) => sum + row.customers, 0);
  if (all >= 30) return "";
  return `The shop has ${counted(all, "customer")}. Below 30 one of them moves every figure: read them as what these people did, not as rates.`;
}

function openWords() {
  const { period } = figures.settings;
  if (tables.figures.some((row) => row.is_complete)) return "";
  return `No ${period} is over yet: the figures are of ${periodName(shownPeriod())} until now, and what compares with an earlier ${period} begins with the next one.`;
}

function churnWords() {
  const all = tables.figures.filter((row) => row.segment_key === "all");
  if (all.some((row) => is(row.churn_rate))) return "";
  const first = all.find((row) => row.active > 0);
  const window = counted(figures.settings.churn_window_days, "day");
  return first
    ? `No churn rate yet: it takes the ${window} after an opening. Those of ${periodName(first.period)}, the first with customers, are over on ${format.date(first.matures_on)}.`
    : `No churn rate yet: it is of customers who had bought before a ${figures.settings.period} opened, and takes the ${window} after that.`;
}

function segmentWords() {
  if (hasSegments()) return "";
  const { segment_customers: least } = figures.gates;
  const why = bought() < least ? `: they take ${counted(least, "customer")} who bought, and ${whole.format(bought())} did` : "";
  return `No segments yet${why}. Until then the figures are of all customers together, and everyone is “${PLACES.unassigned}”.`;
}

function predictionWords() {
  const [model] = tables.purchase_models;
  if (!model || !model.no_prediction_reason) return "";
  const { prediction_customers: customers, repeat_customers: repeat, history_days: days } = figures.gates;
  const why = {
    too_few_customers: `they take ${counted(customers, "customer")} who bought, and ${whole.format(model.fitted_customers)} did`,
    too_few_repeat_customers: `they take ${counted(repeat, "customer")} who came back, and ${whole.format(model.repeat_customers)} did`,
    too_short_history: `they take ${counted(days, "day")} of orders, and there are ${whole.format(model.history_days)}`,
    no_maximum: "no purchase model fits these orders",
  }[model.no_prediction_reason];
  return `No predicted value and no churn risk yet: ${why}. The lifecycle goes by the days since the last purchase until then.`;
}
