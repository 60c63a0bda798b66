//! The decoders, on what was kept of earlier runs. One test alone in its program, because they
//! count what the whole program allocates.

mod replaying;

#[test]
fn frames_and_changeset() {
    replaying::replay("frames", 400);
    replaying::replay("changeset", 400);
}
