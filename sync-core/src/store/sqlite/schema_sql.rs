//! What only the text of the schema says: the expressions of an index and the rows that it is about,
//! and the checks of a table.

/// What a `CREATE INDEX` says in parentheses, part by part, and after `WHERE`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct IndexSql {
    /// The indexed expressions, without their order.
    pub(crate) parts: Vec<String>,
    /// Which rows it is about; `None`: all.
    pub(crate) condition: Option<String>,
}

/// Takes a `CREATE INDEX` statement apart, as SQLite has it stored. `None` where it is none.
pub(crate) fn parse(sql: &str) -> Option<IndexSql> {
    let mut parsed = IndexSql::default();
    let (mut depth, mut begin, mut end) = (0usize, 0, None);
    for (at, token) in tokens(sql) {
        match token {
            "(" => {
                depth += 1;
                if depth == 1 {
                    begin = at + 1;
                }
            }
            "," if depth == 1 => {
                parsed.parts.push(without_order(&sql[begin..at]));
                begin = at + 1;
            }
            ")" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    parsed.parts.push(without_order(&sql[begin..at]));
                    end = Some(at + 1);
                    break;
                }
            }
            _ => {}
        }
    }
    let rest = &sql[end?..];
    if let Some((at, word)) = tokens(rest).find(|(_, token)| !is_comment(token)) {
        if !word.eq_ignore_ascii_case("WHERE") {
            return None;
        }
        parsed.condition = Some(rest[at + word.len()..].trim().to_owned());
    }
    Some(parsed)
}

/// The expressions of a table's CHECK clauses, in order.
pub(crate) fn checks(sql: &str) -> Vec<&str> {
    let mut found = Vec::new();
    // Where the open one begins, and how deep it is.
    let (mut depth, mut check, mut follows) = (0usize, None, false);
    for (at, token) in tokens(sql).filter(|(_, token)| !is_comment(token)) {
        match token {
            "(" => {
                depth += 1;
                if follows && check.is_none() {
                    check = Some((at + 1, depth));
                }
            }
            ")" => {
                if let Some((begin, _)) = check.take_if(|(_, opened)| *opened == depth) {
                    found.push(sql[begin..at].trim());
                }
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        follows = token.eq_ignore_ascii_case("CHECK");
    }
    found
}

/// Whether an expression may name a column.
pub(crate) fn mentions(sql: &str, column: &str) -> bool {
    tokens(sql).any(|(_, token)| {
        let name = token.trim_matches(['"', '`', '[', ']', '\'']);
        name.eq_ignore_ascii_case(column) || name.replace("\"\"", "\"").eq_ignore_ascii_case(column)
    })
}

fn without_order(part: &str) -> String {
    let last = tokens(part).filter(|(_, token)| !is_comment(token)).last();
    match last {
        Some((at, word)) if ["ASC", "DESC"].iter().any(|order| word.eq_ignore_ascii_case(order)) => {
            part[..at].trim().to_owned()
        }
        _ => part.trim().to_owned(),
    }
}

fn is_comment(token: &str) -> bool {
    token.starts_with("--") || token.starts_with("/*")
}

/// Words, strings, comments and single characters, each with its place.
fn tokens(sql: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += sql[at..].len() - sql[at..].trim_start().len();
        let rest = &sql[at..];
        let first = rest.chars().next()?;
        let length = match first {
            '\'' | '"' | '`' => quoted(rest, first),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => {
                let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
                let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                if word == 0 { first.len_utf8() } else { word }
            }
        };
        let token = (at, &rest[..length]);
        at += length;
        Some(token)
    })
}

/// The length of a quoted text, in which the quote is doubled.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_taken_apart() {
        let cases: &[(&str, &[&str], Option<&str>)] = &[
            ("CREATE UNIQUE INDEX i ON t(a)", &["a"], None),
            ("CREATE UNIQUE INDEX \"i(\" ON \"t)\" (lower(a) DESC, b)", &["lower(a)", "b"], None),
            ("CREATE UNIQUE INDEX i ON t(a, b) WHERE c = 'x, (y'", &["a", "b"], Some("c = 'x, (y'")),
            (
                "CREATE UNIQUE INDEX i ON [t(](a COLLATE NOCASE ASC)where d IS NULL",
                &["a COLLATE NOCASE"],
                Some("d IS NULL"),
            ),
            ("CREATE INDEX i ON t(a /* , */, b -- )\n) -- end", &["a /* , */", "b -- )"], None),
            ("CREATE INDEX i ON t('it''s', coalesce(a, (b)))", &["'it''s'", "coalesce(a, (b))"], None),
        ];
        for (sql, parts, condition) in cases {
            let parsed = parse(sql).unwrap_or_else(|| panic!("{sql}"));
            assert_eq!(parsed.parts, *parts, "{sql}");
            assert_eq!(parsed.condition.as_deref(), *condition, "{sql}");
        }
        for broken in ["", "CREATE INDEX i ON t", "CREATE INDEX i ON t(a", "CREATE INDEX i ON t(a) WITH x"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn checks_are_found() {
        let sql = "CREATE TABLE t(a INT CHECK(a > 0), \"check\" TEXT DEFAULT 'check(', b INT, -- CHECK(no)
            CONSTRAINT c check ( a < b AND (b <> 3) ), UNIQUE(a))";
        assert_eq!(checks(sql), ["a > 0", "a < b AND (b <> 3)"]);
        assert_eq!(checks("CREATE TABLE t(a)"), [""; 0]);
    }

    #[test]
    fn an_expression_names_its_columns() {
        assert!(mentions("lower(\"Name\") || 'x'", "name"));
        assert!(mentions("deleted_at IS NULL", "deleted_at"));
        assert!(!mentions("deleted_at IS NULL", "deleted"));
        assert!(mentions("[a b] + 1", "a b"));
    }
}
