//! `charmd`: see the crate.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program says what is wrong, and where it listens"
)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use charms_reactive_core::UnitName;
use charms_reactive_operations::Retention;
use charms_reactive_server::database::DatabaseError;
use charms_reactive_server::keeper::Keeper;
use charms_reactive_server::listen::{Identity, ListenError, Quotas, Server, TlsError, Token, WATCH_LIMIT};
use charms_reactive_server::operations::{
    self, Api, CharmWork, Kinds, Member, Members, Operations, Own, Place, Settings, Trust, TrustError,
};
use charms_reactive_server::runtimeconfig::{
    Endpoint, Etcd, EtcdTls, EtcdUser, Memory, Sqlite, Store, StoreError,
};
use charms_reactive_server::service::{ServiceArgs, ServiceError};
use charms_reactive_server::wake::{Juju, WakeUps};
use clap::{Parser, Subcommand};

/// How long work that was told to stop may take when the program ends.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);

/// The exit code of `charmd service status` where it does not answer.
const STOPPED: u8 = 3;

/// The daemon of a unit: serves waiters and operations to its programs.
#[derive(Parser)]
#[command(name = "charmd", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, and not for long")]
enum Command {
    /// Serves Google's Runtime Configurator, v1beta1, and on the socket LXD's operations.
    Serve(ServeArguments),
    /// Installs, starts, stops, removes the daemon of a unit as a service, or tells whether it answers.
    Service(ServiceArgs),
}

/// What is served, to whom, and from where.
#[derive(clap::Args)]
struct ServeArguments {
    #[command(flatten)]
    store: StoreArguments,
    /// The unix socket to listen on.
    #[arg(long, value_name = "PATH", required_unless_present_any = ["http", "https"])]
    socket: Option<PathBuf>,
    /// An address of this machine to listen on as well, for example 127.0.0.1:8080; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// A file with a token that clients have to say on TCP, as `Authorization: Bearer TOKEN`.
    #[arg(long, value_name = "FILE", requires = "http")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    guard: Guard,
    #[command(flatten)]
    of_unit: OfUnit,
    #[command(flatten)]
    https: HttpsArguments,
    #[command(flatten)]
    operations: OperationsArguments,
    /// Leave the session of whoever started it.
    #[arg(long, hide = true)]
    own_session: bool,
}

/// Whose daemon it is.
#[derive(clap::Args)]
struct OfUnit {
    /// The unit of this daemon, for example web/0: Juju is asked to wake it when that is due.
    #[arg(long, value_name = "UNIT", value_parser = UnitName::parse, requires = "socket")]
    unit: Option<UnitName>,
    /// The directory of the charm, whose program works for operations.
    #[arg(long, value_name = "DIR", requires_all = ["data", "socket"])]
    charm: Option<PathBuf>,
}

/// What becomes of operations, and what is said of them.
#[derive(clap::Args)]
struct OperationsArguments {
    /// For how many seconds operations are kept that have ended.
    #[arg(long, value_name = "SECONDS", default_value = "86400")]
    keep_for: u32,
    /// How many operations are kept that have ended, without those that are parts of others.
    #[arg(long, value_name = "NUMBER", default_value = "10000")]
    keep_count: usize,
    /// Writes requests to operations and their answers into the log, without secrets.
    #[arg(long)]
    debug: bool,
}

impl OperationsArguments {
    fn settings(&self, location: &str) -> Settings {
        let age = Duration::from_secs(self.keep_for.into());
        let retention = Retention { age, count: self.keep_count };
        Settings { location: location.to_owned(), retention, ..Settings::default() }
    }
}

/// How operations are served over TLS.
#[derive(clap::Args)]
struct HttpsArguments {
    /// An address to serve operations on over TLS, for example 127.0.0.1:8443: everything to clients whose
    /// certificates are trusted. Without `--tls-cert`, `server.crt` and `server.key` in the directory of the data
    /// are shown, and made at the first start.
    #[arg(long, value_name = "ADDRESS", requires = "data")]
    https: Option<SocketAddr>,
    /// For how many seconds a token is good by which a client can add itself to those who are trusted.
    #[arg(long, value_name = "SECONDS", default_value = "3600", requires = "https")]
    token_age: u32,
    /// What this server is called among the members of its cluster; its operations have it as location.
    #[arg(long, value_name = "NAME", default_value = "none", requires = "https")]
    name: String,
    /// Another member of its cluster, for example `b=https://192.0.2.7:8443`: a server that is started with the same
    /// certificate and key. What one does not know, it asks the others.
    #[arg(long = "member", value_name = "NAME=URL", requires_all = ["https", "tls_cert"])]
    members: Vec<Member>,
}

