//! What was received before.

use std::collections::HashSet;

/// As many ids are known at least.
pub(super) const MOST_IDS: usize = 1_000_000;

/// The ids seen, by half their SHA-256: a long run must not keep every id whole, nor for ever.
#[derive(Default)]
pub(super) struct Ids {
    pub(super) newer: HashSet<[u8; 16]>,
    pub(super) older: HashSet<[u8; 16]>,
}

impl Ids {
    /// False if it is known; the last `most` ids are.
    pub(super) fn insert(&mut self, id: [u8; 16], most: usize) -> bool {
        let is_new = !self.older.contains(&id);
        let is_new = self.newer.insert(id) && is_new;
        if self.newer.len() >= most {
            self.older = std::mem::take(&mut self.newer);
        }
        is_new
    }
}
