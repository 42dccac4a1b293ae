// The sentences between the charts.

function showWords() {
  const { clock, settings } = figures;
  byId("about").textContent = clock.newest_order_at
    ? `Orders until ${write.instant(`${clock.newest_order_at.slice(0, 16)}Z`)} in the shop's calendar (${settings.calendar}).`
    : "";
  const says = {
    unit: currencyName(),
    shown: tables.figures.length ? periodName(shownPeriod()) : "",
    segment: chosen.segment ? nameOf(chosen.segment) : "all customers",
    period: chosen.period ? periodName(chosen.period) : "all periods",
    count: COUNTS[figures.kpis.length] ?? String(figures.kpis.length),
    horizon: `${settings.clv_horizon_days} days`,
    window: `${settings.churn_window_days} days`,
  };
  for (const place of document.querySelectorAll("[data-says]")) {
    place.textContent = place.dataset.says === "scale" ? scaleWords(place.closest("figure")) : says[place.dataset.says];
  }
  const isRelabelled = tables.figures.some((row) => row.period === shownPeriod() && row.model_changed);
  byId("movement-words").textContent = isRelabelled
    ? `In ${says.shown} another segment model came into force: who moved may have been relabelled and have done nothing.`
    : "";
  byId("churn-words").textContent =
    `Every churn rate here is of the customers who were active at the opening, that is who had bought in the ${settings.churn_window_days} days before: ` +
    `the share of them who buy nothing in the ${settings.churn_window_days} days after it. ` +
    "It exists once that window is over. The purchase model's estimate is early when the model knew no order after the opening, and made in hindsight otherwise.";
  byId("season-words").textContent = seasonWords();
  byId("everybody-words").textContent = tables.everybody.map((row) => deeds(row, "All customers bought").join(" ")).join("");
  byId("newcomer-words").textContent = newcomerWords();
  byId("model-words").textContent = modelWords();
  byId("health-words").textContent = healthWords();
}

function scaleWords({ dataset }) {
  if (!isFarApart(dataset.chart)) return "";
  return dataset.chart === "bridge"
    ? "; the axis does not begin at zero, because the steps are small beside the value"
    : "; on a logarithmic scale, because they are far apart: the same distance is the same ratio";
}

function modelWords() {
  const model = tables.versions.find((row) => row.standing === "in force");
  if (!model) return "There is no segment model yet: it takes some customers with purchases.";
  const proposed = tables.versions.find((row) => row.standing === "proposed");
  const alerts = tables.drift.filter((row) => row.alert).length;
  return [
    `Version ${model.version} of the segment model: ${model.segments} segments, fitted to ${whole.format(model.fitted_customers)} customers as of ${format.date(model.as_of)}.`,
    `Silhouette ${shown(model.silhouette, "figure")}, stability under resampling ${shown(model.stability, "figure")} (1 is best).`,
    model.remarks ?? "",
    is(model.agreement) ? `${format.share(model.agreement)} of the customers kept their segment from the version before.` : "It has no version before it.",
    alerts ? `${alerts} measure${alerts > 1 ? "s have" : " has"} drifted: a refit is due.` : "No drift.",
    proposed ? `Version ${proposed.version} is proposed and waits for a person.` : "",
  ].join(" ");
}

function healthWords() {
  const count = (name) => tables.stored.find((row) => row.table === name)?.rows ?? 0;
  if (!tables.batches.length) return "No batch has run yet.";
  const lines = count("silver.order_lines");
  const [{ refunds_inside: inside, skipped }] = tables.ends;
  const beside = [
    ["conflicting", count("silver.conflicting_orders")],
    ["superseded", count("silver.superseded_orders")],
    ["skipped", skipped],
  ];
  const ends = [
    ["orders", count("silver.orders") - inside],
    ["duplicates", count("silver.duplicate_orders")],
    ...beside.filter(([, rows]) => rows),
    ["rejected", count("silver.rejected_orders")],
  ];
  return (
    // An order of several lines is one row, and several records.
    `${whole.format(count("raw.orders"))} records ${lines ? `(${whole.format(lines)} of them lines of orders): ` : "= "}` +
    `${ends.map(([word, rows]) => `${whole.format(rows)} ${word}`).join(lines ? ", " : " + ")}. ` +
    (inside ? `${whole.format(inside)} refunds stand inside orders. ` : "") +
    batchWords(count("raw.batches")) +
    stateWords() +
    (figures.history ? ` ${figures.history}` : "")
  );
}

// A batch has the instant at which it was planned for its key, or a name that a person gave it.
function batchWords(batches) {
  const instant = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;
  const planned = tables.batches.filter((row) => instant.test(row.batch_key));
  const latest = planned[planned.length - 1] ?? tables.batches[tables.batches.length - 1];
  const what = `${whole.format(latest.planned_records)} records of topic ${latest.topic}.`;
  const which = batches === 1 ? "The only batch" : `The latest of ${whole.format(batches)} batches`;
  const parts = instant.exec(latest.batch_key);
  if (!parts) return `${batches === 1 ? which : `One of ${whole.format(batches)} batches`}, ${latest.batch_key}, has ${what}`;
  const [, year, month, day, hour, minute, second] = parts;
  return `${which} was planned at ${year}-${month}-${day} ${hour}:${minute}:${second} UTC with ${what}`;
}

// As of when the page was written.
function stateWords() {
  const state = figures.health;
  if (!state) return "";
  const waiting = is(state.lag)
    ? state.lag === 0 ? "No record waits in the topic." : `Lag: ${whole.format(state.lag)} records wait in the topic.`
    : "How many records wait in the topic is unknown: the broker could not be asked.";
  const held = state.waiting_for_transactions
    ? ` ${whole.format(state.waiting_for_transactions)} more wait for an open transaction of a producer.`
    : "";
  const failed = state.failed_checks.length;
  const checks = failed
    ? `${failed} of ${state.checks} checks failed when they were last evaluated; the table below says what to do.`
    : `All ${state.checks} checks passed when they were last evaluated.`;
  return ` ${waiting}${held} ${state.checks ? checks : "No check has been evaluated yet."}`;
}
