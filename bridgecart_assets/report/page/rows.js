// The rows of each section as objects, and the periods and segments in them.

function readRows() {
  readFormats();
  const objects = ({ columns, rows }) =>
    rows.map((row) => Object.fromEntries(columns.map((column, place) => [column, row[place]])));
  tables = Object.fromEntries(Object.entries(figures.tables).map(([name, table]) => [name, objects(table)]));
  tables.stored = objects(figures.stored);
  reasons = Object.assign({}, ...figures.kpis.map((kpi) => kpi.reasons));
  tables.failed = figures.health?.failed_checks ?? [];
  names = new Map();
  for (const row of [...tables.figures, ...tables.segments]) {
    names.set(row.segment_key, PLACES[row.segment_key] ?? `${row.segment_key} ${row.segment}`);
  }
  tables.traits = tables.segments.filter((row) => !(row.segment_key in PLACES)).flatMap((row) =>
    Object.entries(figures.traits)
      .filter(([column]) => is(row[column]))
      .map(([column, trait]) => ({ segment_key: row.segment_key, trait, apart: row[column] })),
  );
  const purchases = tables.purchases;
  tables.categories = purchases.filter((row) => row.attribute === "category");
  tables.payments = purchases.filter((row) => row.attribute === "payment");
  tables.purchases = purchases.filter((row) => row.attribute === "none");
  tables.churn = tables.figures;
  for (const rows of Object.values(tables)) {
    for (const row of rows) {
      if ("segment_key" in row) Object.assign(row, { name: nameOf(row.segment_key) }, lookOf(row.segment_key));
    }
  }
  readOpportunities();
}

const periods = () => [...new Set(tables.figures.map((row) => row.period))].sort();
const segmentKeys = () => [...new Set(tables.figures.map((row) => row.segment_key))].filter((key) => key !== "all");

// The period that the cards speak of: the chosen one, else the latest complete one, else the latest.
function shownPeriod() {
  if (chosen.period) return chosen.period;
  const complete = tables.figures.filter((row) => row.is_complete).map((row) => row.period);
  return (complete.length ? complete : periods()).reduce((latest, one) => (one > latest ? one : latest), "");
}

// What stands beside a KPI, in its words; strong where the KPI alone would mislead.
function besideWords(column, row) {
  const { beside } = figures.kpis.find((kpi) => kpi.column === column);
  return beside
    .filter((one) => is(row[one.column]))
    .map((one) => {
      const words = one.words.replace("{}", shown(row[one.column], KINDS[one.format]));
      return remark(words, is(one.remarkable) && row[one.column] > one.remarkable);
    });
}

const remark = (words, isStrong) => element("p", {}, isStrong ? element("strong", {}, words) : words);

function figureOf(period, key) {
  return tables.figures.find((row) => row.period === period && row.segment_key === key);
}
