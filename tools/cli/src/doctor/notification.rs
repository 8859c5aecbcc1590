//! The test notification: `--send`.

use clap::ArgMatches;
use esales_notify::{Config, Field, Kind, Receipt, Status, personal_data};

use super::report::Check;
use crate::{options, send};

const NAME: &str = "send";
/// A test must report the service's answer and leave nothing in a queue.
const OF_THE_QUEUE: [&str; 4] = ["spool", "durability", "delivery", "on_failure"];

/// Advice about a customer key that is personal data.
const PERSONAL: &str = "the service must not be given a person's data: use a SHA-256 of the visitor's id in the shop \
                        (--customer-id) for a signed-in visitor, a UUID for an anonymous one";

pub(super) fn check(args: &ArgMatches, is_configured: bool) -> Check {
    // The key is from --customer-key or ESALES_CUSTOMER_KEY, and is not shown.
    let key = args.get_one::<String>("customer-key");
    let looks_like = key.and_then(|key| personal_data(key));
    let personal = looks_like.map(|looks_like| format!("the customer key looks like {looks_like}"));
    let kind = args.get_one::<String>(NAME);
    let Some(kind) = kind.and_then(|kind| send::kind_of(kind)) else {
        return match personal {
            Some(found) => Check::warning(NAME, format!("--send was not given; {found}"), PERSONAL),
            None => Check::skipped(NAME, "--send was not given"),
        };
    };
    if !is_configured {
        return Check::not_tried(NAME, "options");
    }
    let mut config = Config::new();
    for (name, value) in options::given(args).filter(|(name, _)| !OF_THE_QUEUE.contains(name)) {
        // Every value was accepted before.
        let _ = config.set(name, value);
    }
    let (receipt, ..) = match send::notify(kind, args, &config) {
        Ok(sent) => sent,
        Err(message) => {
            return Check::failed(NAME, message, "fix the arguments of the notification");
        }
    };
    let name = kind.spec().name;
    let found = format!("{name}: {}: {}", receipt.status, receipt.detail);
    let check = match receipt.status {
        s if s.is_success() => match personal {
            Some(personal) => Check::warning(NAME, format!("{found}, but {personal}"), PERSONAL),
            None => Check::ok(NAME, found),
        },
        _ => Check::failed(NAME, found, advice(kind, &receipt)),
    };
    check
        .fact("kind", name)
        .fact("status_name", receipt.status.name())
        .fact("http_status", receipt.http_status)
        .fact("attempts", receipt.attempts)
        .fact("id", receipt.id)
}

fn advice(kind: Kind, receipt: &Receipt) -> &'static str {
    let has = |field| kind.need(field).is_some();
    match receipt.status {
        Status::MayHaveArrived => {
            "the payment may have arrived: look it up in the service's figures before you send it again"
        }
        Status::BadRequest if has(Field::Lines) => {
            "the service's message names what the order lacks"
        }
        Status::BadRequest if has(Field::ProductKey) => {
            "pass --product-key, also where --variant-key is known"
        }
        Status::BadRequest if has(Field::Ticket) => {
            "pass a ticket exactly as the service returned it"
        }
        Status::BadRequest => "the service's message names what is missing",
        Status::Forbidden => match kind {
            Kind::Payment => {
                "either the customer key of a signed-in visitor was not validated, or this cluster accepts signed payments \
                 only: try --send secure-payment with the private key"
            }
            Kind::SecurePayment => {
                "the payment token or the customer key was not validated: is the private key the current one of this \
                 cluster?"
            }
            _ => {
                "the customer key was not validated: is the private key the current one of this cluster, and the token \
                 made for this customer key?"
            }
        },
        Status::Rejected => {
            "check cluster_id or base_url; the v1 API must have been enabled for the cluster by the vendor's support"
        }
        Status::ServerError | Status::Throttled => {
            "the service is unavailable or busy: try again later; a queue does so automatically"
        }
        Status::InvalidArgument => {
            "fix the arguments of the notification (--market, --ticket, --line, ...)"
        }
        _ => "see the checks of the network above",
    }
}
