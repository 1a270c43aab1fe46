//! From YAML events to the table.
//!
//! Streams the parser's events straight into the builder; nothing is collected and nothing recurses.
//! What real sops cannot hold (keys that are not strings, documents that are lists) is refused here,
//! with the place.

mod again;
mod anchors;
mod breaks;
mod fault;
mod keys;
mod simple;

use self::anchors::Anchored;
use self::keys::MapFrame;
use super::comments::Tokens;
use super::resolve::{self, Resolved};
use super::{comments, place, quoted, strict};
use crate::document::{Builder, Document, EntryId, Flags, Kind, Style, Text};
use crate::error::{self, Error, Result};
use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag, options};
use std::collections::HashMap;
use std::hash::RandomState;
use std::iter::Peekable;
use std::ops::Range;
use std::vec::IntoIter;
use zeroize::Zeroize;

/// As deep as sops' own parser goes (`max_indents`, `max_flow_level` of go-yaml).
const MAX_DEPTH: usize = 10_000;

/// So much text is parsed again in all, and so often at least, for what go-yaml takes and the parser does not.
const MAX_AGAIN: (usize, usize) = (100 << 20, 100);

/// Indexes a YAML stream.
pub(super) fn index(text: String) -> Result<Document> {
    let builder = Builder::new(text)?;
    let source = builder.shared_text();
    let filled = Indexer::run_simple(&source, builder);
    drop(source);
    match filled {
        Ok(filled) => Ok(filled.finish()),
        Err(unfinished) => index_parsed(Builder::new(unfinished.into_text())?),
    }
}

/// Fills `builder` by what the parser says.
fn index_parsed(mut builder: Builder) -> Result<Document> {
    let mut changed: Option<String> = None;
    let mut tries = 0;
    loop {
        // The events borrow the text, which the builder owns in the end.
        let source = builder.shared_text();
        let parsed = changed.as_deref().unwrap_or(&source);
        let (filled, result) = Indexer::run(&source, parsed, builder);
        let result = result.map_err(|stop| stop.or_again(|| breaks::without_separators(parsed)));
        let is_enough = tries >= MAX_AGAIN.1 && tries * source.len() > MAX_AGAIN.0;
        let next = match result {
            Ok(()) => {
                changed.zeroize();
                drop(source);
                let document = filled.finish();
                return match strict::tabs(&document) {
                    Ok(()) => Ok(document),
                    Err(refused) => Err(refuse(document.text(), refused)),
                };
            }
            Err(Stop { again: Some(text), .. }) if !is_enough => text,
            Err(stop) => {
                changed.zeroize();
                return Err(stop.error);
            }
        };
        changed.replace(next).zeroize();
        drop(source);
        builder = Builder::new(filled.finish().into_text())?;
        tries += 1;
    }
}

/// Why an index ends before its text does.
struct Stop {
    error: Error,
    /// What the parser may take instead: no position is another in it, and no value but that of quoted scalars.
    again: Option<String>,
}

impl Stop {
    /// With what `again` gives where there is nothing else to try.
    fn or_again(self, again: impl FnOnce() -> Option<String>) -> Self {
        Stop { again: self.again.or_else(again), ..self }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop { error, again: None }
    }
}

struct Indexer<'a> {
    source: &'a str,
    /// What the parser reads: `source`, but for blanks.
    parsed: &'a str,
    builder: Builder,
    frames: Vec<Frame>,
    /// Where the outermost collection in brackets begins, while one is open.
    flow_start: usize,
    /// What each anchor id stands for, and the scalar of a key where it is one.
    anchors: Vec<Option<Anchored>>,
    /// The anchor id that each name had last.
    names: HashMap<String, usize>,
    /// The list of a key `<<`, while it is open.
    merged: Option<EntryId>,
    /// A block scalar waits here for the comment of its header, which comes after it but stands before.
    pending: Option<Leaf>,
    /// The entry of each node that is no key, in the order of the events.
    value_nodes: Vec<EntryId>,
    comments: Vec<EntryId>,
    /// The comments that the parser does not see and that have not come yet.
    hidden: Peekable<IntoIter<Range<usize>>>,
    /// The end of what has been seen; where the search for a block scalar's header begins.
    at: usize,
    /// The same without the comments: a key's `?` stands between this and the key.
    node_end: usize,
    hasher: RandomState,
}

