//! What go-yaml takes and the parser does not: a text in its place that the parser takes.

use super::super::{quoted, tabs};
use super::{Indexer, Stop};
use crate::error::{self, Error};
use granit_parser::{ErrorKind, ScanError};

impl Indexer<'_> {
    /// Why the parser ends, and the text to try then.
    pub(super) fn stop(&self, error: &ScanError) -> Stop {
        let offset = error.marker().byte_offset().unwrap_or_default();
        let tab_in = || {
            // The parser looks some tokens ahead, where the collection may begin.
            let ahead = || self.source.get(self.at..offset)?.find(['[', '{']).map(|found| self.at + found);
            if self.in_flow() { Some(self.flow_start) } else { ahead() }
        };
        let spaced = || tab_in().map(|start| tabs::spaced(self.parsed, start));
        let masked = || {
            let span = quoted::around(self.parsed, self.at, offset)?;
            let is_new = self.source[span.clone()] == self.parsed[span.clone()];
            quoted::value(&self.source[span.clone()]).filter(|_| is_new)?;
            Some(quoted::masked(self.parsed, &span))
        };
        let is_tab = *error.kind() == ErrorKind::TabInBlockIndentation;
        // Without a change it would go on for ever.
        let again = masked().or_else(|| if is_tab { spaced() } else { None }).filter(|text| text != self.parsed);
        let error = Error::new(error::Kind::Format, "this is not valid YAML")
            .at(self.source, offset)
            .because(error.info())
            .hint("look at the lines above too: a quote or bracket that is not closed shows later");
        Stop { error, again }
    }
}
