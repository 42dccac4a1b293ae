// Choosing a segment, a period and a lifecycle: filters, legend, and the address that remembers them.

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  isReading = given.has("read");
  const known = (value, values) => (values.includes(value) ? value : "");
  chosen = {
    segment: known(given.get("segment"), segmentKeys()),
    period: known(given.get("period") ?? figures.kept?.opens, periods()),
    lifecycle: known(given.get("lifecycle"), figures.lifecycles),
  };
}

function choose(change) {
  chosen = { ...chosen, ...change };
  history.replaceState(null, "", addressOf(isReading) || location.pathname + location.search);
  show();
}

// The part of the address that keeps the choice, of the figures or of the page of the words.
function addressOf(isRead) {
  const kept = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value)).toString();
  const parts = [isRead ? "read" : "", kept].filter((part) => part);
  return parts.length ? `#${parts.join("&")}` : "";
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
  fill(byId("lifecycle"), "All lifecycles", figures.lifecycles.map((one) => [one, one]), chosen.lifecycle);
  byId("clear").disabled = !Object.values(chosen).some((value) => value);
  const legend = byId("legend");
  const focused = document.activeElement.closest("#legend button")?.dataset.key;
  legend.replaceChildren(
    ...segmentKeys().map((key) => {
      const isChosen = chosen.segment === key;
      const button = element("button", { type: "button", "aria-pressed": String(isChosen) }, swatch(key), element("span", { className: "cut", title: nameOf(key) }, nameOf(key)));
      button.addEventListener("click", () => choose({ segment: isChosen ? "" : key }));
      button.dataset.key = key;
      return element("li", {}, button);
    }),
  );
  const buttonOf = (key) => legend.querySelector(`[data-key="${key}"]`);
  if (focused) buttonOf(focused)?.focus({ preventScroll: true });
  // On a phone the legend is one line: what is chosen is in sight.
  legend.scrollLeft = chosen.segment ? buttonOf(chosen.segment).offsetLeft - legend.offsetLeft : 0;
}
