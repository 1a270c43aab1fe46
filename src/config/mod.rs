//! `.sops.yaml`: where it is, what it says, and which of its rules is for a file.
//!
//! Owns: discovery, the file's shape, creation rules, and everything that can be wrong with them.
//! Must not know: the key back ends (a recipient is a text that they parse), nor what a command does with a rule.
//! It prints nothing: what the user should hear of is in `warnings`.
//!
//! Documented at <https://getsops.io/docs/#using-sopsyaml-conf-to-select-kms-pgp-and-age-for-new-files>.

mod find;
mod nameless;
mod rule;
mod schema;

pub use find::Found;
pub(crate) use find::absolute;
pub use nameless::Nameless;
pub use rule::{CreationRule, DestinationRule, KeyGroup, Recipient};

use crate::document::Encoding;
use crate::error::{Error, Kind, Result, line_column, nearest};
use crate::pattern::Pattern;
use crate::trace;
use schema::{Unknown as _, UnknownKey};
use std::fs::File;
use std::io::Read as _;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::sync::OnceLock;

/// A larger file is refused; one with a rule for each of 10,000 folders has about one MiB.
const MAX_BYTES: u64 = 16 << 20;

/// How to begin with destinations.
pub(crate) const DESTINATION_HINT: &str =
    "write one for all files, such as destination_rules: [{s3_bucket: NAME}]; docs/publish.md has the others";

/// A deeper file is refused. `merge` of key groups is the only thing that nests.
const MAX_DEPTH: usize = 64;

/// More warnings than these are counted alone: it is then another kind of file.
const MOST_WARNINGS: usize = 20;

/// A `.sops.yaml` that has been read and checked.
#[derive(Debug)]
pub struct Config {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// The rules for new files, first match first. `None` when the file has none: to sops that is the same as no file.
    pub creation_rules: Option<Vec<CreationRule>>,
    /// The rules for publishing.
    pub destination_rules: Vec<DestinationRule>,
    /// How files are laid out that are written anew.
    pub stores: Stores,
    /// What the user should hear of, each with its line: unknown keys, and recipients that sops ignores.
    pub warnings: Vec<String>,
    /// The compiled `path_regex` of each creation rule, made when it is first needed.
    patterns: Vec<OnceLock<Pattern>>,
    /// The same of each destination rule.
    destination_patterns: Vec<OnceLock<Pattern>>,
}

/// The indentation of formats, as written: sops takes -1 for a tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stores {
    /// `stores.json.indent`
    pub json_indent: Option<i64>,
    /// `stores.json_binary.indent`
    pub json_binary_indent: Option<i64>,
    /// `stores.yaml.indent`
    pub yaml_indent: Option<i64>,
}

impl Stores {
    /// The indentation of documents of `format`, if anything is said of it.
    #[must_use]
    pub fn indent(&self, format: &str) -> Option<i64> {
        match format {
            "json" => self.json_indent,
            "binary" => self.json_binary_indent,
            "yaml" => self.yaml_indent,
            _ => None,
        }
    }
}

