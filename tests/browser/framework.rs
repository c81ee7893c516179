//! The traces of the framework itself.

use charms_reactive::HookEvent;
use charms_reactive::prelude::*;
use charms_reactive_testkit::in_process;

use crate::chromium::Browser;
use crate::picture;
use crate::world::Page;

const METADATA: &str = "name: web";
const INSTALLED: Flag = Flag::new("web.installed");
const CONFIGURED: Flag = Flag::new("web.configured");
const DATABASE: Flag = Flag::new("db.available");

fn app() -> App {
    App::new(Charm::default())
        .handler(install, on(HookEvent::Install))
        .handler(configure, when(INSTALLED).and_not(CONFIGURED))
        .handler(serve, when(CONFIGURED).and(DATABASE))
        .handler(stop, on(HookEvent::Stop))
}

fn install(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(INSTALLED);
    hook.status(Maintenance("installed"));
    Ok(())
}

fn configure(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(CONFIGURED);
    hook.status(Waiting("for a database"));
    Ok(())
}

fn serve(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.status(Active("ready"));
    Ok(())
}

fn stop(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.clear(CONFIGURED);
    Ok(())
}

#[test]
fn the_framework_says_why_a_handler_did_not_run() {
    let mut sim = charms_reactive_sim::Sim::builder().seed(1).record(true).build().expect("a model");
    sim.deploy("web", in_process(app).metadata(METADATA), 1).expect("deployed");
    sim.settle().expect("settled");
    let page = Page::of(&sim);
    let mut browser = Browser::start(1280, 800);
    let number = crate::number(&sim, "web/0", "install", 0);
    browser.open(&page.path, &format!("#hook={number}&tab=handlers"));
    browser.photograph(&picture("framework.png"));
    let ran = browser.text(".handler[data-handler='configure']");
    assert!(ran.contains("ran") && ran.contains("web.configured"), "{ran}");
    let waits = browser.text(".handler[data-handler='serve']");
    assert!(waits.contains("did not run") && waits.contains("db.available is not set"), "{waits}");
    assert_eq!(browser.complaints(), [""; 0]);
}
