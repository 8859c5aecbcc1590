//! `health`: checks whether a running agent works, for the health check of a container.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::agent::{Address, LISTEN_VARIABLE};
use crate::output::{self, printable};

/// How long the agent may take for each step.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Greatest number of bytes of an answer that are read.
const LONGEST_ANSWER: u64 = 64 * 1024;
/// The agent is not healthy.
const EXIT_UNWELL: u8 = 1;

pub(crate) fn command() -> Command {
    Command::new("health")
        .about("Check whether a running agent is healthy, for the health check of a container")
        .after_help("Exit code: 0 the agent is healthy; 1 it is not, or does not answer; 2 wrong usage.")
        .arg(
            Arg::new("agent")
                .long("agent")
                .value_name("ADDRESS")
                .env(LISTEN_VARIABLE)
                .value_delimiter(',')
                .required(true)
                .value_parser(|text: &str| text.parse::<Address>())
                .help("Where the agent listens, as in drain --listen; if there are several addresses, the first is asked"),
        )
        .arg(
            Arg::new("ready")
                .long("ready")
                .action(ArgAction::SetTrue)
                .help("Also require that the spool can be written (/readyz), not only that the delivery works (/healthz)"),
        )
}

pub(crate) fn run(args: &ArgMatches) -> Result<ExitCode, String> {
    let address = args.get_one::<Address>("agent").ok_or("which agent?")?;
    let paths: &[&str] = match args.get_flag("ready") {
        true => &["/healthz", "/readyz"],
        false => &["/healthz"],
    };
    for path in paths {
        match ask(address, path) {
            Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => {}
            Ok(answer) => {
                let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                errln!("esales-notify: {address}{path}: {}", printable(body.trim()));
                return Ok(ExitCode::from(EXIT_UNWELL));
            }
            Err(e) => {
                errln!("esales-notify: {address}: {e}");
                return Ok(ExitCode::from(EXIT_UNWELL));
            }
        }
    }
    outln!("{address} is healthy");
    Ok(output::exit_code())
}

fn ask(address: &Address, path: &str) -> io::Result<String> {
    match address {
        Address::Tcp(tcp) => {
            let mut tcp = *tcp;
            // An agent that listens on every address is asked on loopback.
            if tcp.ip().is_unspecified() {
                tcp.set_ip(match tcp.is_ipv4() {
                    true => std::net::Ipv4Addr::LOCALHOST.into(),
                    false => std::net::Ipv6Addr::LOCALHOST.into(),
                });
            }
            let stream = TcpStream::connect_timeout(&tcp, TIMEOUT)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            exchange(stream, path)
        }
        Address::Unix(socket) => {
            let stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            exchange(stream, path)
        }
    }
}

fn exchange(mut stream: impl Read + Write, path: &str) -> io::Result<String> {
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
