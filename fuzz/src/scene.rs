//! What a run did so far, told when it fails.

/// Lines that are printed if the thread panics while they are held. (A fuzzer ends the process
/// before that; replay its input with `cargo run --example show`.)
#[derive(Default)]
pub(crate) struct Scene(Vec<String>);

impl Scene {
    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        // Nobody would read it.
        if !cfg!(fuzzing) {
            self.0.push(line());
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("-- what was done:\n{}\n--", self.0.join("\n"));
        }
    }
}
