// Everything together: what is shown when, and newer figures.

function show() {
  const isEmpty = tables.figures.length === 0;
  byId("empty").hidden = !isEmpty || isReading;
  byId("everything").hidden = isEmpty || isReading;
  byId("reader").hidden = !isReading;
  byId("health").hidden = isReading;
  byId("guide").textContent = isReading ? "Back to the figures" : "New here?";
  byId("guide").href = addressOf(!isReading) || "#";
  byId("filters").hidden = isEmpty;
  if (!isEmpty) {
    showFilters();
    showMissing();
    showCards();
    showOpportunities();
    showGrid();
    showProfiles();
    showCohorts();
  }
  showWords();
  showChanges();
  showReader();
  showKept();
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

// Who comes to the other page begins at its top.
function turnPage() {
  const wasReading = isReading;
  readHash();
  show();
  if (isReading === wasReading) return;
  scrollTo(0, 0);
  (isReading ? byId("h-reader") : byId("main")).focus({ preventScroll: true });
}

function start() {
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  setTheme(prefersDark.matches ? "dark" : "light");
  readRows();
  readHash();
  byId("segment").addEventListener("change", (event) => choose({ segment: event.target.value }));
  byId("period").addEventListener("change", (event) => choose({ period: event.target.value }));
  byId("lifecycle").addEventListener("change", (event) => choose({ lifecycle: event.target.value }));
  byId("clear").addEventListener("click", () => choose({ segment: "", period: "", lifecycle: "" }));
  byId("more-advice").addEventListener("click", () => {
    showsEveryOpportunity = !showsEveryOpportunity;
    showOpportunities();
  });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  prefersDark.addEventListener("change", () => setTheme(prefersDark.matches ? "dark" : "light"));
  addEventListener("beforeprint", drawForPaper);
  addEventListener("afterprint", drawForScreen);
  addEventListener("hashchange", turnPage);
  show();
  if (location.protocol.startsWith("http")) setInterval(lookForNews, REFRESH_MILLISECONDS);
}

start();