impl Config {
    /// Looks for `.sops.yaml` upward from the folder of `file`, then upward from `working_dir`.
    ///
    /// sops looks from the working directory alone; a file's own folder comes first here, so that what is chosen does
    /// not depend on where a command is run.
    #[must_use]
    pub fn find(file: Option<&Path>, working_dir: &Path) -> Found {
        find::find(file, working_dir)
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, is not valid YAML, has a key twice or a value of the wrong type; when a rule has more than
    /// one selector or a pattern that Go would not compile.
    pub fn load(path: &Path) -> Result<Self> {
        let clock = trace::clock();
        let shown = path.display().to_string();
        let text = read(path).map_err(|error| error.in_file(shown.as_str()))?;
        let config = Self::parse(&text, path).map_err(|error| error.in_file(shown.as_str()))?;
        clock.done(|| format!("read the rules of {shown}"));
        Ok(config)
    }

    /// Checks the text of a file that stands at `path`.
    fn parse(text: &str, path: &Path) -> Result<Self> {
        let file = deserialize(text)?;
        let place = |(error, offset): rule::Wrong| error.at(text, offset);
        let mut found = Vec::new();
        let mut walk = nameless::Walk { text, warnings: &mut found };
        let creation_rules = file.creation_rules.as_deref().map(|rules| {
            let numbered = rules.iter().zip(1..);
            numbered
                .map(|(rule, n)| {
                    let path = format!("creation_rules[{}]", n - 1);
                    CreationRule::from_schema(rule, n, (&format!("creation rule {n}"), &path), &mut walk)
                })
                .collect()
        });
        let creation_rules: Option<Vec<CreationRule>> = creation_rules.transpose().map_err(place)?;
        let destination_rules = file.destination_rules.iter().flatten().zip(1..);
        let destination_rules: Vec<_> = destination_rules
            .map(|(rule, number)| DestinationRule::from_schema(rule, number, &mut walk))
            .collect::<Result<_, _>>()
            .map_err(place)?;

        let mut unknown = Vec::new();
        file.unknown(&mut unknown);
        let unknown = unknown.iter().filter_map(|key| unknown_key(key, text));
        let mut warnings: Vec<(usize, String)> = unknown.collect();
        warnings.extend(found.into_iter().map(|(warning, line)| (line, format!("{line}: {warning}"))));
        warnings.sort_by_key(|(line, _)| *line);
        if let Some(more) = warnings.len().checked_sub(MOST_WARNINGS).filter(|&more| more > 0) {
            warnings.truncate(MOST_WARNINGS);
            warnings.push((usize::MAX, format!(" there are {more} more warnings")));
        }

        let indent = |format: &Option<schema::Indented>| format.as_ref().and_then(|format| format.indent);
        let stores = file.stores.unwrap_or_default();
        Ok(Config {
            path: find::absolute(path),
            patterns: creation_rules.iter().flatten().map(|_| OnceLock::new()).collect(),
            destination_patterns: destination_rules.iter().map(|_| OnceLock::new()).collect(),
            creation_rules,
            destination_rules,
            stores: Stores {
                json_indent: indent(&stores.json),
                json_binary_indent: indent(&stores.json_binary),
                yaml_indent: indent(&stores.yaml),
            },
            warnings: warnings.into_iter().map(|(_, warning)| format!("{}:{warning}", path.display())).collect(),
        })
    }

    /// The first rule for a file, which need not exist. `None` when there are no creation rules at all.
    ///
    /// # Errors
    /// When there are rules and none matches.
    pub fn rule_for(&self, file: &Path) -> Result<Option<&CreationRule>> {
        let Some(rules) = &self.creation_rules else { return Ok(None) };
        let path = find::relative(file, self.path.parent().unwrap_or(&self.path));
        for (rule, compiled) in rules.iter().zip(&self.patterns) {
            let name = || format!("creation rule {} (line {})", rule.number, rule.line);
            if self.matches(rule.path_regex.as_deref(), compiled, &path, name)? {
                return Ok(Some(rule));
            }
        }
        let error = Error::new(Kind::ConfigMissing, format!("no matching creation rules found for {path}"))
            .in_file(self.path.display().to_string());
        let tried = rules.iter().filter_map(|rule| Some((rule.line, rule.path_regex.as_deref()?)));
        let error =
            tried.fold(error, |error, (line, regex)| error.because(format!("line {line}: `{regex}` does not match")));
        Err(error.hint("change a path_regex, add a last rule without one, or name recipients: --age RECIPIENT"))
    }

    /// The first destination rule for a file that is called `typed` on the command line. `path_regex` is matched
    /// against the file's path from the folder of `.sops.yaml`, as in creation rules; if no rule matches that, against
    /// the path as it was typed, which is all that sops looks at.
    ///
    /// # Errors
    /// When no rule matches.
    pub fn destination_for(&self, typed: &Path) -> Result<&DestinationRule> {
        let path = find::relative(typed, self.path.parent().unwrap_or(&self.path));
        for path in [&*path, &*typed.to_string_lossy()] {
            for (rule, compiled) in self.destination_rules.iter().zip(&self.destination_patterns) {
                let name = || format!("the destination rule in line {}", rule.line);
                if self.matches(rule.path_regex.as_deref(), compiled, path, name)? {
                    return Ok(rule);
                }
            }
        }
        let error = Error::new(Kind::Generic, format!("no matching destination found for {path}"))
            .in_file(self.path.display().to_string());
        let tried = self.destination_rules.iter().filter_map(|rule| Some((rule.line, rule.path_regex.as_deref()?)));
        let error =
            tried.fold(error, |error, (line, regex)| error.because(format!("line {line}: `{regex}` does not match")));
        Err(match self.destination_rules.is_empty() {
            true => error.because("it has no destination_rules").hint(DESTINATION_HINT),
            false => error.hint("change a path_regex, or add a last rule without one"),
        })
    }

    /// Whether the `path_regex` of a rule matches; the one of a rule without one matches every path.
    fn matches(
        &self,
        regex: Option<&str>,
        compiled: &OnceLock<Pattern>,
        path: &str,
        rule: impl Fn() -> String,
    ) -> Result<bool> {
        let Some(regex) = regex else { return Ok(true) };
        let pattern = match compiled.get() {
            Some(pattern) => pattern,
            None => {
                let pattern = Pattern::new(regex).map_err(|error| {
                    let message = format!("path_regex of {}: {error}", rule());
                    let wrong = Error::new(Kind::Config, message).in_file(self.path.display().to_string());
                    error.hints().iter().fold(wrong, |wrong, hint| wrong.hint(hint))
                })?;
                compiled.get_or_init(|| pattern)
            }
        };
        Ok(matches_path(pattern, path))
    }
}

/// Whether a pattern matches a path. Where the separator is a backslash, sops shows patterns backslashes alone; here
/// slashes match as well, so that one file serves all platforms.
fn matches_path(pattern: &Pattern, path: &str) -> bool {
    pattern.is_match(path) || (MAIN_SEPARATOR != '/' && pattern.is_match(&path.replace(MAIN_SEPARATOR, "/")))
}

fn read(path: &Path) -> Result<String> {
    let unreadable = |error: std::io::Error| {
        Error::new(Kind::Config, "the configuration cannot be read")
            .because(error)
            .hint("name another one with --config or SOPS_CONFIG")
    };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::new(Kind::Config, format!("the configuration has more than {} MiB", MAX_BYTES >> 20))
            .hint("is this the file that you meant?"));
    }
    let encoding = Encoding::of(&bytes);
    encoding.decode(bytes).map_err(|text| {
        let message = format!("the configuration is not {}", encoding.name().unwrap_or("UTF-8"));
        Error::new(Kind::Config, message).at(&text, text.len()).hint("save it as UTF-8")
    })
}

