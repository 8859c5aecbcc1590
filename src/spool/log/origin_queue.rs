//! The items that the leader has read ahead for one origin.

use std::collections::BTreeMap;

use crate::spool::{Item, Position};

/// The items that are read ahead for one origin.
#[derive(Debug)]
pub(super) struct OriginQueue {
    pub(super) number: u32,
    /// Every item before it is in `ahead`, among the retries, or completed.
    pub(super) cursor: Position,
    pub(super) ahead: BTreeMap<Position, Item>,
}
