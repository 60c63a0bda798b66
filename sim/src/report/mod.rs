//! One self-contained HTML page about the outcomes of scenarios, with plots, and tables for a
//! notebook.
//!
//! ```no_run
//! use pocketsync_sim::outcome::Folder;
//! use pocketsync_sim::report;
//!
//! let before = Folder::load_all("before".as_ref())?;
//! let after = Folder::load_all("after".as_ref())?;
//! std::fs::write("report.html", report::page(&report::beside(&[("before", &before), ("after", &after)])))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod csv;
mod figures;
mod html;
mod plot;
mod section;
mod tables;
mod units;

pub use csv::{catch_ups_csv, divergence_csv, runs_csv};

use crate::outcome::Folder;

/// What stands side by side, on the same axes: one scenario, or several to compare.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// What the section is called.
    pub title: String,
    /// What is shown, each under its label.
    pub members: Vec<(String, &'a Folder)>,
}

/// Puts the outcomes of several folders side by side: a scenario beside the one of the same name;
/// where each folder holds one scenario only, these two, whatever they are called.
pub fn beside<'a>(folders: &[(&str, &'a [Folder])]) -> Vec<Group<'a>> {
    if folders.len() > 1 && folders.iter().all(|(_, folder)| folder.len() == 1) {
        let members: Vec<_> = folders.iter().map(|(label, folder)| (*label, &folder[0])).collect();
        let same = members.iter().all(|(_, folder)| folder.info.scenario == members[0].1.info.scenario);
        let name = |folder: &Folder| folder.info.scenario.clone();
        return vec![Group {
            title: match same {
                true => name(members[0].1),
                false => members.iter().map(|(_, folder)| name(folder)).collect::<Vec<_>>().join(" and "),
            },
            members: members
                .into_iter()
                .map(|(label, folder)| (if same { label.to_owned() } else { name(folder) }, folder))
                .collect(),
        }];
    }
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (label, folder) in folders {
        for one in *folder {
            let member = ((*label).to_owned(), one);
            match groups.iter_mut().find(|group| group.title == one.info.scenario) {
                Some(group) => group.members.push(member),
                None => groups.push(Group { title: one.info.scenario.clone(), members: vec![member] }),
            }
        }
    }
    groups
}

/// The page.
pub fn page(groups: &[Group<'_>]) -> String {
    let sections: String =
        groups.iter().enumerate().map(|(index, group)| section::of(index, group)).collect();
    html::page(&tables::overview(groups), &sections)
}
