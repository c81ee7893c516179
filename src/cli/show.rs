//! What was found, as people and programs read it: tables, YAML, JSON, single values.

use std::io::{self, Write as _};

use clap::Args;
use serde_json::Value;

use crate::report::{self, one_line};

/// The form of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
    Table,
    /// These fields, with tabs between them.
    Values(Vec<String>),
    /// Nothing at all.
    None,
}

impl Format {
    /// `json`, `yaml`, `table`, `value(name,done)`, `none`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let fields = text.strip_prefix("value(").and_then(|rest| rest.strip_suffix(')'));
        match (text, fields) {
            ("json", _) => Ok(Self::Json),
            ("yaml", _) => Ok(Self::Yaml),
            ("table", _) => Ok(Self::Table),
            ("none" | "disable", _) => Ok(Self::None),
            (_, Some(fields)) if !fields.is_empty() => {
                Ok(Self::Values(fields.split(',').map(|field| field.trim().to_owned()).collect()))
            }
            _ => Err("expected `json`, `yaml`, `table`, `value(FIELD,...)` or `none`".to_owned()),
        }
    }
}

/// In which form the output is wanted.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is printed")]
pub(crate) struct FormatArgs {
    /// Print `json`, `yaml`, `table`, `value(FIELD,...)` or `none`
    #[arg(long, value_name = "FORMAT", global = true, value_parser = Format::parse, conflicts_with = "json")]
    format: Option<Format>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

impl FormatArgs {
    /// The form; None: nobody says.
    pub(crate) fn format(&self) -> Option<Format> {
        if self.json { Some(Format::Json) } else { self.format.clone() }
    }
}

/// A column of a table: its heading, and what it shows of an item.
pub(crate) type Column = (&'static str, fn(&Value) -> String);

/// Prints one thing; without a format as YAML.
pub(crate) fn item(item: &Value, format: Option<&Format>) -> io::Result<()> {
    match format.unwrap_or(&Format::Yaml) {
        Format::Json => print(&(pretty(item) + "\n")),
        Format::Yaml | Format::Table => print(&yaml(item)),
        Format::Values(fields) => print(&values(item, fields)),
        Format::None => Ok(()),
    }
}

/// Prints many; without a format as a table.
pub(crate) fn list(items: &[Value], columns: &[Column], format: Option<&Format>) -> io::Result<()> {
    match format.unwrap_or(&Format::Table) {
        Format::Json => print(&(pretty(&Value::from(items.to_vec())) + "\n")),
        Format::Yaml => {
            print(&items.iter().flat_map(|item| ["---\n".to_owned(), yaml(item)]).collect::<String>())
        }
        Format::Values(fields) => print(&items.iter().map(|item| values(item, fields)).collect::<String>()),
        Format::None => Ok(()),
        Format::Table if items.is_empty() => {
            report::plain("Listed 0 items.\n");
            Ok(())
        }
        Format::Table => print(&table(items, columns)),
    }
}

/// Writes to standard output, without anything of our own.
pub(crate) fn print(text: &str) -> io::Result<()> {
    bytes(text.as_bytes())
}

pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut output = std::io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        // Whoever reads has seen enough, as `head` has.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn pretty(item: &Value) -> String {
    format!("{item:#}")
}

/// `a.b` of an item.
fn values(item: &Value, fields: &[String]) -> String {
    let field = |path: &String| {
        let value = path.split('.').fold(item, |value, key| &value[key]);
        match value {
            Value::Null => String::new(),
            Value::String(text) => one_line(text),
            other => other.to_string(),
        }
    };
    fields.iter().map(field).collect::<Vec<_>>().join("\t") + "\n"
}

fn table(items: &[Value], columns: &[Column]) -> String {
    let header = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect::<Vec<_>>();
    let cells = |item: &Value| columns.iter().map(|(_, cell)| one_line(&cell(item))).collect();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(items.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut table = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}

/// YAML that every reader takes for the same: what may be taken for something else is in quotes.
fn yaml(item: &Value) -> String {
    let mut text = String::new();
    write_yaml(item, 0, &mut text);
    text
}

fn write_yaml(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (key, value) in object {
                text.extend([&indent, &scalar(key), ":"]);
                write_yaml_behind(value, depth, text);
            }
        }
        Value::Array(array) if !array.is_empty() => {
            for value in array {
                text.extend([&indent, "-"]);
                write_yaml_behind(value, depth, text);
            }
        }
        other => text.extend([&indent, leaf(other).as_str(), "\n"]),
    }
}

/// A value behind its key or dash.
fn write_yaml_behind(value: &Value, depth: usize, text: &mut String) {
    let is_block = value.as_object().is_some_and(|object| !object.is_empty())
        || value.as_array().is_some_and(|array| !array.is_empty());
    if is_block {
        text.push('\n');
        write_yaml(value, depth + 1, text);
    } else {
        text.extend([" ", &leaf(value), "\n"]);
    }
}

fn leaf(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// A text, quoted unless nobody can take it for anything else.
fn scalar(text: &str) -> String {
    let is_span = text.strip_suffix('s').is_some_and(|number| number.parse::<f64>().is_ok());
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_./- ".contains(letter))
        && !text.ends_with(' ')
        && !["true", "false", "yes", "no", "on", "off", "y", "n", "null"]
            .contains(&text.to_ascii_lowercase().as_str());
    // JSON's strings are YAML's strings in double quotes.
    if is_plain || is_span { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn formats_are_read() {
        let fields = vec!["name".to_owned(), "error.code".to_owned()];
        assert_eq!(Format::parse("value(name, error.code)"), Ok(Format::Values(fields.clone())));
        assert!(Format::parse("value()").is_err() && Format::parse("csv").is_err());
        assert_eq!(values(&json!({"name": "a\nb", "error": {"code": 4}}), &fields), "a\\nb\t4\n");
    }

    #[test]
    fn yaml_is_the_same_for_every_reader() {
        let item = json!({
            "name": "status/n-1", "empty": {}, "none": null, "list": [1, {"a": "yes", "b": "12:30"}],
            "text": "a: b\n#c", "time": "2016-04-12T18:02:13Z", "on": "off", "blank": "", "done": true, "timeout": "2.500s",
        });
        let text = yaml(&item);
        let read: Value = serde_yaml::from_str(&text).expect("YAML");
        assert_eq!(read, item, "{text}");
        assert!(text.contains("name: status/n-1\n") && text.contains("\"on\": \"off\"\n"), "{text}");
        assert!(text.contains("timeout: 2.500s\n"), "{text}");
    }
}
