// The same period a year before, because a shop's season makes a month unlike the one before it.

const MONTHS = "January February March April May June July August September October November December".split(" ");

// The period before, and the same one a year before, of those that are here.
function earlierFigures(row) {
  const before = periods().filter((one) => one < row.period).pop();
  return [before, row.year_before].map((period) => figureOf(period, row.segment_key));
}

function yearWords(row) {
  const before = periodName(row.year_before);
  return figureOf(row.year_before, "all")
    ? `Compared with the period before and, because of the season, with the same one a year before, ${before}.`
    : `Compared with the period before; of the same one a year before, ${before}, there are no figures here.`;
}

// True of a churn rate that chance alone sets apart from that of the same period a year before.
const isOfSeason = (row) => is(row?.churn_change_low) && row.churn_change_low <= 0 && row.churn_change_high >= 0;

// Whether a churn rate is what the season brings, beside the same period a year before.
function churnSeasonWords(row) {
  const before = periodName(row.year_before);
  if (!is(row.churn_change_low)) return `Whether it is the season's cannot be told: there is no churn rate of ${before}.`;
  if (isOfSeason(row)) return `Within chance the same as in ${before}: who is silent now may be so for the season.`;
  return row.churn_change_low > 0
    ? `Higher than ${before} by more than chance: not the season alone.`
    : `Lower than ${before} by more than chance.`;
}

// How the season is told from customers who have gone, in this shop's numbers.
function seasonWords() {
  const key = chosen.segment || "all";
  const rated = tables.figures.filter((row) => row.segment_key === key && is(row.churn_rate) && is(row.churn_rate_year_before));
  const both = (row) => row.churn_rate + row.churn_rate_year_before;
  const highest = rated.reduce((most, row) => (most && both(most) > both(row) ? most : row), null);
  return [
    "A season makes churn high after the same openings in every year: so each rate stands beside that of the same period a year before.",
    highest
      ? `Over two years that of ${key === "all" ? "all customers" : nameOf(key)} was highest from ${periodName(highest.year_before)} and ` +
        `${periodName(highest.period)} on: ${format.share(highest.churn_rate_year_before)} and ${format.share(highest.churn_rate)}.`
      : "There are no rates of two years yet.",
    modelSeasonWords(),
    silentWords(),
  ]
    .filter((sentence) => sentence)
    .join(" ");
}

function silentWords() {
  const [silent] = tables.silent;
  if (!silent?.waiting) return "";
  const window = `${figures.settings.churn_window_days} days`;
  return (
    `${whole.format(silent.customers)} customers have bought nothing for more than ${window}; ${whole.format(silent.waiting)} of them are not called dormant, ` +
    `because fewer than ${window} of the season have passed since their last purchase.`
  );
}

// How much faster time runs in the months of the model's season.
function modelSeasonWords() {
  const [model] = tables.purchase_models;
  if (!model || model.no_prediction_reason) return "";
  const { season } = model;
  if (!is(season)) return "The purchase model counts every day alike: no season was found that foretells better.";
  const month = (factor) => MONTHS[season.indexOf(factor)];
  const [least, most] = [Math.min(...season), Math.max(...season)];
  return (
    `The purchase model counts time in days of the shop's season: a day in ${month(most)} as ${write.tenths(most)}, in ${month(least)} as ${write.tenths(least)} days. ` +
    "So nobody is expected to buy as in the strong months, nor given up for being silent in the weak ones."
  );
}
