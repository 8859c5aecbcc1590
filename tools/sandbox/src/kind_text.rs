//! The name of a kind for a person.

use crate::kind::Kind;

/// The kind as plain text, such as `add to cart`.
#[must_use]
pub fn kind_text(kind: Kind) -> String {
    match kind {
        Kind::End => "end of session".to_owned(),
        kind => {
            let name = kind.spec().name;
            name.replace("non_esales", "non-eSales").replace('_', " ")
        }
    }
}