fn deserialize(text: &str) -> Result<schema::File> {
    // No YAML has it.
    if let Some(offset) = text.find('\0') {
        let message = "the configuration has a NUL character";
        return Err(Error::new(Kind::Config, message)
            .at(&text[..offset], offset)
            .hint("is this the file that you meant?"));
    }
    if let Some(offset) = absurdly_deep(text) {
        let message = format!("the configuration is nested deeper than {MAX_DEPTH} levels");
        return Err(Error::new(Kind::Config, message)
            .at(&text[..offset], offset)
            .hint("is this the file that you meant?"));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            // One anchor of a recipient with hundreds of aliases is how these files are written.
            enforce_alias_anchor_ratio: false,
        },
        with_snippet: false,
    };
    let first = first_document(text);
    let file: Option<schema::File> = serde_saphyr::from_str_with_options(first, options).map_err(|error| {
        let wrong = Error::new(Kind::Config, "the configuration is wrong").because(reason(&error));
        let wrong = match error.location() {
            Some(location) => wrong.at(text, offset(text, location)),
            None => wrong,
        };
        wrong.hint("the keys and their types are shown in docs/configuration.md and .sops.yaml.example")
    })?;
    Ok(file.unwrap_or_default())
}

/// `text` without a last `---` that nothing stands behind: sops reads no document but the first. One with something in
/// it is left for the YAML library to refuse, since somebody expects it to be read.
fn first_document(text: &str) -> &str {
    let says_nothing = |line: &str| line.trim_start().is_empty() || line.trim_start().starts_with('#');
    let behind = |marker: &usize| text[*marker..].strip_prefix("---").unwrap_or_default().lines().all(says_nothing);
    let marker = text.rfind("\n---").map(|line_end| line_end + 1).filter(behind);
    marker.map_or(text, |marker| &text[..marker])
}