struct Leaf {
    kind: Kind,
    span: Range<usize>,
    key: Option<Text>,
    value: Text,
    style: Style,
    flags: Flags,
    anchor: usize,
    is_misread: bool,
}

/// An open container.
struct Frame {
    flow: bool,
    map: Option<MapFrame>,
}

impl<'a> Indexer<'a> {
    /// Fills `builder`, which is one over `source`, by what the parser says of `parsed`.
    fn run(source: &'a str, parsed: &'a str, builder: Builder) -> (Builder, Result<(), Stop>) {
        let mut indexer = Indexer::new(source, parsed, builder);
        let is_changed = !std::ptr::eq(source, parsed);
        if is_changed {
            indexer.hidden = again::hidden_comments(source, parsed).into_iter().peekable();
        }
        let result = indexer.events();
        let Indexer { mut builder, value_nodes, comments, .. } = indexer;
        if result.is_ok() && !comments.is_empty() {
            let mut lines = if is_changed { breaks::with_breaks(source, parsed) } else { None };
            let mut scanned = if is_changed { again::with_directives(source, parsed) } else { None };
            let tokens = Tokens::of_parser(lines.as_deref().unwrap_or(source), scanned.as_deref().unwrap_or(parsed));
            comments::place(tokens, &mut builder, &comments, &value_nodes);
            lines.zeroize();
            scanned.zeroize();
        }
        (builder, result)
    }

    fn new(source: &'a str, parsed: &'a str, builder: Builder) -> Self {
        Indexer {
            source,
            parsed,
            builder,
            frames: Vec::new(),
            flow_start: 0,
            anchors: Vec::new(),
            names: HashMap::new(),
            merged: None,
            pending: None,
            value_nodes: Vec::new(),
            comments: Vec::new(),
            hidden: Vec::new().into_iter().peekable(),
            at: 0,
            node_end: 0,
            hasher: RandomState::new(),
        }
    }

