//! What the page shows, and what it does when somebody clicks, types and presses keys.

use crate::chromium::Browser;
use crate::world::{self, Page};
use crate::{number, picture, runs};

#[test]
fn units_are_lanes_and_hooks_are_boxes() {
    let sim = world::small();
    let page = Page::of(&sim);
    let mut browser = Browser::start(1280, 800);
    browser.open(&page.path, "");
    let names =
        browser.value("[...document.querySelectorAll('.name.unit .text')].map((name) => name.innerText)");
    assert_eq!(names, serde_json::json!(["web/0", "web/1", "web/2", "mysql/0"]));
    assert_eq!(browser.text("#title"), "Seed 7");
    // The first failure is what a page is opened for.
    let failed = number(&sim, "web/1", "config-changed", 1).min(number(&sim, "web/0", "config-changed", 1));
    browser.expect_address("");
    assert_eq!(browser.text("#detail .outcome"), "failed");
    assert!(browser.text("#detail h2").starts_with(&format!("#{failed} ")), "{}", browser.text("#detail h2"));
    browser.photograph(&picture("small.png"));
    // Small enough to have all boxes in the document.
    for _ in 0..6 {
        browser.click("#zoom-out");
    }
    assert_eq!(browser.count(".box"), runs(&sim));
    for outcome in ["committed", "failed", "killed", "action"] {
        assert!(browser.count(&format!(".box.{outcome}")) > 0, "no box is {outcome}");
    }
    assert!(browser.count(".mark.operator") >= 8, "what the operator did has marks");
    assert!(browser.count(".crown") >= 2, "so have new leaders");
    for status in ["maintenance", "waiting", "active"] {
        assert!(browser.count(&format!(".ribbon.{status}")) > 0, "no lane is {status}");
    }
    browser.photograph(&picture("small-all.png"));
    browser.prefer("dark");
    browser.photograph(&picture("small-dark.png"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_box_tells_what_its_hook_asked_read_and_wrote() {
    let sim = world::small();
    let page = Page::of(&sim);
    let mut browser = Browser::start(1280, 800);
    browser.open(&page.path, "#event=0");
    let changed = number(&sim, "web/1", "db-relation-changed", 0);
    browser.click(&format!("[data-run='{changed}']"));
    browser.expect_address(&format!("#hook={changed}"));
    assert_eq!(browser.text("#detail h2"), format!("#{changed} web/1 db-relation-changed db:1 mysql/0"));
    let commands = "[...document.querySelectorAll('.command')].map((row) => row.dataset.command)";
    let expected =
        serde_json::json!(["state-get", "config-get", "relation-get", "juju-log", "status-set", "state-set"]);
    assert_eq!(browser.value(commands), expected);
    browser.click(".command[data-command='relation-get'] summary");
    let answer = browser.text(".command[data-command='relation-get'] .stdout");
    assert!(answer.contains("\"host\":\"mysql/0.example\""), "{answer}");
    // The hook that wrote what this one was told about.
    let cause = browser.text("#detail .cause");
    assert!(cause.contains("mysql/0 server-relation-joined wrote host"), "{cause}");
    browser.photograph(&picture("commands.png"));
    browser.click("[data-tab='changes']");
    let panel = browser.text("#detail .panel");
    for text in ["db.available", "web.started", "last-hook", "active"] {
        assert!(panel.contains(text), "no {text} in {panel}");
    }
    browser.photograph(&picture("changes.png"));
    browser.click("#detail .cause .link");
    assert!(browser.text("#detail h2").contains("mysql/0 server-relation-joined"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn marks_tell_what_the_operator_did() {
    let sim = world::small();
    let page = Page::of(&sim);
    let mut browser = Browser::start(1280, 800);
    browser.open(&page.path, "#event=0");
    browser.click(".mark.operator");
    let told = browser.text("#detail");
    for text in
        ["Before the first hook", "deploy web, 2 units", "web/1 is added", "web/0 leads web", "web:ring"]
    {
        assert!(told.contains(text), "no {text} in {told}");
    }
    browser.photograph(&picture("marks.png"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn keys_go_from_hook_to_hook() {
    let sim = world::small();
    let page = Page::of(&sim);
    let mut browser = Browser::start(1280, 800);
    let install = number(&sim, "web/0", "install", 0);
    browser.open(&page.path, &format!("#hook={install}"));
    let mut check = |key: &str, is_shifted: bool, expected: String| {
        browser.key(key, None, is_shifted);
        browser.expect_address(&expected);
    };
    check("ArrowRight", false, format!("#hook={}", install + 1));
    check("ArrowLeft", false, format!("#hook={install}"));
    let next = number(&sim, "web/0", "ring-relation-created", 0);
    check("ArrowRight", true, format!("#hook={next}"));
    check("ArrowLeft", true, format!("#hook={install}"));
    check("2", false, format!("#hook={install}&tab=changes"));
    check("1", false, format!("#hook={install}"));
    check("Home", false, "#event=0".to_owned());
    let failed = ["web/0", "web/1"].map(|unit| number(&sim, unit, "config-changed", 1));
    check("f", false, format!("#hook={}", failed[0].min(failed[1])));
    browser.key("?", Some("?"), true);
    assert!(browser.text("#help").contains("the same, of the same unit"));
    browser.photograph(&picture("help.png"));
    browser.click("#help-close");
    assert_eq!(browser.value("document.getElementById('help').open"), false);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn what_is_looked_for_is_found() {
    let sim = world::small();
    let page = Page::of(&sim);
    let mut browser = Browser::start(1280, 800);
    browser.open(&page.path, "#event=0");
    let mut check = |query: &str, expected: usize, first: Option<usize>| {
        browser.key("/", Some("/"), false);
        browser.value("document.getElementById('query').select()");
        browser.type_text(query);
        assert_eq!(browser.text("#matches"), format!("{expected} of {}", runs(&sim)), "{query}");
        browser.key("Enter", None, false);
        if let Some(first) = first {
            browser.expect_address(&format!("#hook={first}"));
        }
        browser.value("document.getElementById('query').blur()");
        browser.key("Home", None, false);
    };
    let both = ["web/0", "web/1"].map(|unit| number(&sim, unit, "db-relation-changed", 0));
    // Three units set it, and one cleared it when it left.
    check("flag:db.available", 4, both.into_iter().min());
    check("unit:mysql/0 key:note", 1, Some(number(&sim, "mysql/0", "server-relation-joined", 0)));
    check("handler:install unit:web/2", 1, Some(number(&sim, "web/2", "install", 0)));
    check("outcome:killed", 1, None);
    check("nothing-is-called-so", 0, None);
    check("relation-joined", 12, None);
    assert!(browser.count(".box.faint") > 0, "what does not match stands back");
    browser.photograph(&picture("found.png"));
    assert_eq!(browser.complaints(), [""; 0]);
}
