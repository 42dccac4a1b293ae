// The cards of the KPIs.

function card(title, value, ...lines) {
  const written = lines
    .filter((line) => line)
    .map((line) => (typeof line === "string" ? element("p", {}, line) : line));
  return element("div", { className: "card" }, element("h3", {}, title), element("p", { className: "value" }, value), ...written);
}

// Judged, by colour and in words, only where one direction is better for a shop whatever else happens.
function change(now, before, { relative = false, better = 0, than }) {
  if (!is(now) || !is(before) || (relative && before === 0)) return null;
  const difference = relative ? now / before - 1 : now - before;
  const tenths = Math.round(1000 * difference);
  if (tenths === 0) return element("p", {}, `Unchanged against ${than}`);
  const judged = tenths * better;
  const verdict = judged > 0 ? "better" : judged < 0 ? "worse" : "";
  const arrow = element("span", { "aria-hidden": "true" }, tenths > 0 ? "▲ " : "▼ ");
  const size = relative ? format.growth(difference) : points(difference);
  return element("p", { className: verdict }, arrow, `${size} against ${than}${verdict ? `: ${verdict}` : ""}`);
}

// Those that the page has no words of its own for.
const plainKpis = () => figures.kpis.filter((kpi) => kpi.has_card);

function showCards() {
  const period = shownPeriod();
  const key = chosen.segment || "all";
  const row = figureOf(period, key);
  const soFar = tables.figures.filter((one) => one.segment_key === key && one.period <= period);
  const earlier = earlierFigures(row);
  const changes = (column, options = {}) =>
    earlier.map((one) => one && change(row[column], one[column], { ...options, than: periodName(one.period) }));
  const isOpen = row.is_complete ? null : "The period is still open.";
  // "customers ..."; of nobody there is no figure, and its reason says so.
  const evidence = (count, isLow, who) =>
    count ? `${isLow ? "Low confidence: only " : "Of "}${counted(count, "customer")}${who.replace("customers", "")}${isLow ? ", below 30" : ""}.` : null;
  const why = (reason) => (reason ? `None: ${reasons[reason] ?? reason}.` : null);
  const units = figures.settings.currency ? "" : ` ${currencyName()}`;
  byId("year-words").textContent = yearWords(row);
  byId("cards").replaceChildren(
    card(
      "CLV growth",
      shown(row.clv_growth, "growth"),
      why(row.clv_growth_reason),
      ...changes("clv_growth"),
      trend(soFar, "clv_growth", format.growth),
      "Of the net sales so far of the same customers. It falls as history gets longer: compare segments, not periods.",
      `Net sales so far of those in it at the close: ${brief(row.closing_clv)}.`,
      evidence(row.customers, row.low_sample, "customers at the opening"),
      isOpen,
    ),
    churnCard(row, soFar, evidence),
    card(
      "Average order value",
      shown(row.average_order_value, "money"),
      why(row.average_order_value_reason),
      ...changes("average_order_value", { relative: true, better: 1 }),
      trend(soFar, "average_order_value", brief),
      `Net of discounts, refunds not taken off. ${counted(row.orders, "purchase")}.`,
      ...besideWords("average_order_value", row),
      evidence(row.buyers, row.order_low_sample, "customers who bought"),
      isOpen,
    ),
    key === "all"
      ? card(
          "Net sales",
          brief(row.sales),
          ...changes("sales", { relative: true, better: 1 }),
          trend(soFar, "sales", brief),
          `${amount(row.sales)}${units}, refunds taken off.`,
          isOpen,
        )
      : card(
          "Contribution to sales",
          shown(row.sales_contribution, "share"),
          why(row.sales_contribution_reason),
          ...changes("sales_contribution"),
          trend(soFar, "sales_contribution", format.share),
          `${amount(row.sales)} of ${amount(figureOf(period, "all").sales)}${units}.`,
          ...besideWords("sales_contribution", row),
          isOpen,
        ),
    ...plainKpis().map((kpi) =>
      card(
        kpi.label,
        shown(row[kpi.column], KINDS[kpi.format]),
        why(row[`${kpi.column}_reason`]),
        ...changes(kpi.column, { relative: kpi.format === "money" || kpi.format === "ratio", better: BETTER[kpi.direction] }),
        trend(soFar, kpi.column, kpi.format === "money" ? brief : format[KINDS[kpi.format]]),
        kpi.meaning,
        ...besideWords(kpi.column, row),
        evidence(row[kpi.customers], row[kpi.low_sample], "customers"),
        isOpen,
      ),
    ),
  );
}

// A churn rate exists once its window is over: the card shows the latest that does, and the estimate until then.
function churnCard(row, soFar, evidence) {
  const rated = soFar.filter((one) => is(one.churn_rate));
  const latest = rated[rated.length - 1];
  const before = rated[rated.length - 2];
  const kind = row.in_hindsight ? "Estimate in hindsight" : "Early estimate";
  const estimate =
    is(row.estimated_churn_rate) && !is(row.churn_rate)
      ? `${kind} for ${periodName(row.period)}: ${format.share(row.estimated_churn_rate)} of the customers active at its opening.`
      : null;
  // What is the season's is neither better nor worse.
  const better = isOfSeason(latest) ? 0 : -1;
  if (!latest) return card("Churn rate", "-", `None: ${reasons[row.churn_rate_reason] ?? row.churn_rate_reason}.`, estimate);
  return card(
    "Churn rate",
    format.share(latest.churn_rate),
    latest.period === row.period ? null : `Of ${periodName(latest.period)}, the latest whose window is over.`,
    change(latest.churn_rate, before?.churn_rate, { better, than: before ? periodName(before.period) : "" }),
    change(latest.churn_rate, latest.churn_rate_year_before, { better, than: periodName(latest.year_before) }),
    trend(soFar.filter((one) => one.period <= latest.period), "churn_rate", format.share),
    `Between ${format.share(latest.churn_rate_low)} and ${format.share(latest.churn_rate_high)} (95%).`,
    churnSeasonWords(latest),
    evidence(latest.active, latest.churn_low_sample, "customers active at the opening"),
    estimate,
  );
}
