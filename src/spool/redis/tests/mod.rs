//! The engine in the conformance kit and in the model test, against a real server.

mod server;

use std::cell::Cell;
use std::rc::Rc;

use super::connection::crash;
use super::*;
use crate::options::SpoolPlace;
use crate::spool::kit::faulty::fault_tests;
use crate::spool::kit::{DeadOrder, Engine, conformance_tests};
use server::Server;

thread_local! {
    static LAST_NAME: Cell<u32> = const { Cell::new(0) };
}

struct RedisEngine {
    server: Rc<Server>,
    place: EnginePlace,
    settings: QueueSettings,
}

fn place(url: &str) -> EnginePlace {
    match SpoolPlace::parse(url).unwrap() {
        SpoolPlace::Engine(place) => place,
        directory => panic!("{directory}"),
    }
}

impl Engine for RedisEngine {
    const SURVIVES: bool = true;
    const IS_SHARED: bool = true;
    const DEAD_ORDER: DeadOrder = DeadOrder::Death;
    const MODEL_STEPS: u32 = 2500;
    const CRASH_SPAN: u64 = 60;
    const IGNORES_REPEATED_IDS: bool = true;

    fn new(settings: &QueueSettings) -> RedisEngine {
        crash::after(None);
        let name = LAST_NAME.get() + 1;
        LAST_NAME.set(name);
        let server = server::of_test(settings.durability);
        RedisEngine {
            place: place(&server.url(&name.to_string())),
            server,
            settings: QueueSettings {
                allow_volatile: true,
                ..settings.clone()
            },
        }
    }

    fn open(&self) -> Box<dyn Spool> {
        // The test cases use invented times, so no time is converted.
        let spool = RedisSpool::new(&self.place, &self.settings, true, None);
        Box::new(spool.unwrap())
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

conformance_tests!(RedisEngine);
fault_tests!(RedisEngine);
