// What to do: each kind of opportunity by segment and lifecycle, with its money, the largest first.

const FEW_OPPORTUNITIES = 6;
let showsEveryOpportunity = false;

// The words of a kind with the figures of a row in them; its money is no more exact than what it rests on.
function inFigures(words, row) {
  const { facts } = figures.opportunities;
  const days = { window: figures.settings.churn_window_days, horizon: figures.settings.clv_horizon_days };
  const written = (name) => (facts[name] === "money" && is(row[name]) ? brief(row[name]) : shown(row[name], facts[name]));
  return words.replace(/\{(\w+)\}/g, (_, name) => (name in days ? String(days[name]) : written(name)));
}

const kindOf = (row) => figures.opportunities.kinds.find((one) => one.kind === row.kind);
const noAdvice = (reason) => figures.opportunities.no_advice[reason] ?? reason;

function readOpportunities() {
  for (const row of tables.opportunities) {
    Object.assign(row, { title: kindOf(row).title, why: is(row.reason) ? noAdvice(row.reason) : null });
  }
}

function showOpportunities() {
  const advised = tables.opportunities.filter((row) => is(row.money) && isShown(row));
  const first = showsEveryOpportunity ? advised : advised.slice(0, FEW_OPPORTUNITIES);
  byId("advice").replaceChildren(...first.map((row) => element("li", { className: "card" }, ...advice(row))));
  const more = byId("more-advice");
  more.hidden = advised.length <= FEW_OPPORTUNITIES;
  more.textContent = showsEveryOpportunity ? "Only the largest" : `All ${advised.length} of them`;
  more.setAttribute("aria-expanded", String(showsEveryOpportunity));
  byId("no-advice").textContent = silenceWords(advised);
}

function advice(row) {
  const kind = kindOf(row);
  const where = element("button", { type: "button" }, `Choose ${row.segment_key}, ${row.lifecycle}`);
  where.addEventListener("click", () => choose({ segment: row.segment_key, lifecycle: row.lifecycle }));
  const line = (head, words) => element("p", {}, element("strong", {}, `${head}: `), inFigures(words, row));
  return [
    element("h3", {}, swatch(row.segment_key), `${kind.title}: ${row.name}, ${row.lifecycle}`),
    element("p", { className: "value" }, brief(row.money)),
    element("p", {}, inFigures(kind.sentence, row)),
    line("The amount", `${kind.money}.`),
    line("Who", kind.rule),
    line("If it works", kind.seen),
    element("p", { className: "tools" }, where),
  ];
}

// What nothing is said of, and why: for each kind the reason that most of its groups have.
function silenceWords(advised) {
  const isChosen = Boolean(chosen.segment || chosen.lifecycle);
  const looked = tables.opportunities.filter(isShown);
  const silent = figures.opportunities.kinds.filter(
    ({ kind }) => !advised.some((row) => row.kind === kind) && (!isChosen || looked.some((row) => row.kind === kind)),
  );
  if (!silent.length) return advised.length ? "" : "Nothing to do here that has a number behind it.";
  const why = (kind) => `${kind.title.toLowerCase()} (${commonReason(kind, looked)})`;
  return `No advice without a number behind it: ${silent.map(why).join("; ")}.`;
}

function commonReason({ kind, nobody }, looked) {
  const counts = new Map();
  for (const row of looked) {
    if (row.kind === kind) counts.set(row.reason, (counts.get(row.reason) ?? 0) + 1);
  }
  const [commonest] = [...counts].sort(([, one], [, other]) => other - one);
  return commonest ? noAdvice(commonest[0]) : nobody;
}
