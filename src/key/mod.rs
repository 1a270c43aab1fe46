//! The key back ends.

/// One wrapped copy of the data key.
#[derive(Clone)]
pub struct Stanza {}
