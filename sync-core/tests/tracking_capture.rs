//! What the triggers write into the journal.

mod tracking_support;

use tracking_support::{File, short};

#[test]
fn an_insert_an_update_and_a_delete() {
    let file = File::tracked("CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT)");
    assert_eq!(short(&file.capture("INSERT INTO note(title) VALUES('a'), ('b')")), ["insert 1", "insert 2"]);
    assert_eq!(short(&file.capture("UPDATE note SET body = 'x' WHERE id = 2")), ["update 2 100"]);
    assert_eq!(short(&file.capture("DELETE FROM note WHERE id = 1")), ["delete 1"]);
}

#[test]
fn a_text_key_that_changes_is_another_row() {
    let file = File::tracked("CREATE TABLE tag(name TEXT PRIMARY KEY, color TEXT)");
    file.capture("INSERT INTO tag VALUES('a', 'red')");
    assert_eq!(
        short(&file.capture("UPDATE tag SET name = 'b', color = 'red'")),
        ["delete 'a'", "insert 'b'"]
    );
    assert_eq!(short(&file.capture("UPDATE tag SET color = 'blue'")), ["update 'b' 10"]);
}
