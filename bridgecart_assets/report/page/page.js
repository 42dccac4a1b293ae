"use strict";
(() => {
  const REFRESH_MILLISECONDS = 5000;
  const ERRORS = 1; // of Vega's log levels
  const COLORS = 8; // --s1 to --s8 of the style
  const SOLID = [1, 0];
  const DASHES = [SOLID, [8, 3], [2, 2], [8, 3, 2, 3], [14, 4], [4, 5], [14, 3, 2, 3, 2, 3]];
  const SHAPES = ["circle", "square", "diamond", "triangle-up", "cross"];
  const FILLS = [1, 0.4, 0.12];
  const NO_SEGMENT = { new: { dash: [1, 3], shape: "triangle-up" }, unassigned: { dash: [3, 6], shape: "circle" } };
  const PRINT_WIDTH = 600; // of a chart: shown at 85 % on half a page of A4 landscape, at 115 % on a page of A4 portrait
  const FAR_APART = 8;
  // The same shapes as Vega's, in a box of 12.
  const MARKS = {
    circle: "M6 2.2a3.8 3.8 0 1 0 .01 0z", square: "M2.6 2.6h6.8v6.8H2.6z", diamond: "M6 1.2 10.8 6 6 10.8 1.2 6z",
    "triangle-up": "M6 1.8 10.6 9.8H1.4z", cross: "M4.6 1.6h2.8v3h3v2.8h-3v3H4.6v-3h-3V4.6h3z",
  };
  const PLACES = { new: "new customers", gone: "gone", unassigned: "without a segment", all: "all customers" };
  const KINDS = { signed: "growth", share: "share", money: "money", ratio: "ratio" };
  const COUNTS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
  const BETTER = { higher: 1, lower: -1, neutral: 0 };

  const byId = (id) => document.getElementById(id);
  const specs = JSON.parse(byId("charts").textContent);
  const views = new Map();
  const sorting = new Map();
  let figures = JSON.parse(byId("figures").textContent);
  let tables = {};
  let reasons = {};
  let names = new Map();
  let chosen = { segment: "", period: "" };

  // ---- Numbers and words

  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const cents = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const withCurrency = (text) => (figures.settings.currency ? `${figures.settings.currency} ${text}` : text);
  const amount = (value) => withCurrency(cents.format(value));
  const brief = (value) => withCurrency(short.format(value));
  const is = (value) => value !== null && value !== undefined;
  const format = {
    text: (value) => String(value),
    long: (value) => String(value),
    flag: (value) => (value ? "yes" : "no"),
    reason: (value) => reasons[value] ?? String(value),
    count: (value) => whole.format(value),
    money: amount,
    ratio: (value) => cents.format(value),
    share: (value) => `${(100 * value).toFixed(1)} %`,
    growth: (value) => `${value < 0 ? "−" : "+"}${(100 * Math.abs(value)).toFixed(1)} %`,
    figure: (value) => Number(value.toPrecision(5)).toString(),
  };
  const shown = (value, kind) => (is(value) ? format[kind](value) : "-");
  const isNumber = (kind) => !["text", "long", "flag", "reason"].includes(kind);
  const nameOf = (key) => names.get(key) ?? PLACES[key] ?? key;
  const periodName = (period) =>
    ({ month: period.slice(0, 7), week: `week of ${period}`, day: period })[figures.settings.period];

  function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in made) made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  // A segment looks as the number in its key says, which is never used again. The numbers of colours, dashes and shapes
  // have no common divisor, so that 280 keys look different, 56 of them by colour and dash alone; the order of the
  // colours lets people who see few of them tell the segments of one dash apart.
  function lookOf(key) {
    const number = /^S(\d+)$/.exec(key);
    if (!number) return { color: "var(--nobody)", ...(NO_SEGMENT[key] ?? NO_SEGMENT.unassigned), fill: 1, edge: "var(--card)", edge_dash: SOLID, ink: "var(--card)" };
    const place = Number(number[1]) - 1;
    const color = `var(--s${(place % COLORS) + 1})`;
    const dash = DASHES[place % DASHES.length];
    const round = Math.floor(place / COLORS) % FILLS.length;
    const isFull = round === 0;
    return {
      color, dash, shape: SHAPES[place % SHAPES.length], fill: FILLS[round],
      edge: isFull ? "var(--card)" : color, edge_dash: isFull ? SOLID : dash, ink: isFull ? "var(--card)" : "var(--text)",
    };
  }

  // Its line with its point, as in the charts.
  function swatch(key) {
    const { color, dash, shape, fill } = lookOf(key);
    const drawn = (tag, properties) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
      return made;
    };
    const mark = drawn("svg", { class: "swatch", viewBox: "0 0 36 12", "aria-hidden": "true" });
    mark.append(
      drawn("path", { d: "M0 6h36", stroke: color, "stroke-width": 2, "stroke-dasharray": dash.join(" ") }),
      drawn("path", { d: MARKS[shape], transform: "translate(12)", stroke: color, fill: color, "fill-opacity": fill }),
    );
    return mark;
  }

  // ---- The rows

  function readRows() {
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
    tables.traits = tables.segments.flatMap((row) =>
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

  // ---- Choosing

  function readHash() {
    const given = new URLSearchParams(location.hash.slice(1));
    const known = (value, values) => (values.includes(value) ? value : "");
    chosen = {
      segment: known(given.get("segment"), segmentKeys()),
      period: known(given.get("period"), periods()),
    };
  }

  function choose(change) {
    chosen = { ...chosen, ...change };
    const kept = Object.entries(chosen).filter(([, value]) => value);
    history.replaceState(null, "", kept.length ? `#${new URLSearchParams(kept)}` : location.pathname + location.search);
    show();
  }

  function showFilters() {
    const fill = (select, first, options, value) => {
      select.replaceChildren(element("option", { value: "" }, first));
      for (const [key, text] of options) select.append(element("option", { value: key }, text));
      select.value = value;
    };
    const open = new Set(tables.figures.filter((row) => !row.is_complete).map((row) => row.period));
    fill(byId("segment"), "All segments", segmentKeys().map((key) => [key, nameOf(key)]), chosen.segment);
    fill(
      byId("period"),
      "All periods",
      periods()
        .reverse()
        .map((period) => [period, periodName(period) + (open.has(period) ? " (still open)" : "")]),
      chosen.period,
    );
    byId("clear").disabled = !chosen.segment && !chosen.period;
    byId("legend").replaceChildren(
      ...segmentKeys().map((key) => {
        const isChosen = chosen.segment === key;
        const button = element("button", { type: "button", "aria-pressed": String(isChosen) }, swatch(key), nameOf(key));
        button.addEventListener("click", () => choose({ segment: isChosen ? "" : key }));
        button.dataset.key = key;
        return element("li", {}, button);
      }),
    );
  }

  // ---- The KPIs

  function card(title, value, ...lines) {
    const written = lines
      .filter((line) => line)
      .map((line) => (typeof line === "string" ? element("p", {}, line) : line));
    return element("div", { className: "card" }, element("h3", {}, title), element("p", { className: "value" }, value), ...written);
  }

  // Coloured only where one direction is better for a shop whatever else happens.
  function change(now, before, { relative = false, better = 0, than }) {
    if (!is(now) || !is(before) || (relative && before === 0)) return null;
    const difference = relative ? now / before - 1 : now - before;
    const size = relative ? format.growth(difference) : `${difference < 0 ? "−" : "+"}${(100 * Math.abs(difference)).toFixed(1)} points`;
    const judged = better * difference;
    return element("p", { className: judged > 0 ? "better" : judged < 0 ? "worse" : "" }, `${size} against ${than}`);
  }

  // Those that the page has no words of its own for.
  const plainKpis = () => figures.kpis.filter((kpi) => kpi.has_card);

  function showCards() {
    const period = shownPeriod();
    const key = chosen.segment || "all";
    const row = figureOf(period, key);
    const earlier = periods().filter((one) => one < period);
    const last = earlier.length ? figureOf(earlier[earlier.length - 1], key) : undefined;
    const than = last ? periodName(last.period) : "";
    const isOpen = row.is_complete ? null : "The period is still open.";
    const evidence = (count, isLow, who) =>
      `${isLow ? "Low confidence: only " : "Of "}${whole.format(count)} ${who}${isLow ? ", below 30" : ""}.`;
    const why = (reason) => (reason ? `None: ${reasons[reason] ?? reason}.` : null);
    const units = figures.settings.currency ? "" : " currency units";
    byId("cards").replaceChildren(
      card(
        "CLV growth",
        shown(row.clv_growth, "growth"),
        why(row.clv_growth_reason),
        change(row.clv_growth, last?.clv_growth, { than }),
        "Of the net sales so far of the same customers. It falls as history gets longer: compare segments, not periods.",
        `Net sales so far of those in it at the close: ${brief(row.closing_clv)}.`,
        evidence(row.customers, row.low_sample, "customers at the opening"),
        isOpen,
      ),
      churnCard(row, key, evidence),
      card(
        "Average order value",
        shown(row.average_order_value, "money"),
        why(row.average_order_value_reason),
        change(row.average_order_value, last?.average_order_value, { relative: true, better: 1, than }),
        `Net of discounts, refunds not taken off. ${whole.format(row.orders)} purchases.`,
        ...besideWords("average_order_value", row),
        evidence(row.buyers, row.order_low_sample, "customers who bought"),
        isOpen,
      ),
      key === "all"
        ? card(
            "Net sales",
            brief(row.sales),
            change(row.sales, last?.sales, { relative: true, better: 1, than }),
            `${amount(row.sales)}${units}, refunds taken off.`,
            isOpen,
          )
        : card(
            "Contribution to sales",
            shown(row.sales_contribution, "share"),
            why(row.sales_contribution_reason),
            change(row.sales_contribution, last?.sales_contribution, { than }),
            `${amount(row.sales)} of ${amount(figureOf(period, "all").sales)}${units}.`,
            ...besideWords("sales_contribution", row),
            isOpen,
          ),
      ...plainKpis().map((kpi) =>
        card(
          kpi.label,
          shown(row[kpi.column], KINDS[kpi.format]),
          why(row[`${kpi.column}_reason`]),
          change(row[kpi.column], last?.[kpi.column], {
            relative: kpi.format === "money" || kpi.format === "ratio", better: BETTER[kpi.direction], than,
          }),
          kpi.meaning,
          ...besideWords(kpi.column, row),
          evidence(row[kpi.customers], row[kpi.low_sample], "customers"),
          isOpen,
        ),
      ),
    );
  }

  // A churn rate exists once its window is over: the card shows the latest that does, and the estimate until then.
  function churnCard(row, key, evidence) {
    const rated = tables.figures.filter((one) => one.segment_key === key && one.period <= row.period && is(one.churn_rate));
    const latest = rated[rated.length - 1];
    const before = rated[rated.length - 2];
    const kind = row.in_hindsight ? "Estimate in hindsight" : "Early estimate";
    const estimate =
      is(row.estimated_churn_rate) && !is(row.churn_rate)
        ? `${kind} for ${periodName(row.period)}: ${format.share(row.estimated_churn_rate)} of the customers active at its opening.`
        : null;
    if (!latest) return card("Churn rate", "-", `None: ${reasons[row.churn_rate_reason] ?? row.churn_rate_reason}.`, estimate);
    return card(
      "Churn rate",
      format.share(latest.churn_rate),
      latest.period === row.period ? null : `Of ${periodName(latest.period)}, the latest whose window is over.`,
      change(latest.churn_rate, before?.churn_rate, { better: -1, than: before ? periodName(before.period) : "" }),
      `Between ${format.share(latest.churn_rate_low)} and ${format.share(latest.churn_rate_high)} (95 %).`,
      evidence(latest.active, latest.churn_low_sample, "customers active at the opening"),
      estimate,
    );
  }

  // ---- The segments in words

  // What customers did, counted from their orders.
  function deeds(row, bought = "Bought") {
    const coupons = is(row.coupon_share) ? `${format.share(row.coupon_share)} of the purchases with a coupon` : "coupons unknown";
    return [
      `${bought} on ${row.purchase_days_a_year.toFixed(1)} days a year, ${format.money(row.net_a_purchase_day)} on each, ${coupons}.`,
      `Average order so far ${format.money(row.average_order_value)} before refunds, ${row.orders_a_purchase_day.toFixed(2)} orders on such a day. ` +
        `Refunds take ${format.share(row.refund_share)} of the sales.`,
    ];
  }

  function inWords(row) {
    const stages = tables.lifecycles.filter((one) => one.segment_key === row.segment_key);
    const all = stages.reduce((sum, one) => sum + one.customers, 0);
    const most = stages.reduce((best, one) => (best && best.customers >= one.customers ? best : one), null);
    return [
      `${format.share(row.share_of_customers)} of the customers, ${shown(row.share_of_sales, "share")} of the net sales so far.`,
      ...(is(row.purchase_days_a_year) ? deeds(row) : ["Nothing bought yet."]),
      `${brief(row.mean_clv)} net sales each so far` +
        (is(row.mean_predicted_clv) ? `; predicted for the next ${figures.settings.clv_horizon_days} days: ${brief(row.mean_predicted_clv)}.` : "."),
      most ? `Most common lifecycle: ${most.lifecycle}, ${format.share(most.customers / all)} of those who have bought.` : null,
      is(row.largest_customer_share) ? largestWords(row) : null,
      row.customers < 30 ? "Low confidence: fewer than 30 customers." : null,
    ];
  }

  // Beyond half of its sales a segment is one customer and others.
  function largestWords(row) {
    const words = `The largest customer makes ${format.share(row.largest_customer_share)} of its net sales so far.`;
    return remark(words, row.largest_customer_share > 0.5 && row.customers > 1);
  }

  function showProfiles() {
    byId("profiles").replaceChildren(
      ...tables.segments.map((row) => {
        const lines = inWords(row).filter((line) => line);
        return element(
          "div",
          { className: chosen.segment === row.segment_key ? "card chosen" : "card" },
          element("h3", {}, swatch(row.segment_key), row.name),
          element("p", { className: "value" }, whole.format(row.customers)),
          ...lines.map((line) => (typeof line === "string" ? element("p", {}, line) : line)),
        );
      }),
    );
  }

  // ---- Other words

  function showWords() {
    const { clock, settings } = figures;
    byId("about").textContent = clock.newest_order_at
      ? `Orders until ${clock.newest_order_at.slice(0, 16).replace("T", " ")} in the shop's calendar (${settings.calendar}).`
      : "";
    const says = {
      unit: figures.settings.currency ?? "currency units",
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
    byId("everybody-words").textContent = tables.everybody.map((row) => deeds(row, "All customers bought").join(" ")).join("");
    byId("model-words").textContent = modelWords();
    byId("health-words").textContent = healthWords();
  }

  function scaleWords({ dataset }) {
    return isFarApart(dataset.chart)
      ? "; on a logarithmic scale, because the segments are far apart: the same distance is the same ratio"
      : "";
  }

  function modelWords() {
    const model = tables.versions.find((row) => row.status === "active");
    if (!model) return "There is no segment model yet: it takes some customers with purchases.";
    const proposed = tables.versions.find((row) => row.status === "proposed");
    const alerts = tables.drift.filter((row) => row.alert).length;
    return [
      `Version ${model.version} of the segment model: ${model.segments} segments, fitted to ${whole.format(model.fitted_customers)} customers as of ${model.as_of}.`,
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

  // ---- Tables

  const COLUMNS = {
    figures: [
      ["period", "Period", "text"], ["name", "Segment", "text"], ["is_complete", "Complete", "flag"], ["customers", "Customers at the opening", "count"],
      ["clv_growth", "CLV growth", "growth"], ["clv_growth_reason", "Why none", "reason"], ["churn_rate", "Churn rate", "share"],
      ["churn_rate_reason", "Why none", "reason"], ["average_order_value", "Average order", "money"], ["buyers", "Customers who bought", "count"], ["orders", "Purchases", "count"],
      ["sales", "Net sales", "money"], ["sales_contribution", "Contribution", "share"], ["model_changed", "Model changed", "flag"], ["low_sample", "Low sample", "flag"],
    ],
    churn: [
      ["period", "Period", "text"], ["name", "Segment", "text"], ["active", "Active at the opening", "count"], ["churned", "Of these churned", "count"],
      ["churn_rate", "Churn rate", "share"], ["churn_rate_low", "95 % from", "share"], ["churn_rate_high", "to", "share"],
      ["estimated_churn_rate", "Estimate", "share"], ["estimate_error", "Error", "growth"], ["in_hindsight", "In hindsight", "flag"],
      ["matures_on", "Window over on", "text"],
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
    flows: [
      ["period", "Period", "text"], ["opening_key", "Opening", "text"], ["closing_key", "Close", "text"], ["customers", "Customers", "count"],
    ],
    bridge: [
      ["period", "Period", "text"], ["name", "Segment", "text"], ["place", "Step", "count"], ["step", "What", "text"],
      ["change", "Amount", "money"], ["ends", "Reached", "money"],
    ],
    categories: [
      ["period", "Period", "text"], ["name", "Segment", "text"], ["value", "Category", "text"], ["orders", "Purchases", "count"],
      ["sales", "Sales", "money"], ["discounts", "Discounts", "money"], ["with_coupon", "With coupon", "count"],
    ],
    payments: [
      ["period", "Period", "text"], ["name", "Segment", "text"], ["value", "Payment", "text"], ["orders", "Purchases", "count"],
      ["sales", "Sales", "money"], ["discounts", "Discounts", "money"], ["with_coupon", "With coupon", "count"],
    ],
    ages: [["name", "Segment", "text"], ["from_age", "From age", "count"], ["customers", "Customers", "count"]],
    cohorts: [
      ["cohort", "First purchase in", "text"], ["customers", "Customers", "count"], ["mean_clv_30", "Each, first 30 days", "money"],
      ["mean_clv_90", "90 days", "money"], ["mean_clv_180", "180 days", "money"], ["mean_clv_365", "365 days", "money"],
      ["net_sales", "Net sales so far, all", "money"],
    ],
    versions: [
      ["version", "Version", "count"], ["status", "Status", "text"], ["as_of", "Fitted as of", "text"], ["in_force_from", "In force from", "text"],
      ["segments", "Segments", "count"], ["fitted_customers", "Customers", "count"], ["silhouette", "Silhouette", "figure"],
      ["stability", "Stability", "figure"], ["smallest_share", "Smallest segment", "share"], ["agreement", "Agreement", "share"],
    ],
    purchase_models: [
      ["version", "Version", "count"], ["as_of", "Fitted as of", "text"], ["in_force_from", "In force from", "text"],
      ["fitted_customers", "Customers", "count"], ["repeat_customers", "Repeat buyers", "count"], ["history_days", "History, days", "count"],
      ["r", "r", "figure"], ["alpha", "alpha", "figure"], ["a", "a", "figure"], ["b", "b", "figure"], ["no_prediction_reason", "No predictions", "text"],
    ],
    drift: [
      ["measure", "Measure", "text"], ["psi", "PSI", "figure"], ["threshold", "Threshold", "figure"], ["alert", "Alert", "flag"],
      ["customers", "Customers", "count"], ["model_version", "Model", "count"], ["as_of", "As of", "text"],
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
    return inSegment && (!chosen.period || !("period" in row) || row.period === chosen.period);
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

  function fillTable(place) {
    const name = place.dataset.table;
    const details = place.querySelector("details");
    if (!details.open) return;
    const columns = columnsOf(name);
    const rows = sorted(name, tables[name].filter(isShown));
    const by = sorting.get(name);
    const heading = ([column, title, kind]) => {
      const isBy = by?.column === column;
      const button = element("button", { type: "button" }, title + (isBy ? (by.descending ? " ↓" : " ↑") : ""));
      button.addEventListener("click", () => {
        sorting.set(name, { column, descending: isBy ? !by.descending : isNumber(kind) });
        fillTable(place);
        details.querySelectorAll("th button")[columns.findIndex((one) => one[0] === column)].focus();
      });
      const order = isBy ? (by.descending ? "descending" : "ascending") : "none";
      return element("th", { scope: "col", className: isNumber(kind) ? "number" : "", "aria-sort": order }, button);
    };
    const cell = (row, [column, , kind]) =>
      element("td", { className: isNumber(kind) ? "number" : kind === "long" ? "long" : "" }, shown(row[column], kind));
    const table = element(
      "table",
      {},
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

  // ---- Charts

  const CONFIG = {
    background: "transparent",
    padding: { left: 5, top: 5, right: 20, bottom: 5 }, // the last label of an axis may stand half beyond its end
    font: "system-ui, sans-serif",
    view: { stroke: null },
    axis: {
      labelColor: "var(--soft)", titleColor: "var(--soft)", gridColor: "var(--line)", domainColor: "var(--line)",
      tickColor: "var(--line)", labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal",
    },
    axisBand: { grid: false },
    axisX: { grid: false },
    legend: { labelColor: "var(--text)", titleColor: "var(--soft)", labelFontSize: 12, symbolStrokeWidth: 2 },
    text: { color: "var(--text)" },
    rule: { color: "var(--soft)" },
    tick: { color: "var(--text)" },
    errorbar: { rule: { color: "var(--soft)" }, ticks: { color: "var(--soft)" } },
  };

  // Whether the money of one segment would press the lines of the others to the floor of a linear scale.
  function isFarApart(chart) {
    const column = chart.replace("trend_", "");
    const values = tables.figures.filter((row) => row.segment_key !== "all" && row[column] > 0).map((row) => row[column]);
    return Math.max(...values) > FAR_APART * Math.min(...values);
  }

  function chartOf({ dataset }) {
    return dataset.farApart && isFarApart(dataset.chart) ? dataset.farApart : dataset.chart;
  }

  function signals() {
    return {
      segment: chosen.segment,
      period: chosen.period,
      shown: tables.figures.length ? shownPeriod() : "",
      unit: figures.settings.period,
    };
  }

  async function draw(figure) {
    const { rows } = figure.dataset;
    const chart = chartOf(figure);
    let place = figure.querySelector(".chart");
    if (!place) {
      // To those who do not see it a chart is one picture with a name; its rows are in a table below it.
      place = element("div", { className: "chart", "aria-hidden": "true" });
      figure.append(element("div", { role: "img" }, place));
    }
    const isEmpty = tables[rows].length === 0;
    const caption = figure.querySelector("figcaption").textContent;
    place.parentElement.setAttribute("aria-label", isEmpty ? `${caption}: nothing to draw yet` : caption);
    if (isEmpty) {
      forget(figure);
      place.replaceChildren(element("p", { className: "nothing" }, "Nothing to draw yet."));
      return;
    }
    if (views.has(figure) && views.get(figure).chart !== chart) forget(figure);
    if (!views.has(figure)) {
      // Expressions are interpreted: the page's policy allows no code to be made from texts.
      const options = { actions: false, ast: true, renderer: "svg", config: CONFIG, logLevel: ERRORS };
      const { view } = await window.vegaEmbed(place, withRows(specs[chart], rows), options);
      views.set(figure, { view, chart });
      return;
    }
    const { view } = views.get(figure);
    view.data(rows, copies(rows));
    for (const [name, value] of Object.entries(signals())) view.signal(name, value);
    await view.runAsync();
  }

  function forget(figure) {
    views.get(figure)?.view.finalize();
    views.delete(figure);
  }

  // Vega marks the rows that it is given.
  const copies = (rows) => tables[rows].map((row) => ({ ...row }));

  function withRows(spec, rows) {
    const now = signals();
    const params = spec.params.map((one) => (one.name in now ? { ...one, value: now[one.name] } : one));
    return { ...spec, params, datasets: { [rows]: copies(rows) } };
  }

  async function drawAll() {
    await Promise.all([...document.querySelectorAll("figure[data-chart]")].filter((figure) => figure.offsetParent).map(draw));
    document.documentElement.dataset.drawn = String(Number(document.documentElement.dataset.drawn ?? 0) + 1);
  }

  // Paper follows at once, without time for anything asynchronous; then the charts fit themselves to the screen again.
  function drawForPaper() {
    for (const { view } of views.values()) view.width(PRINT_WIDTH).run();
  }

  function drawForScreen() {
    dispatchEvent(new Event("resize"));
  }

  // ---- Everything together

  function show() {
    const isEmpty = tables.figures.length === 0;
    byId("empty").hidden = !isEmpty;
    byId("everything").hidden = isEmpty;
    byId("filters").hidden = isEmpty;
    if (!isEmpty) {
      showFilters();
      showCards();
      showProfiles();
    }
    showWords();
    for (const place of document.querySelectorAll("[data-table]")) showTable(place);
    return drawAll();
  }

  function setTheme(wanted) {
    document.documentElement.dataset.theme = wanted;
    byId("theme").textContent = wanted === "dark" ? "Light" : "Dark";
  }

  // Served over HTTP, the page looks for newer figures and takes them in where it stands.
  async function lookForNews() {
    if (document.visibilityState !== "visible") return;
    let answer;
    try {
      answer = await fetch(location.pathname, { cache: "no-cache" });
    } catch {
      byId("news").textContent = "The server does not answer: these figures may be old.";
      return;
    }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const given = page.getElementById("figures")?.textContent;
    if (!given || given === byId("figures").textContent) {
      byId("news").textContent = "";
      return;
    }
    byId("figures").textContent = given;
    figures = JSON.parse(given);
    readRows();
    readHash();
    await show();
    byId("news").textContent = "";
  }

  function start() {
    const prefersDark = matchMedia("(prefers-color-scheme: dark)");
    setTheme(prefersDark.matches ? "dark" : "light");
    readRows();
    readHash();
    byId("segment").addEventListener("change", (event) => choose({ segment: event.target.value }));
    byId("period").addEventListener("change", (event) => choose({ period: event.target.value }));
    byId("clear").addEventListener("click", () => choose({ segment: "", period: "" }));
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
    prefersDark.addEventListener("change", () => setTheme(prefersDark.matches ? "dark" : "light"));
    addEventListener("beforeprint", drawForPaper);
    addEventListener("afterprint", drawForScreen);
    addEventListener("hashchange", () => {
      readHash();
      show();
    });
    show();
    if (location.protocol.startsWith("http")) setInterval(lookForNews, REFRESH_MILLISECONDS);
  }

  start();
})();
