//! A run of more than a thousand hooks and ten thousand events: readable, and quick to go about in.

use crate::chromium::Browser;
use crate::world::{self, Page};
use crate::{number, picture, runs};

/// How long the page may take for one step, on a machine that has other things to do: a tenth of it is usual.
const STEP_MS_MAX: f64 = 150.0;
/// How many elements the document may have, however long the run is.
const ELEMENTS_MAX: usize = 4000;

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
    assert!(
        browser.text("#point").starts_with(&format!("hook {count} of {count}")),
        "{}",
        browser.text("#point")
    );
    assert_eq!(browser.count(&format!("[data-run='{count}']")), 1);
    assert_eq!(browser.count(&format!("[data-run='{middle}']")), 0);
    let scrolled =
        browser.value("document.getElementById('timeline').scrollLeft").as_f64().expect("a number");
    assert!(scrolled > 10_000.0, "{scrolled}");

    let steps =
        time(&mut browser, 100, "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft' }))");
    let far = "const range = document.getElementById('scrubber'); range.value = (at * 7919) % Number(range.max); \
               range.dispatchEvent(new Event('input', { bubbles: true }))";
    let far = time(&mut browser, 100, far);
    let scroll = "document.getElementById('timeline').scrollLeft = (at * 3571) % 30000";
    let scroll = time(&mut browser, 100, scroll);
    println!("a step takes {steps:.1} ms, a leap {far:.1} ms, a look elsewhere {scroll:.1} ms");
    assert!(steps < STEP_MS_MAX && far < STEP_MS_MAX && scroll < STEP_MS_MAX, "{steps} {far} {scroll}");
    let elements = browser.count("*");
    assert!(elements < ELEMENTS_MAX, "{elements} elements are left after moving about");

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

/// How many milliseconds an action takes with the drawing that follows, on average; `at` counts the times.
fn time(browser: &mut Browser, times: u32, action: &str) -> f64 {
    let script = format!(
        "(async () => {{ const began = performance.now(); for (let at = 0; at < {times}; at += 1) {{ {action}; \
         await new Promise((done) => requestAnimationFrame(done)); }} return (performance.now() - began) / {times}; }})()"
    );
    browser.value(&script).as_f64().expect("a number")
}
