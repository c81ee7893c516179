//! Certificates for a test, made by openssl.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{run, write};

/// What the certificates are to be good for; the names of sections are those in [`Authority::sign`].
const EXTENSIONS: &str = "\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1
extendedKeyUsage = serverAuth
[client]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth
";

/// A certificate authority in a folder.
#[derive(Debug)]
pub(crate) struct Authority {
    folder: PathBuf,
    name: String,
}

/// A certificate and its private key, as files.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// The certificate.
    pub(crate) certificate: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
}

impl Authority {
    /// Makes an authority; `name` is unique in the folder.
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let authority = Self { folder: folder.to_owned(), name: name.to_owned() };
        write(&authority.configuration(), EXTENSIONS);
        authority.request("authority", name, &authority.pair(name), &[]);
        authority
    }

    /// Its certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.pair(&self.name).certificate
    }

    /// A certificate for a server on 127.0.0.1.
    pub(crate) fn server(&self) -> Pair {
        self.sign("server", &format!("{}-server", self.name))
    }

    /// A certificate for a client of this name.
    pub(crate) fn client(&self, name: &str) -> Pair {
        self.sign("client", name)
    }

    fn sign(&self, section: &str, name: &str) -> Pair {
        let (pair, own) = (self.pair(name), self.pair(&self.name));
        self.request(section, name, &pair, &[("-CA", &own.certificate), ("-CAkey", &own.key)]);
        pair
    }

    fn request(&self, section: &str, name: &str, pair: &Pair, signer: &[(&str, &Path)]) {
        let subject = format!("/CN={name}");
        let algorithm = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let mut arguments = vec!["req", "-x509", "-days", "2", "-subj", &subject, "-extensions", section];
        arguments.extend(algorithm);
        let configuration = self.configuration();
        let files = [("-config", &*configuration), ("-keyout", &pair.key), ("-out", &pair.certificate)];
        for (option, path) in files.iter().chain(signer) {
            arguments.extend([*option, path.to_str().expect("folders of tests have plain names")]);
        }
        run("openssl", &arguments);
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join(format!("{}.cnf", self.name))
    }

    fn pair(&self, name: &str) -> Pair {
        Pair {
            certificate: self.folder.join(format!("{name}.crt")),
            key: self.folder.join(format!("{name}.key")),
        }
    }
}

/// The text of a certificate or a key.
pub(crate) fn pem(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()))
}
