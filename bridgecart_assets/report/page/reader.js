// The page for who reads it for the first time: its words, each in a sentence and with this shop's own figures.

const TERMS = [
  ["Segment", segmentTerm],
  ["Lifecycle", lifecycleTerm],
  ["Period", periodTerm],
  ["Customer lifetime value (CLV)", valueTerm],
  ["CLV growth", growthTerm],
  ["Churn rate", churnTerm],
  ["Early estimate, estimate in hindsight", estimateTerm],
  ["Average order value", orderTerm],
  ["Contribution to sales", contributionTerm],
  ["New customers", newTerm],
  ["Without a segment", unassignedTerm],
  ["Low confidence", confidenceTerm],
];
const NO_PREDICTIONS = {
  too_few_customers: "there are too few customers",
  too_few_repeat_customers: "too few customers came back",
  too_short_history: "the orders are of too few days",
  no_maximum: "purchases here do not follow the model",
};
const AGREES_WITH = "The definitions with their edges, and an example by hand for each KPI, are in docs/kpis.md of BridgeCart.";

const dayBefore = (day) => new Date(Date.parse(`${day}T00:00:00Z`) - 86_400_000).toISOString().slice(0, 10);

function showReader() {
  const about = aboutReader();
  byId("reader-words").textContent = readerWords(about);
  byId("reader-choice").hidden = !about;
  byId("terms").replaceChildren(
    ...TERMS.flatMap(([term, say]) => {
      const [meaning, ...examples] = say(about).filter((one) => one !== null);
      return [
        element("dt", {}, term),
        element("dd", {}, element("p", {}, meaning), ...examples.map((one) => (typeof one === "string" ? element("p", { className: "example" }, one) : one))),
      ];
    }),
  );
}

// Who and when the examples speak of: what is chosen, else the largest segment and the period of the cards.
function aboutReader() {
  const period = tables.figures.length ? shownPeriod() : "";
  if (!period) return null;
  const made = tables.segments.filter((row) => /^S\d/.test(row.segment_key));
  const largest = made.reduce((best, row) => (best && best.customers >= row.customers ? best : row), null);
  const segment = made.find((row) => row.segment_key === chosen.segment) ?? largest;
  const key = segment?.segment_key ?? "all";
  const row = figureOf(period, key);
  return row ? { period, made, segment, key, who: segment ? key : PLACES.all, row } : null;
}

function readerWords(about) {
  if (!about) return `A sentence each; there are no figures of this shop yet. ${AGREES_WITH}`;
  const example = about.segment ? nameOf(about.key) : PLACES.all;
  return `A sentence each, with this shop's own figures: of ${example} and of ${periodName(about.period)}. ${AGREES_WITH}`;
}

function segmentTerm(about) {
  const meaning =
    `A group of customers who buy alike, by what the segment model looks at: ${Object.values(figures.traits).join(", ")}. ` +
    "Its key, such as S01, never changes its meaning; its name may, with a new version of the segment model.";
  if (!about) return [meaning];
  if (!about.made.length) return [meaning, "This shop has no segments yet: they take some customers with purchases."];
  const model = tables.versions.find((row) => row.standing === "in force");
  return [meaning, element("ul", {}, ...about.made.map((row) => element("li", {}, swatch(row.segment_key), whoTheyAre(row)))), model?.remarks ?? null];
}

function whoTheyAre(row) {
  const customers = `${nameOf(row.segment_key)}: ${counted(row.customers, "customer")}`;
  if (!is(row.purchase_days_a_year)) return `${customers}.`;
  return `${customers} who bought on ${write.tenths(row.purchase_days_a_year)} days a year, ${amount(row.net_a_purchase_day)} on each.`;
}

function lifecycleTerm(about) {
  const window = figures.settings.churn_window_days;
  const meaning = "How a customer stands with the shop now, whatever the segment; only who has bought has one.";
  const { recent, waning, fading } = lifecycleRules(window);
  const stages = [
    ["new", `first bought at most ${recent} days ago`],
    ["active", "none of the others"],
    ["needs attention", waning],
    ["at risk", fading],
    ["dormant", `bought nothing for more than ${window} days`],
  ];
  const customers = (stage) => (about ? `: ${counted(inLifecycle(about.key, stage), "customer")}${about.segment ? ` of ${about.who}` : ""}` : "");
  const list = stages.map(([stage, rule]) => element("li", {}, element("strong", {}, stage), `, ${rule}${customers(stage)}`));
  return [meaning, element("ul", {}, ...list)];
}

