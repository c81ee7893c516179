//! Which server is asked: arguments of all commands that ask one.

use std::path::PathBuf;

use charms_reactive_remote::{Options, OptionsError, Server};
use clap::Args;

use crate::place;

/// Where the server is, and how it is spoken to.
#[derive(Debug, Args)]
#[command(next_help_heading = "The server")]
pub(crate) struct ServerArgs {
    /// The unix socket of the server
    #[arg(long, value_name = "PATH", global = true, conflicts_with = "address")]
    socket: Option<PathBuf>,
    /// The address of the server, for example `https://example.org:8443`
    #[arg(long, value_name = "URL", global = true, visible_alias = "url")]
    address: Option<String>,
    /// Our certificate, for https
    #[arg(long, value_name = "FILE", global = true)]
    client_cert: Option<PathBuf>,
    /// The key of our certificate
    #[arg(long, value_name = "FILE", global = true)]
    client_key: Option<PathBuf>,
    /// Trust the certificates in this file, for https; else those that the system trusts
    #[arg(long, value_name = "FILE", global = true)]
    ca_cert: Option<PathBuf>,
    /// Trust the server with this certificate, and no other
    #[arg(long, value_name = "FILE", global = true)]
    server_cert: Option<PathBuf>,
    /// Trust the server whose certificate has this SHA-256, and no other
    #[arg(long, value_name = "DIGITS", global = true)]
    fingerprint: Option<String>,
    /// Trust whoever answers
    #[arg(long, global = true)]
    insecure: bool,
    /// Go through this proxy: http://USER:PASSWORD@HOST:PORT
    #[arg(long, value_name = "URL", global = true)]
    proxy: Option<String>,
    /// A file with the token that the server asks for
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// The project, if not `default`
    #[arg(long, value_name = "PROJECT", global = true)]
    project: Option<String>,
}

impl ServerArgs {
    /// What the arguments say, and for the rest the environment.
    pub(crate) fn options(&self) -> Result<Options, OptionsError> {
        let told = Options::from_variables(variable)?;
        let is_said = |name| variable(name).is_some_and(|text| !text.is_empty());
        let server = match (&self.socket, &self.address) {
            (Some(path), _) => Server::Socket(path.clone()),
            (None, Some(url)) => Server::Url(url.clone()),
            // Nobody says where it is.
            (None, None) if !is_said("CHARMD_SOCKET") && !is_said("CHARMD_ADDRESS") => {
                let charm_dir = variable("JUJU_CHARM_DIR");
                Server::Socket(place::usual_socket(charm_dir.as_deref()))
            }
            (None, None) => told.server,
        };
        // Whoever says on the command line whom to trust does not mean another one.
        let is_pinned = self.fingerprint.is_some() || self.server_cert.is_some() || self.ca_cert.is_some();
        let pin = |own: &Option<PathBuf>, other| if is_pinned { own.clone() } else { other };
        Ok(Options {
            server,
            client_cert: self.client_cert.clone().or(told.client_cert),
            client_key: self.client_key.clone().or(told.client_key),
            ca_cert: pin(&self.ca_cert, told.ca_cert),
            server_cert: pin(&self.server_cert, told.server_cert),
            fingerprint: if is_pinned { self.fingerprint.clone() } else { told.fingerprint },
            verify: told.verify && !self.insecure,
            proxy: self.proxy.clone().or(told.proxy),
            token_file: self.token_file.clone().or(told.token_file),
            project: self.project.clone().or(told.project),
            ..told
        })
    }
}

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "a program that people start")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
