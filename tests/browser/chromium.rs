//! A real Chromium without a window, told what to do over a pipe by its own protocol.
//!
//! Messages are JSON with a zero byte at the end, both ways; `sh` puts the ends of the pipes where the
//! browser looks for them.  Nothing listens on the network.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The names that the program has on the systems we know.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// A browser with one page open.
pub(crate) struct Browser {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: String,
    calls: u64,
    /// What the browser told without being asked.
    told: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser with a window of this size.
    #[expect(clippy::disallowed_methods, reason = "the browser is the counterpart of these tests")]
    pub(crate) fn start(width: u32, height: u32) -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1"])
            .arg(program())
            .args(["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"])
            // Containers run as root and have little shared memory.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--force-color-profile=srgb", "--force-device-scale-factor=1"])
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let to = process.stdin.take().expect("piped above");
        let from = BufReader::new(process.stdout.take().expect("piped above"));
        let (session, told) = (String::new(), Vec::new());
        let mut browser = Self { process, to, from, session, calls: 0, told, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", &attach)["sessionId"].clone();
        session.as_str().expect("a session has a name").clone_into(&mut browser.session);
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", &size);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Has the system's colours be light or dark.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// Opens a file, and waits until its script says that it is ready.
    pub(crate) fn open(&mut self, path: &Path, address: &str) {
        self.told.clear();
        // A page that differs in its `#` alone is not loaded anew.
        self.call("Page.navigate", &json!({ "url": "about:blank" }));
        let url = format!("file://{}{address}", path.display());
        let opened = self.call("Page.navigate", &json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "cannot open {url}: {}", opened["errorText"]);
        self.wait_for("document.body && document.body.dataset.ready === 'yes'");
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        let answer = self.call("Runtime.evaluate", &parameters);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// The text that an element shows.
    #[track_caller]
    pub(crate) fn text(&mut self, selector: &str) -> String {
        self.wait_for(&format!("document.querySelector({})", quoted(selector)));
        let value = self.value(&format!("document.querySelector({}).innerText", quoted(selector)));
        value.as_str().expect("an element has a text").to_owned()
    }

    /// How many elements there are.
    #[track_caller]
    pub(crate) fn count(&mut self, selector: &str) -> usize {
        let value = self.value(&format!("document.querySelectorAll({}).length", quoted(selector)));
        usize::try_from(value.as_u64().expect("a number")).expect("not so many")
    }

    /// Waits until an expression is true in the page.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let wait = format!(
            "new Promise((done) => {{ const end = Date.now() + 20000; const look = () => \
             {{ if ({expression}) done(true); else if (Date.now() > end) done(false); else setTimeout(look, 10); }}; \
             look(); }})"
        );
        for _ in 0..50 {
            // A page that is being left has no answer.
            let answer = self.call(
                "Runtime.evaluate",
                &json!({ "expression": wait, "returnByValue": true, "awaitPromise": true }),
            );
            if answer["result"]["value"] == true {
                return;
            }
            let is_over = answer["result"]["value"] == false;
            assert!(!is_over, "waited in vain for {expression}; {:?}", self.complaints());
        }
        panic!("the page came to no rest before {expression}");
    }

    /// Waits until the address of the page ends so, from its `#` on.
    #[track_caller]
    pub(crate) fn expect_address(&mut self, expected: &str) {
        self.settle();
        // It follows once nothing has been pressed for a moment.
        self.value("new Promise((done) => setTimeout(done, 200))");
        assert_eq!(self.value("location.hash"), expected);
    }

    /// Clicks where an element is, as a person does: with the pointer.
    #[track_caller]
    pub(crate) fn click(&mut self, selector: &str) {
        self.wait_for(&format!("document.querySelector({})", quoted(selector)));
        let place = self.value(&format!(
            "(() => {{ const found = document.querySelector({}); found.scrollIntoView({{ block: 'nearest', \
             inline: 'nearest' }}); const box = found.getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            quoted(selector)
        ));
        self.click_at(&place[0], &place[1]);
    }

