//! `pocketsync token`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{ArgGroup, Subcommand};
use pocketsync::admission::{Rights, ScopePattern, TokenDigest, TokenEntry, parse_tokens};
use serde::Serialize;
use tempfile::NamedTempFile;
use toml_edit::DocumentMut;

use crate::failure::{Context, Failure, Outcome, Result};
use crate::output::{FAINT, ODD, print, print_json};
use crate::table::{Cell, Table};

/// How many random bytes a token has: too many to guess, however fast.
const TOKEN_BYTES: usize = 32;

/// Makes, lists and revokes the tokens of a hub
///
/// The file holds a digest of every token, never a token. `pocketsync hub --tokens FILE` reads it, and follows its
/// changes within about a second: who is revoked is out, also in the middle of a session.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync token new --file tokens.toml --name phone --scope notes --read --write > phone.token
  pocketsync token new --file tokens.toml --name screen --scope 'team-*' --read --expires 30d
  pocketsync token new --file tokens.toml --name guest --scope notes --read --write-table comment
  pocketsync token list --file tokens.toml
  pocketsync token revoke --file tokens.toml phone
  pocketsync hub --data ./hub --tokens tokens.toml
  pocketsync sync app.db --hub ws://127.0.0.1:9320 --scope notes --token-file phone.token")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a token, prints it this once, and adds what it may do to the file
    New(New),
    /// Says which tokens there are
    List {
        /// The file with what every token may do
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// As JSON, on one line
        #[arg(long)]
        json: bool,
    },
    /// Takes a token out of the file
    Revoke {
        /// The file with what every token may do
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Whose token
        name: String,
    },
}

#[derive(clap::Args)]
#[command(group(ArgGroup::new("rights").args(["read", "write", "write_table"]).required(true).multiple(true)))]
struct New {
    /// The file with what every token may do; made if it is missing
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Whose token this is, in the hub's words and yours
    #[arg(long)]
    name: String,
    /// Whose it is, if it is another token of somebody who has one: the first one's name
    #[arg(long)]
    identity: Option<String>,
    /// Where it is good: a scope, `*` for any characters; may be given several times
    #[arg(long, value_name = "PATTERN", required = true)]
    scope: Vec<ScopePattern>,
    /// It is sent changes
    #[arg(long)]
    read: bool,
    /// Its changes are taken
    #[arg(long)]
    write: bool,
    /// Its changes are taken in this table and no other; may be given several times
    #[arg(long, value_name = "TABLE", conflicts_with = "write")]
    write_table: Vec<String>,
    /// Of its changes only those are taken that it made itself, not what it brings of other devices
    #[arg(long)]
    no_relay: bool,
    /// When that ends: 90m, 12h, 30d or 4w from now
    #[arg(long, value_name = "TIME", value_parser = span)]
    expires: Option<Duration>,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    identity: String,
    scopes: Vec<String>,
    read: bool,
    write: bool,
    relay: bool,
    write_tables: Option<Vec<String>>,
    expires: Option<String>,
    expired: bool,
}

/// Makes, lists or revokes.
pub(crate) fn run(args: Args) -> Result {
    match args.command {
        Command::New(new) => make(new),
        Command::List { file, json } => list(&file, json),
        Command::Revoke { file, name } => revoke(&file, &name),
    }
}

fn make(new: New) -> Result {
    let mut random = [0; TOKEN_BYTES];
    getrandom::fill(&mut random).context("the system's randomness")?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    // A name for those who find it in a log.
    let token = format!("pocketsync_{digits}");
    let write = new.write || !new.write_table.is_empty();
    let rights = Rights { read: new.read, write, relay: write && !new.no_relay };
    let mut entry = TokenEntry::new(&new.name, TokenDigest::of(&token), new.scope, rights);
    entry.identity = new.identity;
    if !new.write_table.is_empty() {
        entry.write_tables = Some(new.write_table.into_iter().collect());
    }
    entry.expires_at_ms = new.expires.map(|span| (now() + span).as_millis() as u64);
    change(&new.file, true, |text| {
        if text.entries.iter().any(|other| other.name == new.name) {
            return Err(Failure::new(format!("there is a token `{}` already", new.name))
                .hint("choose another name (phone-2), or revoke that one first"));
        }
        let gap = if text.text.is_empty() { "" } else { "\n" };
        let end = if text.text.is_empty() || text.text.ends_with('\n') { "" } else { "\n" };
        Ok(format!("{}{end}{gap}{entry}", text.text))
    })?;
    print(&format!("{token}\n"))?;
    eprintln!("this is the only time that it is shown; {} keeps a digest", new.file.display());
    Ok(Outcome::Done)
}

