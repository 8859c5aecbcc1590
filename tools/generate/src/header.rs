//! The C header as data. The parser reads only what cbindgen writes.

/// A struct's member or a function's parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declaration {
    /// The type without `const`, `struct` and pointers, such as `char` or `esales_visitor`.
    pub(crate) base: String,
    /// How many `*` it has.
    pub(crate) pointers: usize,
    /// Its length, if it is an array.
    pub(crate) array: Option<usize>,
    pub(crate) name: String,
    pub(crate) doc: String,
}

#[derive(Debug)]
pub(crate) struct Struct {
    pub(crate) name: String,
    pub(crate) members: Vec<Declaration>,
}

impl Struct {
    /// The members without the first, which is `struct_size`.
    pub(crate) fn values(&self) -> &[Declaration] {
        self.members.get(1..).unwrap_or_default()
    }
}

/// A function, or the type of a callback.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) result: Declaration,
    pub(crate) parameters: Vec<Declaration>,
}

#[derive(Debug, Default)]
pub(crate) struct Header {
    pub(crate) structs: Vec<Struct>,
    pub(crate) callbacks: Vec<Function>,
    pub(crate) functions: Vec<Function>,
}

impl Header {
    pub(crate) fn parse(text: &str) -> Header {
        let mut header = Header::default();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(name) = line
                .strip_prefix("typedef struct ")
                .and_then(|rest| rest.strip_suffix(" {"))
            {
                header.structs.push(Struct {
                    name: name.to_owned(),
                    members: members(&mut lines),
                });
            } else if let Some(rest) = line.strip_prefix("typedef void (*") {
                header
                    .callbacks
                    .extend(function("void", &rest.replacen(')', "", 1)));
            } else if let Some((result, rest)) = prototype(line) {
                let mut whole = rest.to_owned();
                while !whole.ends_with(';') {
                    let Some(more) = lines.next() else { break };
                    whole = format!("{whole} {}", more.trim());
                }
                header.functions.extend(function(result, &whole));
            }
        }
        header
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Struct> {
        self.structs.iter().find(|s| s.name == name)
    }

    pub(crate) fn is_struct(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub(crate) fn is_callback(&self, name: &str) -> bool {
        self.callbacks.iter().any(|c| c.name == name)
    }
}

/// The text of a comment whose first line is `line`.
fn comment<'a>(line: &str, lines: &mut impl Iterator<Item = &'a str>) -> String {
    let mut code = vec![
        line.trim()
            .trim_start_matches("/**")
            .trim_end_matches("*/")
            .trim(),
    ];
    let mut is_open = !line.contains("*/");
    while is_open {
        let Some(more) = lines.next() else { break };
        is_open = !more.contains("*/");
        code.push(
            more.trim()
                .trim_end_matches("*/")
                .trim_start_matches('*')
                .trim(),
        );
    }
    code.join(" ").trim().to_owned()
}

fn members<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Vec<Declaration> {
    let mut found = Vec::new();
    let mut doc = String::new();
    while let Some(line) = lines.next() {
        if line.starts_with('}') {
            break;
        }
        if line.trim().starts_with("/**") {
            doc = comment(line, lines);
        } else if let Some(mut member) = declaration(line.trim().trim_end_matches(';')) {
            member.doc = std::mem::take(&mut doc);
            found.push(member);
        }
    }
    found
}

/// The result type of a function, and the rest of the line.
fn prototype(line: &str) -> Option<(&'static str, &str)> {
    ["int32_t ", "void ", "const char *"]
        .into_iter()
        .find_map(|result| Some((result, line.strip_prefix(result)?)))
        .filter(|(_, rest)| rest.starts_with("esales_"))
}

/// `name(parameters);`
fn function(result: &str, text: &str) -> Option<Function> {
    let (name, rest) = text.split_once('(')?;
    let parameters = rest.trim_end_matches(");");
    Some(Function {
        name: name.to_owned(),
        result: declaration(&format!("{} result", result.trim()))?,
        parameters: parameters.split(',').filter_map(declaration).collect(),
    })
}

/// Parses a declaration, such as `const struct esales_client *client` or `char out[65]`.
fn declaration(text: &str) -> Option<Declaration> {
    let text = text.trim();
    let pointers = text.matches('*').count();
    let plain = text.replace('*', " ");
    let mut code: Vec<&str> = plain
        .split_whitespace()
        .filter(|word| !matches!(*word, "const" | "struct"))
        .collect();
    let name = code.pop()?;
    let base = code.pop()?;
    let (name, array) = match name.split_once('[') {
        Some((name, length)) => (name, length.trim_end_matches(']').parse().ok()),
        None => (name, None),
    };
    Some(Declaration {
        base: base.to_owned(),
        pointers,
        array,
        name: name.to_owned(),
        doc: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_parser_reads_structs_functions_and_callbacks() {
        let header = Header::parse(
            "/**\n * What became of it.\n */\ntypedef struct esales_receipt {\n  /**\n   * Its size.\n   */\n  \
             uint32_t struct_size;\n  /**\n   * The id,\n   * as sent.\n   */\n  char id[129];\n  \
             const struct esales_line *lines;\n} esales_receipt;\n\n\
             typedef void (*esales_log_callback)(void *user_data, int32_t level, const char *message);\n\n\
             int32_t esales_client_new(const struct esales_config *config,\n                          \
             struct esales_client **out);\n\nconst char *esales_version(void);\n",
        );
        let receipt = header.find("esales_receipt").unwrap();
        let [id, lines] = receipt.values() else {
            panic!("{receipt:?}");
        };
        assert_eq!((id.array, id.doc.as_str()), (Some(129), "The id, as sent."));
        assert_eq!((lines.base.as_str(), lines.pointers), ("esales_line", 1));
        assert_eq!(header.callbacks[0].parameters.len(), 3);
        let [new, version] = header.functions.as_slice() else {
            panic!("{:?}", header.functions);
        };
        assert_eq!(new.parameters[1].pointers, 2);
        assert_eq!((version.result.pointers, version.parameters.len()), (1, 0));
    }
}
