// The small trend in a card: the last periods up to the one it speaks of. What it shows is said in words beside it.

const SPARK = { periods: 13, width: 120, height: 28, edge: 3 };

// `rows` of one segment by period; none below two figures, of which nothing is a trend.
function trend(rows, column, written) {
  const values = rows.slice(-SPARK.periods).map((row) => row[column]);
  const known = values.filter(is);
  if (known.length < 2) return null;
  const [least, most] = [Math.min(...known), Math.max(...known)].map(written);
  const words = `${least === most ? `${most} in each of` : `Between ${least} and ${most} in`} ${known.length} ${figures.settings.period}s.`;
  return element("p", { className: "trend" }, sparkline(values), element("span", {}, words));
}

// A period without a figure breaks the line; a figure alone is a dot (h0).
function sparkline(values) {
  const { width, height, edge } = SPARK;
  const known = values.filter(is);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const x = (place) => edge + (place / (values.length - 1)) * (width - 2 * edge);
  const y = (value) => (most > least ? height - edge - ((value - least) / (most - least)) * (height - 2 * edge) : height / 2);
  const points = values.map((value, place) => (is(value) ? [x(place).toFixed(1), y(value).toFixed(1)] : null));
  const path = points.map((point, place) => (point ? `${place && points[place - 1] ? "L" : "M"}${point.join(" ")}h0` : "")).join("");
  const [endX, endY] = points.filter(Boolean).pop();
  const picture = drawn("svg", { class: "sparkline", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  picture.append(drawn("path", { d: path }), drawn("circle", { cx: endX, cy: endY, r: 2.5 }));
  return picture;
}
