//! The table of notification kinds and their fields. It uses no other module, because the sandbox compiles this file
//! too.
//!
//! A row defines the path and the JSON body of a kind in version 1 of the web API. Validation, JSON, the flags of the
//! command, the sandbox's members, the constants and classes of every language and the tables of the documentation are
//! generated from the rows.

/// Whether a notification may be sent again if the service may have processed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Repeat {
    /// It has an id and is sent again with the same bytes.
    WithId,
    /// A repetition has no effect in the service, so it is sent again.
    Harmless,
    /// The service would count it twice. It is sent again only if the service certainly did not process it.
    Counts,
}

/// A row of the table of fields.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FieldSpec {
    /// Which field it is.
    pub field: Field,
    /// Name in C, Rust, Python and messages, such as `product_key`.
    pub name: &'static str,
    /// Member of the JSON body. `None`: the field is not in the body.
    pub json: Option<&'static str>,
    /// Greatest length of the value, in bytes; for `lines`, the greatest number of lines.
    pub max: usize,
    /// Whether printed notifications, such as `repr` in Python, leave the field out.
    pub is_hidden: bool,
    /// One sentence for the reference pages.
    pub doc: &'static str,
}

/// Whether a kind has a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// The field is required.
    Required,
    /// At least one of the fields with this mark is required.
    OneOf,
}

/// A row of the table of kinds.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct KindSpec {
    /// Which kind it is.
    pub kind: Kind,
    /// Name in Rust, Python, PHP and messages, such as `add_to_cart`. The command uses hyphens.
    pub name: &'static str,
    /// Constant in C, such as `ESALES_ADD_TO_CART`.
    pub constant: &'static str,
    /// Path of the web API, after the origin.
    pub path: &'static str,
    /// Whether the body carries the id.
    pub has_id: bool,
    /// Whether it may be sent again if it may have arrived.
    pub repeat: Repeat,
    /// The fields, in the order of the body.
    pub fields: &'static [(Field, Need)],
    /// One sentence about what the visitor did, for the reference pages.
    pub doc: &'static str,
}

/// Greatest length of a ticket, in bytes. Tickets of the service have a few hundred.
pub const MAX_TICKET: usize = 8192;
/// Greatest length of a product key or variant key, in bytes.
pub const MAX_PRODUCT_KEY: usize = 256;
/// Greatest number of lines of an order.
pub const MAX_LINES: usize = 10_000;
/// Greatest length of a private key, in bytes.
pub const MAX_PRIVATE_KEY: usize = 4096;

