// Numbers and names as people read them, and the look of a segment.

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
