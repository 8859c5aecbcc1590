//! Writes a JSON object, member by member, in the given order.

/// An unfinished JSON object.
pub(super) struct Object<'a> {
    out: &'a mut String,
    is_empty: bool,
}

impl<'a> Object<'a> {
    pub(super) fn open(out: &'a mut String) -> Object<'a> {
        out.push('{');
        Object {
            out,
            is_empty: true,
        }
    }

    /// Begins a member. The caller writes its value.
    pub(super) fn member(&mut self, name: &str) -> &mut String {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// Writes a member whose value is already JSON.
    pub(super) fn raw(&mut self, name: &str, value: &str) {
        self.member(name).push_str(value);
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        let out = self.member(name);
        // A check of all bytes at once is many times faster; very few texts need escapes.
        let is_special = |found: bool, b: u8| found | (b < 0x20) | (b == b'"') | (b == b'\\');
        match value.bytes().fold(false, is_special) {
            false => {
                out.push('"');
                out.push_str(value);
                out.push('"');
            }
            true => out.push_str(&serde_json::Value::from(value).to_string()),
        }
    }

    pub(super) fn close(self) {
        self.out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_are_escaped_as_serde_escapes_them() {
        for text in [
            "",
            "UK",
            "a\"b",
            "a\\b",
            // Each of these bytes alone, and twice.
            "\"",
            "\"\"",
            "\\",
            "\\\\",
            "\u{1}",
            "\u{1}\u{1}",
            "tab\t\u{1}\u{1f}",
            "\u{7f}\u{80}åäö日本\u{1f600}",
            "</script>",
        ] {
            let mut out = String::new();
            let mut object = Object::open(&mut out);
            object.text("x", text);
            object.raw("y", "1.50");
            object.close();
            let expected = serde_json::to_string(text).unwrap();
            assert_eq!(out, format!("{{\"x\":{expected},\"y\":1.50}}"));
        }
    }

    #[test]
    fn json_object_without_members_is_empty() {
        let mut out = String::new();
        Object::open(&mut out).close();
        assert_eq!(out, "{}");
    }
}
