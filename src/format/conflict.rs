//! What git leaves in a file that it could not merge: what to say of it.
//!
//! Owns: how git's marks are known in a text that a format has refused. Must not know: any format. Nothing here decides
//! what is accepted.

use super::METADATA_KEY;
use crate::error::{Error, Kind};
use memchr::memmem;

/// The lines around the two versions and between them, as they begin.
const MARKS: [&str; 3] = ["<<<<<<< ", "=======", ">>>>>>> "];

/// The first conflict in `text`, as an error.
pub(super) fn find(text: &str) -> Option<Error> {
    let mut from = 0;
    let mut first = None;
    for mark in MARKS {
        let mut found = memmem::find_iter(&text.as_bytes()[from..], mark).map(|at| from + at);
        let at = found.find(|&at| at == 0 || text.as_bytes()[at - 1] == b'\n')?;
        first.get_or_insert(at);
        from = at + mark.len();
    }
    let error = Error::new(Kind::Format, "the file has a conflict that git could not merge")
        .at(text, first?)
        .because("both versions stand in it, between lines of <<<<<<<, ======= and >>>>>>>")
        .hint("take one of the two: git checkout --ours FILE, or git checkout --theirs FILE");
    if !text.contains(METADATA_KEY) {
        return Some(error);
    }
    Some(error.hint(
        "or leave the lines that you want, of `mac` and `lastmodified` any one, and then: leafcrypt rotate -i --ignore-mac FILE",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::ALL;
    use super::*;

    const CONFLICT: &str = "a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> other\n";

    #[test]
    fn every_format_tells_of_it() {
        for format in ALL.iter().filter(|format| !format.is_whole()) {
            let error = format.index_plaintext(CONFLICT.as_bytes().to_vec()).map(drop).unwrap_err();
            assert!(error.message().contains("conflict"), "{}: {error}", format.name());
            assert_eq!(error.place().line_column, Some((2, 1)), "{}", format.name());
            assert_eq!(error.hints().len(), 1);
        }
        let encrypted = find(&format!("{CONFLICT}sops:\n")).unwrap();
        assert!(encrypted.hints()[1].contains("--ignore-mac"));
    }

    #[test]
    fn what_is_no_conflict_is_not_called_one() {
        for text in
            ["", "a: <<<<<<< x\n", "<<<<<<< x\n", "<<<<<<< x\n>>>>>>> y\n=======\n", " <<<<<<< x\n=======\n>>>>>>> y"]
        {
            assert!(find(text).is_none(), "{text}");
        }
    }
}
