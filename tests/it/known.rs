//! The differences to real sops that are known, each with its reason in `docs/sops-differences.md`.
//!
//! A difference in *values* is never known: these are about comments and layout of what sops prints.

use crate::peers;

/// A known difference.
pub(crate) struct Known {
    /// Its heading in the documentation.
    pub(crate) name: &'static str,
    /// Whether the two plaintexts differ by it and nothing else.
    is: fn(sops: &str, ours: &str) -> bool,
}

const KNOWN: &[Known] = &[Known {
    name: "Comments that sops cannot decrypt itself",
    is: |sops, ours| is_undecrypted_comment(sops) && without_comments(sops) == without_comments(ours),
}];

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
}
