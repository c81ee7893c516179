//! `charmd`: see the crate.

#![expect(clippy::print_stderr, reason = "a program says what is wrong, and where it listens")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use charms_reactive_server::keeper::Keeper;
use charms_reactive_server::listen::{ListenError, Server, Token, WATCH_LIMIT};
use charms_reactive_server::operations::{self, Kinds, Operations, Settings};
use charms_reactive_server::runtimeconfig::{Memory, Sqlite, Store, StoreError};
use clap::{Parser, Subcommand};

/// How long work that was told to stop may take when the program ends.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);

/// The daemon of a unit: serves waiters and operations to its programs.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves Google's Runtime Configurator, v1beta1, and on the socket LXD's operations.
    Serve {
        /// Where everything is kept; without it, nothing survives the end of the server.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// The unix socket to listen on.
        #[arg(long, value_name = "PATH", required_unless_present = "http")]
        socket: Option<PathBuf>,
        /// An address of this machine to listen on as well, for example 127.0.0.1:8080; port 0 takes a free one.
        #[arg(long, value_name = "ADDRESS")]
        http: Option<SocketAddr>,
        /// A file with a token that clients have to say on TCP, as `Authorization: Bearer TOKEN`.
        #[arg(long, value_name = "FILE", requires = "http")]
        token_file: Option<PathBuf>,
    },
}

#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("cannot keep data")]
    Store(#[from] StoreError),
    #[error("cannot keep operations")]
    Operations(#[from] operations::StoreError),
    #[error("cannot serve")]
    Listen(#[from] ListenError),
    #[error("cannot read a token from `{0}`, expected a file with one line")]
    Token(String),
    #[error("cannot start")]
    Io(#[from] std::io::Error),
}

fn main() -> ExitCode {
    let Arguments { command: Command::Serve { data, socket, http, token_file } } = Arguments::parse();
    let _ = log::set_logger(&ToStandardError).map(|()| log::set_max_level(log::LevelFilter::Info));
    match serve(data.as_deref(), socket.as_deref(), http, token_file.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            let reasons: Vec<String> = chain.map(ToString::to_string).collect();
            eprintln!("charmd: {}", reasons.join(": "));
            ExitCode::FAILURE
        }
    }
}

fn serve(
    data: Option<&Path>,
    socket: Option<&Path>,
    http: Option<SocketAddr>,
    token_file: Option<&Path>,
) -> Result<(), ServeError> {
    let store: Box<dyn Store> = match data {
        Some(directory) => Box::new(Sqlite::open(directory)?),
        None => Box::new(Memory),
    };
    let (keeper, _thread) = Keeper::start(store)?;
    let kept: Box<dyn operations::Store> = match data {
        Some(directory) => Box::new(operations::Sqlite::open(directory)?),
        None => Box::new(operations::Memory),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let operations =
        Operations::start(kept, Kinds::standard(), &Settings::default(), runtime.handle().clone())?;
    let server = Server::new(keeper, WATCH_LIMIT).operations(operations.clone());
    let token = token_file.map(|path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        Token::new(&text).ok_or_else(|| ServeError::Token(path.display().to_string()))
    });
    let token = token.transpose()?;
    runtime.block_on(async {
        let unix = async {
            match socket {
                Some(path) => server.clone().serve_unix(path).await,
                None => std::future::pending().await,
            }
        };
        let tcp = async {
            match http {
                Some(address) => server.clone().token(token).serve_tcp(Server::bind(address).await?).await,
                None => std::future::pending().await,
            }
        };
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        // Whoever was answered is in the store: of requests, there is nothing to be finished.
        tokio::select! {
            result = unix => result?,
            result = tcp => result?,
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        operations.shut_down(SHUTDOWN_MAX).await;
        if let Some(path) = socket {
            let _ = std::fs::remove_file(path);
        }
        Ok(())
    })
}

/// Log records, a line each: systemd and Pebble keep them.
struct ToStandardError;

impl log::Log for ToStandardError {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Info
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            eprintln!("{}: {}", record.level().as_str().to_lowercase(), record.args());
        }
    }

    fn flush(&self) {}
}
