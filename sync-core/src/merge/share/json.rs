//! JSON arrays and the canonical text of their elements, by which they are compared.
//!
//! Space between tokens goes, members of objects are sorted by name, and strings are escaped only
//! where they must be. Numbers stay as they are spelled: `1` and `1.0` are two elements.

use std::collections::{BTreeMap, BTreeSet};

use crate::value::Value;

/// How deep arrays and objects may nest.
const MAX_DEPTH: usize = 64;

/// The elements of a JSON array; `None` where a value is none.
pub(super) fn elements(value: &Value) -> Option<BTreeSet<String>> {
    let Value::Text(text) = value else { return None };
    let mut parser = Parser { text: std::str::from_utf8(text).ok()?, at: 0 };
    parser.skip_space();
    let mut elements = BTreeSet::new();
    parser.list('[', ']', |parser| {
        elements.insert(parser.value(MAX_DEPTH)?);
        Some(())
    })?;
    parser.skip_space();
    (parser.at == text.len()).then_some(elements)
}

/// The array of these elements.
pub(super) fn array(elements: &BTreeSet<String>) -> Value {
    let elements: Vec<&str> = elements.iter().map(String::as_str).collect();
    Value::Text(format!("[{}]", elements.join(",")).into_bytes())
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        let trimmed = self.rest().trim_start_matches([' ', '\t', '\n', '\r']);
        self.at = self.text.len() - trimmed.len();
    }

    fn take(&mut self, token: &str) -> Option<()> {
        self.rest().starts_with(token).then(|| self.at += token.len())
    }

    /// Whatever is between two brackets, separated by commas.
    fn list(&mut self, open: char, close: char, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(open.encode_utf8(&mut [0; 4]))?;
        self.skip_space();
        if self.take(close.encode_utf8(&mut [0; 4])).is_some() {
            return Some(());
        }
        loop {
            self.skip_space();
            item(self)?;
            self.skip_space();
            if self.take(close.encode_utf8(&mut [0; 4])).is_some() {
                return Some(());
            }
            self.take(",")?;
        }
    }

    fn value(&mut self, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        match self.rest().chars().next()? {
            '[' => {
                let mut items = Vec::new();
                self.list('[', ']', |parser| {
                    items.push(parser.value(depth)?);
                    Some(())
                })?;
                Some(format!("[{}]", items.join(",")))
            }
            '{' => {
                let mut members = BTreeMap::new();
                self.list('{', '}', |parser| {
                    let name = parser.string()?;
                    parser.skip_space();
                    parser.take(":")?;
                    parser.skip_space();
                    members.insert(name, parser.value(depth)?);
                    Some(())
                })?;
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
                Some(format!("{{{}}}", members.join(",")))
            }
            '"' => self.string(),
            't' => self.take("true").map(|()| "true".to_owned()),
            'f' => self.take("false").map(|()| "false".to_owned()),
            'n' => self.take("null").map(|()| "null".to_owned()),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Option<String> {
        let from = self.at;
        let _ = self.take("-");
        if self.take("0").is_none() {
            self.digits()?;
        }
        if self.take(".").is_some() {
            self.digits()?;
        }
        if self.take("e").or_else(|| self.take("E")).is_some() {
            let _ = self.take("+").or_else(|| self.take("-"));
            self.digits()?;
        }
        Some(self.text[from..self.at].to_owned())
    }

    fn digits(&mut self) -> Option<()> {
        let trimmed = self.rest().trim_start_matches(|digit: char| digit.is_ascii_digit());
        let at = self.text.len() - trimmed.len();
        (at > self.at).then(|| self.at = at)
    }

    /// A string, escaped again.
    fn string(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut canonical = String::from("\"");
        loop {
            let next = self.rest().chars().next()?;
            self.at += next.len_utf8();
            match next {
                '"' => {
                    canonical.push('"');
                    return Some(canonical);
                }
                '\\' => push(&mut canonical, self.escaped()?),
                next if next < ' ' => return None,
                next => canonical.push(next),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(match next {
            '"' | '\\' | '/' => next,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.unit()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first);
                }
                self.take("\\u")?;
                let second = self.unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                char::from_u32(0x10000 + ((first - 0xd800) << 10) + second)?
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

fn push(text: &mut String, next: char) {
    match next {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        next if next < ' ' => text.push_str(&format!("\\u{:04x}", u32::from(next))),
        next => text.push(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Option<String> {
        match array(&elements(&Value::text(text))?) {
            Value::Text(bytes) => String::from_utf8(bytes).ok(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn arrays_have_one_text() {
        for (text, expected) in [
            ("[]", "[]"),
            (" [ ] ", "[]"),
            (r#"["b", "a","b"]"#, r#"["a","b"]"#),
            (r#"[1, 1.0, -2e+3, true, null]"#, "[-2e+3,1,1.0,null,true]"),
            (r#"[{"b":1, "a":[ 1,2 ]}]"#, r#"[{"a":[1,2],"b":1}]"#),
            (r#"["\u0041\n\/\ud83d\ude00"]"#, "[\"A\\n/\u{1f600}\"]"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
            assert_eq!(canonical(expected).as_deref(), Some(expected), "{expected}");
        }
    }

    #[test]
    fn what_is_no_array_is_none() {
        for text in
            ["", "1", "{}", "[", "[1", "[1,]", "[,1]", "[1] 2", "[01]", "[1.]", "[\"a]", "[\"\\x\"]", "[tru]"]
        {
            assert_eq!(canonical(text), None, "{text}");
        }
        assert_eq!(elements(&Value::Integer(1)), None);
        assert_eq!(elements(&Value::Text(b"[\"\xff\"]".to_vec())), None);
        assert_eq!(canonical(&"[".repeat(100_000)), None);
    }

    #[test]
    fn it_reads_what_serde_json_reads() {
        for text in [r#"[0.5e-7,"\u00e9\u2028",{"":[]},[[[]]],false]"#, "[0,-0,1E5]"] {
            let ours: serde_json::Value = serde_json::from_str(&canonical(text).unwrap()).unwrap();
            let theirs: serde_json::Value = serde_json::from_str(text).unwrap();
            let (ours, theirs) = (ours.as_array().unwrap(), theirs.as_array().unwrap());
            assert_eq!(ours.len(), theirs.len());
            assert!(theirs.iter().all(|element| ours.contains(element)), "{text}");
        }
    }
}