/// Where a text opens 1,000 more collections than it closes. The YAML library would refuse it as well, but only after a
/// time that grows with the square of the depth. Brackets in quotes count too; no file has so many that are unbalanced.
fn absurdly_deep(text: &str) -> Option<usize> {
    const ABSURD: usize = 1_000;
    let (mut open, mut pairs) = (0_usize, 0_usize);
    text.bytes().enumerate().find_map(|(at, byte)| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            b':' | b'-' | b'?' if text.as_bytes().get(at + 1) == Some(&b' ') => pairs += 1,
            b',' => pairs = pairs.saturating_sub(1),
            b'\n' => pairs = 0,
            _ => {}
        }
        (open > ABSURD || pairs > ABSURD).then_some(at)
    })
}

/// Why the YAML library has refused a file, in words for its writer, without the place.
fn reason(error: &serde_saphyr::Error) -> String {
    match error.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key {key} is in this map twice")
        }
        serde_saphyr::Error::MultipleDocuments { .. } => "a second YAML document begins here".to_owned(),
        serde_saphyr::Error::InvalidScalar { ty: "i64", .. } => "expected a whole number".to_owned(),
        serde_saphyr::Error::Unexpected { expected: "mapping start", .. } => "expected a map".to_owned(),
        serde_saphyr::Error::Unexpected { expected: "sequence start", .. } => "expected a list".to_owned(),
        serde_saphyr::Error::Unexpected { expected: "string scalar", .. } => "expected a text".to_owned(),
        serde_saphyr::Error::Budget { .. } => format!("it is nested deeper than {MAX_DEPTH} levels, or too large"),
        other => {
            let message = other.render_with_formatter(&serde_saphyr::UserMessageFormatter);
            message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason).to_owned()
        }
    }
}

/// The byte of a place; for an error of syntax the library knows the line and the column alone.
fn offset(text: &str, location: serde_saphyr::Location) -> usize {
    if location.span().byte_offset().is_some() {
        return rule::offset_of(location);
    }
    let before = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let line = text.split_inclusive('\n').take(before(location.line())).map(str::len).sum::<usize>();
    let column = text[line..].chars().take(before(location.column())).map(char::len_utf8).sum::<usize>();
    line + column
}

/// The line of an unknown key, and the warning about it.
fn unknown_key(unknown: &UnknownKey<'_>, text: &str) -> Option<(usize, String)> {
    let key = unknown.key.value.as_str();
    let offset = rule::offset_of(unknown.key.referenced);
    let nearest = nearest(key, unknown.known);
    if nearest.is_none() && holds_anchors(text, offset) {
        return None;
    }
    let (line, column) = line_column(text, offset);
    let advice = match nearest {
        Some(known) => format!("did you mean {known}?"),
        None if unknown.known.is_empty() => "none is known here".to_owned(),
        None => format!("known here are {}", unknown.known.join(", ")),
    };
    Some((line, format!("{line}:{column}: unknown key {key}; {advice}")))
}

/// Whether the key at `offset` stands at the left margin and has anchors below it: a list of keys with names, to be used
/// as aliases in the rules, which is a common way to write these files and no mistake.
fn holds_anchors(text: &str, offset: usize) -> bool {
    let (before, section) = text.split_at(offset.min(text.len()));
    let at_margin = before.is_empty() || before.ends_with(['\n', '\u{feff}']);
    let continues = |line: &&str| line.is_empty() || line.starts_with([' ', '\t', '-', '#', '\r', ']', '}']);
    let mut lines = section.lines();
    let head = lines.next().into_iter();
    at_margin && head.chain(lines.take_while(continues)).any(|line| line.contains(" &") || line.contains("[&"))
}

#[cfg(test)]
mod tests;
