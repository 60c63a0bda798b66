//! Files that never meet a hub: five of them, in a ring or as chance has it, two at a time, with links that break,
//! engines that are killed, and backups that are restored.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::world::World;
use crate::world::disk::Backup;

const FILES: usize = 5;

const SCHEMA: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT);
    CREATE TABLE tag(name TEXT PRIMARY KEY, n INTEGER);
    CREATE TABLE tagged(note INTEGER REFERENCES note(id) ON DELETE CASCADE, tag TEXT REFERENCES tag(name), n,
      PRIMARY KEY(note, tag))";
const NOTES: &str = "SELECT text FROM note ORDER BY text";
const TAGS: &str = "SELECT name || ' ' || n FROM tag ORDER BY name";
const TAGGED: &str =
    "SELECT note.text || ' ' || tag || ' ' || n FROM tagged JOIN note ON note.id = note ORDER BY 1";

#[derive(Clone, Debug)]
enum Step {
    /// A note of its own, which nobody takes away.
    Note {
        file: usize,
    },
    /// A row that all write, and a link to it.
    Tag {
        file: usize,
        name: u8,
        delete: bool,
    },
    /// Two meet, each time for so many frames at most.
    Meet {
        file: usize,
        with: usize,
        frames: Option<usize>,
    },
    Kill {
        file: usize,
    },
    Backup {
        file: usize,
    },
    Restore {
        file: usize,
    },
}

/// Steps of files that meet `neighbours`, by how far they are apart.
fn steps(neighbours: std::ops::Range<usize>, with_backups: bool) -> impl Strategy<Value = Vec<Step>> {
    let file = || 0..FILES;
    let step = prop_oneof![
        4 => file().prop_map(|file| Step::Note { file }),
        3 => (file(), 0u8..3, prop::bool::weighted(0.3))
            .prop_map(|(file, name, delete)| Step::Tag { file, name, delete }),
        6 => (file(), neighbours, prop::option::weighted(0.4, 1usize..12))
            .prop_map(|(file, by, frames)| Step::Meet { file, with: (file + by) % FILES, frames }),
        1 => file().prop_map(|file| Step::Kill { file }),
    ];
    let disaster = prop_oneof![
        file().prop_map(|file| Step::Backup { file }),
        file().prop_map(|file| Step::Restore { file }),
    ];
    let disasters = if with_backups { 2 } else { 0 };
    let step = match disasters {
        0 => step.boxed(),
        n => prop_oneof![14 => step, n => disaster].boxed(),
    };
    prop::collection::vec(step, 1..60)
}

struct Mesh {
    world: World,
    /// The notes that each file holds for certain.
    held: Vec<BTreeSet<String>>,
    backups: Vec<Option<Kept>>,
    count: usize,
}

struct Kept {
    copy: Backup,
    held: BTreeSet<String>,
}

impl Mesh {
    fn new() -> Self {
        let mut world = World::new(FILES, SCHEMA);
        world.max_frame_bytes = 256;
        let backups = (0..FILES).map(|_| None).collect();
        Mesh { world, held: vec![BTreeSet::new(); FILES], backups, count: 0 }
    }

    fn run(&mut self, step: &Step) {
        self.count += 1;
        let n = self.count;
        match *step {
            Step::Note { file } => {
                let note = format!("note {n:03}");
                self.world.sql(file, &format!("INSERT INTO note(text) VALUES('{note}')"));
                self.held[file].insert(note);
            }
            Step::Tag { file, name, delete: true } => {
                let sql = format!(
                    "DELETE FROM tagged WHERE tag = 't{name}'; DELETE FROM tag WHERE name = 't{name}'"
                );
                self.world.sql(file, &sql);
            }
            Step::Tag { file, name, delete: false } => {
                let sql = format!(
                    "INSERT INTO tag VALUES('t{name}', {n}) ON CONFLICT(name) DO UPDATE SET n = {n};
                     INSERT INTO tagged SELECT max(id), 't{name}', {n} FROM note HAVING max(id) IS NOT NULL
                       ON CONFLICT DO UPDATE SET n = {n}"
                );
                self.world.sql(file, &sql);
            }
            Step::Meet { file, with, frames } => self.meet(file, with, frames),
            Step::Kill { file } => self.world.kill(file),
            Step::Backup { file } => {
                self.world.fold(file);
                let copy = self.world.back_up(file);
                self.backups[file] = Some(Kept { copy, held: self.held[file].clone() });
            }
            Step::Restore { file } => self.restore(file),
        }
    }

