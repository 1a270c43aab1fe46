//! The six selectors.

/// Which leaves are encrypted. Exactly one of sops' six selectors; patterns are in Go's syntax.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Nothing is said, which means all but those with a key on their way that ends with `_unencrypted`. So are
    /// binary files, to whose one value no selector applies.
    Implied,
    /// All but those with a key on their way that ends so; the default of a new file, with `_unencrypted`.
    UnencryptedSuffix(String),
    /// Only those with a key on their way that ends so.
    EncryptedSuffix(String),
    /// All but those with a key on their way that matches.
    UnencryptedRegex(String),
    /// Only those with a key on their way that matches.
    EncryptedRegex(String),
    /// All but those below a comment that matches.
    UnencryptedCommentRegex(String),
    /// Only those below a comment that matches.
    EncryptedCommentRegex(String),
}

impl PartialEq for Selection {
    /// Whether both select the same.
    fn eq(&self, other: &Self) -> bool {
        (self.field(), self.text()) == (other.field(), other.text())
    }
}

impl Eq for Selection {}

impl Default for Selection {
    fn default() -> Self {
        Selection::UnencryptedSuffix(Selection::DEFAULT_SUFFIX.to_owned())
    }
}

/// A selector's field, and what makes a selection of its text.
type Selector = (&'static str, fn(String) -> Selection);

impl Selection {
    /// What ends the keys of values that are not encrypted, when nothing else is said.
    const DEFAULT_SUFFIX: &str = "_unencrypted";

    /// The selectors in the order in which sops writes them. Their names are the same in a file and in
    /// a creation rule.
    pub const SELECTORS: [Selector; 6] = [
        ("unencrypted_suffix", Selection::UnencryptedSuffix),
        ("encrypted_suffix", Selection::EncryptedSuffix),
        ("unencrypted_regex", Selection::UnencryptedRegex),
        ("encrypted_regex", Selection::EncryptedRegex),
        ("unencrypted_comment_regex", Selection::UnencryptedCommentRegex),
        ("encrypted_comment_regex", Selection::EncryptedCommentRegex),
    ];

    /// The selector's field.
    #[must_use]
    pub fn field(&self) -> &'static str {
        let at = match self {
            Selection::Implied | Selection::UnencryptedSuffix(_) => 0,
            Selection::EncryptedSuffix(_) => 1,
            Selection::UnencryptedRegex(_) => 2,
            Selection::EncryptedRegex(_) => 3,
            Selection::UnencryptedCommentRegex(_) => 4,
            Selection::EncryptedCommentRegex(_) => 5,
        };
        Self::SELECTORS[at].0
    }

    /// The suffix or the pattern.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Selection::Implied => Selection::DEFAULT_SUFFIX,
            Selection::UnencryptedSuffix(text)
            | Selection::EncryptedSuffix(text)
            | Selection::UnencryptedRegex(text)
            | Selection::EncryptedRegex(text)
            | Selection::UnencryptedCommentRegex(text)
            | Selection::EncryptedCommentRegex(text) => text,
        }
    }
}