fn list(file: &Path, json: bool) -> Result {
    let entries = parsed(file, &read(file)?)?;
    let now_ms = now().as_millis() as u64;
    let listed: Vec<Listed> = entries
        .iter()
        .map(|entry| Listed {
            name: entry.name.clone(),
            identity: entry.identity.as_ref().unwrap_or(&entry.name).clone(),
            scopes: entry.scopes.iter().map(ToString::to_string).collect(),
            read: entry.rights.read,
            write: entry.rights.write,
            relay: entry.rights.relay,
            write_tables: entry.write_tables.as_ref().map(|tables| tables.iter().cloned().collect()),
            expires: entry.expires().map(|date| date.to_string()),
            expired: entry.expires_at_ms.is_some_and(|at| at <= now_ms),
        })
        .collect();
    if json {
        print_json(&listed)?;
        return Ok(Outcome::Done);
    }
    if listed.is_empty() {
        print("no tokens: nobody gets in\n")?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(["name", "scopes", "rights", "expires"]);
    for token in listed {
        let write = match &token.write_tables {
            Some(tables) => format!("write {}", tables.join(" and ")),
            None => "write".to_owned(),
        };
        let own = (token.write && !token.relay, "its own only".to_owned());
        let rights = [(token.read, "read".to_owned()), (token.write, write), own];
        let rights: Vec<String> = rights.into_iter().filter(|it| it.0).map(|it| it.1).collect();
        let expires = match (token.expires, token.expired) {
            (None, _) => Cell::text("never").styled(FAINT),
            (Some(date), false) => Cell::text(&date),
            (Some(date), true) => Cell::text(format!("{date}, over")).styled(ODD),
        };
        table.row(vec![
            Cell::text(&token.name),
            Cell::text(token.scopes.join(", ")),
            Cell::text(rights.join(", ")),
            expires,
        ]);
    }
    print(&(table.lines().join("\n") + "\n"))?;
    Ok(Outcome::Done)
}

fn revoke(file: &Path, name: &str) -> Result {
    change(file, false, |text| {
        let Some(index) = text.entries.iter().position(|entry| entry.name == name) else {
            return Err(Failure::new(format!("there is no token `{name}` in {}", file.display()))
                .hint("`pocketsync token list` says which there are"));
        };
        let mut document: DocumentMut = text.text.parse().context("the token file")?;
        let tables = document.get_mut("token").and_then(|item| item.as_array_of_tables_mut());
        let tables = tables.ok_or_else(|| {
            Failure::new("the tokens are not written as [[token]]; take it out with an editor")
        })?;
        tables.remove(index);
        Ok(document.to_string())
    })?;
    print(&format!("revoked {name}; a hub that reads the file ends its sessions within about a second\n"))?;
    Ok(Outcome::Done)
}

/// A token file as it stands.
struct Standing {
    text: String,
    entries: Vec<TokenEntry>,
}

/// Changes a token file in one step, so that a hub never reads half of it, and two who change it at once do it one
/// after the other.
fn change(path: &Path, make: bool, edit: impl FnOnce(&Standing) -> Result<String>) -> Result<()> {
    let (_lock, text) = locked(path, make)?;
    let entries = parsed(path, &text)?;
    let changed = edit(&Standing { text, entries })?;
    parsed(path, &changed)?;
    let cannot = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder).context(cannot())?;
    file.write_all(changed.as_bytes()).context(cannot())?;
    let permissions = std::fs::metadata(path).context(cannot())?.permissions();
    file.as_file().set_permissions(permissions).context(cannot())?;
    file.as_file().sync_all().context(cannot())?;
    file.persist(path).context(cannot())?;
    Ok(())
}

/// The file, locked, and what is in it. The lock is the file's own, and a change puts another file in its place:
/// who waited for it looks whether that happened meanwhile.
fn locked(path: &Path, make: bool) -> Result<(File, String)> {
    let cannot = || format!("cannot read the token file {}", path.display());
    loop {
        let mut options = File::options();
        options.read(true).write(true).create(make);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).context(cannot())?;
        file.lock().context(cannot())?;
        let text = std::io::read_to_string(&file).context(cannot())?;
        if read(path)? == text {
            return Ok((file, text));
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).context(format!("cannot read the token file {}", path.display()))
}

fn parsed(path: &Path, text: &str) -> Result<Vec<TokenEntry>> {
    parse_tokens(text).context(path.display())
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn span(text: &str) -> std::result::Result<Duration, String> {
    const WANTED: &str = "write it as 90m, 12h, 30d or 4w";
    let unit = text.chars().last().ok_or(WANTED)?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return Err(WANTED.to_owned()),
    };
    let count: u32 = text[..text.len() - 1].parse().map_err(|_| WANTED)?;
    Ok(Duration::from_secs(u64::from(count) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_numbers_with_a_unit() {
        assert_eq!(span("90m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(span("4w"), Ok(Duration::from_secs(28 * 86_400)));
        for wrong in ["", "d", "30", "-1d", "1.5h", "30 d", "3é"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
