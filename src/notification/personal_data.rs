//! Recognises customer keys that are personal data. It uses no other module, because the sandbox
//! compiles this file too.

/// Returns what a customer key looks like if it looks like personal data. The service must not be
/// given a user name, an e-mail address or a national id as a key.
///
/// Such a key is sent nevertheless, and the library only logs a warning, because a random key may
/// look like this. The results are "an e-mail address", "a number", "a national id or a phone
/// number" and "a user name".
#[must_use]
pub fn personal_data(customer_key: &str) -> Option<&'static str> {
    /// Ids of persons and customers have fewer digits; random numbers have more.
    const LONGEST_NUMBER: usize = 19;
    /// The longest national ids have 18 characters.
    const LONGEST_ID: usize = 18;
    const LONGEST_NAME: usize = 40;
    let key = customer_key;
    if key.contains('@') || key.contains('%') && key.contains("%40") {
        return Some("an e-mail address");
    }
    if key.len() > LONGEST_NAME {
        return None;
    }
    // A UUID, the usual key, is too long for both.
    if key.len() <= LONGEST_NUMBER {
        let digits = key.bytes().filter(u8::is_ascii_digit).count();
        if digits > 0 && digits == key.len() {
            return Some("a number");
        }
        let letters = key.bytes().filter(u8::is_ascii_alphabetic).count();
        let is_of_id = |b: u8| b.is_ascii_alphanumeric() || b"-+./()".contains(&b);
        if key.len() <= LONGEST_ID && digits >= 6 && letters <= 2 && key.bytes().all(is_of_id) {
            return Some("a national id or a phone number");
        }
    }
    is_user_name(key).then_some("a user name")
}

/// User names such as `anna.svensson`, `anna_svensson2`, `asvensson82`: words of letters with a dot
/// or an underscore between them, or with a few digits at the end. Random keys have digits
/// anywhere.
fn is_user_name(key: &str) -> bool {
    const SEPARATORS: [char; 2] = ['.', '_'];
    let name = key.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = key.len() - name.len();
    let separators = name.matches(SEPARATORS).count();
    let is_word = |word: &str| word.chars().all(char::is_alphabetic) && !word.is_empty();
    (separators > 0 || digits > 0)
        && digits <= 4
        && name.len() - separators >= 4
        && name.split(SEPARATORS).all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_in_a_key_is_recognised() {
        for (key, looks_like) in [
            ("anna@example.com", "an e-mail address"),
            ("anna%40example.com", "an e-mail address"),
            ("4711", "a number"),
            ("1", "a number"),
            ("0701234567", "a number"),
            ("198112189876", "a number"),
            ("19811218-9876", "a national id or a phone number"),
            ("811218+9876", "a national id or a phone number"),
            ("131052-308T", "a national id or a phone number"),
            ("123-45-6789", "a national id or a phone number"),
            ("12345678Z", "a national id or a phone number"),
            ("+46701234567", "a national id or a phone number"),
            ("anna.svensson", "a user name"),
            ("Anna_Svensson2", "a user name"),
            ("asvensson82", "a user name"),
            // The longest and the shortest key of each form.
            (&"9".repeat(19), "a number"),
            ("123456-789012-3456", "a national id or a phone number"),
            ("12-3456", "a national id or a phone number"),
            ("AB123456", "a national id or a phone number"),
            ("asvensson1234", "a user name"),
            ("ab.cd", "a user name"),
            (&format!("{}.a", "a".repeat(38)), "a user name"),
        ] {
            assert_eq!(personal_data(key), Some(looks_like), "{key}");
        }
        let sha256 = "85d0c1e318151f3beceed00efefeed7f3961b0b4a4db57e06746fd02733cd63d";
        for key in [
            "d9528030-509c-4e0f-b585-7168f1e9feca",
            "b106299c-eac0-4f6f-96d2-93e57c255784",
            sha256,
            "0.nd2bj6h4pi9",
            "c",
            "",
            "customer-key",
            "V1StGXR8_Z5jdHi6B-myT",
            "4f1c2ab9d03e5f6789ab0c1d2e3f4a5b",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "a4b8c2d9",
            "12345678901234567890",
            "123456-7890-123-456",
            "12-345",
            "ABC123456",
            "123456#7",
            "asvensson12345",
            "a.bc",
            "anna..svensson",
            "customer",
            "a%b",
            &format!("{}.a", "a".repeat(39)),
        ] {
            assert_eq!(personal_data(key), None, "{key}");
        }
    }
}
