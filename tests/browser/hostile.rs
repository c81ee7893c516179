//! What charms write stays text, and what is secret stays out.

use std::fs;

use crate::chromium::Browser;
use crate::world::{self, HOSTILE, Page, SECRETS};
use crate::{number, picture, visible};

#[test]
fn hostile_texts_stay_texts() {
    let sim = world::small();
    let page = Page::of(&sim);
    let mut browser = Browser::start(1280, 800);
    let is_shown = |browser: &mut Browser, selector: &str| {
        let texts = browser.value(&format!(
            "[...document.querySelectorAll('{selector}')].map((part) => part.textContent).join(' ')"
        ));
        texts.as_str().expect("a text").contains(&visible(HOSTILE))
    };
    let changed = number(&sim, "web/1", "db-relation-changed", 0);
    browser.open(&page.path, &format!("#hook={changed}"));
    assert!(is_shown(&mut browser, "#state .pair[data-key=note] .inline"), "in a databag");
    assert!(is_shown(&mut browser, "#detail .command .arg"), "in arguments");
    browser.click("[data-tab='output']");
    assert!(is_shown(&mut browser, "#detail .fact"), "in the log");
    browser.photograph(&picture("hostile.png"));
    for (hook, selector) in [("server-relation-joined", "#detail"), ("server-relation-departed", "#detail")] {
        for tab in ["commands", "changes", "handlers", "output"] {
            let number = number(&sim, "mysql/0", hook, 0);
            browser.open(&page.path, &format!("#hook={number}&tab={tab}"));
            assert_ne!(browser.text(selector), "");
        }
    }
    assert_eq!(browser.value("typeof window.broken"), "undefined");
    assert_eq!(browser.count("img"), 0);
    assert_eq!(browser.count("script"), 2);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn secrets_and_private_keys_are_in_no_page() {
    let sim = world::small();
    assert!(SECRETS.iter().all(|secret| format!("{:?}", sim.events()).contains(secret)), "the run has them");
    let page = Page::of(&sim);
    let text = fs::read_to_string(&page.path).expect("a page");
    for secret in SECRETS {
        assert!(!text.contains(secret), "`{secret}` is in the page");
    }
    let mut browser = Browser::start(1280, 800);
    let joined = number(&sim, "mysql/0", "server-relation-joined", 0);
    browser.open(&page.path, &format!("#hook={joined}"));
    let commands = browser.text("#detail .panel");
    assert!(commands.contains("password=(secret hidden)"), "{commands}");
    assert!(browser.text("#state .pair[data-key=key]").contains("(private key hidden)"));
}
