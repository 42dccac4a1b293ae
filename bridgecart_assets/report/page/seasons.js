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

// Whether a churn rate is what the season brings, beside the same period a year before.
function churnSeasonWords(row) {
  const before = periodName(row.year_before);
  if (!is(row.churn_change_low)) return `No churn rate of ${before} to tell a season from a loss by.`;
  if (row.churn_change_low > 0) return `Higher than ${before} by more than chance: not the season alone.`;
  if (row.churn_change_high < 0) return `Lower than ${before} by more than chance.`;
  return `Within chance the same as in ${before}: who is silent now may be so for the season.`;
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
