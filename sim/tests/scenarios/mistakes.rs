//! Mistakes in scenarios are told with file, line or key, what was expected, and the way out.

use pocketsync_sim::scenario::Scenario;

fn told(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, text).expect("a file");
    let error = match Scenario::load(&path) {
        Err(error) => error,
        Ok(scenario) => scenario.shape().expect_err("a mistake"),
    };
    error.to_string()
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    let told = told(text);
    for part in parts {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
}

#[test]
fn an_unknown_key_is_told_with_its_line_and_those_that_exist() {
    says("name = \"x\"\ndevises = 3\n", &["mine.toml:2", "devises", "expected one of", "`devices`"]);
    says("name = \"x\"\n[workload]\nrates = \"1/s\"\n", &["mine.toml:3", "rates", "`rate`"]);
}

#[test]
fn a_value_in_the_wrong_form_is_told_with_its_line_and_the_right_form() {
    says("name = \"x\"\nlength = 60\n", &["mine.toml:2", "length = 60", "\"90s\""]);
    says("name = \"x\"\n[workload]\nrate = \"fast\"\n", &["mine.toml:3", "rate = \"fast\"", "\"12/h\""]);
    says("name = \"x\"\n[network]\nlatency = \"9s..2s\"\n", &["mine.toml:3", "smaller value first"]);
    says("name = \"x\"\n[presence]\npattern = \"comuter\"\n", &["mine.toml:3", "comuter", "commuter"]);
    says("name = \"x\"\n[faults]\ncrash_points = [\"later\"]\n", &["mine.toml:3", "later", "before_commit"]);
}

#[test]
fn a_value_that_makes_no_sense_is_told_with_its_key_and_the_way_out() {
    says(
        "name = \"x\"\ndevices = 2\nscopes = 3\n",
        &["mine.toml:3", "scopes", "from 1 to the number of devices, 2"],
    );
    says(
        "name = \"x\"\n[network]\nmax_frame_bytes = 100\n",
        &["mine.toml:3", "network.max_frame_bytes", "at least 256"],
    );
    says("name = \"x\"\n[network]\nduplicate = 2.0\n", &["mine.toml:3", "from 0 to 1"]);
    says("name = \"x\"\n[presence]\nonline = \"2s\"\n", &["mine.toml:3", "presence.online", "`commuter`"]);
    says("name = \"x\"\n[workload.mix]\ninsert = -1\n", &["workload.mix", "from 0"]);
    says(
        "name = \"x\"\nlength = \"30d\"\n[workload]\nrate = \"90/s\"\n",
        &["mine.toml:4", "workload.rate", "offline_rate"],
    );
}

#[test]
fn a_wrong_schema_or_table_is_told_with_those_that_exist() {
    says("name = \"x\"\nschema = \"tood\"\n", &["schema", "no built-in schema `tood`", "todo, inventory"]);
    says("name = \"x\"\nschema = \"not/there.sql\"\n", &["not/there.sql", "cannot be read"]);
    says(
        "name = \"x\"\nschema = { sql = \"CREATE TABLE t (a)\" }\n",
        &["x: schema: table t has no PRIMARY KEY"],
    );
    says("name = \"x\"\n[workload.tables]\nitem = 2\n", &["workload.tables.item", "it has lists, items"]);
    says(
        "name = \"x\"\n[workload.tables]\nlists = 0\nitems = 0\nlabels = 0\ntags = 0\nitem_tags = 0\n",
        &["no table to write to"],
    );
}

#[test]
fn a_rule_that_cannot_be_is_told_with_what_to_write_instead() {
    let schema =
        "schema = { sql = \"CREATE TABLE day (day TEXT PRIMARY KEY NOT NULL, visits INTEGER, note TEXT)\" }";
    let rule = |rule: &str| format!("name = \"x\"\n{schema}\n[[rules]]\n{rule}\n");
    let counts = "table = \"day\"\ncolumn = \"visits\"";
    says(&rule(&format!("{counts}\nmerge = \"sum\"")), &["mine.toml:6", "sum", "`counter`"]);
    says(&rule(counts), &["rules", "day.visits says nothing", "`merge`"]);
    says(&rule("table = \"days\"\nmerge = \"counter\""), &["no table `days`", "it has day"]);
    says(&rule("table = \"day\"\nmerge = \"counter\""), &["`merge` is for a column", "column = "]);
    says(&rule("table = \"day\"\ncolumn = \"visit\"\nmerge = \"max\""), &["no column `visit`", "visits"]);
    says(&rule("table = \"day\"\ncolumn = \"day\"\nmerge = \"max\""), &["day.day is a part of a key"]);
    says(&rule("table = \"day\"\ncolumn = \"note\"\nmerge = \"counter\""), &["INTEGER or REAL"]);
    says(&rule("table = \"day\"\ncolumn = \"visits\"\nmerge = \"set\""), &["TEXT"]);
    says(&rule("table = \"day\"\ncolumn = \"note\"\non_delete = \"delete_wins\""), &["whole table"]);
    let twice = format!("{counts}\nmerge = \"max\"\n[[rules]]\n{counts}\nmerge = \"min\"");
    says(&rule(&twice), &["two for day.visits", "write them as one"]);
}