    /// Clicks into an element, at a share of its width.
    pub(crate) fn click_at_share(&mut self, selector: &str, share: f64) {
        let place = self.value(&format!(
            "(() => {{ const box = document.querySelector({}).getBoundingClientRect(); \
             return [box.x + box.width * {share}, box.y + box.height / 2]; }})()",
            quoted(selector)
        ));
        self.click_at(&place[0], &place[1]);
    }

    fn click_at(&mut self, x: &Value, y: &Value) {
        self.call("Input.dispatchMouseEvent", &json!({ "type": "mouseMoved", "x": x, "y": y }));
        for kind in ["mousePressed", "mouseReleased"] {
            let click = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &click);
        }
        self.settle();
    }

    /// Presses a key; `text` is what it types.
    pub(crate) fn key(&mut self, key: &str, text: Option<&str>, is_shifted: bool) {
        let modifiers = if is_shifted { 8 } else { 0 };
        let mut press = json!({ "type": "keyDown", "key": key, "modifiers": modifiers });
        if let Some(text) = text {
            press["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", &press);
        self.call("Input.dispatchKeyEvent", &json!({ "type": "keyUp", "key": key, "modifiers": modifiers }));
        self.settle();
    }

    /// Types into what has the focus.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
        self.settle();
    }

    /// Lets the page draw.
    pub(crate) fn settle(&mut self) {
        self.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    }

    /// Writes what the window shows into a PNG file.
    pub(crate) fn photograph(&mut self, path: &Path) {
        self.settle();
        let shot = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        let bytes = decoded(shot["data"].as_str().expect("a picture"));
        assert!(bytes.starts_with(b"\x89PNG"), "the picture is none");
        write(path, &bytes);
    }

    /// What the page complained about, and what it wanted from elsewhere.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // Whatever was told before this answer has arrived with it.
        self.call("Runtime.evaluate", &json!({ "expression": "0" }));
        let complaint = |told: &Value| match told["method"].as_str()? {
            "Runtime.exceptionThrown" => Some(told["params"]["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" => Some(told["params"]["args"].to_string()),
            "Log.entryAdded" => Some(told["params"]["entry"]["text"].to_string()),
            "Network.requestWillBeSent" => {
                let url = told["params"]["request"]["url"].as_str()?;
                let is_own = told["params"]["type"] == "Document" || url.starts_with("about:");
                (!is_own).then(|| format!("it asked for {url}"))
            }
            _ => None,
        };
        self.told.iter().filter_map(complaint).collect()
    }

    /// Asks the browser for something, and waits for its answer.
    #[track_caller]
    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        let mut bytes = serde_json::to_vec(&message).expect("plain JSON");
        bytes.push(0);
        self.to.write_all(&bytes).expect("the browser listens");
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes).expect("the browser answers");
            assert_eq!(bytes.pop(), Some(0), "the browser ended; does `{}` start?", program().display());
            let answer: Value = serde_json::from_slice(&bytes).expect("the browser speaks JSON");
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.told.push(answer);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its helpers end with it; the profile can be removed then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The browser of this machine.
#[expect(clippy::disallowed_methods, reason = "programs are looked up as a shell does")]
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| PROGRAMS.map(|name| folder.join(name)))
        .find(|program| program.is_file());
    found.expect("no Chromium is installed, run `tests/setup/debian.sh` first")
}

/// A text as JavaScript writes it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[expect(clippy::disallowed_methods, reason = "pictures for whoever looks at the tests")]
fn write(path: &Path, bytes: &[u8]) {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).expect("a folder for pictures");
    }
    std::fs::write(path, bytes).expect("a picture");
}

/// The bytes of a text in base 64.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |letter: u8| match letter {
        b'A'..=b'Z' => Some(u32::from(letter - b'A')),
        b'a'..=b'z' => Some(u32::from(letter - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(letter - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u32> = text.bytes().filter_map(digit).collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        bytes.extend(bits.to_be_bytes()[1..group.len()].iter());
    }
    bytes
}

#[test]
fn base_64_is_read() {
    assert_eq!(decoded("AAEC/w=="), [0, 1, 2, 255]);
    assert_eq!(decoded("YQ=="), b"a");
    assert_eq!(decoded(""), b"");
}
