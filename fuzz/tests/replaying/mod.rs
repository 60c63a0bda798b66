//! Runs a target on what lies in its folders, and on pseudo-random inputs.

use std::path::{Path, PathBuf};

use pocketsync_fuzz::TARGETS;

/// Says which input a target panicked on.
struct Running<'a> {
    target: &'a str,
    path: PathBuf,
    /// What is not in a file yet.
    input: Option<&'a [u8]>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = self.input.map_or(Ok(()), |input| std::fs::write(&self.path, input));
            eprintln!("the input is {} ({kept:?}); once more:", self.path.display());
            eprintln!("    cargo run --example show -- {} {}", self.target, self.path.display());
        }
    }
}

/// Replays corpus and regressions of a target, and `random` inputs from a fixed seed.
pub(crate) fn replay(name: &str, random: u64) {
    let (_, run) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let inputs = [inputs("corpus", name), inputs("regressions", name)];
    assert!(!inputs[0].is_empty(), "{name} has no corpus");
    for path in inputs.iter().flatten() {
        let _running = Running { target: name, path: path.clone(), input: None };
        run(&std::fs::read(path).expect("a readable input"));
    }
    for seed in 0..random {
        let input = noise(seed);
        let path = std::env::temp_dir().join(format!("{name}-{seed}"));
        let _running = Running { target: name, path, input: Some(&input) };
        run(&input);
    }
}

fn inputs(folder: &str, name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(name);
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// SplitMix64; the length grows with the seed.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut word = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let len = 16 + seed as usize * 3 % 1500;
    std::iter::repeat_with(|| word().to_le_bytes()).flatten().take(len).collect()
}