/// Declares an enum and the table of its rows. A row's first two members are the variant and its number.
macro_rules! table {
    ($(#[$enum_attr:meta])* $Enum:ident, $(#[$rows_attr:meta])* $ROWS:ident: $Row:ident, $of:ident;
     $($Variant:ident = $code:literal: { $($member:ident: $value:expr),* $(,)? })*) => {
        $(#[$enum_attr])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum $Enum {
            $(#[doc = table!(@doc $($member: $value),*)] $Variant = $code,)*
        }

        $(#[$rows_attr])*
        pub const $ROWS: &[$Row] = &[$($Row { $of: $Enum::$Variant, $($member: $value),* },)*];

        impl $Enum {
            /// The row of the table.
            #[must_use]
            pub fn spec(self) -> &'static $Row {
                match self {
                    $($Enum::$Variant => const { &$Row { $of: $Enum::$Variant, $($member: $value),* } },)*
                }
            }
        }
    };
    (@doc doc: $doc:expr) => { $doc };
    (@doc $member:ident: $value:expr, $($rest:tt)*) => { table!(@doc $($rest)*) };
}

macro_rules! path {
    ($name:literal) => {
        concat!("/api/v1/notifications/", $name)
    };
}

#[rustfmt::skip]
table! {
    /// What the visitor did. The numbers are those of the C API: they are never renumbered or reused.
    Kind,
    /// Every kind, in the order of the codes.
    KINDS: KindSpec, kind;
    AddToCart = 1: {
        name: "add_to_cart", constant: "ESALES_ADD_TO_CART", path: path!("adding-to-cart"), has_id: true,
        repeat: Repeat::WithId, fields: &[(Field::Ticket, Need::Required)],
        doc: "The visitor added to the cart a product that the service had returned.",
    }
    Click = 2: {
        name: "click", constant: "ESALES_CLICK", path: path!("click"), has_id: true,
        repeat: Repeat::WithId, fields: &[(Field::Ticket, Need::Required)],
        doc: "The visitor clicked a product that the service had returned.",
    }
    NonEsalesClick = 3: {
        name: "non_esales_click", constant: "ESALES_NON_ESALES_CLICK", path: path!("non-esales-click"), has_id: true,
        repeat: Repeat::WithId, fields: &[(Field::ProductKey, Need::OneOf), (Field::VariantKey, Need::OneOf)],
        doc: "The visitor clicked a product that did not come from the service and has no ticket.",
    }
    NonEsalesAddToCart = 4: {
        name: "non_esales_add_to_cart", constant: "ESALES_NON_ESALES_ADD_TO_CART",
        path: path!("non-esales-adding-to-cart"), has_id: true,
        repeat: Repeat::WithId, fields: &[(Field::ProductKey, Need::OneOf), (Field::VariantKey, Need::OneOf)],
        doc: "The visitor added to the cart a product that did not come from the service and has no ticket.",
    }
    Payment = 5: {
        name: "payment", constant: "ESALES_PAYMENT", path: path!("payment"), has_id: false,
        repeat: Repeat::Counts, fields: &[(Field::Lines, Need::Required)],
        doc: "The visitor paid for an order. Some clusters accept only signed payments.",
    }
    SecurePayment = 6: {
        name: "secure_payment", constant: "ESALES_SECURE_PAYMENT", path: path!("payment"), has_id: false,
        repeat: Repeat::Counts, fields: &[(Field::Lines, Need::Required), (Field::PrivateKey, Need::Required)],
        doc: "The visitor paid for an order. The notification is signed with the shop's private key, and its lines may have costs.",
    }
    End = 7: {
        name: "end", constant: "ESALES_END", path: path!("end"), has_id: false,
        repeat: Repeat::Harmless, fields: &[],
        doc: "The visitor signed out: the session ends.",
    }
}

#[rustfmt::skip]
table! {
    /// A field of a notification, other than its kind, id and visitor.
    Field,
    /// Every field.
    FIELDS: FieldSpec, field;
    Ticket = 1: {
        name: "ticket", json: Some("ticket"), max: MAX_TICKET, is_hidden: true,
        doc: "The opaque string that the service returned with the product, 1 to 8192 bytes, sent unchanged.",
    }
    ProductKey = 2: {
        name: "product_key", json: Some("productKey"), max: MAX_PRODUCT_KEY, is_hidden: false,
        doc: "The shop's key of the product, 1 to 256 bytes. The service may refuse a notification without it (400), even if `variant_key` is set.",
    }
    VariantKey = 3: {
        name: "variant_key", json: Some("variantKey"), max: MAX_PRODUCT_KEY, is_hidden: false,
        doc: "The shop's key of the variant, 1 to 256 bytes.",
    }
    Lines = 4: {
        name: "lines", json: Some("lines"), max: MAX_LINES, is_hidden: false,
        doc: "The lines of the order, 1 to 10,000.",
    }
    PrivateKey = 5: {
        name: "private_key", json: None, max: MAX_PRIVATE_KEY, is_hidden: true,
        doc: "The shop's private key, 1 to 4096 bytes. The library signs the payment with it during the call and does not keep it.",
    }
}

impl Kind {
    /// The kind with this C code.
    #[must_use]
    pub fn from_code(code: i32) -> Option<Kind> {
        let row = KINDS.iter().find(|row| row.kind as i32 == code)?;
        Some(row.kind)
    }

    /// The kind with this name, such as `add_to_cart`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Kind> {
        let row = KINDS.iter().find(|row| row.name == name)?;
        Some(row.kind)
    }

    /// Whether the kind has this field; `None`: it does not.
    #[must_use]
    pub fn need(self, field: Field) -> Option<Need> {
        let row = self.spec();
        let (_, need) = row.fields.iter().find(|(of_kind, _)| *of_kind == field)?;
        Some(*need)
    }
}
