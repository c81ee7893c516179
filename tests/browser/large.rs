//! A run of more than a thousand hooks and ten thousand events: readable, and quick to go about in.

use crate::chromium::Browser;
use crate::world::{self, Page};
use crate::{number, picture, runs};

/// How many times longer than in a small run something may take: what is in sight decides, not the run.
const RATIO_MAX: f64 = 8.0;
/// How long the page may take for one step, also on a machine that has much else to do.
const STEP_MS_MAX: f64 = 2000.0;
/// How many elements the document may have, however long the run is.
const ELEMENTS_MAX: usize = 4000;

/// A step back, a leap to another point, a look elsewhere; `at` counts the times.
const ACTIONS: [&str; 3] = [
    "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft' }))",
    "const range = document.getElementById('scrubber'); range.value = (at * 7919) % Number(range.max); \
     range.dispatchEvent(new Event('input', { bubbles: true }))",
    "document.getElementById('timeline').scrollLeft = (at * 3571) % 30000",
];

#[test]
fn a_long_run_is_shown_and_answers() {
    let sim = world::large();
    let count = runs(&sim);
    assert!(count > 1000 && sim.events().len() > 10_000, "{count} hooks, {} events", sim.events().len());
    let page = Page::of(&sim);
    let mut browser = Browser::start(1280, 800);
    let middle = number(&sim, "web/12", "ring-relation-changed", 9);
    browser.open(&page.path, &format!("#hook={middle}"));
    assert!(browser.text("#detail h2").contains("web/12 ring-relation-changed"));
    assert_eq!(browser.count(&format!("[data-run='{middle}']")), 1);
    assert!(browser.count(".box") > 10);
    browser.photograph(&picture("large.png"));
    let elements = browser.count("*");
    assert!(elements < ELEMENTS_MAX, "{elements} elements: only what is in sight may be there");

    // To the end, by the overview: all is drawn where it is looked at, and what was seen before is gone.
    browser.click_at_share("#overview", 0.99);
    browser.key("ArrowRight", None, false);
    browser.key("End", None, false);
    let point = browser.text("#point");
    assert!(point.starts_with(&format!("hook {count} of {count}")), "{point}");
    assert_eq!(browser.count(&format!("[data-run='{count}']")), 1);
    assert_eq!(browser.count(&format!("[data-run='{middle}']")), 0);
    let scrolled = browser.value("document.getElementById('timeline').scrollLeft").as_f64();
    assert!(scrolled.expect("a number") > 10_000.0, "{scrolled:?}");

    browser.open(&page.path, &format!("#hook={middle}"));
    for _ in 0..8 {
        browser.click("#zoom-out");
    }
    browser.photograph(&picture("large-all.png"));
    assert!(browser.count(".box") > 200);
    browser.value("document.getElementById('timeline').scrollTop = 0");
    browser.settle();
    browser.click("[data-fold='web']");
    browser.photograph(&picture("large-folded.png"));
    assert_eq!(browser.count("[data-unit='web/7']"), 0);
    assert_eq!(browser.count("[data-unit='worker/0']"), 1);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_long_run_is_as_quick_as_a_short_one() {
    let [small, large] = [world::small(), world::large()].map(|sim| {
        let page = Page::of(&sim);
        let mut browser = Browser::start(1280, 800);
        browser.open(&page.path, "");
        browser.key("End", None, false);
        let times = ACTIONS.map(|action| time(&mut browser, action));
        let elements = browser.count("*");
        assert!(elements < ELEMENTS_MAX, "{elements} elements are left after moving about");
        assert_eq!(browser.complaints(), [""; 0]);
        times
    });
    for (large, small) in large.iter().zip(small) {
        assert!(large / small < RATIO_MAX && *large < STEP_MS_MAX, "{large:.1} ms against {small:.1} ms");
    }
}

/// How many milliseconds an action takes with the drawing that follows, on average.
fn time(browser: &mut Browser, action: &str) -> f64 {
    let times = 60;
    let script = format!(
        "(async () => {{ const began = performance.now(); for (let at = 0; at < {times}; at += 1) {{ {action}; \
         await new Promise((done) => requestAnimationFrame(done)); }} return (performance.now() - began) / {times}; }})()"
    );
    browser.value(&script).as_f64().expect("a number")
}
