//! The house keeps its floors: a room imports only lower ones. Files stay short, `unsafe` stays in `sys/`.

use crate::peers::package;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rooms and their floors, as `src/lib.rs` and the architecture say.
const FLOORS: &[(&str, u8)] = &[
    ("error", 0),
    ("secret", 0),
    ("trace", 0),
    ("event", 0),
    ("sys", 0),
    ("document", 1),
    ("crypto", 2),
    ("pattern", 1),
    ("format", 2),
    ("key", 2),
    ("metadata", 3),
    ("audit", 3),
    ("seal", 4),
    ("config", 4),
    ("publish", 4),
    ("ops", 5),
    ("kustomize", 6),
    ("cli", 7),
];

/// The imports within a floor that are allowed: everything may fail, and `sys` handles secrets.
const NEIGHBOURS: &[(&str, &str)] =
    &[("secret", "error"), ("event", "error"), ("sys", "error"), ("sys", "secret"), ("sys", "trace")];

/// No file is longer.
const LINES: usize = 650;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let root = package().join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The code of a source: without comments, and without what is in strings.
fn code(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if rest.starts_with("/*") {
            rest = rest.find("*/").map_or("", |end| &rest[end + 2..]);
        } else if let Some(skip) = raw_string(rest).or_else(|| literal(rest)) {
            out.push_str("\"\"");
            rest = &rest[skip..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The length of the raw string at the beginning.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r').or_else(|| text.strip_prefix("br"))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(text.len() - body.len() + body.find(&close).map_or(body.len(), |end| end + close.len()))
}

/// The length of the string or character literal at the beginning; a lifetime is none.
fn literal(text: &str) -> Option<usize> {
    if let Some(body) = text.strip_prefix('\'') {
        let first = body.chars().next()?;
        let skip = if first == '\\' { 2 } else { first.len_utf8() };
        let end = body.get(skip..)?.find('\'').filter(|&end| end == 0 || first == '\\')?;
        return Some(1 + skip + end + 1);
    }
    let mut chars = text.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '"' => return Some(1 + at + 1),
            _ => {}
        }
    }
    None
}

/// The rooms that a piece of code names: `crate::room`, `crate::{room, ..}`, `super::super::room` aside.
fn rooms_named(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (at, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if start && !c.is_whitespace() => {
                        start = false;
                        rooms.insert(word(&group[at..]));
                    }
                    _ => {}
                }
            }
        } else {
            rooms.insert(word(rest));
        }
    }
    rooms.into_iter().map(|room| if matches!(&*room, "Error" | "Result") { "error".into() } else { room }).collect()
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|&(_, floor)| floor)
}

/// What is wrong with the imports of the file `name` (relative to `src/`).
fn violations(name: &str, source: &str) -> Vec<String> {
    let room = name.split('/').next().unwrap().trim_end_matches(".rs");
    if matches!(room, "lib" | "main") {
        return Vec::new();
    }
    let Some(own) = floor(room) else {
        return vec![format!("src/{name}: the room `{room}` has no floor; give it one in tests/it/layers.rs")];
    };
    rooms_named(&code(source))
        .into_iter()
        .filter(|other| other != room)
        .filter_map(|other| match floor(&other) {
            Some(floor) if floor < own || NEIGHBOURS.contains(&(room, &other)) => None,
            Some(floor) => Some(format!(
                "src/{name}: `{room}` (floor {own}) imports `{other}` (floor {floor}); a room imports only lower floors"
            )),
            None => Some(format!("src/{name}: `crate::{other}` is not a room")),
        })
        .collect()
}

