//! `charmd` as a remote: over TLS, with certificates of clients and tokens.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A running `charmd` that is reached over TLS; killed when dropped.
struct Remote {
    child: Child,
    folder: tempfile::TempDir,
    address: String,
}

impl Remote {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_charmd"))
            .args(["serve", "--https", "127.0.0.1:0"])
            .arg("--data")
            .arg(folder.path().join("data"))
            .arg("--socket")
            .arg(folder.path().join("socket"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("charmd starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let (mut address, mut has_socket) = (None, false);
        while address.is_none() || !has_socket {
            let line = lines.next().expect("charmd says where it listens");
            has_socket |= line.starts_with("info: listening on ");
            let found = line.strip_prefix("info: operations are at https://");
            address = address.or(found.map(str::to_owned));
        }
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, folder, address: address.expect("found just now") }
    }

    /// `lxc` of somebody, with a configuration and a certificate of their own; the socket is the operator's.
    #[track_caller]
    fn lxc(&self, who: &str, arguments: &[&str]) -> Output {
        let mut lxc = Command::new("lxc");
        lxc.args(arguments).env("LXD_CONF", self.folder.path().join(who)).stdin(Stdio::null());
        if who == "operator" {
            lxc.env("LXD_SOCKET", self.folder.path().join("socket"));
        } else {
            lxc.env("LXD_SOCKET", self.folder.path().join("none"));
        }
        lxc.output().expect("lxc runs: tests/setup/debian.sh installs it")
    }

    #[track_caller]
    fn print(&self, who: &str, arguments: &[&str]) -> String {
        let output = self.lxc(who, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    #[track_caller]
    fn fail(&self, who: &str, arguments: &[&str]) -> String {
        let output = self.lxc(who, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let stderr = String::from_utf8(output.stderr).expect("text");
        stderr.lines().last().unwrap_or_default().to_owned()
    }

    /// What the operator gives to somebody.
    #[track_caller]
    fn token(&self, name: &str) -> String {
        let printed = self.print("operator", &["config", "trust", "add", "--name", name]);
        printed.lines().last().expect("a token").to_owned()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn lxc_adds_charmd_as_a_remote_with_a_token() {
    let remote = Remote::start();
    let token = remote.token("ann");
    assert!(remote.print("operator", &["config", "trust", "list-tokens", "-f", "csv"]).starts_with("ann,"));
    remote.print("ann", &["remote", "add", "unit", &token]);
    assert_eq!(remote.print("operator", &["config", "trust", "list-tokens", "-f", "csv"]), "");
    let body = r#"{"kind": "demo", "input": {"duration": 60}}"#;
    let shown = remote.print("ann", &["query", "-X", "POST", "-d", body, "unit:/1.0/operations"]);
    let id = shown.lines().find_map(|line| line.trim().strip_prefix("\"id\": \"")?.strip_suffix("\","));
    let id = id.unwrap_or_else(|| panic!("no operation: {shown}"));
    let list = remote.print("ann", &["operation", "list", "unit:", "-f", "csv"]);
    assert!(list.contains(&format!("{id},TASK,Demonstration,RUNNING,YES,")), "{list}");
    let shown = remote.print("ann", &["operation", "show", &format!("unit:{id}")]);
    assert!(shown.contains("status: Running\n"), "{shown}");
    remote.print("ann", &["operation", "delete", &format!("unit:{id}")]);
    let wait = r#"{"kind": "demo", "input": {"duration": 0.2}}"#;
    let done = remote.print("ann", &["query", "--wait", "-X", "POST", "-d", wait, "unit:/1.0/operations"]);
    assert!(done.contains("\"protocol\": \"tls\"") && done.contains("\"status\": \"Success\""), "{done}");
}

#[test]
fn lxc_is_told_why_it_is_not_trusted() {
    let remote = Remote::start();
    let token = remote.token("ann");
    remote.print("ann", &["remote", "add", "unit", &token]);
    let used = "Error: Failed to create certificate: The trust token is no longer good: it was used";
    assert_eq!(remote.fail("bob", &["remote", "add", "unit", &token]), used);
    let add = ["remote", "add", "unit", &remote.address, "--accept-certificate", "--password", "guess"];
    assert_eq!(remote.fail("bob", &add), "Error: The trust token is not known");
    let withdrawn = remote.token("carl");
    remote.print("operator", &["config", "trust", "revoke-token", "carl"]);
    let expected = "Error: Failed to create certificate: The trust token is no longer good: it was withdrawn";
    assert_eq!(remote.fail("carl", &["remote", "add", "unit", &withdrawn]), expected);
    // Who is thrown out is out at once.
    let trusted = remote.print("ann", &["config", "trust", "list", "unit:", "-f", "csv"]);
    let fingerprint = trusted.split(',').nth(3).unwrap_or_else(|| panic!("no client: {trusted}"));
    assert!(trusted.starts_with("client,ann,"), "{trusted}");
    remote.print("operator", &["config", "trust", "remove", fingerprint]);
    assert_eq!(remote.fail("ann", &["operation", "list", "unit:"]), "Error: Forbidden");
    assert_eq!(remote.print("operator", &["config", "trust", "list", "-f", "csv"]), "");
}

#[test]
fn lxc_trusts_a_certificate_that_it_is_given() {
    let remote = Remote::start();
    // Makes Ann's certificate, which is a file of hers.
    remote
        .fail("ann", &["remote", "add", "unit", &remote.address, "--accept-certificate", "--password", "x"]);
    let certificate = remote.folder.path().join("ann/client.crt").display().to_string();
    remote.print("operator", &["config", "trust", "add", &certificate]);
    remote.print("ann", &["remote", "add", "unit", &remote.address, "--accept-certificate"]);
    assert_eq!(remote.print("ann", &["operation", "list", "unit:", "-f", "csv"]), "");
    let again = remote.fail("operator", &["config", "trust", "add", &certificate]);
    assert_eq!(again, "Error: Certificate already in trust store");
}

#[test]
fn pylxd_comes_over_tls_with_a_token() {
    let remote = Remote::start();
    let folder = remote.folder.path();
    let made = rcgen::generate_simple_self_signed(["pylxd".to_owned()]).expect("a certificate");
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let certificate = write("client.crt", made.cert.pem());
    let key = write("client.key", made.signing_key.serialize_pem());
    let output = Command::new(super::python())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lxd/clients.py"))
        .arg("remote")
        .arg(format!("https://{}", remote.address))
        .arg(certificate)
        .arg(key)
        .arg(folder.join("data/server.crt"))
        .arg(remote.token("pylxd"))
        // These would be taken for the certificate that is to be verified.
        .env_remove("REQUESTS_CA_BUNDLE")
        .env_remove("CURL_CA_BUNDLE")
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
