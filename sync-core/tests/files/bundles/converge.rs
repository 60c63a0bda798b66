//! Any exports, imports and writes, in any order and repeated, between three files that are restored and cloned
//! now and then: in the end they hold the same, and nothing that one of them held is lost.

use std::collections::BTreeSet;

use pocketsync_core::bundle::BundleError;
use proptest::prelude::*;

use super::stick::{Machine, for_anyone};

const FILES: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// A note of its own, which nobody takes away.
    Note {
        file: usize,
    },
    /// A row that all write.
    Tag {
        file: usize,
        name: u8,
        delete: bool,
    },
    Export {
        from: usize,
        to: Option<usize>,
    },
    Import {
        file: usize,
        bundle: prop::sample::Index,
        cut_off: Option<f64>,
    },
    Reopen {
        file: usize,
    },
    Backup {
        file: usize,
    },
    Restore {
        file: usize,
    },
    /// One file becomes a copy of another.
    Clone {
        from: usize,
        to: usize,
    },
}

fn steps(with_disasters: bool) -> impl Strategy<Value = Vec<Step>> {
    let file = || 0..FILES;
    let import = (file(), any::<prop::sample::Index>(), prop::option::weighted(0.2, 0.0..4.0));
    let everyday = prop_oneof![
        3 => file().prop_map(|file| Step::Note { file }),
        2 => (file(), 0u8..3, prop::bool::weighted(0.3))
            .prop_map(|(file, name, delete)| Step::Tag { file, name, delete }),
        4 => (file(), prop::option::of(file())).prop_map(|(from, to)| Step::Export { from, to }),
        6 => import.prop_map(|(file, bundle, cut_off)| Step::Import { file, bundle, cut_off }),
        1 => file().prop_map(|file| Step::Reopen { file }),
    ];
    let disaster = prop_oneof![
        3 => file().prop_map(|file| Step::Backup { file }),
        2 => file().prop_map(|file| Step::Restore { file }),
        // The third file is never part of it: copies part when one of them is met by somebody else.
        1 => any::<bool>().prop_map(|there| if there {
            Step::Clone { from: 0, to: 1 }
        } else {
            Step::Clone { from: 1, to: 0 }
        }),
    ];
    let disasters = if with_disasters { 3 } else { 0 };
    let step = if disasters > 0 {
        prop_oneof![17 => everyday, disasters => disaster].boxed()
    } else {
        everyday.boxed()
    };
    prop::collection::vec(step, 1..40)
}

/// A bundle on the stick, and the notes that whoever takes it has.
struct Carried {
    bytes: Vec<u8>,
    notes: BTreeSet<String>,
}

struct World {
    files: Vec<Machine>,
    /// The notes that each file holds.
    held: Vec<BTreeSet<String>>,
    backups: Vec<Option<(Vec<u8>, BTreeSet<String>)>>,
    stick: Vec<Carried>,
    notes: usize,
    disasters: bool,
}

impl World {
    fn new() -> Self {
        World {
            files: (0..FILES).map(|_| Machine::new()).collect(),
            held: vec![BTreeSet::new(); FILES],
            backups: (0..FILES).map(|_| None).collect(),
            stick: Vec::new(),
            notes: 0,
            disasters: false,
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Note { file } => {
                self.notes += 1;
                let note = format!("note {} with some words", self.notes);
                self.files[*file].note(&note);
                self.held[*file].insert(note);
            }
            Step::Tag { file, name, delete: true } => {
                self.files[*file].sql(&format!("DELETE FROM tag WHERE name = 't{name}'"));
            }
            Step::Tag { file, name, delete: false } => {
                self.notes += 1;
                let n = self.notes;
                self.files[*file].sql(&format!(
                    "INSERT INTO tag(name, n) VALUES('t{name}', {n}) ON CONFLICT(name) DO UPDATE SET n = {n}"
                ));
            }
            Step::Export { from, to } => self.export(*from, to.filter(|to| to != from)),
            Step::Import { file, bundle, cut_off } => {
                if !self.stick.is_empty() {
                    let bundle = bundle.index(self.stick.len());
                    self.import(*file, bundle, *cut_off);
                }
            }
            Step::Reopen { file } => self.files[*file].reopen(),
            Step::Backup { file } => {
                let bytes = self.files[*file].backup();
                self.backups[*file] = Some((bytes, self.held[*file].clone()));
            }
            Step::Restore { file } => {
                if let Some((bytes, held)) = &self.backups[*file] {
                    self.files[*file].restore(bytes);
                    self.held[*file].clone_from(held);
                    self.disasters = true;
                }
            }
            Step::Clone { from, to } => {
                let bytes = self.files[*from].backup();
                self.files[*to].restore(&bytes);
                self.held[*to] = self.held[*from].clone();
                self.disasters = true;
            }
        }
    }

    fn export(&mut self, from: usize, to: Option<usize>) {
        let sender = &self.files[from];
        let bytes = match to {
            Some(to) => sender.export_for(&self.files[to]),
            None => sender.export(&for_anyone()),
        };
        self.stick.push(Carried { bytes, notes: self.held[from].clone() });
    }

    fn import(&mut self, file: usize, bundle: usize, cut_off: Option<f64>) {
        let carried = &self.stick[bundle];
        let imported = match cut_off {
            Some(times) => {
                let after = (carried.bytes.len() as f64 * times) as usize;
                self.files[file].import_cut_off(&carried.bytes, after)
            }
            None => self.files[file].import(&carried.bytes),
        };
        match imported {
            Ok(_) => self.held[file].extend(carried.notes.iter().cloned()),
            Err(BundleError::Own | BundleError::OtherRecipient { .. } | BundleError::Gap { .. }) => {}
            Err(BundleError::SenderForked { .. }) => assert!(self.disasters, "nobody was restored"),
            Err(BundleError::Io(_)) => assert!(cut_off.is_some()),
            Err(error) => panic!("{error}"),
        }
        let missing: Vec<_> = self.held[file].difference(&self.files[file].notes()).cloned().collect();
        assert!(missing.is_empty(), "file {file} lacks {missing:?}");
    }

    /// Everybody exports for everybody, and all of it is imported, until all is said.
    fn settle(&mut self) {
        for round in 0.. {
            self.stick.clear();
            for from in 0..FILES {
                for to in (0..FILES).filter(|to| *to != from) {
                    self.export(from, Some(to));
                }
                self.export(from, None);
            }
            for bundle in 0..self.stick.len() {
                for file in 0..FILES {
                    self.import(file, bundle, None);
                }
            }
            if (1..FILES).all(|file| self.files[file].holds_the_same_as(&self.files[0])) {
                return;
            }
            assert!(round < 8, "they do not come together");
        }
    }
}

fn check(steps: &[Step]) {
    let mut world = World::new();
    steps.iter().for_each(|step| world.run(step));
    let all: BTreeSet<String> = world.held.iter().flatten().cloned().collect();
    world.settle();
    for (n, file) in world.files.iter().enumerate() {
        let notes = file.notes();
        let lost: Vec<_> = all.difference(&notes).collect();
        assert!(lost.is_empty(), "{lost:?} lost in file {n}");
        if !world.disasters {
            assert_eq!(file.count(), notes.len(), "a note came twice");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_exchange_of_bundles_converges_and_loses_nothing(steps in steps(false)) {
        check(&steps);
    }

    #[test]
    fn restored_and_cloned_files_come_together_again(steps in steps(true)) {
        check(&steps);
    }
}
