//! The engine in the conformance kit and in the model test, against a real Redis and a real Valkey.

mod altered;
mod failover;
mod fallback;
mod server;

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;

use super::connection::crash;
use super::*;
use crate::options::SpoolPlace;
use crate::spool::kit::faulty::fault_tests;
use crate::spool::kit::{DeadOrder, Engine, SHOP, at, conformance_tests, fetch, settlement};
use crate::spool::{Fate, Lease};
use server::Server;

thread_local! {
    static LAST_NAME: Cell<u32> = const { Cell::new(0) };
}

/// One of the two servers.
trait Program {
    /// The name of its command.
    const NAME: &'static str;
}

struct Redis;

impl Program for Redis {
    const NAME: &'static str = "redis-server";
}

struct Valkey;

impl Program for Valkey {
    const NAME: &'static str = "valkey-server";
}

struct RedisEngine<P> {
    server: Rc<Server>,
    place: EnginePlace,
    settings: QueueSettings,
    program: PhantomData<P>,
}

impl<P> RedisEngine<P> {
    fn open_engine(&self) -> RedisSpool {
        // The test cases use invented times, so no time is converted.
        RedisSpool::new(&self.place, &self.settings, true, None).unwrap()
    }
}

fn place(url: &str) -> EnginePlace {
    match SpoolPlace::parse(url).unwrap() {
        SpoolPlace::Engine(place) => place,
        directory => panic!("{directory}"),
    }
}

impl<P: Program> Engine for RedisEngine<P> {
    const SURVIVES: bool = true;
    const IS_SHARED: bool = true;
    const DEAD_ORDER: DeadOrder = DeadOrder::Death;
    const MODEL_STEPS: u32 = 2500;
    const CRASH_SPAN: u64 = 60;
    const IGNORES_REPEATED_IDS: bool = true;

    fn new(settings: &QueueSettings) -> RedisEngine<P> {
        crash::after(None);
        let name = LAST_NAME.get() + 1;
        LAST_NAME.set(name);
        let server = server::of_test(P::NAME, settings.durability);
        RedisEngine {
            place: place(&server.url(&name.to_string())),
            server,
            settings: QueueSettings {
                allow_volatile: true,
                ..settings.clone()
            },
            program: PhantomData,
        }
    }

    fn open(&self) -> Box<dyn Spool> {
        Box::new(self.open_engine())
    }

    fn expire_lease(&self) {
        let key = format!("esales:{{{}}}:lead", self.place.name);
        self.server.command(&["DEL", &key]);
    }

    fn restart(&mut self) {
        crash::after(None);
        // The lease of a killed process would expire after the lease time.
        self.expire_lease();
    }

    fn crash_after(&self, writes: u64) -> bool {
        crash::after(Some(writes));
        true
    }

    fn has_crashed(&self) -> bool {
        crash::has_struck()
    }

    /// Kills the engine, which reads its append-only file when it starts again.
    fn power_cut(&mut self) -> Option<()> {
        self.server.restart();
        self.expire_lease();
        Some(())
    }
}

/// The same with a fallback, which must change nothing while the engine answers. A crash cannot be armed, because the
/// fallback would accept what the engine does not.
struct WithFallback<P> {
    engine: RedisEngine<P>,
    folder: tempfile::TempDir,
}

impl<P: Program> Engine for WithFallback<P> {
    const SURVIVES: bool = true;
    const IS_SHARED: bool = true;
    const DEAD_ORDER: DeadOrder = RedisEngine::<P>::DEAD_ORDER;
    const MODEL_STEPS: u32 = 500;
    const IGNORES_REPEATED_IDS: bool = true;

    fn new(settings: &QueueSettings) -> WithFallback<P> {
        WithFallback {
            engine: RedisEngine::new(settings),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn open(&self) -> Box<dyn Spool> {
        let engine = self.engine.open_engine();
        let path = self.folder.path().join("fallback");
        Box::new(FallbackSpool::new(engine, &path, &self.engine.settings, true).unwrap())
    }

    fn expire_lease(&self) {
        self.engine.expire_lease();
    }

    fn restart(&mut self) {
        self.engine.restart();
    }

    fn power_cut(&mut self) -> Option<()> {
        self.engine.power_cut()
    }
}

/// Delivers what may be sent, and returns the ids.
fn deliver(lease: &mut dyn Lease) -> Vec<String> {
    let items = fetch(lease, SHOP, at(0));
    let delivered = |item| settlement(item, Fate::Delivered, at(1));
    let settlements: Vec<_> = items.iter().map(delivered).collect();
    lease.settle(&settlements, &[]).unwrap();
    items.into_iter().map(|item| item.id).collect()
}

macro_rules! tests_with_servers {
    ($program:ty) => {
        tests_with_servers! { $program,
            altered {
                altered_entry_is_named_and_everything_else_is_delivered
            }
            failover {
                settlement_after_a_failover_completes_no_other_notification
                notifications_after_a_failover_are_fetched_by_the_same_drainer
                flush_waits_for_what_is_pushed_again_after_a_failover
                flush_waits_for_what_another_thread_pushes_again_after_a_failover
                begin_after_a_failover_marks_no_other_notification
                begun_item_is_marked_after_a_failover_that_lost_the_mark
                operator_changes_no_other_dead_letter_after_a_failover
            }
            fallback {
                payment_is_not_accepted_twice_when_it_is_forwarded_after_its_delivery
                end_is_sent_after_older_notifications_in_the_log
                flush_waits_for_what_is_forwarded_meanwhile
            }
        }
    };
    ($program:ty, $($module:ident { $($case:ident)* })*) => {
        $($(#[test]
        fn $case() {
            $module::$case::<$program>();
        })*)*
    };
}

mod on_redis {
    use super::*;

    conformance_tests!(RedisEngine<Redis>);
    fault_tests!(RedisEngine<Redis>);
    tests_with_servers!(Redis);
}

mod on_redis_with_fallback {
    use super::*;

    conformance_tests!(WithFallback<Redis>);
}

mod on_valkey {
    use super::*;

    conformance_tests!(RedisEngine<Valkey>);
    fault_tests!(RedisEngine<Valkey>);
    tests_with_servers!(Valkey);

    #[test]
    fn server_of_these_tests_is_a_valkey() {
        let server = server::of_test(Valkey::NAME, crate::options::Durability::Process);
        let reply = server.command(&["INFO", "server"]);
        let info = super::connection::Info::parse(reply.text().unwrap());
        assert!(info.is_valkey, "{info:?}");
    }
}