// The purchase model decides where there is one, else the days without a purchase.
function lifecycleRules(window) {
  const days = (thirds) => Math.floor((thirds * window) / 3);
  return {
    recent: days(1),
    ...(hasPredictions()
      ? { waning: "less than 80% likely to be a customer still", fading: "less than 50% likely" }
      : { waning: `bought nothing for more than ${days(1)} days`, fading: `bought nothing for more than ${days(2)} days` }),
  };
}

const hasPredictions = () => tables.segments.some((row) => is(row.mean_predicted_clv));

const inLifecycle = (key, stage) =>
  tables.lifecycles
    .filter((row) => row.lifecycle === stage && (key === "all" || row.segment_key === key))
    .reduce((sum, row) => sum + row.customers, 0);

function periodTerm(about) {
  const meaning =
    `A ${figures.settings.period} of the shop's calendar (${figures.settings.calendar}); customers count for the segment that they were in when it opened, ` +
    "because one that they enter by what they buy in it would explain itself.";
  if (!about) return [meaning];
  const { period, row } = about;
  const last = dayBefore(row.closes_on);
  const days = last > period ? `from ${format.date(period)} to ${format.date(last)}` : `of ${format.date(last)}`;
  const open = row.is_complete ? "" : ", as far as the orders reach: it is still open, and a part of a period is not to be compared with a whole one";
  return [meaning, `The figures here are those ${days}${open}.`];
}

function valueTerm(about) {
  const horizon = figures.settings.clv_horizon_days;
  const meaning = `What a customer has brought so far: net sales, with discounts and refunds taken off; beside it stands what the purchase model predicts for the next ${horizon} days.`;
  if (!about) return [meaning];
  const { mean_clv: mean, mean_predicted_clv: mean_predicted } = about.segment ?? valueOfAll();
  const predicted = is(mean_predicted)
    ? `, and ${amount(mean_predicted)} are predicted for the next ${horizon} days`
    : `; nothing is predicted: ${NO_PREDICTIONS[tables.purchase_models[0]?.no_prediction_reason] ?? "there is no purchase model yet"}`;
  const of = about.segment ? ` of ${about.who}` : "";
  return [meaning, `A customer${of} has brought ${amount(mean)} so far on average${predicted}.`];
}

function valueOfAll() {
  const sum = (column) => tables.segments.reduce((total, row) => total + row[column], 0);
  return { mean_clv: sum("net_sales") / sum("customers") };
}

function growthTerm(about) {
  const meaning =
    "By how much the value so far of the customers who were in a segment when the period opened has grown when it closes, wherever they are by then; it falls as history gets longer, so compare segments and not periods.";
  if (!about) return [meaning];
  const { period, key, who, row } = about;
  if (!is(row.clv_growth)) return [meaning, noneOf("CLV growth", about, row.clv_growth_reason)];
  const step = (place) => tables.bridge.find((one) => one.period === period && one.segment_key === key && one.place === place)?.change ?? 0;
  return [
    meaning,
    `${customersOf(row.customers, who)} on ${format.date(period)} had brought ${amount(step(1) + step(6))} by then, and ${amount(step(2))} more by the close: ${format.growth(row.clv_growth)}.`,
  ];
}

const customersOf = (count, who) => (who === PLACES.all ? `The ${counted(count, "customer")} there were` : `The ${counted(count, "customer")} in ${who}`);
const noneOf = (what, { who, period }, reason) => `${what} of ${who} in ${periodName(period)}: none, ${reasons[reason ?? "no_prediction"] ?? reason}.`;

function churnTerm(about) {
  const window = figures.settings.churn_window_days;
  const meaning =
    `Of the customers who were active when a period opened, that is who had bought in the ${window} days before, the share who bought nothing in the ${window} days after; ` +
    "it exists once those are over.";
  if (!about) return [meaning];
  const { key, who, row } = about;
  const rated = tables.figures.filter((one) => one.segment_key === key && one.period <= row.period && is(one.churn_rate));
  const latest = rated[rated.length - 1];
  if (!latest) return [meaning, noneOf("Churn rate", about, row.churn_rate_reason)];
  return [
    meaning,
    `${who === PLACES.all ? "All customers" : who}, ${format.date(latest.period)}: of ${whole.format(latest.active)} active customers ${whole.format(latest.churned)} bought nothing in the ${window} days after it: ${format.share(latest.churn_rate)}${ofHundred(latest)}.`,
  ];
}