#[test]
fn a_room_imports_only_lower_floors() {
    let wrong: Vec<String> = all_sources().iter().flat_map(|(name, source)| violations(name, source)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short() {
    let long: Vec<String> = all_sources()
        .iter()
        .map(|(name, source)| (name, source.lines().count()))
        .filter(|&(_, lines)| lines > LINES)
        .map(|(name, lines)| format!("src/{name}: {lines} lines, more than {LINES}"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn unsafe_stays_in_sys() {
    for (name, source) in all_sources() {
        let code = code(&source);
        let found = code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
        // In `main.rs` it is the name of one function, which is to be in the program alone, not in the library.
        let may = name.starts_with("sys") || name == "main.rs";
        assert!(!found || may, "src/{name} has unsafe code; only src/sys/ may");
    }
}

#[test]
fn the_platform_stays_in_sys() {
    for (name, source) in
        all_sources().iter().filter(|(name, _)| !name.starts_with("sys") && !name.ends_with("tests.rs"))
    {
        // Tests of a file may look at the platform; they stand behind the code.
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        let known = ["cfg(unix", "cfg!(unix", "cfg(windows", "cfg!(windows", "target_os", "std::os::"];
        let found: Vec<&str> = known.into_iter().filter(|word| source.contains(word)).collect();
        assert!(found.is_empty(), "src/{name} knows the platform by {found:?}; only src/sys/ may");
    }
}

#[test]
fn main_is_thin() {
    let lines = std::fs::read_to_string(package().join("src/main.rs")).unwrap().lines().count();
    assert!(lines < 30, "src/main.rs has {lines} lines");
}

#[test]
fn every_room_of_the_library_has_a_floor() {
    let lib = std::fs::read_to_string(package().join("src/lib.rs")).unwrap();
    let rooms: BTreeSet<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(rooms, FLOORS.iter().map(|&(room, _)| room).collect());
}

#[test]
fn the_check_itself_finds_what_it_looks_for() {
    assert!(violations("seal/mod.rs", "use crate::format::Format;").is_empty());
    assert!(
        violations("seal/mod.rs", "// use crate::cli;\nlet a = \"crate::cli\"; let b = r#\"crate::cli\"#;").is_empty()
    );
    assert!(violations("sys/mod.rs", "use crate::{error::{self, Kind}, Result};").is_empty());
    for (name, source) in [
        ("document/mod.rs", "use crate::format::Format;"),
        ("document/mod.rs", "fn f<'a>(x: &'a str) -> crate::seal::X { '\\''; '\"'; crate::cli::Y }"),
        ("metadata/a.rs", "use crate::{error::{self, Kind}, seal};"),
        ("error.rs", "use crate::secret::DataKey;"),
        ("seal/mod.rs", "use crate::config::Config;"),
        ("nowhere/mod.rs", ""),
    ] {
        assert!(!violations(name, source).is_empty(), "{name}: {source}");
    }
    assert_eq!(violations("document/mod.rs", "let a = '\"'; crate::cli::Y; let b = '\"';").len(), 1);
}

/// Flags that sops has for what is never done here.
const WITHOUT_EFFECT: &[&str] = &["disable_version_check", "check_for_updates", "in_place"];

#[test]
fn no_flag_is_parsed_and_ignored() {
    let sources: Vec<_> = all_sources().into_iter().filter(|(name, _)| name.starts_with("cli")).collect();
    let group =
        regex::Regex::new(r"(?s)derive\((?:clap::)?(?:Args|Parser)\)\]\n.*?struct [A-Za-z]+ \{\n(.*?)\n\}").unwrap();
    let field = regex::Regex::new(r"(?m)^    (?:pub\(super\) )?([a-z0-9_]+): ").unwrap();
    let mut fields = 0;
    for (name, text) in &sources {
        for found in group.captures_iter(text) {
            for flag in field.captures_iter(&found[1]).map(|field| field[1].to_owned()) {
                fields += 1;
                // Read as `args.flag`, or taken out of the group by its name.
                let elsewhere = text.replace(&found[1], "");
                let word = regex::Regex::new(&format!(r"(?-u:\b){flag}(?-u:\b)")).unwrap();
                assert!(word.is_match(&elsewhere) || WITHOUT_EFFECT.contains(&&*flag), "{name}: nobody reads {flag}");
            }
        }
    }
    assert!(fields > 100, "only {fields} fields were found");
}
