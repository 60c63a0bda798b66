//! The table of attacks names tests that exist.

use std::path::Path;

#[test]
fn every_test_of_the_table_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let table = std::fs::read_to_string(here.join("README.md")).unwrap();
    let mut named = 0;
    for line in table.lines().filter(|line| line.starts_with("| ") && line.contains("::")) {
        let parts = line.split('`').skip(1).step_by(2);
        for (file, test) in parts.filter_map(|part| part.split_once("::")) {
            let path = match file.strip_prefix("cli/") {
                Some(file) => here.join("../../cli/tests").join(file),
                None => here.join(file),
            };
            let source = std::fs::read_to_string(path.with_extension("rs"));
            let source = source.unwrap_or_else(|error| panic!("{file}.rs: {error}"));
            assert!(source.contains(&format!("fn {test}(")), "{file}.rs has no test {test}");
            named += 1;
        }
    }
    assert!(named > 80, "{named} tests found in the table");
}
