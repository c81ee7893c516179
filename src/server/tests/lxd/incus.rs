//! The client of Incus, unchanged, against `charmd`.

use std::process::Output;

use crate::Charmd;
use crate::lxd::incus;

impl Charmd {
    #[track_caller]
    fn incus(&self, arguments: &[&str]) -> Output {
        incus(&self.socket(), self.folder.path()).args(arguments).output().expect("incus runs")
    }

    /// What `incus` prints.
    #[track_caller]
    fn print_of_incus(&self, arguments: &[&str]) -> String {
        let output = self.incus(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// What `incus` says is wrong.
    #[track_caller]
    fn fail_of_incus(&self, arguments: &[&str]) -> String {
        let output = self.incus(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let stderr = String::from_utf8(output.stderr).expect("text");
        stderr.lines().last().unwrap_or_default().to_owned()
    }
}

#[test]
fn incus_lists_shows_and_cancels() {
    let charmd = Charmd::start();
    assert!(
        charmd
            .print_of_incus(&["operation", "list"])
            .contains("ID | TYPE | DESCRIPTION | STATE | CANCELABLE")
    );
    let id = charmd.demo(r#"{"duration": 60}"#);
    let list = charmd.print_of_incus(&["operation", "list", "-f", "csv"]);
    assert!(list.starts_with(&format!("{id},TASK,Demonstration,RUNNING,YES,2")), "{list}");
    assert_eq!(charmd.print_of_incus(&["operation", "list", "--project", "foo", "-f", "csv"]), "");
    let all = charmd.print_of_incus(&["operation", "list", "--all-projects", "-f", "json"]);
    assert!(all.contains(&id), "{all}");
    let shown = charmd.print_of_incus(&["operation", "show", &id]);
    assert!(shown.starts_with(&format!("id: {id}\nclass: task\n")), "{shown}");
    assert_eq!(charmd.print_of_incus(&["operation", "delete", &id]), format!("Operation {id} deleted\n"));
    charmd.list_until(&format!("{id},TASK,Demonstration,CANCELLED,NO"));
    let shown = charmd.print_of_incus(&["operation", "show", &id]);
    assert!(shown.contains("status_code: 401\n") && shown.contains("err: cancelled by "), "{shown}");
    let refused = "Error: Only running operations can be cancelled";
    assert_eq!(charmd.fail_of_incus(&["operation", "delete", &id]), refused);
    assert_eq!(charmd.fail_of_incus(&["operation", "show", "nothing"]), "Error: Operation not found");
}

#[test]
fn incus_waits_for_a_whole_asynchronous_request() {
    let charmd = Charmd::start();
    let query = |outcome: &str| {
        let body =
            format!("{{\"kind\": \"demo\", \"input\": {{\"duration\": 0.3, \"outcome\": \"{outcome}\"}}}}");
        charmd.incus(&["query", "--wait", "-X", "POST", "-d", &body, "/1.0/operations"])
    };
    let done = query("success");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && text.contains("\"status\": \"Success\""), "{text}");
    let failed = query("failure");
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&failed.stderr).trim(), "Error: failed as it was told");
}
