"""Values of an order's fields: product categories, payment methods with their spellings in the wild, genders."""

CATEGORIES: tuple[str, ...] = (
    "Electronics",
    "Fashion",
    "Grocery",
    "Home & Kitchen",
    "Beauty",
    "Sports",
    "Books",
    "Toys",
)
"""Product categories, by index."""

CATEGORY_POPULARITY: tuple[float, ...] = (0.9, 1.1, 1.0, 0.8, 0.6, 0.4, 0.4, 0.3)
"""Dirichlet parameters of a customer's category preferences, small enough for tastes to differ."""

PAYMENT_SPELLINGS: tuple[tuple[str, ...], ...] = (
    ("UPI", "upi", "Upi"),
    ("COD", "Cash on Delivery", "cash_on_delivery", "cod"),
    ("Credit Card", "credit_card", "CREDIT CARD"),
    ("Debit Card", "debit_card", "DEBIT CARD"),
    ("PayPal", "paypal", "PAYPAL"),
    ("Net Banking", "net_banking", "Netbanking"),
)
"""One row per payment method; the first spelling is the canonical one and the most frequent."""

PAYMENT_POPULARITY: tuple[float, ...] = (0.42, 0.20, 0.16, 0.10, 0.05, 0.07)
"""Share of customers that prefer each payment method."""

SHARE_PREFERRED_PAYMENT = 0.8
"""Chance that an order is paid by the customer's preferred method; otherwise any method, by popularity."""

SHARE_CANONICAL_SPELLING = 0.7
"""Chance that the method is spelled canonically; otherwise any of its spellings."""

SPELLINGS: tuple[str, ...] = tuple(spelling for row in PAYMENT_SPELLINGS for spelling in row)
"""All spellings, by index."""

GENDERS: tuple[str, ...] = ("Female", "Male", "Other")
"""Genders, by index."""

GENDER_SHARES: tuple[float, ...] = (0.48, 0.50, 0.02)
