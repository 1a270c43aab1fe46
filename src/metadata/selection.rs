//! The six selectors.

/// Which leaves are encrypted. Exactly one of sops' six selectors; patterns are in Go's syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All but those with a key on their way that ends so; the default, with `_unencrypted`.
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

impl Default for Selection {
    fn default() -> Self {
        Selection::UnencryptedSuffix("_unencrypted".to_owned())
    }
}

/// A selector's field, and what makes a selection of its text.
type Selector = (&'static str, fn(String) -> Selection);

impl Selection {
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
            Selection::UnencryptedSuffix(_) => 0,
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
            Selection::UnencryptedSuffix(text)
            | Selection::EncryptedSuffix(text)
            | Selection::UnencryptedRegex(text)
            | Selection::EncryptedRegex(text)
            | Selection::UnencryptedCommentRegex(text)
            | Selection::EncryptedCommentRegex(text) => text,
        }
    }
}
