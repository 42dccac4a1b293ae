// What the page knows: the figures it was given, what is chosen, and how things look.

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
let chosen = { segment: "", period: "", lifecycle: "" };
let isReading = false; // the page of the words, at the address #read