    fn events(&mut self) -> Result<(), Stop> {
        let options = options! {
            emit_anchor_events: true,
            emit_unresolved_aliases: true,
            max_buffered_comment_events: usize::MAX,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        for event in Parser::new_from_str_with_options(self.parsed, options) {
            let (event, span) = event.map_err(|error| self.stop(&error))?;
            let start = span.byte_range().unwrap_or_default().start;
            if matches!(event, Event::DocumentStart(..))
                && let Some(stop) = self.mark_between(self.at, start)
            {
                return Err(stop);
            }
            // The header of a block scalar is found from what is before it, comments and all.
            let is_block = matches!(event, Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..));
            let is_end =
                matches!(event, Event::MappingEnd | Event::SequenceEnd | Event::DocumentEnd | Event::StreamEnd);
            while let Some(comment) =
                self.hidden.next_if(|comment| !is_block && comment.start < start + usize::from(is_end))
            {
                self.comment(comment)?;
            }
            self.event(event, span)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let range = self.range_of(&span);
        match event {
            Event::Comment(..) => return self.comment(self.comment_start(range.start)..range.end),
            Event::Anchor(anchor, name) => {
                self.names.insert(name.clone().into_owned(), anchor);
                // What sops takes for a name ends before any other character. It refuses what follows, but for the two
                // that a value can begin with: see `misread_anchor`.
                let is_apart = !self.source[range.end..].starts_with(['[', '{']);
                if is_apart && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '?')) {
                    return Ok(());
                }
                return Err(self.refuse_anchor(range.start).into());
            }
            _ => self.flush(),
        }
        if let Some(tag) = span.tag_span().and_then(|tag| tag.byte_range()) {
            strict::tag(&self.source[tag.clone()], &self.source[tag.end..], tag.start, self.in_flow())
                .map_err(|refused| self.misread_tag(refused))?;
        }
        match event {
            Event::Scalar(value, style, anchor, tag) => self.scalar(&value, style, anchor, tag.as_deref(), &span)?,
            Event::MappingStart(style, anchor, _) => self.open(Kind::Map, style, anchor, range.clone())?,
            Event::SequenceStart(style, anchor, _) => self.open(Kind::List, style, anchor, range.clone())?,
            Event::MappingEnd | Event::SequenceEnd => {
                let flow = self.frames.pop().is_some_and(|frame| frame.flow);
                self.builder.close(if flow { range.end } else { self.at });
                if flow {
                    self.at = range.end;
                    self.node_end = range.end;
                }
                return Ok(self.check_merged()?);
            }
            Event::Alias(id) => self.alias(id, range.clone())?,
            // To sops, an anchor is one for the rest of the stream.
            Event::UnresolvedAlias(name) => {
                let id = self.names.get(&*name).copied().unwrap_or_default();
                self.alias(id, range.clone())?;
            }
            Event::DocumentStart(is_explicit, _) => {
                let is_first = self.builder.so_far().roots().is_empty();
                let start = if is_first { 0 } else { self.at };
                strict::before_document(self.source, start, range.start.max(start), is_first)
                    .and_then(|()| strict::document_start(range.start, is_first || is_explicit))
                    .map_err(|refused| refuse(self.source, refused))?;
            }
            Event::DocumentEnd | Event::StreamStart | Event::StreamEnd => {}
            _ => return Err(self.refuse_text("this YAML construct is not known", range.start).into()),
        }
        self.at = self.at.max(range.end);
        self.node_end = self.at;
        Ok(())
    }

    fn comment(&mut self, range: Range<usize>) -> Result<(), Stop> {
        let start = range.start;
        match &mut self.pending {
            // Behind the header of a block scalar with a tag, which goes with the value.
            Some(leaf) if leaf.span.contains(&start) => {
                leaf.flags = leaf.flags.with(Flags::REWRITTEN);
                return Ok(());
            }
            Some(leaf) if leaf.span.start < start => self.flush(),
            _ => {}
        }
        if self.pending.is_none() && start < self.at {
            return Err(self.refuse_inner_comment(start).into());
        }
        if self.frames.is_empty()
            && let Some(stop) = self.mark_between(self.at, start)
        {
            return Err(stop);
        }
        let comment = &self.source[range.clone()];
        self.separators(&range)?;
        let end = start + comment.find(quoted::SEPARATORS).unwrap_or(comment.len());
        let text = self.builder.slice(start + 1..end);
        let id = self.builder.comment(start..end, text);
        self.comments.push(id);
        if self.pending.is_none() {
            self.at = range.end;
        }
        Ok(())
    }

    /// Adds the scalar that waited.
    fn flush(&mut self) {
        if let Some(leaf) = self.pending.take() {
            self.at = self.at.max(leaf.span.end);
            self.add(leaf);
        }
    }

    fn add(&mut self, leaf: Leaf) {
        let id = self.builder.leaf(leaf.kind, leaf.span, leaf.key, leaf.value, leaf.style, leaf.flags);
        self.value_nodes.push(id);
        self.anchor(leaf.anchor, if leaf.is_misread { Anchored::Misread } else { Anchored::Entry(id) });
    }

    fn anchor(&mut self, anchor: usize, what: Anchored) {
        if anchor > 0 {
            if self.anchors.len() <= anchor {
                self.anchors.resize(anchor + 1, None);
            }
            self.anchors[anchor] = Some(what);
        }
    }

    fn in_flow(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.flow)
    }

    /// Whether the next node is a key of the innermost map.
    fn expects_key(&self) -> bool {
        self.frames.last().and_then(|frame| frame.map.as_ref()).is_some_and(|map| map.key.is_none())
    }

    fn take_key(&mut self) -> Option<Text> {
        self.frames.last_mut().and_then(|frame| frame.map.as_mut()).and_then(|map| map.key.take())
    }

    fn open(&mut self, kind: Kind, style: StructureStyle, anchor: usize, range: Range<usize>) -> Result<()> {
        if let Some(anchor) = self.misread_anchor(anchor, range.start) {
            return Err(self.refuse_anchor(anchor.start));
        }
        if self.expects_key() {
            return Err(self.refuse_collection_key(range.start));
        }
        if self.frames.is_empty() && kind == Kind::List {
            return Err(self.refuse_list(range.start));
        }
        let flow = style == StructureStyle::Flow;
        if flow && !self.in_flow() {
            self.flow_start = range.start;
        }
        let flags = Flags::NONE.with_if(self.in_flow(), Flags::IN_FLOW);
        let key = self.take_key();
        let style = if flow { Style::Flow } else { Style::Block };
        let id = self.builder.open(kind, range.start, key, style, flags);
        self.value_nodes.push(id);
        self.anchor(anchor, Anchored::Entry(id));
        self.merge(id);
        self.frames.push(Frame { flow, map: (kind == Kind::Map).then(MapFrame::default) });
        Ok(())
    }

    fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<(), Stop> {
        let mut range = self.range_of(span);
        let plain = style == ScalarStyle::Plain;
        // A value that is not there stands behind its colon, not before it.
        if plain && range.is_empty() && !self.expects_key() {
            let colon = place::skip_to_mark(self.source, range.start);
            if self.in_flow() && self.source.as_bytes().get(colon) == Some(&b':') {
                range = colon + 1..colon + 1;
            }
        }
        // The parser says `~` for a node that is not there.
        let value = if plain && range.is_empty() { "" } else { value };
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let is_tab = |(source, parsed): (u8, u8)| source == b'\t' && parsed != source;
        if block && self.source[range.clone()].bytes().zip(self.parsed[range.clone()].bytes()).any(is_tab) {
            return Err(self
                .refuse("tabs indent the lines of a list or map in brackets before this value", range.start)
                .because("sops does not read them there")
                .hint("indent with spaces instead")
                .into());
        }
        let at_end = block && self.is_cut_off(&range, span.start.col());
        if block && !self.source.ends_with(['\n', '\r']) && self.source[range.end..].trim_ascii().is_empty() {
            self.builder.ends_open();
        }
        let own = self.check_scalar(value, style, span)?;
        // go-yaml gives a block scalar that the end of the file cuts off no newline.
        let value = if at_end && own.is_none() {
            value.strip_suffix('\n').unwrap_or(value)
        } else {
            own.as_deref().unwrap_or(value)
        };
        let short = tag.map(short_tag).filter(|tag| tag != "!");
        let resolved = match &short {
            Some(tag) => resolve::resolve_tagged(tag, value, plain),
            None if plain => resolve::resolve_plain(value),
            None => Ok(Resolved { kind: Kind::Str, canonical: value.as_bytes().into() }),
        };
        let resolved = resolved.map_err(|reason| self.refuse_value(reason, range.start))?;
        // To sops, a `?` ends a plain text between brackets, and may begin a key; a `:` at its beginning ends one. And one at
        // its end is the mark of a key to others.
        let misread_text =
            plain && self.in_flow() && (value.contains('?') || value.starts_with(':') || value.ends_with(':'));
        let raw = &self.source[range.clone()];
        let has_control = !plain && !block && strict::has_control(raw);
        let has_escape = style == ScalarStyle::DoubleQuoted && strict::has_unknown_escape(raw);
        let misread_anchor = self.misread_anchor(anchor, range.start);
        if self.expects_key() {
            if has_control {
                return Err(self
                    .refuse("this key has a control character in it, which sops does not read", range.start)
                    .hint(r"write it as an escape, such as `\x7f`")
                    .into());
            }
            let misread = (misread_text || has_escape).then_some(range.start);
            let misread = misread_anchor.as_ref().map(|anchor| anchor.start).or(misread);
            if let Some(start) = misread {
                self.builder.odd_key(start..range.end, None);
            }
            let tag_start = span.tag_span().and_then(|tag| tag.byte_range()).map(|tag| tag.start);
            let is_merge = plain && value == "<<" && short.as_deref().is_none_or(|tag| tag == "!!merge");
            self.see_merge(is_merge, tag_start.unwrap_or(range.start)..range.end);
            let text = self.key(&resolved, range)?;
            self.anchor(anchor, if misread_anchor.is_some() { Anchored::Misread } else { Anchored::Key(text) });
            return Ok(());
        }
        if self.frames.is_empty() && resolved.kind != Kind::Null {
            return Err(self.refuse_single_value(range.start).into());
        }
        let text = self.text_of(&resolved.canonical, &range);
        let (mut full, style) = match style {
            ScalarStyle::Plain => (range.clone(), Style::Plain),
            ScalarStyle::SingleQuoted => (range.clone(), Style::SingleQuoted),
            ScalarStyle::DoubleQuoted => (range.clone(), Style::DoubleQuoted),
            ScalarStyle::Literal => (self.block_content(&range, span.start.col()), Style::Literal),
            ScalarStyle::Folded => (self.block_content(&range, span.start.col()), Style::Folded),
        };
        let mut flags = Flags::NONE
            .with_if(self.in_flow(), Flags::IN_FLOW)
            .with_if(misread_text || has_control || has_escape, Flags::REWRITTEN);
        let null_document = self.frames.is_empty() && self.builder.so_far().roots().is_empty();
        // A tag that only fits the value of now goes with it; `!!str` and an application's own stay.
        let only_fits = short.as_deref().is_some_and(|tag| tag.starts_with("!!") && tag != "!!str");
        // Between brackets, a comma that is put behind a tag would be a part of it to sops.
        let is_alone = range.is_empty() && self.in_flow();
        if (only_fits && (null_document || !range.is_empty()) || is_alone)
            && let Some(tag) = span.tag_span().and_then(|tag| tag.byte_range())
        {
            // A value that is not there is said to stand where the next token is.
            full = tag.start..if range.is_empty() { self.anchor_end(anchor, tag.end) } else { full.end };
            flags = flags.with(Flags::TAGGED).with_if(is_alone, Flags::REWRITTEN);
        }
        if let Some(anchor) = &misread_anchor {
            full = anchor.start.min(full.start)..if range.is_empty() { anchor.end } else { full.end };
            flags = flags.with(Flags::TAGGED).with(Flags::REWRITTEN);
        }
        // A comment between a tag and its value goes with both.
        while let Some(&comment) = self.comments.last()
            && full.contains(&self.builder.so_far().entry(comment).span().start)
        {
            self.comments.pop();
            self.builder.forget_comment();
            flags = flags.with(Flags::REWRITTEN);
        }
        if null_document && !full.is_empty() {
            // A null that is written out; the `sops` block takes its place.
            flags = flags.with(Flags::REWRITTEN);
        }
        self.quote_merge();
        let (kind, key, is_misread) = (resolved.kind, self.take_key(), misread_anchor.is_some());
        let leaf = Leaf { kind, span: full, key, value: text, style, flags, anchor, is_misread };
        if block {
            self.pending = Some(leaf);
        } else {
            self.add(leaf);
        }
        Ok(())
    }

    /// Refuses a scalar that sops does not read. Its value, where go-yaml has another than the parser.
    fn check_scalar(&self, value: &str, style: ScalarStyle, span: &Span) -> Result<Option<String>, Stop> {
        let range = self.range_of(span);
        let raw = &self.source[range.clone()];
        match style {
            ScalarStyle::Plain => self.separators(&range)?,
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let indent = value.contains(|c| c != '\n').then(|| span.start.col());
                return self.block_value(range.end, indent, style == ScalarStyle::Folded);
            }
            _ => {}
        }
        if self.expects_key()
            && (self.in_flow() || raw.contains(quoted::BREAKS))
            && let Some(start) = self.implicit_key_start(range.start)
        {
            let colon = place::skip_to_mark(self.source, range.end);
            if self.source.as_bytes().get(colon) == Some(&b':') {
                strict::implicit_key(&self.source[start..colon], start)
                    .map_err(|refused| refuse(self.source, refused))?;
                // The map that a pair in a list is has no brace.
                let so_far = self.builder.so_far();
                let last = so_far.entry(so_far.len() - 1);
                let is_pair = last.kind() == Kind::Map && !self.source[last.span().start..].starts_with('{');
                if self.in_flow() && is_pair && style == ScalarStyle::Plain && colon == range.end {
                    self.pair_colon(colon)?;
                }
            }
        }
        let is_masked = raw != &self.parsed[range.clone()];
        if style == ScalarStyle::Plain {
            return Ok(if is_masked { Some(self.plain_value(&range)?) } else { None });
        }
        if !is_masked && (raw.is_ascii() || !raw.contains(quoted::SEPARATORS)) {
            return Ok(None);
        }
        let refused = || self.refuse_text("sops does not read this text in quotes", range.start);
        Ok(Some(quoted::value(raw).ok_or_else(refused)?))
    }

    fn refuse_inner_comment(&self, at: usize) -> Error {
        self.refuse("a comment stands within a value, or between its type tag and the value", at)
            .because("the value could only be replaced together with the comment")
            .hint("put the comment on the line above, or behind the value")
    }

    /// The value as a piece of the source where it stands there as it is.
    fn text_of(&mut self, canonical: &[u8], range: &Range<usize>) -> Text {
        let source = &self.source.as_bytes()[range.clone()];
        if source == canonical {
            return self.builder.slice(range.clone());
        }
        if source.len() == canonical.len() + 2 && &source[1..source.len() - 1] == canonical {
            return self.builder.slice(range.start + 1..range.end - 1);
        }
        self.builder.intern(canonical)
    }

    /// Whether the end of the file cuts off the last line of the block scalar at `range`.
    fn is_cut_off(&self, range: &Range<usize>, indent: usize) -> bool {
        let start = place::line_start(self.source, self.source.len());
        let line = &self.source[start..];
        // Blanks are a line of text only where they are deeper than the text, or there is no other.
        let is_text = line.len() > indent || line.bytes().any(|byte| byte != b' ');
        let is_last = self.source[range.end..].bytes().all(|byte| matches!(byte, b' ' | b'\t'));
        is_last && !line.is_empty() && (is_text || place::header_end(self.source, self.at) == start)
    }

    /// The lines of a block scalar: from the start of the line behind its header to the end of its last
    /// line that is not blank. The blanks of the line behind the header, when all are blank.
    fn block_content(&self, range: &Range<usize>, indent: usize) -> Range<usize> {
        let header_end = place::header_end(self.source, self.at);
        let mut content = &self.source[header_end..range.end.max(header_end)];
        // A line of blanks that reaches behind the indentation has text, and is not blank.
        loop {
            let line = content.rmatch_indices(quoted::BREAKS).next().map_or(0, |(found, mark)| found + mark.len());
            let blank = content[line..].bytes().all(|byte| byte == b' ') && content.len() - line <= indent;
            if !blank || line == 0 {
                // Text in the place of the first of only blank lines has none of its blanks behind it; but blanks
                // before what comes next are not of this value.
                let rest = &self.source[header_end + content.len()..];
                let is_own_line = rest.is_empty() || rest.starts_with(quoted::BREAKS);
                let len = if blank && !is_own_line { 0 } else { content.len() };
                return header_end..header_end + len;
            }
            let lines = &content[..line];
            content = lines.strip_suffix("\r\n").or(lines.strip_suffix(quoted::BREAKS)).unwrap_or_default();
        }
    }

    /// Where `span` is in the source. The parser's may end within a character that stands for a line break.
    fn range_of(&self, span: &Span) -> Range<usize> {
        let range = span.byte_range().unwrap_or_default();
        let floor = |at: usize| (0..=at).rev().find(|&at| self.source.is_char_boundary(at)).unwrap_or_default();
        floor(range.start)..floor(range.end)
    }
}

