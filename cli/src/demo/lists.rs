//! The demo with a shopping list.

use std::path::Path;
use std::time::{Duration, Instant};

use pocketsync::id::Scope;

use super::view::View;
use super::world::{Device, Hub, connect};
use super::{NAMES, millis, say, schema, step, told, verify};
use crate::failure::{Context, Failure, Result};
use crate::output::{FAINT, styled};
use crate::replica;

/// What each device does while it is offline: the statement, and what makes it interesting.
const OFFLINE: [(usize, &str, &str); 12] = [
    (0, "INSERT INTO shop(name) VALUES ('Market')", "takes id 2"),
    (1, "INSERT INTO shop(name) VALUES ('Market')", "the same UNIQUE name"),
    (2, "INSERT INTO shop(name) VALUES ('Bakery')", "takes id 2, too"),
    (0, "INSERT INTO item(name, shop) VALUES ('Apples', 2)", "takes id 5"),
    (1, "INSERT INTO item(name, shop) VALUES ('Coffee', 1)", "takes id 5 as well"),
    (2, "INSERT INTO item(name, shop) VALUES ('Cake', 2)", "and so does this"),
    (0, "UPDATE item SET qty = 12 WHERE name = 'Eggs'", "one column of a row"),
    (1, "UPDATE item SET done = 1 WHERE name = 'Eggs'", "another column of that row"),
    (0, "UPDATE item SET name = 'Oat milk' WHERE id = 1", "a cell"),
    (1, "UPDATE item SET name = 'Goat milk' WHERE id = 1", "the same cell, later"),
    (0, "DELETE FROM item WHERE name = 'Soap'", "a row goes"),
    (2, "UPDATE item SET qty = 5 WHERE name = 'Soap'", "the same row is changed"),
];

const SHOWN: [&str; 6] = [
    "Three items took one integer id: all three live, each under an id that is free on its device.",
    "References follow their rows: the cake is from the bakery, whatever integer that has now.",
    "Two devices opened the same UNIQUE shop: the older is shown; the other is parked, not lost.",
    "Two columns of one row were changed on two devices: both changes stand.",
    "One cell was changed on two devices: the later write won.",
    "A row was deleted here and changed there: the delete won.",
];

/// Runs it in a folder.
pub(crate) async fn run(folder: &Path) -> crate::failure::Result {
    let hub = Hub::start(folder).await?;
    let scope = Scope::new("shopping").context("the scope")?;
    let mut view = View::default();

    say(&format!("A hub on {}, and three devices, each with an SQLite file of its own.", hub.shown()))?;
    step(1, "The phone has a list. The others have the empty tables, and join.")?;
    let mut devices = Vec::new();
    for name in NAMES {
        let path = folder.join(format!("{name}.db"));
        let app = connect(&path)?;
        app.execute_batch(schema::SCHEMA).context("the demo's schema")?;
        if devices.is_empty() {
            app.execute_batch(schema::ROWS).context("the demo's rows")?;
        }
        drop(app);
        let replica = replica::open(&path)?;
        replica::track_all(&replica)?;
        let mut device = Device::start(name, path, replica, &hub.url, &scope)?;
        let exchange = device.sync().await?;
        say(&format!("   {}", told(&device, exchange)))?;
        devices.push(device);
    }
    show(&mut view, &devices)?;

    step(2, "All three go offline, and go on working.")?;
    for device in &devices {
        device.go_offline().await?;
    }
    for (who, sql, why) in OFFLINE {
        devices[who].write(sql)?;
        say(&format!("   {:<7} {:<52} {}", devices[who].name, sql, styled(FAINT, why)))?;
        // People do not write in the same millisecond.
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    say("")?;
    show(&mut view, &devices)?;

    for back in 0..devices.len() {
        let name = devices[back].name;
        let (number, what) = match back {
            0 => (3, format!("The {name} comes back, and hands in what it did.")),
            1 => (4, format!("The {name} comes back: the two hold the same now.")),
            _ => (5, format!("The {name} comes back, and everybody holds the same.")),
        };
        step(number, &what)?;
        devices[back].come_back();
        let exchange = devices[back].sync().await?;
        say(&format!("   {}", told(&devices[back], exchange)))?;
        for device in &mut devices[..back] {
            let exchange = device.sync().await?;
            say(&format!("   {}", told(device, exchange)))?;
        }
        show(&mut view, &devices)?;
    }

    step(6, "Live: a write on the tablet shows up on the others.")?;
    let sql = "UPDATE item SET done = 1 WHERE name = 'Cake'";
    devices[2].write(sql)?;
    let began = Instant::now();
    let mut times = Vec::new();
    for device in &devices[..2] {
        wait_for_cake(device, began).await?;
        times.push(format!("{} after {}", device.name, millis(began.elapsed())));
    }
    say(&format!("   tablet  {sql:<52} {}", styled(FAINT, &times.join(", "))))?;

    say(
        "\nThe applications used plain SQL, on connections that know nothing of PocketSync. What was shown:",
    )?;
    for line in SHOWN {
        say(&format!("   - {line}"))?;
    }
    let mut paths = Vec::new();
    for mut device in devices {
        device.sync().await?;
        paths.push(device.stop().await?);
    }
    hub.stop().await?;
    say("")?;
    verify(&paths)
}

fn show(view: &mut View, devices: &[Device]) -> Result<()> {
    let mut rows = Vec::new();
    for device in devices {
        rows.push((device.name.to_owned(), schema::rows(&device.app)?));
    }
    view.show(rows).iter().try_for_each(|line| say(line))
}

async fn wait_for_cake(device: &Device, began: Instant) -> Result<()> {
    loop {
        let done = device
            .app
            .query_row("SELECT done FROM item WHERE name = 'Cake'", (), |row| row.get::<_, i64>(0))
            .context(device.name)?;
        if done == 1 {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(10) {
            return Err(Failure::new(format!("the {} did not hear of the cake", device.name)));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
