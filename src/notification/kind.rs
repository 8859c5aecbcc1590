//! The kinds of notification and their fields: the one table that declares them. Pure, and without other modules: the
//! sandbox compiles this file too.
//!
//! A kind's row says how the notification is worded for version 1 of the web API. Validation, JSON, the command's flags,
//! the sandbox's members, every language's constants and notification class, and the tables of the documentation come
//! from it.

/// What may be done when it is not known whether the service processed a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Repeat {
    /// It carries an id, and is sent again with the same bytes.
    WithId,
    /// A second one changes nothing: it is sent again.
    Harmless,
    /// The service would count it twice: it is sent again only if it is certain that the service did not process it.
    Counts,
}

/// A row of the table of fields.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FieldSpec {
    /// Which field it is.
    pub field: Field,
    /// Its name in C, Rust, Python and in messages, such as `product_key`.
    pub name: &'static str,
    /// The member of the JSON body; `None`: it is not in the body.
    pub json: Option<&'static str>,
    /// Longest value, in bytes; of `lines`, the most.
    pub max: usize,
    /// Whether it stays out of what a program prints of a notification, such as `repr` in Python.
    pub is_hidden: bool,
    /// One sentence for the reference pages.
    pub doc: &'static str,
}

/// Whether a kind has a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// It must be there.
    Required,
    /// One at least of the fields that are marked so must be there.
    OneOf,
}

/// A row of the table of kinds.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct KindSpec {
    /// Which kind it is.
    pub kind: Kind,
    /// Its name in Rust, Python, PHP and in messages, such as `add_to_cart`. The command writes it with hyphens.
    pub name: &'static str,
    /// Its constant in C, such as `ESALES_ADD_TO_CART`.
    pub constant: &'static str,
    /// The path of the web API, below the origin.
    pub path: &'static str,
    /// Whether the body carries the id.
    pub has_id: bool,
    /// What may be done when it is not known whether it arrived.
    pub repeat: Repeat,
    /// Its fields, in the order of the body.
    pub fields: &'static [(Field, Need)],
    /// What the visitor did: one sentence for the reference pages.
    pub doc: &'static str,
}

/// Longest ticket, in bytes. The service's own are a few hundred.
pub const MAX_TICKET: usize = 8192;
/// Longest product key or variant key, in bytes.
pub const MAX_PRODUCT_KEY: usize = 256;
/// Most lines of an order.
pub const MAX_LINES: usize = 10_000;
/// Longest private key, in bytes.
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
            /// Its row of the table.
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
    /// What the visitor did. The numbers are the C API's: never renumbered, never reused.
    Kind,
    /// Every kind, in the order of the codes.
    KINDS: KindSpec, kind;
    AddToCart = 1: {
        name: "add_to_cart", constant: "ESALES_ADD_TO_CART", path: path!("adding-to-cart"), has_id: true,
        repeat: Repeat::WithId, fields: &[(Field::Ticket, Need::Required)],
        doc: "The visitor added a product to the cart that the service had shown.",
    }
    Click = 2: {
        name: "click", constant: "ESALES_CLICK", path: path!("click"), has_id: true,
        repeat: Repeat::WithId, fields: &[(Field::Ticket, Need::Required)],
        doc: "The visitor clicked a product that the service had shown.",
    }
    NonEsalesClick = 3: {
        name: "non_esales_click", constant: "ESALES_NON_ESALES_CLICK", path: path!("non-esales-click"), has_id: true,
        repeat: Repeat::WithId, fields: &[(Field::ProductKey, Need::OneOf), (Field::VariantKey, Need::OneOf)],
        doc: "The visitor clicked a product that the service had not shown, so that there is no ticket for it.",
    }
    NonEsalesAddToCart = 4: {
        name: "non_esales_add_to_cart", constant: "ESALES_NON_ESALES_ADD_TO_CART",
        path: path!("non-esales-adding-to-cart"), has_id: true,
        repeat: Repeat::WithId, fields: &[(Field::ProductKey, Need::OneOf), (Field::VariantKey, Need::OneOf)],
        doc: "The visitor added a product to the cart that the service had not shown, so that there is no ticket for it.",
    }
    Payment = 5: {
        name: "payment", constant: "ESALES_PAYMENT", path: path!("payment"), has_id: false,
        repeat: Repeat::Counts, fields: &[(Field::Lines, Need::Required)],
        doc: "The visitor paid for an order. Not every cluster accepts payments that are not signed.",
    }
    SecurePayment = 6: {
        name: "secure_payment", constant: "ESALES_SECURE_PAYMENT", path: path!("payment"), has_id: false,
        repeat: Repeat::Counts, fields: &[(Field::Lines, Need::Required), (Field::PrivateKey, Need::Required)],
        doc: "The visitor paid for an order. The shop's private key signs the notification, and its lines may have costs.",
    }
    End = 7: {
        name: "end", constant: "ESALES_END", path: path!("end"), has_id: false,
        repeat: Repeat::Harmless, fields: &[],
        doc: "The visitor signed out: the session ends.",
    }
}

#[rustfmt::skip]
table! {
    /// A member of a notification beside its kind, its id and its visitor.
    Field,
    /// Every field.
    FIELDS: FieldSpec, field;
    Ticket = 1: {
        name: "ticket", json: Some("ticket"), max: MAX_TICKET, is_hidden: true,
        doc: "The service's own opaque string for what the visitor saw, 1 to 8192 bytes, sent as it is.",
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
        doc: "The shop's private key, 1 to 4096 bytes. It signs the payment during the call and is never kept.",
    }
}

impl Kind {
    /// The kind of a C code.
    #[must_use]
    pub fn from_code(code: i32) -> Option<Kind> {
        let row = KINDS.iter().find(|row| row.kind as i32 == code)?;
        Some(row.kind)
    }

    /// The kind of a name, such as `add_to_cart`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Kind> {
        let row = KINDS.iter().find(|row| row.name == name)?;
        Some(row.kind)
    }

    /// Whether it has this field.
    #[must_use]
    pub fn need(self, field: Field) -> Option<Need> {
        let row = self.spec();
        let (_, need) = row.fields.iter().find(|(of_kind, _)| *of_kind == field)?;
        Some(*need)
    }
}
