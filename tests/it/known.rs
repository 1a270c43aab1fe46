//! The differences to real sops that are known, each with its reason in `docs/sops-differences.md`.
//!
//! A difference in *values* is never known, but where sops itself changes the value: the others are about
//! comments and layout of what sops prints.

use crate::peers;

/// A known difference.
pub(crate) struct Known {
    /// Its heading in the documentation.
    pub(crate) name: &'static str,
    /// Whether the two plaintexts differ by it and nothing else.
    is: fn(sops: &str, ours: &str) -> bool,
}

const KNOWN: &[Known] = &[
    Known {
        name: "Comments that sops cannot decrypt itself",
        is: |sops, ours| is_undecrypted_comment(sops) && without_comments(sops) == without_comments(ours),
    },
    Known {
        name: "Integers of JSON beyond 2^53",
        // Equal once our integers are rounded as sops 3.11 rounds them, and not only then.
        is: |sops, ours| ours.trim_start().starts_with('{') && sops == with_rounded_integers(ours),
    },
];

/// Whether real sops refuses what we made of the document `text` since it rounds an integer that is not
/// encrypted before it computes the MAC.
pub(crate) fn is_refusal(error: &str, text: &str) -> bool {
    error.starts_with("MAC mismatch") && text.trim_start().starts_with('{') && with_rounded_integers(text) != text
}

/// `text` with every integer of 16 digits or more as the nearest 64-bit float.
fn with_rounded_integers(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = rest[start..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - start);
        let number = &rest[start..start + digits];
        out.push_str(&rest[..start]);
        match number.parse::<f64>() {
            Ok(value) if digits >= 16 => out.push_str(&value.to_string()),
            _ => out.push_str(number),
        }
        rest = &rest[start + digits..];
    }
    out + rest
}

/// The name of the difference between what real sops prints and our text, when it is a known one.
pub(crate) fn find(sops: &str, ours: &str) -> Option<&'static str> {
    KNOWN.iter().find(|known| (known.is)(sops, ours)).map(|known| known.name)
}

fn is_undecrypted_comment(text: &str) -> bool {
    text.contains("ENC[AES256_GCM,") && text.contains(",type:comment]")
}

/// The lines of a YAML text that are neither comments nor blank. A line of a block scalar that looks like a
/// comment goes too, on both sides alike.
pub(crate) fn without_comments(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty()).collect()
}

#[test]
fn the_known_differences_are_documented() {
    let path = peers::package().join("docs/sops-differences.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for known in KNOWN {
        assert!(text.contains(&format!("\n## {}\n", known.name)), "{} does not say `{}`", path.display(), known.name);
    }
}

#[test]
fn a_difference_of_values_is_not_known() {
    let token = "#ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:comment]";
    assert_eq!(find(&format!("a: 1\n{token}\n"), "a: 1\n# c\n"), Some("Comments that sops cannot decrypt itself"));
    assert_eq!(find(&format!("a: 1\n{token}\n"), "a: 2\n# c\n"), None);
    assert_eq!(find("a: 1\n# b\n", "a: 1\n# c\n"), None);
    let rounded = Some("Integers of JSON beyond 2^53");
    assert_eq!(find("{\"a\": 9007199254740992}", "{\"a\": 9007199254740993}"), rounded);
    assert_eq!(find("{\"a\": 9223372036854776000}", "{\"a\": 9223372036854775807}"), rounded);
    assert_eq!(find("{\"a\": 9007199254740992}", "{\"a\": 9007199254740995}"), None);
}
