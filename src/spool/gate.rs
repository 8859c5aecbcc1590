//! What a spool keeps of a gate.

/// Whether deliveries to an origin are backing off; the rules are in `queue::gate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    /// Probes that failed in a row; 0: open.
    pub(crate) failures: u32,
    /// When it closed, in milliseconds since 1970-01-01 UTC.
    pub(crate) closed_at: u64,
    /// How long after that the next probe may go out, in milliseconds.
    pub(crate) pause: u64,
}