impl HttpsArguments {
    /// Takes the address, as whom, and with whom to trust; None: nothing was asked for.
    fn open(&self, data: &Path, own: Option<Identity>) -> Result<Option<(Https, Own)>, ServeError> {
        let Some(address) = self.https else { return Ok(None) };
        let identity = match own {
            Some(identity) => identity,
            None => Identity::open(data)?,
        };
        let listener = std::net::TcpListener::bind(address)?;
        let token_age = Duration::from_secs(self.token_age.into());
        let own = Own::new(identity.certificate().clone(), listener.local_addr()?, token_age);
        let members = Members::new(self.members.clone(), &identity).map_err(ListenError::from)?;
        Ok(Some((Https { listener, identity, members }, own)))
    }
}

/// Where operations are served over TLS, and as whom.
struct Https {
    listener: std::net::TcpListener,
    identity: Identity,
    members: Members,
}

/// What stands between the service and its clients.
#[derive(clap::Args)]
struct Guard {
    /// A file with the certificate to show on TCP, in PEM; beyond this machine that, its key and a token have to be.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// A file with the key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// How many writes, watches and reads a project may ask for in a minute; without numbers, as many as at Google.
    #[arg(long, value_name = "WRITES,WATCHES,READS", num_args = 0..=1, default_missing_value = "1200,600,6000")]
    quotas: Option<Quotas>,
}

/// Where everything is kept.
#[derive(clap::Args)]
struct StoreArguments {
    /// Where everything is kept; without it, nothing survives the end of the server.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Members of an etcd, for example `http://127.0.0.1:2379`, in which configs, variables and waiters are kept;
    /// servers on one etcd are one. Operations are each server's own, in its directory.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    etcd: Vec<Endpoint>,
    /// What the names of all keys in etcd begin with.
    #[arg(long, value_name = "TEXT", default_value = "/charmd/", requires = "etcd")]
    etcd_prefix: String,
    /// A file with the certificates of who signs those of etcd's members, for addresses with `https`.
    #[arg(long, value_name = "FILE", requires = "etcd")]
    etcd_ca: Option<PathBuf>,
    /// A file with the certificate of this client, where etcd asks for one.
    #[arg(long, value_name = "FILE", requires_all = ["etcd_ca", "etcd_key"])]
    etcd_cert: Option<PathBuf>,
    /// A file with its key.
    #[arg(long, value_name = "FILE", requires = "etcd_cert")]
    etcd_key: Option<PathBuf>,
    /// A user of etcd, where it has users; its role needs to read and write all below the prefix.
    #[arg(long, value_name = "NAME", requires_all = ["etcd", "etcd_password_file"])]
    etcd_user: Option<String>,
    /// A file with the user's password.
    #[arg(long, value_name = "FILE", requires = "etcd_user")]
    etcd_password_file: Option<PathBuf>,
}

impl StoreArguments {
    fn open(self) -> Result<Box<dyn Store>, StoreError> {
        let Self { data, etcd, etcd_prefix, etcd_ca, etcd_cert, etcd_key, etcd_user, etcd_password_file } =
            self;
        let tls = etcd_ca.map(|authorities| EtcdTls { authorities, own: etcd_cert.zip(etcd_key) });
        Ok(match data {
            _ if !etcd.is_empty() => {
                let store = Etcd::new(etcd, &etcd_prefix, tls.as_ref())?;
                match etcd_user.zip(etcd_password_file) {
                    Some((name, password)) => Box::new(store.user(EtcdUser::read(&name, &password)?)),
                    None => Box::new(store),
                }
            }
            Some(directory) => Box::new(Sqlite::open(&directory)?),
            None => Box::new(Memory),
        })
    }

    fn open_operations(&self) -> Result<Box<dyn operations::Store>, operations::StoreError> {
        Ok(match &self.data {
            Some(directory) => Box::new(operations::Sqlite::open(directory)?),
            None => Box::new(operations::Memory),
        })
    }
}

