-- Canonical spellings. A value is looked up by its letters and digits alone, in lower case, of whatever script;
-- a value that is not listed stays as the source wrote it, and a check names it.
create or replace temp table spellings as
select * from (values
    ('payment_method', 'upi', 'UPI'),
    ('payment_method', 'cod', 'COD'),
    ('payment_method', 'cash', 'COD'),
    ('payment_method', 'cashondelivery', 'COD'),
    ('payment_method', 'paypal', 'PayPal'),
    ('payment_method', 'creditcard', 'Credit card'),
    ('payment_method', 'credit', 'Credit card'),
    ('payment_method', 'debitcard', 'Debit card'),
    ('payment_method', 'debit', 'Debit card'),
    ('payment_method', 'netbanking', 'Net banking'),
    ('payment_method', 'banktransfer', 'Bank transfer'),
    ('payment_method', 'wallet', 'Wallet'),
    ('payment_method', 'giftcard', 'Gift card'),
    ('product_category', 'electronics', 'Electronics'),
    ('product_category', 'fashion', 'Fashion'),
    ('product_category', 'clothing', 'Fashion'),
    ('product_category', 'apparel', 'Fashion'),
    ('product_category', 'grocery', 'Grocery'),
    ('product_category', 'groceries', 'Grocery'),
    ('product_category', 'home', 'Home'),
    ('product_category', 'homekitchen', 'Home'),
    ('product_category', 'homeandkitchen', 'Home'),
    ('product_category', 'beauty', 'Beauty'),
    ('product_category', 'books', 'Books'),
    ('product_category', 'sports', 'Sports'),
    ('product_category', 'toys', 'Toys'),
    ('gender', 'f', 'female'),
    ('gender', 'female', 'female'),
    ('gender', 'woman', 'female'),
    ('gender', 'm', 'male'),
    ('gender', 'male', 'male'),
    ('gender', 'man', 'male'),
    ('gender', 'nonbinary', 'non-binary'),
    ('gender', 'nb', 'non-binary'),
    ('gender', 'other', 'other')
) as listed (field, lookup_key, canonical);

create or replace temp macro lookup_key_of(value) as regexp_replace(lower(value), '[^\pL\pM\pN]', '', 'g');
