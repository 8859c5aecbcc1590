//! The stored state of a gate.

/// Whether deliveries to an origin are backing off; the rules are in `queue::gate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    /// Number of consecutive failed probes; 0: the gate is open.
    pub(crate) failures: u32,
    /// When the gate closed, in milliseconds since 1970-01-01 UTC.
    pub(crate) closed_at: u64,
    /// The pause after that until the next probe, in milliseconds.
    pub(crate) pause: u64,
}
