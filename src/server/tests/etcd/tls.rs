//! An etcd that takes nobody without a certificate.

#![expect(clippy::disallowed_methods, reason = "starts the server")]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::charmd::{CONFIG, Charmd, ask};
use crate::cluster::Cluster;

fn write(path: &Path, text: &str) {
    File::create(path).expect("a file").write_all(text.as_bytes()).expect("written");
}

/// Makes an authority, and certificates of it for a member of etcd and for a client, in PEM.
fn certify(folder: &Path) {
    let key = || KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority");
    write(&folder.join("ca.pem"), &authority.pem());
    for (name, names) in [("member", vec!["127.0.0.1".to_owned()]), ("client", vec!["charmd".to_owned()])] {
        let key = key();
        let params = CertificateParams::new(names).expect("names");
        let certificate = params.signed_by(&key, &authority).expect("signed");
        write(&folder.join(format!("{name}.pem")), &certificate.pem());
        write(&folder.join(format!("{name}.key")), &key.serialize_pem());
    }
}

#[test]
fn etcd_is_reached_by_tls_with_a_certificate() {
    let files = tempfile::tempdir().expect("a folder");
    certify(files.path());
    let cluster = Cluster::start_tls(files);
    let folder = tempfile::tempdir().expect("a folder");
    let ca = ["--etcd-ca".to_owned(), cluster.file("ca.pem")];
    let own = [
        "--etcd-cert".to_owned(),
        cluster.file("client.pem"),
        "--etcd-key".to_owned(),
        cluster.file("client.key"),
    ];
    let store = [vec!["--etcd".to_owned(), cluster.urls().join(",")], ca.to_vec(), own.to_vec()].concat();
    let server = Charmd::start(folder.path(), &store);
    for (method, path, body) in [
        ("POST", "projects/p/configs", json!({ "name": CONFIG })),
        ("GET", CONFIG, Value::Null),
        ("DELETE", CONFIG, Value::Null),
    ] {
        let (status, answer) = ask(&server.socket, method, path, &body).expect("an answer");
        assert_eq!(status, 200, "{answer}");
    }
    // Without a certificate; without knowing whom to trust; with a file that holds no certificate.
    for (arguments, expected) in [
        (ca.to_vec(), "no member of etcd answers"),
        (vec![], "nobody says whose certificates to trust for https://127.0.0.1:"),
        (vec![ca[0].clone(), cluster.file("member.key")], "holds no certificate, expected PEM"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_charmd"))
            .args(["serve", "--http", "127.0.0.1:0"])
            .args(&store[..2])
            .args(arguments)
            .output()
            .expect("charmd starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(expected), "{stderr}");
    }
}
