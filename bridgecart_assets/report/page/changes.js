// What became of the segments from version to version of their model, newest first.

function showChanges() {
  byId("h-changes").hidden = !tables.versions.length;
  byId("changes").replaceChildren(
    ...tables.versions.map((version) =>
      element("li", {}, element("strong", {}, `Version ${version.version}`), ...standingWords(version), changeWords(version).join(" ")),
    ),
  );
}

function changeWords(version) {
  const rows = tables.segment_changes.filter((row) => row.version === version.version);
  const became = (what) => rows.filter((row) => row.became === what);
  const told = (title, found, words) => (found.length ? `${title}: ${found.map(words).join("; ")}.` : null);
  const kept = became("kept").map((row) => row.segment_key);
  return [
    `Fitted to ${whole.format(version.fitted_customers)} customers.`,
    askedWords(version),
    told("The first segments", became("first"), called),
    kept.length ? `Kept key and name: ${kept.join(", ")}.` : null,
    told("Renamed", became("renamed"), (row) => `${row.segment_key}, “${row.earlier_segment}” before, “${row.segment}” after`),
    told("New", became("new"), called),
    told("Gone", became("gone"), (row) => `${row.segment_key} “${row.earlier_segment}”`),
    keptWords(version),
    version.remarks,
  ].filter(is);
}

const called = (row) => `${row.segment_key} “${row.segment}”`;

function standingWords({ standing, as_of, in_force_from }) {
  const [asOf, from] = [as_of, in_force_from].map((date) => shown(date, "date"));
  if (standing === "proposed") {
    const command = element("code", {}, "bridgecart run --accept-model");
    return [` is proposed on the orders before ${asOf} and waits for a person: until `, command, " the one before decides. "];
  }
  if (standing === "not accepted") return [` was proposed on the orders before ${asOf}, and nobody accepted it before the next one. `];
  const accepted = in_force_from > as_of ? `, when a person accepted what was fitted on the orders before ${asOf}` : "";
  return [standing === "in force" ? ` is in force since ${from}${accepted}. ` : ` came into force on ${from}${accepted}. `];
}

// The only reason for a refit that the versions themselves tell.
function askedWords({ version, segments_asked: asked }) {
  const before = tables.versions.find((row) => row.version < version && row.standing !== "not accepted");
  return before && is(asked) && is(before.segments_asked) && asked !== before.segments_asked
    ? `Another number of segments was asked for: ${asked} instead of ${before.segments_asked}.`
    : null;
}

function keptWords({ standing, agreement, customers_kept: kept, fitted_customers: all }) {
  if (!is(agreement)) return null;
  const verb = standing === "proposed" || standing === "not accepted" ? "would keep" : "kept";
  return `${whole.format(kept)} of ${whole.format(all)} customers ${verb} their segment (${format.share(agreement)}).`;
}
