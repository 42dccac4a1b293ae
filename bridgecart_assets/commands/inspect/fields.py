"""The fields of an order that are looked for, and the names that sources give them."""

from bridgecart_assets.commands.inspect.readings import (
    as_coupon,
    as_discount,
    as_money,
    as_number,
    as_text,
    as_time,
    as_time_of_day,
    as_version,
    as_void,
)
from bridgecart_assets.commands.inspect.seeking import Sought

FIELDS = (
    Sought(
        "order_id",
        "orderid orderno ordernumber ordernr orderref orderreference orderuuid ordercode incrementid amazonorderid "
        "bestellnummer bestellnr bestellid auftragsnummer auftragsnr numerocommande numerodecommande ncommande "
        "numeropedido numerodepedido numerodopedido idpedido numeroordine bestelnummer receiptid receiptnumber",
        "merchantreference purchaseid transactionid invoiceno invoiceid invoice rechnungsnummer rechnungsnr pedido "
        "commande ordine order number reference oid id",
        as_text,
        not_within="customer client user buyer member visitor account store shop product item address payment",
    ),
    Sought(
        "version",
        "version revision orderversion sourcelsn lsn",
        "sequence sourcetsms updatedat updated modifiedat datemodified dateupdated dateupd lastmodified "
        "lastmodifiedat lastupdatedat lastupdated lastupdatedate updatetime update",
        as_version,
    ),
    Sought(
        "is_void",
        "cancelled canceled iscancelled iscanceled cancelledat canceledat isvoid voided orderstatus status orderstate "
        "state statemachinestate",
        "deleted isdeleted deletedat",
        as_void,
    ),
    Sought(
        "customer_id",
        "customerid customeruniqueid idcustomer customerref customerno customernumber customernr customeruuid "
        "customer kundennummer kundennr kundenid numeroclient ncliente nclient idclient idcliente codicecliente "
        "codigocliente klantnummer klantnr",
        "clientid userid userpseudoid buyerid buyeruserid shopperreference payerid consumerid loyaltyid loyaltycard "
        "accountid memberid contactid uid kunde client cliente email customeremail buyeremail buyerusername username",
        as_text,
    ),
    Sought(
        "purchase_date",
        "purchasedate purchasedat orderpurchase orderedat orderdate orderdatetime placedat orderplacedat "
        "ordercreatedat createdat created createdon creationdate datecreated createtime create createddate "
        "bestelldatum auftragsdatum datecommande datedecommande fechapedido fechadepedido dataordine datadopedido "
        "besteldatum",
        "completedat processedat transactiondate invoicedate rechnungsdatum date timestamp occurredat time dateadd "
        "datum fecha data eventdate eventtimestamp saledate closedat when placed orderplaced",
        as_time,
    ),
    Sought(
        "purchase_amount",
        "purchaseamount ordertotal orderamount totalamount amounttotal grandtotal totalprice ordervalue grossamount "
        "grosstotal totalmoney totalpaid totalinctax totalincltax purchaserevenue gesamtbetrag gesamtsumme "
        "gesamtpreis endbetrag bruttobetrag bestellwert montanttotal totalttc importetotal importototale valortotal "
        "totaalbedrag totale totaal total",
        "amount amountmoney sales netsales turnover subtotal revenue gross price paymentvalue paymentamount value sum "
        "betrag rechnungsbetrag summe montant importe importo valor bedrag",
        as_money,
    ),
    Sought(
        "discount_amount",
        "discountamount totaldiscount totaldiscounts discounttotal discount rabatt remise descuento desconto sconto "
        "korting",
        "discounts discountvalue rebate",
        as_discount,
    ),
    Sought("refunded_amount", "refundedamount amountrefunded totalrefunded refunded", "", as_money),
    Sought(
        "refunded_date",
        "refundedat refunddate refundedon",
        "updatedat datemodified dateupdated dateupd lastmodifiedat lastupdated lastupdatedate updatetime update",
        as_time,
    ),
    Sought(
        "currency",
        "currency currencycode ordercurrency ordercurrencycode currencyisocode wahrung waehrung devise moneda moeda",
        "valuta",
        as_text,
    ),
    Sought(
        "coupon_used",
        "couponused couponcode coupon vouchercode voucher promocode promotioncode gutscheincode "
        "gutschein codepromo cupon cupom",
        "discountcode",
        as_coupon,
    ),
    Sought(
        "payment_method",
        "paymentmethod paymenttype paymethod zahlungsart zahlungsmethode zahlart modepaiement modedepaiement "
        "moyendepaiement metododepago formadepago metododipagamento formadepagamento betaalmethode betaalwijze",
        "paymentprovider paymentgateway paymentmethoddetails payment",
        as_text,
    ),
    Sought(
        "product_category",
        "productcategory category produktkategorie warengruppe",
        "producttype department kategorie categorie categoria",
        as_text,
    ),
    Sought("name", "customername customerfullname fullname", "username buyername", as_text),
    Sought("mobile", "mobile mobilenumber customerphone phonenumber phone", "telephone", as_text),
    Sought("gender", "gender sex", "", as_text),
    Sought("age", "age customerage", "", as_number),
    Sought("income", "income annualincome", "", as_number),
)
"""In the order in which they stand in a mapping."""

LINE_AMOUNT = Sought(
    "line amount", "linetotal lineamount linevalue itemtotal itemamount rowtotal extendedprice", "", as_money
)
UNITS = Sought("units", "units", "", as_number)
NANOS = Sought("billionths", "nanos", "", as_number)
EVENT_TIME = Sought(
    "event time",
    "occurredat occurredon eventtime eventtimestamp emittedat publishedat sentat timestamp time ts",
    "updatedat updated createdat created date",
    as_version,
)
TIME_OF_DAY = Sought(
    "time of day",
    "time timeofday ordertime saletime purchasetime transactiontime uhrzeit heure hora ora tijd",
    "",
    as_time_of_day,
)
PRICE = Sought("price", "unitprice price unitamount unit", "amount", as_number)
QUANTITY = Sought("quantity", "quantity qty units", "count", as_number)
CATEGORY = Sought("category", "category productcategory producttype", "department", as_text)
FIRST_NAME = Sought("first name", "firstname givenname customerfirstname", "", as_text)
LAST_NAME = Sought("last name", "lastname surname familyname customerlastname", "", as_text)
EMAIL = Sought("email", "email customeremail buyeremail billingemail contactemail", "", as_text)
BIRTH_YEAR = Sought("birth year", "birthyear yearofbirth", "", as_number)
REFUNDS = frozenset({"refunds", "refund", "creditmemos"})
REFUND_AMOUNT = Sought("refund", "amount refundamount refundedamount total totalamount", "", as_money)
REFUND_TIME = Sought("refund time", "refundedat refunddate createdat datecreated processedat created date", "", as_time)
COUPONS = frozenset({"couponlines", "coupons", "discountcodes", "vouchers", "couponcodes"})