#[test]
fn what_cannot_be_derived_is_told() {
    let schema = "schema = { sql = \"CREATE TABLE t (t TEXT PRIMARY KEY NOT NULL)\" }";
    let derived = |rest: &str| format!("name = \"x\"\n{schema}\n[[derived]]\nwhat = \"the size\"\n{rest}\n");
    says(&derived("kept = \"SELECT 1\""), &["derived", "the size", "`anew`"]);
    says(
        &derived("kept = \"SELECT a FROM t\"\nanew = \"SELECT 1\""),
        &["the size: `kept`", "no such column: a"],
    );
    says(
        &derived("kept = \"SELECT 1\"\nanew = \"DELETE FROM t\""),
        &["the size: `anew` is no query", "SELECT"],
    );
    says(&derived("check = \"INSERT INTO s VALUES(1)\""), &["the size: `check`", "no such table: s"]);
    says(
        &format!("name = \"x\"\n{schema}\nuntracked = [\"s\"]\n"),
        &["untracked", "no table `s`", "it has t"],
    );
}

#[test]
fn what_needs_a_hub_is_told_where_there_is_none() {
    let ring = |rest: &str| format!("name = \"x\"\nengines = [\"world\"]\ntopology = \"ring\"\n{rest}\n");
    says("name = \"x\"\ntopology = \"star\"\n", &["mine.toml:2", "star", "`ring`", "`mesh`"]);
    says("name = \"x\"\ntopology = \"mesh\"\n", &["mine.toml:2", "world engine", "engines = [\"world\"]"]);
    says("name = \"x\"\n[meetings]\nevery = \"5s\"\n", &["meetings", "`topology`"]);
    says(&ring("[faults]\nhub_crashes = 1"), &["mine.toml:5: faults.hub_crashes", "no hub"]);
    says(&ring("[faults]\nhub_restores = \"0..1\""), &["faults.hub_restores", "no hub"]);
    says(&ring("[[rules]]\ntable = \"lists\"\nstrategy = \"hub_wins\""), &["rules", "with a hub only"]);
    says(&ring("devices = 5\nscopes = 3"), &["mine.toml:4: devices", "two devices a scope"]);
    says(&ring("[meetings]\nlasts = \"0ms..5s\""), &["mine.toml:5: meetings.lasts", "1ms"]);
    says(&ring("length = \"1y\"\nworkload = { rate = \"1/d\" }"), &["meetings.every", "make it longer"]);
}

#[test]
fn a_migration_that_cannot_be_is_told() {
    let schema = "schema = { sql = \"CREATE TABLE t (t TEXT PRIMARY KEY NOT NULL)\" }";
    let migration =
        |rest: &str| format!("name = \"x\"\nlength = \"60s\"\n{schema}\n[[migrations]]\n{rest}\n");
    let add = "sql = \"ALTER TABLE t ADD COLUMN a\"";
    says(&migration(add), &["mine.toml:4", "missing field `between`"]);
    says(
        &migration(&format!("{add}\nbetween = \"5s..90s\"")),
        &["mine.toml:6", "migrations.between", "at 1m"],
    );
    says(
        &migration("sql = \"ALTER TABLE s ADD COLUMN a\"\nbetween = \"5s\""),
        &["schema", "no such table: s"],
    );
    says(
        &migration(&format!("{add}\nbetween = \"5s\"\nrename = [\"t.a\"]")),
        &["`t.a` is no renaming", "heading"],
    );
    says(&migration(&format!("{add}\nbetween = \"5s\"\nshare = 7")), &["mine.toml:7", "from 0 to 1"]);
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let error = Scenario::load("no/such/file.toml").expect_err("a mistake").to_string();
    assert!(error.contains("no/such/file.toml") && error.contains("cannot be read"), "{error}");
}
