// Numbers, dates and names as people read them, and the look of a segment.

let write = {}; // a number or a date as a text, by how it is written: made by `readFormats` for the shop's locale and currency

function readFormats() {
  const { locale, currency } = figures.settings;
  const written = (options) => {
    const format = new Intl.NumberFormat(locale, options);
    return (value) => format.format(value).replace("-", "−");
  };
  const unit = currency ? { style: "currency", currency } : {};
  // A currency knows its decimals: yen have none, dinars three.
  const { minimumFractionDigits: decimals } = currency ? new Intl.NumberFormat(locale, unit).resolvedOptions() : { minimumFractionDigits: 2 };
  const fixed = (digits) => ({ minimumFractionDigits: digits, maximumFractionDigits: digits });
  const compact = (digits) => ({ useGrouping: true, notation: "compact", maximumSignificantDigits: digits });
  const percent = { style: "percent", ...fixed(1) };
  const dated = (options) => {
    const format = new Intl.DateTimeFormat(locale, { timeZone: "UTC", ...options });
    return (value) => format.format(new Date(value));
  };
  const signed = { ...fixed(1), signDisplay: "exceptZero" };
  write = {
    whole: written({ maximumFractionDigits: 0 }),
    tenths: written(fixed(1)),
    hundredths: written(fixed(2)),
    figure: written({ maximumSignificantDigits: 5 }),
    signed: written(signed),
    money: written({ ...unit, ...fixed(decimals) }),
    sum: written(fixed(decimals)),
    shortMoney: written({ ...unit, ...compact(3), minimumSignificantDigits: 3 }),
    share: written(percent),
    growth: written({ ...percent, ...signed }),
    month: dated({ month: "short", year: "numeric" }),
    day: dated({ dateStyle: "medium" }),
    instant: dated({ dateStyle: "medium", timeStyle: "short" }),
    // Of an axis: no digit that says nothing, and as many as neighbours need to differ.
    axisMoney: written({ ...unit, ...compact(4) }),
    axisCount: written(compact(4)),
    axisShare: written({ style: "percent", maximumFractionDigits: 1 }),
    axisGrowth: written({ style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" }),
  };
}

const whole = { format: (value) => write.whole(value) };
const amount = (value) => write.money(value);
const brief = (value) => (Math.abs(value) < 1000 ? write.money(value) : write.shortMoney(value));
const counted = (count, one) => `${whole.format(count)} ${one}${count === 1 ? "" : "s"}`;
const is = (value) => value !== null && value !== undefined;
const format = {
  text: (value) => String(value),
  long: (value) => String(value),
  flag: (value) => (value ? "yes" : "no"),
  reason: (value) => reasons[value] ?? String(value),
  count: (value) => write.whole(value),
  money: amount,
  ratio: (value) => write.hundredths(value),
  share: (value) => write.share(value),
  growth: (value) => write.growth(value),
  figure: (value) => write.figure(value),
  month: (value) => write.month(value),
  date: (value) => write.day(value),
  period: (value) => (figures.settings.period === "month" ? write.month(value) : write.day(value)),
};
// In a table the head says the unit.
const cells = { ...format, money: (value) => write.sum(value), share: (value) => write.tenths(100 * value), growth: (value) => write.signed(100 * value) };
const unitOf = (kind) => ({ money: currencyName(), share: "%", growth: "%" })[kind] ?? "";
const currencyName = () => figures.settings.currency ?? "currency units";
const points = (difference) => `${write.signed(100 * difference)} points`;
const shown = (value, kind, how = format) => (is(value) ? how[kind](value) : kind === "reason" ? "" : "-");
const isNumber = (kind) => !["text", "long", "flag", "reason", "month", "date", "period"].includes(kind);
const nameOf = (key) => names.get(key) ?? PLACES[key] ?? key;
const periodName = (period) => (figures.settings.period === "week" ? `week of ${write.day(period)}` : format.period(period));

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

function drawn(tag, properties) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  return made;
}

// Its line with its point, as in the charts.
function swatch(key) {
  const { color, dash, shape, fill } = lookOf(key);
  const mark = drawn("svg", { class: "swatch", viewBox: "0 0 36 12", "aria-hidden": "true" });
  mark.append(
    drawn("path", { d: "M0 6h36", stroke: color, "stroke-width": 2, "stroke-dasharray": dash.join(" ") }),
    drawn("path", { d: MARKS[shape], transform: "translate(12)", stroke: color, fill: color, "fill-opacity": fill }),
  );
  return mark;
}
