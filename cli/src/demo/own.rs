//! The demo with copies of the user's own database.

use std::path::Path;
use std::time::Duration;

use pocketsync::id::Scope;
use pocketsync::rusqlite::{Connection, OpenFlags};

use super::edits::{self, Edit};
use super::world::{Device, Hub};
use super::{NAMES, say, step, told, verify};
use crate::failure::{Context, Failure, Result};
use crate::output::{FAINT, ODD, count, grouped, styled};
use crate::replica;
use crate::table::{Cell, Table};

/// How much of a statement or a value is shown.
const WIDTH: usize = 64;

/// Runs it in a folder.
pub(crate) async fn run(folder: &Path, original: &Path) -> crate::failure::Result {
    let hub = Hub::start(folder).await?;
    let scope = Scope::new("demo").context("the scope")?;
    say(&format!(
        "A hub on {}, and three devices, each with a copy of {}.",
        hub.shown(),
        original.display()
    ))?;

    step(1, "The copies are tracked, and meet: rows that were there before are the same rows everywhere.")?;
    let mut devices: Vec<Device> = Vec::new();
    let mut tables: Vec<String> = Vec::new();
    for name in NAMES {
        let path = folder.join(format!("{name}.db"));
        match devices.first() {
            None => copy(original, &path)?,
            Some(_) => {
                std::fs::copy(folder.join("original.db"), &path).context("cannot copy the database")?;
            }
        }
        if devices.is_empty() {
            // A copy of a tracked file is a fork of it; an untracked one is only a template.
            replica::open(&path)?.untrack().context("cannot untrack the copy")?;
            std::fs::copy(&path, folder.join("original.db")).context("cannot copy the database")?;
        }
        let replica = replica::open(&path)?;
        let report = replica::track_all(&replica)?;
        if devices.is_empty() {
            for refused in &report.refused {
                say(&format!("   {} {refused}", styled(ODD, "not synced:")))?;
            }
            tables = report.tables.iter().map(|table| table.name.clone()).collect();
            let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
            say(&format!(
                "   {}, {}",
                count(tables.len() as u64, "table", "tables"),
                count(rows, "row", "rows")
            ))?;
        }
        let mut device = Device::start(name, path, replica, &hub.url, &scope)?;
        let exchange = device.sync().await?;
        say(&format!("   {}", told(&device, exchange)))?;
        devices.push(device);
    }
    if tables.is_empty() {
        return Err(Failure::new(format!("{} has no table that can be synced", original.display())));
    }

    step(2, "All three go offline, and go on working.")?;
    for device in &devices {
        device.go_offline().await?;
    }
    let edits = edits::plan(&devices[0].app, &tables)?;
    let mut made: Vec<Edit> = Vec::new();
    for edit in edits {
        // A constraint or a trigger of this schema may be against it; then it is not made.
        if made.len() < 12 && devices[edit.device].app.execute(&edit.sql, ()).is_ok() {
            let sql = short(&edit.sql);
            say(&format!("   {:<7} {sql:<WIDTH$} {}", NAMES[edit.device], styled(FAINT, edit.why)))?;
            made.push(edit);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
    if made.is_empty() {
        say("   (no table has room for an edit that fits its constraints)")?;
    }
    looked(&devices, &made)?;

    step(3, "One after the other, they come back.")?;
    for device in &mut devices {
        device.come_back();
        let exchange = device.sync().await?;
        say(&format!("   {}", told(device, exchange)))?;
    }
    for device in &mut devices {
        device.sync().await?;
    }
    looked(&devices, &made)?;

    let mut paths = Vec::new();
    for device in devices {
        paths.push(device.stop().await?);
    }
    hub.stop().await?;
    say(&format!("\n{} was only read.", original.display()))?;
    verify(&paths)
}

/// What the edits' cells and rows look like on each device.
fn looked(devices: &[Device], made: &[Edit]) -> Result<()> {
    let mut queries: Vec<&str> = made.iter().map(|edit| edit.look.as_str()).collect();
    let mut seen = std::collections::BTreeSet::new();
    queries.retain(|query| seen.insert(*query));
    let mut table = Table::new(std::iter::once("").chain(NAMES));
    for query in queries {
        let answers: Vec<String> = devices.iter().map(|device| answer(&device.app, query)).collect();
        let same = answers.iter().all(|answer| *answer == answers[0]);
        let what = query.strip_prefix("SELECT ").unwrap_or(query);
        let mut cells = vec![Cell::text(what).at_most(WIDTH - 14).styled(FAINT)];
        cells.extend(answers.iter().map(|answer| {
            let cell = Cell::text(answer).at_most(22);
            if same { cell } else { cell.styled(ODD) }
        }));
        table.row(cells);
    }
    say("")?;
    table.lines().iter().try_for_each(|line| say(&format!("   {line}")))
}

fn answer(conn: &Connection, query: &str) -> String {
    use pocketsync::rusqlite::types::Value;
    match conn.query_row(query, (), |row| row.get::<_, Value>(0)) {
        Ok(Value::Text(text)) => text,
        Ok(Value::Integer(n)) => n.to_string(),
        Ok(Value::Real(n)) => n.to_string(),
        Ok(Value::Blob(bytes)) => format!("{} bytes", grouped(bytes.len() as u64)),
        Ok(Value::Null) => "NULL".to_owned(),
        Err(_) => "(no such row)".to_owned(),
    }
}

fn short(sql: &str) -> String {
    let mut text: String = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() > WIDTH {
        text = text.chars().take(WIDTH - 1).collect();
        text.push('…');
    }
    text
}

/// A consistent copy, whoever writes the original at the moment.
fn copy(original: &Path, copy: &Path) -> Result<()> {
    let failed = || format!("cannot copy {}", original.display());
    let conn = Connection::open_with_flags(original, OpenFlags::SQLITE_OPEN_READ_ONLY).context(failed())?;
    conn.busy_timeout(Duration::from_secs(10)).context(failed())?;
    let path = copy.to_str().ok_or_else(|| Failure::new("the temporary folder's name is not UTF-8"))?;
    conn.execute("VACUUM INTO ?1", [path]).map(drop).context(failed())
}
