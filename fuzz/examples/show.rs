//! Runs a target on files, one after the other: `cargo run --example show -- TARGET FILE…`.

use pocketsync_fuzz::TARGETS;

fn main() {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    let Some((_, run)) = TARGETS.iter().find(|(known, _)| *known == name) else {
        eprintln!("usage: show TARGET FILE…; targets: {:?}", TARGETS.map(|(name, _)| name));
        std::process::exit(2);
    };
    for path in args {
        eprintln!("{path}");
        run(&std::fs::read(&path).expect("a readable file"));
    }
}