    fn meet(&mut self, a: usize, b: usize, frames: Option<usize>) {
        self.world.frames_per_link = frames;
        self.world.meet(a, b);
        self.world.frames_per_link = None;
        if frames.is_none() {
            // Where one finds out that it was restored, they begin again.
            while self.forks_are_new() {
                self.world.meet(a, b);
            }
            let both: BTreeSet<String> = self.held[a].union(&self.held[b]).cloned().collect();
            for file in [a, b] {
                self.held[file].clone_from(&both);
            }
        }
        for file in [a, b] {
            let shown: BTreeSet<String> = self.world.rows(file, NOTES).into_iter().collect();
            let lost: Vec<_> = self.held[file].difference(&shown).collect();
            assert!(lost.is_empty(), "file {file} lacks {lost:?} after {a} met {b}");
        }
    }

    /// Whether a session ended with a new name since this was last asked.
    fn forks_are_new(&mut self) -> bool {
        let forks = (0..FILES).map(|file| self.world.forks(file)).sum::<usize>() > 0;
        self.world.devices.iter_mut().for_each(|device| device.ends.clear());
        forks
    }

    /// Whom the file meets next, and whether that one knows what it has forgotten, is chance.
    fn restore(&mut self, file: usize) {
        let Some(kept) = self.backups[file].take() else { return };
        self.world.restore(file, &kept.copy);
        self.held[file] = kept.held;
    }

    /// Once around, and once more, everybody has everything.
    fn settle(&mut self, neighbours: &[usize]) {
        for _ in 0..2 * FILES {
            for file in 0..FILES {
                for by in neighbours {
                    self.meet(file, (file + by) % FILES, None);
                }
            }
            if self.is_settled() {
                return;
            }
        }
        for query in [NOTES, TAGS, TAGGED] {
            self.world.same(query);
        }
    }

    fn is_settled(&self) -> bool {
        [NOTES, TAGS, TAGGED].iter().all(|query| {
            let first = self.world.rows(0, query);
            (1..FILES).all(|file| self.world.rows(file, query) == first)
        })
    }
}

fn check(steps: &[Step], neighbours: &[usize]) {
    let mut mesh = Mesh::new();
    steps.iter().for_each(|step| mesh.run(step));
    let all: BTreeSet<String> = mesh.held.iter().flatten().cloned().collect();
    mesh.settle(neighbours);
    let notes = mesh.world.same(NOTES);
    let shown: BTreeSet<String> = notes.iter().cloned().collect();
    assert_eq!(shown.len(), notes.len(), "a note came twice");
    let lost: Vec<_> = all.difference(&shown).collect();
    assert!(lost.is_empty(), "{lost:?} lost");
}

#[test]
fn a_ring_has_everything_after_going_round_twice() {
    let mut mesh = Mesh::new();
    for file in 0..FILES {
        mesh.run(&Step::Note { file });
        mesh.run(&Step::Tag { file, name: 0, delete: false });
    }
    for _ in 0..2 {
        (0..FILES).for_each(|file| mesh.meet(file, (file + 1) % FILES, None));
    }
    assert_eq!(mesh.world.same(NOTES).len(), FILES);
    assert_eq!(mesh.world.same(TAGS).len(), 1);
    assert_eq!(mesh.world.same(TAGGED).len(), FILES);
}

/// Two who each met another life of a file tell each other before it finds itself out.
#[test]
fn a_restored_file_that_meets_a_stranger_first_loses_nothing() {
    let mut mesh = Mesh::new();
    mesh.run(&Step::Note { file: 0 });
    mesh.run(&Step::Backup { file: 0 });
    mesh.run(&Step::Note { file: 0 });
    mesh.meet(0, 1, None);
    mesh.run(&Step::Restore { file: 0 });
    mesh.run(&Step::Note { file: 0 });
    mesh.meet(0, 2, None);
    mesh.meet(1, 2, None);
    assert_eq!(mesh.held[2].len(), 3);
    mesh.settle(&[1, 2]);
    assert_eq!(mesh.world.same(NOTES).len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_of_files_converges(steps in steps(1..2, false)) {
        check(&steps, &[1]);
    }

    #[test]
    fn a_mesh_of_files_converges(steps in steps(1..FILES, false)) {
        check(&steps, &[1, 2]);
    }

    #[test]
    fn restored_files_of_a_ring_come_together_again(steps in steps(1..2, true)) {
        check(&steps, &[1]);
    }

    #[test]
    fn restored_files_of_a_mesh_come_together_again(steps in steps(1..FILES, true)) {
        check(&steps, &[1, 2]);
    }
}
