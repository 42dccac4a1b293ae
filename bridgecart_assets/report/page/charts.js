// The charts: Vega-Lite specifications with the rows of this page.

const CONFIG = {
  background: "transparent",
  customFormatTypes: true,
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

// What the charts call their numbers (`formatType`), written as everywhere on the page.
const AS = Object.fromEntries(
  Object.entries({
    money: amount, count: format.count, share: format.share, growth: format.growth, ratio: format.ratio, figure: format.figure,
    period: format.period, month: format.month, tenths: (value) => write.tenths(value), signed: (value) => write.hundredths(value),
    axis_money: (value) => write.axisMoney(value), axis_count: (value) => write.axisCount(value),
    axis_ratio: (value) => write.figure(value), axis_figure: (value) => write.figure(value),
    axis_share: (value) => write.axisShare(value), axis_growth: (value) => write.axisGrowth(value),
  }).map(([name, written]) => [`as_${name}`, (value) => (is(value) ? written(value) : "-")]),
);

// Whether the largest would press the others to the floor of a scale that begins at zero.
function isFarApart(chart) {
  const [least, most] = extent(chart);
  return least > 0 && most > FAR_APART * least;
}

// The least and the most that a chart has to tell apart: money above zero, of a bridge how far its steps reach.
function extent(chart) {
  if (chart === "bridge") {
    const reached = tables.bridge.filter((row) => row.period === shownPeriod() && row.segment_key === (chosen.segment || "all")).map((row) => row.ends);
    return [Math.max(...reached) - Math.min(...reached), Math.max(...reached)];
  }
  const column = chart.replace("trend_", "");
  const values = tables.figures.filter((row) => row.segment_key !== "all" && row[column] > 0).map((row) => row[column]);
  return [Math.min(...values), Math.max(...values)];
}

function chartOf({ dataset }) {
  return dataset.farApart && isFarApart(dataset.chart) ? dataset.farApart : dataset.chart;
}

function signals() {
  return {
    segment: chosen.segment,
    period: chosen.period,
    lifecycle: chosen.lifecycle,
    shown: tables.figures.length ? shownPeriod() : "",
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
  const nothing = nothingToDraw(figure.dataset);
  const caption = figure.querySelector("figcaption").textContent;
  place.parentElement.setAttribute("aria-label", nothing ? `${caption}. ${nothing}` : caption);
  if (nothing) {
    forget(figure);
    place.replaceChildren(element("p", { className: "nothing" }, nothing));
    return;
  }
  if (views.has(figure) && views.get(figure).chart !== chart) forget(figure);
  if (!views.has(figure)) {
    // Expressions are interpreted: the page's policy allows no code to be made from texts.
    const options = { actions: false, ast: true, renderer: "svg", config: CONFIG, expressionFunctions: AS, logLevel: ERRORS };
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
