"""Amounts of an order: discount, refunds, zero orders, cents; and the canonical spellings."""

from collections.abc import Iterable
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.sql import read_sql
from bridgecart_assets.synthetic import catalog
from bridgecart_assets_tests.sql.silver import Row, SilverWarehouse, judge_events
from bridgecart_assets_tests.support.examples import examples

Amounts = tuple[str, Decimal, Decimal, Decimal]


def _amounts(judged: Row) -> Amounts:
    return judged["order_kind"], judged["gross_amount"], judged["discount_amount"], judged["net_amount"]


def _without_discount(amount: int) -> tuple[Amounts, list[str]]:
    """An order whose discount cannot be: it counts, and says that it is without."""
    kind = "refund" if amount < 0 else "purchase" if amount else "zero"
    return (kind, Decimal(amount), Decimal(0), Decimal(amount)), ["out_of_range_discount_amount"]


def _judge_amounts(
    pairs: Iterable[tuple[float, float]], *, amount_is_net: bool
) -> dict[tuple[float, float], Amounts | tuple[Amounts, list[str]]]:
    fields = {pair: {"purchase_amount": pair[0], "discount_amount": pair[1]} for pair in pairs}
    judged = [row for row in judge_events(*fields.values(), amount_is_net=amount_is_net) if isinstance(row, dict)]
    amounts = [(_amounts(row), row["ignored_fields"]) if row["ignored_fields"] else _amounts(row) for row in judged]
    return dict(zip(fields, amounts, strict=True))


def test_the_discount_comes_off_the_amount() -> None:
    expected = {
        (100, 0): ("purchase", 100, 0, 100),
        (100, 10): ("purchase", 100, 10, 90),
        (100, 100): ("zero", 100, 100, 0),
        (0, 0): ("zero", 0, 0, 0),
        (0.001, 0): ("zero", 0, 0, 0),
        (-100, 0): ("refund", -100, 0, -100),
        (-100, -10): ("refund", -100, -10, -90),
        (-100, -100): ("refund", -100, -100, 0),
        (100, 100.01): _without_discount(100),
        (100, -10): _without_discount(100),
        (-100, 10): _without_discount(-100),
        (-100, -100.01): _without_discount(-100),
        (0, 1): _without_discount(0),
        (0, -1): _without_discount(0),
    }
    assert _judge_amounts(expected, amount_is_net=False) == expected


def test_an_amount_that_is_net_already_keeps_its_value() -> None:
    expected = {
        (100, 0): ("purchase", 100, 0, 100),
        (100, 10): ("purchase", 110, 10, 100),
        (10, 90): ("purchase", 100, 90, 10),
        (0, 100): ("zero", 100, 100, 0),
        (0, 0): ("zero", 0, 0, 0),
        (-90, -10): ("refund", -100, -10, -90),
        (100, -10): _without_discount(100),
        (-100, 10): _without_discount(-100),
        (0, -10): _without_discount(0),
    }
    assert _judge_amounts(expected, amount_is_net=True) == expected


CENTS = st.integers(-(10**11), 10**11)


@examples(8)
@given(st.lists(st.tuples(CENTS, st.integers(0, 10**11)), min_size=5, max_size=40), st.booleans())
def test_gross_is_net_and_discount_to_the_cent(pairs: list[tuple[int, int]], amount_is_net: bool) -> None:
    amounts = [(Decimal(cents) / 100, Decimal(min(off, abs(cents))).copy_sign(cents) / 100) for cents, off in pairs]
    fields = [{"purchase_amount": float(amount), "discount_amount": float(discount)} for amount, discount in amounts]
    for (amount, discount), judged in zip(amounts, judge_events(*fields, amount_is_net=amount_is_net), strict=True):
        assert isinstance(judged, dict)
        _, gross, stored_discount, net = _amounts(judged)
        assert (stored_discount, net + stored_discount) == (discount, gross)
        assert (net if amount_is_net else gross) == amount


def test_ten_cents_a_thousand_times_are_a_hundred() -> None:
    judged = judge_events(*[{"purchase_amount": 0.1, "discount_amount": 0.03}] * 1_000)
    assert sum(row["net_amount"] for row in judged if isinstance(row, dict)) == Decimal("70.00")


# --- canonical spellings


def _spellings() -> list[tuple[str, str, str, str, str]]:
    warehouse = SilverWarehouse()
    with warehouse.reading() as connection:
        for statement in connection.extract_statements(read_sql("silver/tmp_spellings")):
            connection.execute(statement)
        return connection.execute(
            "select field, lookup_key, canonical, lookup_key_of(lookup_key), lookup_key_of(canonical) from spellings"
        ).fetchall()


def test_no_spelling_is_listed_twice() -> None:
    keys = [(field, key) for field, key, *_ in _spellings()]
    assert len(set(keys)) == len(keys)


def test_spellings_are_listed_by_their_letters_and_every_canonical_spelling_leads_to_itself() -> None:
    spellings = _spellings()
    canonical_of = {(field, key): canonical for field, key, canonical, *_ in spellings}
    for field, key, canonical, key_again, canonical_key in spellings:
        assert key == key_again
        assert canonical_of[field, canonical_key] == canonical


def test_a_value_gets_its_canonical_spelling_or_keeps_its_own() -> None:
    expected = [
        ("payment_method", "upi", "UPI"),
        ("payment_method", " U.P.I ", "UPI"),
        ("payment_method", "PAYPAL", "PayPal"),
        ("payment_method", "Pay-Pal", "PayPal"),
        ("payment_method", "cash_on_delivery", "COD"),
        ("payment_method", "CREDIT CARD", "Credit card"),
        ("payment_method", "Lottery ticket", "Lottery ticket"),
        ("payment_method", "现金UPI", "现金UPI"),
        ("payment_method", "çod", "çod"),
        ("payment_method", "c\u0327od", "c\u0327od"),
        ("payment_method", "...", "..."),
        ("product_category", "Home & Kitchen", "Home"),
        ("product_category", "ELECTRONICS", "Electronics"),
        ("product_category", "upi", "upi"),
    ]
    judged = judge_events(*({field: value} for field, value, _ in expected))
    found = [row[field] if isinstance(row, dict) else row for (field, *_), row in zip(expected, judged, strict=True)]
    assert found == [canonical for *_, canonical in expected]


def test_everything_the_generator_writes_has_a_canonical_spelling() -> None:
    known = {(field, canonical) for field, _, canonical, *_ in _spellings()}
    fields = [{"payment_method": method} for method in catalog.SPELLINGS]
    fields += [{"product_category": category} for category in catalog.CATEGORIES]
    for changed, judged in zip(fields, judge_events(*fields), strict=True):
        assert isinstance(judged, dict)
        (field,) = changed
        assert (field, judged[field]) in known
