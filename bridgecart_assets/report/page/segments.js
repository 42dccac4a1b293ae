// The segments in words.

const LEAST_DAYS = 60; // since the first purchase, in the mean: below it, purchase days a year are mostly extrapolated

// What customers did, counted from their orders.
function deeds(row, bought = "Bought") {
  const often =
    row.days_each < LEAST_DAYS
      ? `${write.tenths(row.purchase_days_each)} of the first ${write.tenths(row.days_each)} days, too few for a yearly figure`
      : `${write.tenths(row.purchase_days_a_year)} days a year`;
  const coupons = is(row.coupon_share) ? `${format.share(row.coupon_share)} of the purchases with a coupon` : "coupons unknown";
  return [
    `${bought} on ${often}, ${format.money(row.net_a_purchase_day)} on each, ${coupons}.`,
    `Average order so far ${format.money(row.average_order_value)} before refunds, ${format.ratio(row.orders_a_purchase_day)} orders on such a day. ` +
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