/// The error that a refusal is.
pub(super) fn refuse(source: &str, refused: strict::Refused) -> Error {
    Error::new(error::Kind::Format, refused.what).at(source, refused.at).because(refused.why).hint(refused.hint)
}

/// The tag in go-yaml's short form: `!!int`, `!local`, or a full URI.
fn short_tag(tag: &Tag) -> String {
    match tag.suffix_in_namespace("tag:yaml.org,2002:") {
        Some(name) => format!("!!{name}"),
        None => format!("{}{}", tag.handle(), tag.suffix()),
    }
}

#[cfg(test)]
mod tests {
    use crate::format::{Format, yaml::Yaml};

    /// What real sops 3.11 reads, seen by running it.
    #[test]
    fn the_end_of_the_file_cuts_off_a_line_of_text_alone() {
        for (text, value) in [
            ("a: |\n  x", "x"),
            ("a: |\n  x\n ", "x\n"),
            ("a: |\n  x\n  ", "x\n"),
            ("a: |\r\n  x\r\n\r\n  ", "x\n"),
            ("a: |\n  x\n   ", "x\n "),
            ("a: |+\n  x\n\n ", "x\n\n"),
            ("a: >\n  x\n  y\n ", "x y\n"),
            ("a: |-\n  x\n ", "x"),
            ("a: |+\n   ", ""),
            ("a: |+\n  \n ", "\n"),
        ] {
            let document = Yaml.index(text.to_owned()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            let last = document.scalar(document.len() - 1);
            assert_eq!(String::from_utf8_lossy(last.bytes), value, "{text:?}");
        }
    }
}
