// New against returning customers, and the grid of cohorts: customers by the month of their first purchase, at equal age.

const AGE_DAYS = 30; // of a month of age; sql/report/segment_facts.sql counts the same
const FEW = 30; // customers
const MEASURES = {
  retention: {
    label: "Who came back",
    head: () => "Month of age: share who bought in it, %",
    shown: cells.share,
  },
  mean_clv: {
    label: "Value so far",
    head: () => `Month of age: net sales of a customer up to its end, ${currencyName()}`,
    shown: (value) => write.axisCount(value),
  },
};
const ALL_COHORTS = "all";
let measure = "retention";

const cohortName = (cohort) => (cohort === ALL_COHORTS ? "all of these" : format.month(cohort));

function showCohorts() {
  byId("cohort-words").textContent = cohortWords().join(" ");
  byId("cohort-measures").replaceChildren(
    ...Object.entries(MEASURES).map(([name, { label }]) => {
      const button = element("button", { type: "button", "aria-pressed": String(name === measure) }, label);
      button.dataset.measure = name;
      button.addEventListener("click", () => {
        measure = name;
        showCohorts();
        byId("cohort-measures").querySelector("[aria-pressed=true]").focus();
      });
      return button;
    }),
  );
  const caption = `${MEASURES[measure].label}: customers by the month of their first purchase; the stronger the shade, the higher`;
  byId("cohorts").replaceChildren(
    element("div", { className: "scroll cohorts", role: "region", tabIndex: 0, "aria-label": caption }, cohortTable(caption)),
  );
}

function cohortTable(caption) {
  const ages = tables.cohort_ages.filter((row) => row.cohort === ALL_COHORTS).map((row) => row.age);
  const heading = (text, properties) => element("th", { scope: "col", ...properties }, text);
  return element(
    "table",
    {},
    element("caption", {}, element("span", {}, caption)),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        heading("First purchase in", { rowSpan: 2 }),
        heading("Customers", { rowSpan: 2 }),
        ages.length ? element("th", { scope: "colgroup", colSpan: ages.length }, MEASURES[measure].head()) : null,
      ),
      element("tr", {}, ...ages.map((age) => heading(String(age)))),
    ),
    element("tbody", {}, ...cohortRows(ages)),
  );
}

function cohortRows(ages) {
  const sizes = tables.cohorts.filter((row) => row.is_shown);
  const all = { cohort: ALL_COHORTS, customers: sizes.reduce((sum, row) => sum + row.customers, 0) };
  const shade = shadeOf(tables.cohort_ages.filter((row) => row.cohort !== ALL_COHORTS));
  return [all, ...sizes].map(({ cohort, customers }) => {
    const cells = new Map(tables.cohort_ages.filter((row) => row.cohort === cohort).map((row) => [row.age, row]));
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, cohortName(cohort)),
      element("td", {}, whole.format(customers) + (customers < FEW ? " (few)" : "")),
      ...ages.map((age) => cohortCell(cells.get(age), shade)),
    );
  });
}

function cohortCell(row, shade) {
  if (!row) return element("td", {});
  const behind = `${cohortName(row.cohort)}, month ${row.age}: ${whole.format(row.buyers)} of ${whole.format(row.customers)} customers bought`;
  const cell = element("td", { title: behind }, MEASURES[measure].shown(row[measure]));
  cell.style.setProperty("--shade", shade(row));
  return cell;
}

// From the lowest to the highest cell. Everybody bought in month 0: beside it all others would look alike.
function shadeOf(rows) {
  const isTold = (row) => measure !== "retention" || row.age > 0;
  const values = rows.filter(isTold).map((row) => row[measure]);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return (row) => (isTold(row) && most > least ? Math.min(1, Math.max(0, (row[measure] - least) / (most - least))).toFixed(3) : "0");
}

function cohortWords() {
  const all = tables.cohort_ages.filter((row) => row.cohort === ALL_COHORTS);
  const old = tables.cohorts.filter((row) => !row.is_shown);
  const first = all.find((row) => row.age === 1);
  const last = all[all.length - 1];
  // Rather of many customers than of the longest time, and of a year at most.
  const year = all.filter((row) => row.customers >= FEW && AGE_DAYS * (row.age + 1) <= 365).pop();
  return [
    `A month of age is ${AGE_DAYS} days; month 0 begins with a customer's first purchase. A cell is empty until the youngest of the cohort has that month behind it.`,
    first ? `${format.share(first.retention)} of ${whole.format(first.customers)} customers bought again in month 1.` : "",
    year ? `After ${AGE_DAYS * (year.age + 1)} days a customer had brought ${brief(year.mean_clv)} net sales, the mean of ${whole.format(year.customers)} who are that old.` : "",
    last ? "" : "No cohort is a month old yet.",
    old.length
      ? `Not in the grid: ${old.length === 1 ? "the cohort" : `the ${old.length} cohorts`} until ${cohortName(old[old.length - 1].cohort)}, ` +
        `${whole.format(old.reduce((sum, row) => sum + row.customers, 0))} customers.`
      : "",
    last && tables.cohorts.some((row) => row.is_shown && row.whole_ages > last.age + 1) ? `Months after the ${last.age}th are not shown.` : "",
    chosen.segment ? "These are all customers, whatever segment is chosen: the segment they are in now follows from the same purchases." : "",
  ].filter((sentence) => sentence);
}

// All customers, whatever segment is chosen: new ones have none.
function newcomerWords() {
  const newcomers = (period) => tables.new_and_returning.find((row) => row.period === period && row.who === "new");
  const now = tables.figures.length ? newcomers(shownPeriod()) : undefined;
  if (!now) return "";
  const others = tables.new_and_returning.find((row) => row.period === now.period && row.who === "returning");
  const before = newcomers(figureOf(now.period, "all").year_before);
  const order = (row, who) => (is(row?.average_order_value) ? [`${format.money(row.average_order_value)} for ${who}`] : []);
  const orders = [...order(now, "new customers"), ...order(others, "returning ones")];
  return [
    "New are customers whose first order lies within the period, returning all others; of all segments together.",
    is(now.share) ? `In ${periodName(now.period)} new customers made ${format.share(now.share)} of the net sales` : "",
    is(now.share) && is(before?.share) ? `(${periodName(before.period)}: ${format.share(before.share)})` : "",
    is(now.share) ? `with ${whole.format(now.orders)} of ${whole.format(now.orders + (others?.orders ?? 0))} purchases.` : "",
    orders.length ? `Average order: ${orders.join(", ")}.` : "",
  ]
    .filter((part) => part)
    .join(" ");
}
