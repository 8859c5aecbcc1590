//! The delivery to one origin: its gate, its connections, and its requests in flight.

use std::sync::Arc;

use crate::host::log;
use crate::http::{self, Pool};
use crate::options::{Endpoint, ServiceSettings};
use crate::outcome::Error;
use crate::spool::Gate;

/// The delivery to one origin.
pub(super) struct OriginDelivery {
    pub(super) gate: Gate,
    pub(super) in_flight: usize,
    /// Whether the last fetch returned all items, or the origin is unreachable.
    pub(super) is_exhausted: bool,
    service: ServiceSettings,
    pool: Option<Arc<Pool>>,
    /// The last logged reason why no connection to this origin can be set up.
    trouble: Option<Error>,
}

impl OriginDelivery {
    /// With the settings of this client, and another origin if the notifications were accepted for that one.
    pub(super) fn new(origin: &str, own: &ServiceSettings, gate: Gate) -> OriginDelivery {
        let mut service = own.clone();
        if service.endpoint.origin != origin {
            service.endpoint = Endpoint::from_stored(origin);
        }
        OriginDelivery {
            gate,
            in_flight: 0,
            is_exhausted: false,
            service,
            pool: None,
            trouble: None,
        }
    }

    /// The connection pool of the origin; `None`: it cannot be set up.
    pub(super) fn pool(&mut self) -> Option<Arc<Pool>> {
        if self.pool.is_none() {
            match http::pool_of(&self.service) {
                Ok(pool) => {
                    self.pool = Some(pool);
                    self.trouble = None;
                }
                Err(e) => {
                    if self.trouble.as_ref() != Some(&e) {
                        let origin = &self.service.endpoint.origin;
                        log::error(|| format!("nothing can be delivered to {origin}: {e}"));
                        self.trouble = Some(e);
                    }
                }
            }
        }
        self.pool.clone()
    }

    /// A request has ended, with this detail, and this is the gate after it. Returns whether the gate has changed.
    pub(super) fn finish(&mut self, gate: Gate, detail: &str, now: u64) -> bool {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.is_exhausted = false;
        let before = std::mem::replace(&mut self.gate, gate);
        let origin = &self.service.endpoint.origin;
        if gate == before {
            return false;
        }
        if before.is_open() {
            log::warn(|| {
                let wait = gate.wait(now);
                format!("deliveries to {origin} are failing: {detail}; next try in {wait:?}")
            });
        } else if gate.is_open() {
            log::info(|| format!("deliveries to {origin} are getting through again"));
        }
        true
    }
}
