"""Kinds of opportunities, that is of what is to be done with customers, in words: one record each.

Its rows, the customers, the money and the figures in the words, are those of `sql/report/opportunities.sql`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Opportunity:
    """One kind. `{...}` in its words is a figure of the row (`FACTS`) or a setting in days, `{window}` and `{horizon}`.

    Attributes:
        sentence: what there is to be gained or kept, with its size.
        money: how the money is figured, to stand below it.
        rule: which customers these are.
        seen: which figure moves, in which direction and when, if it works.
        nobody: why there is nothing to say where no customer is one of these.

    """

    kind: str
    title: str
    sentence: str
    money: str
    rule: str
    seen: str
    nobody: str


# How the page writes each figure.
FACTS: Mapping[str, str] = {
    **dict.fromkeys(("customers", "in_group", "like_them", "came", "expected", "fewest", "most", "days"), "count"),
    **dict.fromkeys(("with_coupon", "without_coupon"), "count"),
    **dict.fromkeys(("money", "each", "coupon_discounts", "refunded", "sales"), "money"),
    **dict.fromkeys(("discount_share", "shop_discount_share", "refund_share", "shop_refund_share"), "share"),
    "opened_on": "date",
}

# Why customers have no advice.
NO_ADVICE: Mapping[str, str] = {
    "few_customers": "fewer than 30 customers",
    "nobody_like_them": "no 30 customers of the segment were like them a churn window ago, to see what became of them",
    "short_history": "no period began a churn window ago yet, so nobody can be watched since",
    "nothing": "the money comes to nothing or less",
    "one_customer": "one customer makes more than half of the money",
    "too_few_customers": "there are no predictions: the shop has fewer than 100 customers",
    "too_few_repeat_customers": "there are no predictions: fewer than 50 customers came back",
    "too_short_history": "there are no predictions: the shop has less than 56 days of history",
    "no_maximum": "there are no predictions: purchases do not fit the model",
    "out_of_bounds": "there are no predictions: they were out of bounds",
}

_SINCE = (
    "{came} of those bought again in the {days} days since. At the same rates about {expected} of these do in the next "
    "{days} days ({fewest} to {most} at 95%) and bring {money}, {each} each."
)
_COMES_BY_ITSELF = (
    "net sales in the next {days} days if as many buy again as did then. As much comes by itself: a campaign is worth "
    "what comes beyond"
)
_OF_A_YEAR = "in the last 365 days"

OPPORTUNITIES: tuple[Opportunity, ...] = (
    Opportunity(
        kind="keep",
        title="Keep",
        sentence="{customers} customers have more likely than not stopped buying, although their latest purchase is at "
        "most {window} days ago. The model still expects {money} from them in the next {horizon} days.",
        money="predicted value of the next {horizon} days, already weighed with the chance that they are gone: what is "
        "lost if all of them are",
        rule="Lifecycle at risk: the chance that a customer still buys is below one half.",
        seen="The churn rate of the segment falls: its early estimate at the next opening, what happened {window} days "
        "after that.",
        nobody="nobody is at risk",
    ),
    Opportunity(
        kind="win_back",
        title="Win back",
        sentence="{customers} of {in_group} dormant customers have been silent as long as {like_them} of the segment "
        f"had been on {{opened_on}}. {_SINCE}",
        money=_COMES_BY_ITSELF,
        rule="No purchase for more than {window} days. Compared within the segment and by how long they are silent: "
        "up to two windows of {window} days, up to four, longer.",
        seen="More than {most} of them buy within {days} days; up to that it may be chance. Leave out every tenth by "
        "chance, and compare.",
        nobody="nobody is dormant",
    ),
    Opportunity(
        kind="second_purchase",
        title="Second purchase",
        sentence="{customers} of {in_group} customers who have bought on one day are as far from it as {like_them} of "
        f"the segment were on {{opened_on}}. {_SINCE}",
        money=_COMES_BY_ITSELF,
        rule="One purchase day, and neither at risk nor dormant: those are counted there. Compared within the segment "
        "and by thirds of {window} days since the purchase.",
        seen="More than {most} of them buy again within {days} days; up to that it may be chance. The first 90 days of "
        "newer cohorts are worth more.",
        nobody="nobody has bought on one day only and is neither at risk nor dormant",
    ),
    Opportunity(
        kind="needless_coupons",
        title="Fewer coupons",
        sentence=f"{{customers}} customers bought more often without a coupon ({{without_coupon}} purchases "
        f"{_OF_A_YEAR}) than with one ({{with_coupon}}). On those with one they were given {{money}} of discounts.",
        money=f"at most: their discounts with coupons {_OF_A_YEAR}. How many of these purchases needed the coupon is "
        "not known",
        rule=f"New or active, and more purchases without a coupon than with one {_OF_A_YEAR}. Nobody who drifts away "
        "is to lose one.",
        seen="Discounts of the segment fall from the next period on, and its churn rate does not rise {window} days "
        "later. If it does, the coupons were needed.",
        nobody="nobody who is new or active uses coupons and buys more often without",
    ),
    Opportunity(
        kind="coupon_dependence",
        title="Coupon dependence",
        sentence=f"{{customers}} customers bought {{with_coupon}} times with a coupon {_OF_A_YEAR} and "
        "{without_coupon} times without. Coupons took {discount_share} off what they bought, {coupon_discounts}; of "
        "what all customers bought they took {shop_discount_share}. {money} is beyond that.",
        money=f"their discounts with coupons {_OF_A_YEAR}, beyond the shop's share",
        rule=f"New or active, with at least three purchases with a coupon {_OF_A_YEAR} and no more without.",
        seen="Give a part of them, by chance, smaller coupons: their discounts fall at once, and {window} days later "
        "as many of them as of the others have bought.",
        nobody="nobody who is new or active buys mostly with coupons",
    ),
    Opportunity(
        kind="returns",
        title="Serial returners",
        sentence=f"{{customers}} customers gave back {{refunded}} of the {{sales}} that they bought {_OF_A_YEAR}: "
        "{refund_share}, in the whole shop it is {shop_refund_share}. {money} is beyond that.",
        money=f"their refunds {_OF_A_YEAR}, beyond the shop's share",
        rule=f"Not dormant, refunds on three days or more {_OF_A_YEAR}, and more than three times the shop's share of "
        "refunds.",
        seen="The refund share beside the average order value falls from the next period on, and the average after "
        "refunds rises.",
        nobody="nobody gives back on three days or more and far beyond the shop's share",
    ),
)
