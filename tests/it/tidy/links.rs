//! Links between pages.

use std::path::Path;

use super::expect_none;
use super::tree::{Page, exists, is_of_kind, pages_of_kind, read};

#[test]
fn every_link_leads_somewhere() {
    let mut found = Vec::new();
    for page in pages_of_kind("md") {
        for (line, target) in links(&page) {
            if let Err(problem) = follow(&page.path, &target) {
                found.push(format!("{}: `{target}`: {problem}", page.place(line)));
            }
        }
    }
    expect_none(&found, "mend these links:");
}

#[test]
fn every_path_that_a_page_names_is_there() {
    let mut found = Vec::new();
    for page in pages_of_kind("md").into_iter().filter(|page| page.path.starts_with("docs/")) {
        for (line, text) in prose(&page) {
            let words = text.split('`').skip(1).step_by(2);
            let is_path = |word: &&str| {
                ["src/", "charm/", "interfaces/", "tests/", "docs/", ".ci/"]
                    .iter()
                    .any(|root| word.starts_with(root))
                    && !word.contains(['*', ' ', '<'])
            };
            // `charm/KEY` is a form, not a path.
            let is_form =
                |word: &&str| word.rsplit('/').next().is_some_and(|last| last == last.to_uppercase());
            let missing = words.filter(is_path).filter(|word| !is_form(word)).filter(|word| !exists(word));
            found.extend(missing.map(|word| format!("{}: `{word}`", page.place(line))));
        }
    }
    expect_none(&found, "these paths have moved or gone; write where the thing is now:");
}

/// Whether a link on the page at `path` leads somewhere.
fn follow(path: &str, target: &str) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if file.is_empty() { path.to_owned() } else { joined(path, file) };
    if !exists(&file) {
        return Err(format!("no file `{file}`"));
    }
    if anchor.is_empty() || !is_of_kind(&file, "md") {
        return Ok(());
    }
    let anchors = anchors(&read(&file));
    let is_there = anchors.iter().any(|known| known == anchor);
    if is_there { Ok(()) } else { Err(format!("no such heading in `{file}`")) }
}

/// `target` as seen from the folder of `path`, from the top.
fn joined(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = Path::new(path)
        .parent()
        .into_iter()
        .flat_map(|folder| folder.iter())
        .map(|part| part.to_str().expect("a path of text"))
        .collect();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The targets of the links of a page, with their lines.
fn links(page: &Page) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (line, text) in prose(page) {
        // What stands in backticks is no link.
        let plain: String = text.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (at, _) in plain.match_indices("](") {
            if let Some((target, _)) = plain[at + 2..].split_once(')') {
                links.push((line, target.to_owned()));
            }
        }
    }
    links
}

/// The lines of a page that are not in a block of code.
fn prose(page: &Page) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    page.lines().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The anchors of a page: its headings, as GitHub makes anchors of them, and the ones written by hand.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(id) = line.split("<a id=\"").nth(1).and_then(|rest| rest.split('"').next()) {
            anchors.push(id.to_owned());
        }
        if line.starts_with('#') {
            anchors.push(slug(line.trim_start_matches('#').trim()));
        }
    }
    anchors
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
    kept.map(|character| if character == ' ' { '-' } else { character }).collect::<String>().to_lowercase()
}

#[test]
fn links_are_found_and_followed() {
    let text = "# A b\n[x](docs/a.md#c-d), `[no](y)` [z](#a-b)\n```text\n[no](n)\n```\n";
    let page = Page { path: "docs/a.md".to_owned(), text: text.to_owned() };
    let targets: Vec<String> = links(&page).into_iter().map(|(_, target)| target).collect();
    assert_eq!(targets, ["docs/a.md#c-d", "#a-b"]);
    assert_eq!(joined("docs/parity/a.md", "../differences.md"), "docs/differences.md");
    assert_eq!(anchors("## `sim`, the judge (1.2)\n<a id=\"d4\"></a>x"), ["sim-the-judge-12", "d4"]);
    assert!(follow("docs/a.md", "none.md").is_err());
}
