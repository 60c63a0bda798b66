//! What is to be done about conflicts, table by table and column by column, as data.
//!
//! Rules are rows of an ordinary synced table, [`RULES_TABLE`], so every replica and the hub come to
//! know the same ones. They are made of words, and a word that this build does not know applies to
//! nothing here: a newer one may have written it.

use std::collections::BTreeMap;
use std::fmt;

use super::MergeType;

/// The synced table of the rules.
///
/// ```sql
/// CREATE TABLE __pocketsync_rules(
///   tbl TEXT NOT NULL,              -- the table that the rule is for
///   col TEXT NOT NULL DEFAULT '',   -- the column; '' for the whole table
///   strategy TEXT,                  -- last_write_wins, hub_wins, client_wins, resolver
///   on_delete TEXT,                 -- delete_wins, last_writer_wins; for whole tables
///   merge TEXT,                     -- lww, counter, max, min, set; for columns
///   PRIMARY KEY(tbl, col)) WITHOUT ROWID
/// ```
pub const RULES_TABLE: &str = "__pocketsync_rules";

/// The word for a column that merges as any other does.
const LAST_WRITE_WINS: &str = "lww";

/// Who wins where two replicas wrote the same cell without knowing of each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// The later write.
    #[default]
    LastWriteWins,
    /// What the hub had.
    HubWins,
    /// What came to the hub last.
    ClientWins,
    /// What the hub's [`Resolver`](super::Resolver) says; where the hub has none, the later write.
    Resolver,
}

/// Who wins where one replica deleted a row and another one changed it without knowing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[non_exhaustive]
pub enum OnDelete {
    /// The row is gone.
    #[default]
    DeleteWins,
    /// The row is back if it was changed later than it was deleted.
    LastWriterWins,
}

/// One rule: what is set for a table, or for a column of it.
///
/// ```
/// use pocketsync_core::conflict::{OnDelete, Rule, Strategy};
/// let mut rule = Rule::table("note");
/// rule.on_delete = Some(OnDelete::LastWriterWins);
/// let mut title = Rule::column("note", "title");
/// title.strategy = Some(Strategy::HubWins);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Rule {
    /// The table.
    pub table: String,
    /// The column; `None`: every column of the table that has no rule of its own.
    pub column: Option<String>,
    /// Who wins between writes of a cell; `None`: what the table says, or else the later write.
    pub strategy: Option<Strategy>,
    /// Who wins between a deletion and a change; `None`: the deletion. For whole tables.
    pub on_delete: Option<OnDelete>,
    /// How the values of the column are merged; `None`: the later write wins. For columns.
    pub merge: Option<MergeType>,
    /// Words in this rule that this build does not know: they apply to nothing here.
    pub unknown: Vec<String>,
}

impl Strategy {
    const ALL: [Strategy; 4] =
        [Strategy::LastWriteWins, Strategy::HubWins, Strategy::ClientWins, Strategy::Resolver];

    /// The word that stands for it in a rule.
    pub const fn as_str(self) -> &'static str {
        match self {
            Strategy::LastWriteWins => "last_write_wins",
            Strategy::HubWins => "hub_wins",
            Strategy::ClientWins => "client_wins",
            Strategy::Resolver => "resolver",
        }
    }

    /// What a word in a rule stands for.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.as_str().eq_ignore_ascii_case(word))
    }
}

