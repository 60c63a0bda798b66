//! The writes of one cell, and which of them knew of which.

use std::collections::BTreeSet;

use super::{CommitNo, Mark};

/// The number of a write in its cell, in the order of the commits.
pub type NodeNo = u32;

/// How far back a device's own last write is looked for. Writes further back are most likely known
/// through the others; not finding one only makes the model milder.
const OWN_WRITES_BACK: usize = 64;

/// One write of one cell.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it put there.
    pub mark: Mark,
    /// The transaction that wrote it (the first one, where several wrote the same).
    pub commit: CommitNo,
    /// Whether several transactions wrote the same value: then nobody can tell which of them is
    /// shown, so nothing is concluded from it.
    pub ambiguous: bool,
    /// The writes that it certainly knew of: the one that it replaced, and its device's own last.
    knew: [Option<NodeNo>; 2],
}

/// The writes of one cell. Those that a write knew of have smaller numbers.
#[derive(Clone, Default, Debug)]
pub struct Cell {
    nodes: Vec<Node>,
}

impl Cell {
    /// A transaction wrote `mark` where its device showed `before`; `own` recognises earlier
    /// commits of the same file.
    pub(super) fn write(
        &mut self,
        mark: Mark,
        commit: CommitNo,
        before: Option<&Mark>,
        own: impl Fn(CommitNo) -> bool,
    ) -> NodeNo {
        if let Some(node) = self.find(&mark) {
            let known = &mut self.nodes[node as usize];
            known.ambiguous |= known.commit != commit;
            return node;
        }
        let replaced = before.and_then(|before| self.find(before));
        let back = self.nodes.iter().enumerate().rev().take(OWN_WRITES_BACK);
        let mine = back.filter(|(_, node)| own(node.commit)).map(|(index, _)| index as NodeNo).next();
        self.nodes.push(Node { mark, commit, ambiguous: false, knew: [replaced, mine] });
        self.nodes.len() as NodeNo - 1
    }

    /// The write that put this there.
    pub fn find(&self, mark: &Mark) -> Option<NodeNo> {
        // What is shown is among the last ones, as a rule.
        self.nodes.iter().rposition(|node| node.mark == *mark).map(|index| index as NodeNo)
    }

    /// A write by its number.
    pub fn node(&self, node: NodeNo) -> &Node {
        &self.nodes[node as usize]
    }

    /// All writes, in the order of their commits.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The writes that this one certainly knew of at first hand.
    pub fn parents(&self, node: NodeNo) -> impl Iterator<Item = NodeNo> {
        self.nodes[node as usize].knew.into_iter().flatten()
    }

    /// Whether `later` certainly knew of `earlier`, at first hand or through others.
    pub fn knew(&self, later: NodeNo, earlier: NodeNo) -> bool {
        if earlier >= later || self.node(earlier).ambiguous || self.node(later).ambiguous {
            return false;
        }
        let mut ahead: BTreeSet<NodeNo> = self.parents(later).collect();
        while let Some(node) = ahead.pop_last() {
            if node <= earlier {
                return node == earlier;
            }
            if !self.node(node).ambiguous {
                ahead.extend(self.parents(node));
            }
        }
        false
    }

    /// Whether every write knew of all that were there before it.
    pub fn is_chain(&self) -> bool {
        let last = self.nodes.len() as NodeNo;
        last == 0 || !self.nodes[0].ambiguous && (1..last).all(|node| self.knew(node, node - 1))
    }

    /// For each write, whether a write that certainly is still there knew of it.
    pub fn overwritten(&self, survives: impl Fn(CommitNo) -> bool) -> Vec<bool> {
        let mut overwritten = vec![false; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if survives(node.commit) || (overwritten[index] && !node.ambiguous) {
                for known in node.knew.into_iter().flatten() {
                    overwritten[known as usize] = true;
                }
            }
        }
        for (overwritten, node) in overwritten.iter_mut().zip(&self.nodes) {
            *overwritten &= !node.ambiguous;
        }
        overwritten
    }
}
