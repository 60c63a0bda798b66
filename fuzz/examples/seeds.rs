//! Writes the seeds of `corpus/`: pseudo-random inputs of several lengths for the targets that draw
//! from their bytes, and the golden files of the wire for the decoders.

use std::fs;
use std::path::Path;

/// Bytes that draw much and end soon, and some that go on for long.
const LENGTHS: [usize; 12] = [8, 16, 32, 48, 64, 96, 128, 192, 256, 512, 1024, 2048];

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = root.join("corpus");
    for (number, target) in
        ["apply", "histories", "hub", "merge", "session", "tracking", "replicas", "accounts"]
            .into_iter()
            .enumerate()
    {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for (n, len) in LENGTHS.into_iter().enumerate() {
            fs::write(folder.join(format!("drawn-{len:04}")), noise((number * 100 + n) as u64, len))?;
        }
    }
    for (target, prefix) in [("frames", "frame"), ("changeset", "changeset-")] {
        fs::create_dir_all(corpus.join(target))?;
        for entry in fs::read_dir(root.join("../sync-core/tests/pure/golden"))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(prefix) {
                fs::copy(&path, corpus.join(target).join(name))?;
            }
        }
    }
    Ok(())
}

/// A linear congruential generator: any bytes will do.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(step).take(len).collect()
}