// Of few customers a hundred would be more than there are.
function ofHundred({ active, churned, churn_rate: rate }) {
  if (active < 100 || churned === 0) return "";
  const rounded = Math.round(100 * rate);
  return rounded === 0 ? ", fewer than 1 of 100" : `, about ${rounded} of 100`;
}

function estimateTerm(about) {
  const meaning =
    "Before a churn rate exists the purchase model says which share it expects: early if the model knew no order after the opening, in hindsight if it did, and then it is no forecast.";
  if (!about) return [meaning];
  const { row, key, who, period } = about;
  if (!is(row.estimated_churn_rate)) return [meaning, noneOf("Estimate", about, row.estimated_churn_rate_reason)];
  const kind = row.in_hindsight ? "in hindsight" : "early";
  const compared = tables.figures.filter((one) => one.segment_key === key && one.period <= period && is(one.estimate_error));
  const last = compared[compared.length - 1];
  return [
    meaning,
    `${who === PLACES.all ? "All customers" : who}, ${format.date(period)}: ${format.share(row.estimated_churn_rate)}, ${kind}.`,
    last
      ? `The latest that can be compared, of ${format.date(last.period)}${last.in_hindsight ? " and in hindsight" : ""}, said ${format.share(last.estimated_churn_rate)}; ${format.share(last.churn_rate)} came of it.`
      : null,
  ];
}

function orderTerm(about) {
  const meaning = "Sales of the period over its purchases, discounts taken off and refunds not; refunds and free orders are no purchases, so every purchase weighs the same.";
  if (!about) return [meaning];
  const { row, who, period } = about;
  if (!is(row.average_order_value)) return [meaning, noneOf("Average order value", about, row.average_order_value_reason)];
  return [
    meaning,
    `In ${periodName(period)}, ${counted(row.orders, "purchase")} of ${who} came to ${amount(row.purchase_sales)}: ${amount(row.average_order_value)} each.`,
  ];
}

function contributionTerm(about) {
  const meaning = "The segment's part of all net sales of the period, refunds taken off; with new customers and those without a segment the parts make 100%.";
  if (!about?.segment) return [meaning];
  const { row, who, period } = about;
  if (!is(row.sales_contribution)) return [meaning, noneOf("Contribution", about, row.sales_contribution_reason)];
  const all = figureOf(period, "all").sales;
  return [meaning, `In ${periodName(period)}, ${who} brought ${amount(row.sales)} of ${amount(all)}: ${format.share(row.sales_contribution)}.`];
}

function newTerm(about) {
  const meaning = "Who ordered for the first time within the period and so had no segment when it opened.";
  const row = about && figureOf(about.period, "new");
  if (!row) return [meaning];
  const share = is(row.sales_contribution) ? `, who brought ${format.share(row.sales_contribution)} of the net sales` : "";
  return [
    meaning,
    row.buyers ? `In ${periodName(about.period)}: ${counted(row.buyers, "customer")} with a purchase${share}.` : `In ${periodName(about.period)}: nobody.`,
  ];
}

function unassignedTerm(about) {
  const meaning = "Who had ordered before the period and never bought, with nothing but refunds or free orders; and everybody as long as there is no segment model.";
  const row = about && figureOf(about.period, "unassigned");
  return row ? [meaning, `On ${format.date(about.period)}: ${row.customers ? counted(row.customers, "customer") : "nobody"}.`] : [meaning];
}

function confidenceTerm(about) {
  const meaning = "Fewer than 30 customers stand behind the figure, so that one of them moves it by points; in the charts its point is hollow.";
  if (!about) return [meaning];
  const { made, row, who, period } = about;
  const few = (rows, words) => rows.map(words).join(", ");
  const small = made.filter((one) => one.customers < 30);
  const weak = figures.kpis.filter((kpi) => row[kpi.low_sample]);
  return [
    meaning,
    small.length ? `Segments of fewer than 30 customers now: ${few(small, (one) => `${one.segment_key} (${one.customers})`)}.` : null,
    weak.length
      ? `Figures of ${who} in ${periodName(period)} with fewer than 30 customers behind them: ${few(weak, (kpi) => `${kpi.label} (${row[kpi.customers]})`)}.`
      : `No figure of ${who} in ${periodName(period)} is of fewer.`,
  ];
}
