//! Groups of many new rows: however many are put in by one statement, what a table refuses is told apart.

use crate::replica_support::Device;

const SCHEMA: &str = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INT);
    CREATE TABLE word(w TEXT PRIMARY KEY, n INT) WITHOUT ROWID;
    CREATE TABLE use(id INTEGER PRIMARY KEY, tag INTEGER NOT NULL REFERENCES tag(id) ON DELETE CASCADE, w TEXT)";

/// Inserts 250 rows into each table: of the tags every seventh has a name that others use, of the words every third.
fn fill(device: &Device, who: &str) {
    let sql = format!(
        "BEGIN;
         WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 250)
         INSERT INTO tag(name, n) SELECT iif(n % 7 = 0, 'all ', '{who} ') || n, n FROM i;
         WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 250)
         INSERT INTO word SELECT iif(n % 3 = 0, 'all ', '{who} ') || n, n FROM i;
         INSERT INTO use(tag, w) SELECT id, '{who} uses ' || name FROM tag;
         COMMIT"
    );
    device.app.execute_batch(&sql).unwrap();
}

fn shown(device: &Device) -> [Vec<String>; 3] {
    [
        "SELECT name || ' ' || n FROM tag ORDER BY name",
        "SELECT w || ' ' || n FROM word ORDER BY w",
        "SELECT w || ' of ' || name FROM use JOIN tag ON tag.id = use.tag ORDER BY w, name",
    ]
    .map(|sql| device.rows(sql))
}

#[test]
fn many_rows_of_which_some_collide() {
    let devices = ["a", "b", "c"].map(|who| {
        let device = Device::new(SCHEMA);
        fill(&device, who);
        device
    });
    for _ in 0..3 {
        for to in &devices {
            for from in devices.iter().filter(|from| from.path != to.path) {
                to.pull(from);
            }
        }
    }
    let [tags, words, uses] = shown(&devices[0]);
    // 250 / 7 = 35 names that all have, 250 / 3 = 83 words.
    assert_eq!((tags.len(), words.len(), uses.len()), (3 * 215 + 35, 3 * 167 + 83, 3 * 250));
    for device in &devices {
        assert_eq!(shown(device), [tags.clone(), words.clone(), uses.clone()]);
        assert_eq!(device.rows("PRAGMA foreign_key_check"), [""; 0]);
        assert_eq!(device.rows("PRAGMA integrity_check"), ["ok"]);
        assert_eq!(device.replica.parked().unwrap().len(), 2 * 35);
    }
}
