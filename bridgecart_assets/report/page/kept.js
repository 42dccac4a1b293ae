// The head of a report that is kept, and the way to those of closed periods.

function showKept() {
  const { kept, kept_words: words } = figures;
  const way = kept === undefined ? null : element("a", { href: "index.html" }, "Reports of closed periods");
  byId("kept").replaceChildren(...(words ? [`${words} `] : []), ...(way ? [way] : []));
  if (kept) document.title = words.split(",")[0];
}