impl OnDelete {
    /// The word that stands for it in a rule.
    pub const fn as_str(self) -> &'static str {
        match self {
            OnDelete::DeleteWins => "delete_wins",
            OnDelete::LastWriterWins => "last_writer_wins",
        }
    }

    /// What a word in a rule stands for.
    pub fn named(word: &str) -> Option<Self> {
        let all = [OnDelete::DeleteWins, OnDelete::LastWriterWins];
        all.into_iter().find(|choice| choice.as_str().eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for OnDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Rule {
    /// A rule for a table that sets nothing yet.
    pub fn table(table: impl Into<String>) -> Self {
        Rule { table: table.into(), ..Rule::default() }
    }

    /// A rule for a column that sets nothing yet.
    pub fn column(table: impl Into<String>, column: impl Into<String>) -> Self {
        Rule { column: Some(column.into()), ..Rule::table(table) }
    }

    /// A rule from the words of a row of [`RULES_TABLE`].
    pub fn parse(
        table: &str,
        column: &str,
        strategy: Option<&str>,
        on_delete: Option<&str>,
        merge: Option<&str>,
    ) -> Self {
        let mut rule = if column.is_empty() { Rule::table(table) } else { Rule::column(table, column) };
        if let Some(word) = strategy {
            rule.strategy = Strategy::named(word);
            if rule.strategy.is_none() {
                rule.unknown.push(word.to_owned());
            }
        }
        if let Some(word) = on_delete {
            rule.on_delete = OnDelete::named(word);
            if rule.on_delete.is_none() {
                rule.unknown.push(word.to_owned());
            }
        }
        if let Some(word) = merge.filter(|word| !word.eq_ignore_ascii_case(LAST_WRITE_WINS)) {
            rule.merge = MergeType::named(word);
            if rule.merge.is_none() {
                rule.unknown.push(word.to_owned());
            }
        }
        rule
    }
}

/// The rules of a scope, to be asked. Names are compared as SQLite compares them, without regard to
/// the case of ASCII letters.
///
/// ```
/// use pocketsync_core::conflict::{Rule, Rules, Strategy};
/// let rules = Rules::new([
///     Rule::parse("Note", "", Some("client_wins"), None, None),
///     Rule::parse("note", "title", Some("hub_wins"), None, None),
/// ]);
/// assert_eq!(rules.strategy("note", "Title"), Strategy::HubWins);
/// assert_eq!(rules.strategy("NOTE", "body"), Strategy::ClientWins);
/// assert_eq!(rules.strategy("tag", "name"), Strategy::LastWriteWins);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// By table, then by column (`""`: the table itself), both in lower case.
    tables: BTreeMap<String, BTreeMap<String, Rule>>,
}

impl Rules {
    /// Puts rules together. Of two for the same thing, spelled differently, the last one counts.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut tables: BTreeMap<String, BTreeMap<String, Rule>> = BTreeMap::new();
        for rule in rules {
            let column = rule.column.as_deref().unwrap_or_default().to_ascii_lowercase();
            tables.entry(rule.table.to_ascii_lowercase()).or_default().insert(column, rule);
        }
        Rules { tables }
    }

    /// Who wins between writes of a cell.
    pub fn strategy(&self, table: &str, column: &str) -> Strategy {
        let Some(columns) = self.of(table) else { return Strategy::default() };
        let own = columns.get(&column.to_ascii_lowercase()).and_then(|rule| rule.strategy);
        own.or_else(|| columns.get("")?.strategy).unwrap_or_default()
    }

    /// Who wins between a deletion and a change.
    pub fn on_delete(&self, table: &str) -> OnDelete {
        self.of(table).and_then(|columns| columns.get("")?.on_delete).unwrap_or_default()
    }

    /// How the values of a column are merged; `None`: the later write wins.
    pub fn merge(&self, table: &str, column: &str) -> Option<MergeType> {
        self.of(table)?.get(&column.to_ascii_lowercase())?.merge
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// All of them, by table and column.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.tables.values().flat_map(BTreeMap::values)
    }

    fn of(&self, table: &str) -> Option<&BTreeMap<String, Rule>> {
        if self.tables.is_empty() {
            return None;
        }
        self.tables.get(&table.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_their_own_inverse() {
        for strategy in Strategy::ALL {
            assert_eq!(Strategy::named(strategy.as_str()), Some(strategy));
        }
        assert_eq!(OnDelete::named("LAST_WRITER_WINS"), Some(OnDelete::LastWriterWins));
    }

    #[test]
    fn a_word_of_a_newer_version_applies_to_nothing_and_is_told() {
        let rule = Rule::parse("t", "", Some("oracle"), Some("last_writer_wins"), None);
        assert_eq!(rule.unknown, ["oracle"]);
        let rules = Rules::new([rule]);
        assert_eq!(rules.strategy("t", "c"), Strategy::LastWriteWins);
        assert_eq!(rules.on_delete("t"), OnDelete::LastWriterWins);
    }

    #[test]
    fn a_column_without_a_strategy_has_that_of_its_table() {
        let rules = Rules::new([
            Rule::parse("t", "", Some("hub_wins"), None, None),
            Rule::parse("t", "n", None, None, Some("counter")),
        ]);
        assert_eq!(rules.strategy("t", "n"), Strategy::HubWins);
        assert_eq!((rules.merge("T", "N"), rules.merge("t", "c")), (Some(MergeType::Counter), None));
    }
}