#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("cannot keep data")]
    Store(#[from] StoreError),
    #[error("cannot tell whom to trust")]
    Trust(#[from] TrustError),
    #[error("cannot keep operations")]
    Operations(#[from] operations::StoreError),
    #[error("cannot keep wake-ups")]
    WakeUps(#[from] DatabaseError),
    #[error("cannot serve")]
    Listen(#[from] ListenError),
    #[error("cannot read a token from `{0}`, expected a file with one line")]
    Token(String),
    #[error("cannot speak TLS")]
    Tls(#[from] TlsError),
    #[error("cannot see to the service")]
    Service(#[from] ServiceError),
    #[error("cannot start")]
    Io(#[from] std::io::Error),
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let is_debug = matches!(&command, Command::Serve(arguments) if arguments.operations.debug);
    let level = if is_debug { log::LevelFilter::Debug } else { log::LevelFilter::Info };
    let _ = log::set_logger(&ToStandardError).map(|()| log::set_max_level(level));
    let result = match command {
        Command::Serve(arguments) => serve(arguments).map(|()| true),
        Command::Service(arguments) => service(arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(STOPPED),
        Err(error) => {
            let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            let reasons: Vec<String> = chain.map(ToString::to_string).collect();
            eprintln!("charmd: {}", reasons.join(": "));
            ExitCode::FAILURE
        }
    }
}

/// Sees to the service; tells whether all is well.
fn service(arguments: ServiceArgs) -> Result<bool, ServeError> {
    let (text, is_well) = arguments.run(variable, &std::env::current_exe()?)?;
    println!("{text}");
    Ok(is_well)
}

/// How many files and connections may be open, where the system lets it be so many; often it is 1024 at first.
const OPEN_MAX: u64 = 16_384;

fn open_many() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let current = Some(limit.maximum.unwrap_or(OPEN_MAX).min(OPEN_MAX));
    if limit.current.is_some()
        && limit.current < current
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current, ..limit })
    {
        log::warn!("cannot have more files open: {error}");
    }
}

fn serve(
    ServeArguments {
        store,
        socket,
        http,
        token_file,
        guard,
        of_unit,
        https,
        operations: arguments,
        own_session,
    }: ServeArguments,
) -> Result<(), ServeError> {
    if own_session && let Err(error) = rustix::process::setsid() {
        log::warn!("cannot leave the session: {error}");
    }
    let OfUnit { unit, charm } = of_unit;
    open_many();
    let identity = guard.tls_cert.as_deref().zip(guard.tls_key.as_deref());
    let identity = identity.map(|(certificate, key)| Identity::read(certificate, key)).transpose()?;
    let data = store.data.clone();
    let kept = store.open_operations()?;
    let wake_ups = WakeUps::open(store.data.as_deref())?;
    let mut kinds = Kinds::standard();
    if let (Some(charm), Some(data)) = (charm, &store.data) {
        // By its whole name, as children are found by it.
        let place =
            Place { charm: std::path::absolute(charm)?, data: data.canonicalize()?, unit: unit.clone() };
        operations::end_leftovers(&place.data);
        kinds = kinds.with(CharmWork(place.clone())).with(operations::Command(place));
    }
    let (keeper, _thread) = Keeper::start(store.open()?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let settings = Settings { announce: Some(Arc::new(wake_ups.clone())), ..arguments.settings(&https.name) };
    let operations = Operations::start(kept, kinds, &settings, runtime.handle().clone())?;
    let (trust, https) = match data.as_deref() {
        None => (Trust::nobody(), None),
        Some(data) => {
            let trust = Trust::open(data)?;
            match https.open(data, identity.clone())? {
                None => (trust, None),
                Some((https, own)) => (trust.own(own), Some(https)),
            }
        }
    };
    let members = https.as_ref().map(|https| https.members.clone()).unwrap_or_default();
    let api = Api { operations: operations.clone(), trust, members, is_debug: arguments.debug };
    let server = Server::new(keeper.clone(), WATCH_LIMIT)
        .operations(api.clone())
        .wake_ups(wake_ups.clone())
        .quotas(guard.quotas);
    let token = token_file.map(|path| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        Token::new(&text).ok_or_else(|| ServeError::Token(path.display().to_string()))
    });
    let token = token.transpose()?;
    runtime.block_on(async {
        let local = async {
            match &socket {
                Some(path) => server.clone().serve_unix(path).await,
                None => std::future::pending().await,
            }
        };
        let tcp = async {
            match http {
                Some(address) => server.clone().token(token).identity(identity).serve_tcp(address).await,
                None => std::future::pending().await,
            }
        };
        if let Some(unit) = unit {
            tokio::spawn(
                wake_ups.keep_waking(Juju::new(unit, &variable("PATH").unwrap_or_default()), keeper),
            );
        }
        let tls = async {
            match https {
                Some(Https { listener, identity, .. }) => {
                    server.clone().serve_https(listener, &identity).await
                }
                None => std::future::pending().await,
            }
        };
        api.end_expired_tokens().await;
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        // Whoever was answered is in the store: of requests, there is nothing to be finished.
        tokio::select! {
            result = local => result?,
            result = tcp => result?,
            result = tls => result?,
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

/// A variable of this process.
#[expect(clippy::disallowed_methods, reason = "a program: where others are, and what Juju says of a hook")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Log records, a line each: systemd and Pebble keep them.
struct ToStandardError;

impl log::Log for ToStandardError {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            eprintln!("{}: {}", record.level().as_str().to_lowercase(), record.args());
        }
    }

    fn flush(&self) {}
}
