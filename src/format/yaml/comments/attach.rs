//! From tokens and runs of comments to nodes, and from nodes to sops' tree.
//!
//! Two machines on top of each other: [`Events`] gives each parser event the comments that go-yaml
//! gives it, [`Tree`] makes nodes of the events, moves foot comments to where go-yaml moves them, and
//! lists the comments of a node where sops' YAML store puts them.

use super::Placement;
use super::scan::{Role, Scan, Token, TokenKind};
use super::tokens::Tokens;
use crate::document::EntryId;

/// Where each comment belongs; comments that go-yaml loses are not in the result.
pub(super) fn attach(tokens: Tokens<'_>, offsets: &[usize], nodes: &[EntryId]) -> Vec<Placement> {
    let mut events = Events::new(Scan::new(tokens, offsets));
    let mut tree = Tree { nodes, next_node: 0, open: Vec::new(), placements: Vec::new(), root: END };
    loop {
        let event = events.next();
        if event.kind == EventKind::StreamEnd {
            return tree.placements;
        }
        tree.event(event);
    }
}

/// The comments of an event or a node, as numbers.
#[derive(Clone, Debug, Default)]
struct Notes {
    head: Vec<u32>,
    line: Vec<u32>,
    foot: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventKind {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    /// A scalar or an alias.
    Leaf,
    SequenceStart,
    SequenceEnd,
    MappingStart {
        flow: bool,
    },
    MappingEnd,
    /// A foot comment of the pair just parsed.
    Tail,
}

struct Event {
    kind: EventKind,
    notes: Notes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    StreamStart,
    ImplicitDocument,
    Document,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    FirstBlockEntry,
    BlockEntry,
    IndentlessEntry,
    FirstBlockKey,
    BlockKey,
    BlockValue,
    FirstFlowEntry,
    FlowEntry,
    FlowEntryKey,
    FlowEntryValue,
    FlowEntryEnd,
    FirstFlowKey,
    FlowKey,
    FlowValue,
    FlowEmptyValue,
    End,
}

/// What a node stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Block,
    /// In a block, behind a key, where a list need not be deeper.
    OfKey,
    Flow,
}

/// go-yaml's parser, reduced to when it looks at a token and when it hands comments to an event.
struct Events<'a> {
    scan: Scan<'a>,
    state: State,
    states: Vec<State>,
    waiting: Notes,
    stem: Vec<u32>,
    tail: Vec<u32>,
    /// Events since a token was taken.
    idle: usize,
}

impl<'a> Events<'a> {
    fn new(scan: Scan<'a>) -> Self {
        Events {
            scan,
            state: State::StreamStart,
            states: Vec::new(),
            waiting: Notes::default(),
            stem: Vec::new(),
            tail: Vec::new(),
            idle: 0,
        }
    }

    /// Looks at the next token; takes up the comments that lean on it.
    fn peek(&mut self) -> Token {
        let token = self.scan.peek();
        while let Some(run) = self.scan.runs.front() {
            if run.token > token.start || run.role == Role::Head && token.kind == TokenKind::BlockEnd {
                break;
            }
            let Some(run) = self.scan.runs.pop_front() else { break };
            match run.role {
                Role::Head => self.waiting.head.extend(run.comments),
                Role::Line => self.waiting.line.extend(run.comments),
                Role::Foot => self.waiting.foot.extend(run.comments),
            }
        }
        token
    }

    fn skip(&mut self) {
        self.idle = 0;
        self.scan.queue.pop_front();
    }

    fn pop(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    fn take(&mut self) -> Notes {
        self.tail.clear();
        self.stem.clear();
        std::mem::take(&mut self.waiting)
    }

    fn bare(kind: EventKind) -> Event {
        Event { kind, notes: Notes::default() }
    }

    fn with_notes(&mut self, kind: EventKind) -> Event {
        Event { kind, notes: self.take() }
    }

    fn empty_scalar(&mut self, state: State) -> Event {
        self.state = state;
        Self::bare(EventKind::Leaf)
    }

    /// The node at hand, before `state`; an empty one where one of `ends` is next instead.
    fn node_before(&mut self, state: State, ends: &[TokenKind], place: Place) -> Event {
        if ends.contains(&self.peek().kind) {
            return self.empty_scalar(state);
        }
        self.states.push(state);
        self.node(place)
    }

    fn next(&mut self) -> Event {
        use TokenKind as T;
        // The parser takes some texts that go-yaml does not, where no state here takes the token at hand. Few
        // events in a row need none; after more than that it is left out, so that the walk comes to its end.
        const FEW: usize = 64;
        self.idle += 1;
        if self.idle > FEW {
            self.skip();
        }
        match self.state {
            State::StreamStart => {
                self.peek();
                self.skip();
                self.state = State::ImplicitDocument;
                self.next_document(true)
            }
            State::ImplicitDocument => self.next_document(true),
            State::Document => self.next_document(false),
            State::DocumentContent => {
                let token = self.peek();
                if matches!(token.kind, T::Directive | T::DocumentStart | T::DocumentEnd | T::StreamEnd) {
                    self.pop();
                    return Self::bare(EventKind::Leaf);
                }
                self.node(Place::Block)
            }
            State::DocumentEnd => {
                if self.peek().kind == T::DocumentEnd {
                    self.skip();
                }
                self.state = State::Document;
                let mut event = self.with_notes(EventKind::DocumentEnd);
                if event.notes.foot.is_empty() {
                    event.notes.foot = std::mem::take(&mut event.notes.head);
                }
                event
            }
            State::BlockNode => self.node(Place::Block),
            State::FirstBlockEntry | State::BlockEntry => {
                if self.state == State::FirstBlockEntry {
                    self.peek();
                    self.skip();
                }
                if self.peek().kind == T::BlockEntry {
                    self.dash();
                    return self.node_before(State::BlockEntry, &[T::BlockEntry, T::BlockEnd], Place::Block);
                }
                self.pop();
                self.skip();
                Self::bare(EventKind::SequenceEnd)
            }
            State::IndentlessEntry => {
                if self.peek().kind == T::BlockEntry {
                    self.dash();
                    let ends = [T::BlockEntry, T::Key, T::Value, T::BlockEnd];
                    return self.node_before(State::IndentlessEntry, &ends, Place::Block);
                }
                self.pop();
                Self::bare(EventKind::SequenceEnd)
            }
            State::FirstBlockKey | State::BlockKey => {
                if self.state == State::FirstBlockKey {
                    self.peek();
                    self.skip();
                    self.state = State::BlockKey;
                }
                let token = self.peek();
                if !self.tail.is_empty() {
                    let foot = std::mem::take(&mut self.tail);
                    return Event { kind: EventKind::Tail, notes: Notes { foot, ..Notes::default() } };
                }
                if token.kind == T::Key {
                    self.skip();
                    return self.node_before(State::BlockValue, &[T::Key, T::Value, T::BlockEnd], Place::OfKey);
                }
                if token.kind == T::Value {
                    // An empty key without `?`: go-yaml has none, the parser has.
                    return self.empty_scalar(State::BlockValue);
                }
                self.pop();
                let event = self.with_notes(EventKind::MappingEnd);
                self.skip();
                event
            }
            State::BlockValue => {
                if self.peek().kind == T::Value {
                    self.skip();
                    return self.node_before(State::BlockKey, &[T::Key, T::Value, T::BlockEnd], Place::OfKey);
                }
                self.empty_scalar(State::BlockKey)
            }
            State::FirstFlowEntry | State::FlowEntry => self.flow_entry(),
            State::FlowEntryKey => {
                self.node_before(State::FlowEntryValue, &[T::Value, T::FlowEntry, T::FlowSequenceEnd], Place::Flow)
            }
            State::FlowEntryValue => {
                if self.peek().kind == T::Value {
                    self.skip();
                    return self.node_before(State::FlowEntryEnd, &[T::FlowEntry, T::FlowSequenceEnd], Place::Flow);
                }
                self.empty_scalar(State::FlowEntryEnd)
            }
            State::FlowEntryEnd => {
                self.peek();
                self.state = State::FlowEntry;
                Self::bare(EventKind::MappingEnd)
            }
            State::FirstFlowKey | State::FlowKey => self.flow_key(),
            State::FlowEmptyValue => {
                self.peek();
                self.empty_scalar(State::FlowKey)
            }
            State::FlowValue => {
                if self.peek().kind == T::Value {
                    self.skip();
                    return self.node_before(State::FlowKey, &[T::FlowEntry, T::FlowMappingEnd], Place::Flow);
                }
                self.empty_scalar(State::FlowKey)
            }
            State::End => Self::bare(EventKind::StreamEnd),
        }
    }

    fn next_document(&mut self, implicit: bool) -> Event {
        let mut token = self.peek();
        while !implicit && token.kind == TokenKind::DocumentEnd {
            self.skip();
            token = self.peek();
        }
        if token.kind == TokenKind::StreamEnd {
            self.state = State::End;
            return Self::bare(EventKind::StreamEnd);
        }
        self.states.push(State::DocumentEnd);
        let explicit = matches!(token.kind, TokenKind::Directive | TokenKind::DocumentStart);
        if !explicit {
            self.state = State::BlockNode;
            return Self::bare(EventKind::DocumentStart);
        }
        while self.peek().kind == TokenKind::Directive {
            self.skip();
        }
        self.peek();
        self.skip();
        self.state = State::DocumentContent;
        Self::bare(EventKind::DocumentStart)
    }

    /// A list's dash: the head comment before it is that of a map or list that begins behind it.
    fn dash(&mut self) {
        let before = self.waiting.head.len();
        self.skip();
        if before == 0 {
            return;
        }
        if matches!(self.peek().kind, TokenKind::BlockSequenceStart | TokenKind::BlockMappingStart) {
            let rest = self.waiting.head.split_off(before);
            self.stem = std::mem::replace(&mut self.waiting.head, rest);
        }
    }

    fn node(&mut self, place: Place) -> Event {
        use TokenKind as T;
        let mut token = self.peek();
        while matches!(token.kind, T::Anchor | T::Tag) {
            self.skip();
            token = self.peek();
        }
        match token.kind {
            T::Alias | T::PlainScalar | T::QuotedScalar | T::BlockScalar => {
                self.pop();
                let event = self.with_notes(EventKind::Leaf);
                self.skip();
                event
            }
            T::BlockEntry if place == Place::OfKey => {
                self.state = State::IndentlessEntry;
                Self::bare(EventKind::SequenceStart)
            }
            T::FlowSequenceStart => {
                self.state = State::FirstFlowEntry;
                self.with_notes(EventKind::SequenceStart)
            }
            T::FlowMappingStart => {
                self.state = State::FirstFlowKey;
                self.with_notes(EventKind::MappingStart { flow: true })
            }
            T::BlockSequenceStart if place != Place::Flow => {
                self.state = State::FirstBlockEntry;
                let head = std::mem::take(&mut self.stem);
                Event { kind: EventKind::SequenceStart, notes: Notes { head, ..Notes::default() } }
            }
            T::BlockMappingStart if place != Place::Flow => {
                self.state = State::FirstBlockKey;
                let head = std::mem::take(&mut self.stem);
                Event { kind: EventKind::MappingStart { flow: false }, notes: Notes { head, ..Notes::default() } }
            }
            _ => {
                // A node without content. Above the document nothing else takes the token.
                self.pop();
                if self.state == State::DocumentEnd {
                    self.skip();
                }
                Self::bare(EventKind::Leaf)
            }
        }
    }

    /// Comes to the next entry between brackets, whose first state is `first`: the kind of its first token, none at
    /// `end`.
    fn next_in_flow(&mut self, first: State, end: TokenKind) -> Option<TokenKind> {
        let is_first = self.state == first;
        if is_first {
            self.peek();
            self.skip();
        }
        if !is_first && self.peek().kind == TokenKind::FlowEntry {
            self.skip();
        }
        Some(self.peek().kind).filter(|&kind| kind != end && kind != TokenKind::StreamEnd)
    }

    fn flow_entry(&mut self) -> Event {
        match self.next_in_flow(State::FirstFlowEntry, TokenKind::FlowSequenceEnd) {
            None => self.flow_end(EventKind::SequenceEnd),
            Some(kind @ (TokenKind::Key | TokenKind::Value)) => {
                if kind == TokenKind::Key {
                    self.skip();
                }
                self.state = State::FlowEntryKey;
                Self::bare(EventKind::MappingStart { flow: true })
            }
            Some(_) => self.node_before(State::FlowEntry, &[], Place::Flow),
        }
    }

    fn flow_key(&mut self) -> Event {
        use TokenKind as T;
        match self.next_in_flow(State::FirstFlowKey, T::FlowMappingEnd) {
            None => self.flow_end(EventKind::MappingEnd),
            Some(T::Key) => {
                self.skip();
                self.node_before(State::FlowValue, &[T::Value, T::FlowEntry, T::FlowMappingEnd], Place::Flow)
            }
            Some(T::Value) => self.empty_scalar(State::FlowValue),
            Some(_) => self.node_before(State::FlowEmptyValue, &[], Place::Flow),
        }
    }

    fn flow_end(&mut self, kind: EventKind) -> Event {
        self.pop();
        let event = self.with_notes(kind);
        self.skip();
        event
    }
}

/// go-yaml's nodes and sops' tree above them, as far as comments go.
struct Tree<'a> {
    nodes: &'a [EntryId],
    next_node: usize,
    open: Vec<Container>,
    placements: Vec<Placement>,
    /// The root of the document at hand.
    root: u32,
}

struct Container {
    id: u32,
    /// Its own comments; a map's block form gives its foot to its last key.
    notes: Notes,
    /// Whether the container above lists `notes`; else they are listed inside, under its own key.
    listed_above: bool,
    first_child: u32,
    map: Option<MapState>,
    /// Foot comments of the last child, which stand before the next one.
    feet: Vec<u32>,
}

#[derive(Default)]
struct MapState {
    flow: bool,
    /// The comments of the key whose value comes next.
    key: Option<Notes>,
    /// How many pairs there are.
    pairs: usize,
    /// Comments behind the last value and behind its key; the next key or the end may change the latter.
    value_foot: Vec<u32>,
    key_foot: Vec<u32>,
}

const END: u32 = u32::MAX;

impl Tree<'_> {
    fn event(&mut self, event: Event) {
        match event.kind {
            // The head comment of a document is at the head of its first node as well: both are the root's.
            EventKind::StreamEnd | EventKind::DocumentStart => {}
            EventKind::DocumentEnd => self.list(self.root, END, 1, &event.notes.foot),
            EventKind::Tail => {
                if let Some(map) = self.open.last_mut().and_then(|open| open.map.as_mut())
                    && map.key_foot.is_empty()
                {
                    map.key_foot = event.notes.foot;
                }
            }
            EventKind::Leaf => self.leaf(event.notes),
            EventKind::MappingStart { flow } => self.start(event.notes, Some(MapState { flow, ..MapState::default() })),
            EventKind::SequenceStart => self.start(event.notes, None),
            EventKind::MappingEnd | EventKind::SequenceEnd => self.end(event.notes),
        }
    }

    fn list(&mut self, container: u32, before: u32, rank: u8, comments: &[u32]) {
        if container == END {
            return; // A node that the parser does not have: it takes some texts that go-yaml does not.
        }
        self.placements.extend(comments.iter().map(|&comment| Placement { container, before, rank, comment }));
    }

    fn take_node(&mut self) -> u32 {
        let id = self.nodes.get(self.next_node).map_or(END, |&id| id as u32);
        self.next_node += 1;
        id
    }

    /// Whether the next node is a key.
    fn at_key(&self) -> bool {
        self.open.last().and_then(|open| open.map.as_ref()).is_some_and(|map| map.key.is_none())
    }

    /// Lists what stands before child `id` of the innermost container: the feet of the child before it
    /// and the comments of its key.
    fn before_child(&mut self, id: u32) -> Option<u32> {
        let open = self.open.last_mut()?;
        if open.first_child == END {
            open.first_child = id;
        }
        let container = open.id;
        let mut comments = std::mem::take(&mut open.feet);
        if let Some(map) = open.map.as_mut() {
            comments.append(&mut map.value_foot);
            comments.append(&mut map.key_foot);
            if let Some(key) = map.key.as_mut() {
                comments.append(&mut key.head);
                comments.append(&mut key.line);
            }
        }
        self.list(container, id, 1, &comments);
        Some(container)
    }

    fn leaf(&mut self, mut notes: Notes) {
        if self.at_key() {
            let Some(map) = self.open.last_mut().and_then(|open| open.map.as_mut()) else { return };
            if !map.flow && !notes.foot.is_empty() && map.pairs > 0 {
                // A foot comment found at a key is that of the pair before it.
                map.key_foot = std::mem::take(&mut notes.foot);
            }
            map.key = Some(notes);
            return;
        }
        let id = self.take_node();
        let Some(container) = self.before_child(id) else {
            self.root = id;
            self.list(id, END, 1, &notes.head);
            self.list(id, END, 1, &notes.line);
            self.list(id, END, 1, &notes.foot);
            return;
        };
        self.list(container, id, 1, &notes.head);
        self.list(container, id, 1, &notes.line);
        self.value_done(notes.foot);
    }

    /// A value of the innermost container is complete; `foot` are its foot comments.
    fn value_done(&mut self, mut foot: Vec<u32>) {
        let Some(open) = self.open.last_mut() else { return };
        let Some(map) = open.map.as_mut() else {
            open.feet = foot;
            return;
        };
        let key = map.key.take().unwrap_or_default();
        map.pairs += 1;
        map.key_foot = key.foot;
        if map.key_foot.is_empty() {
            map.key_foot = std::mem::take(&mut foot);
        }
        map.value_foot = foot;
    }

    fn start(&mut self, notes: Notes, map: Option<MapState>) {
        let id = self.take_node();
        if self.before_child(id).is_none() {
            self.root = id;
        }
        let listed_above = self.open.last().is_some_and(|open| open.map.is_none());
        self.open.push(Container { id, notes, listed_above, first_child: END, map, feet: Vec::new() });
    }

    fn end(&mut self, notes: Notes) {
        let Some(mut open) = self.open.pop() else { return };
        let id = open.id;
        let mut foot = notes.foot;
        let mut last = open.feet;
        if let Some(map) = open.map.as_mut() {
            if !map.flow && !foot.is_empty() && map.pairs > 0 {
                map.key_foot = std::mem::take(&mut foot);
            }
            last.append(&mut map.value_foot);
            last.append(&mut map.key_foot);
        }
        self.list(id, END, 1, &last);
        let (head, line) = (open.notes.head, notes.line);
        if open.listed_above {
            if let Some(container) = self.open.last().map(|above| above.id) {
                self.list(container, id, 1, &head);
                self.list(container, id, 1, &line);
            }
            self.value_done(foot);
            return;
        }
        self.list(id, open.first_child, 0, &head);
        self.list(id, open.first_child, 0, &line);
        // A foot comment of a value goes to its key, if it has one that has none of its own.
        let key = self.open.last().and_then(|above| above.map.as_ref()).and_then(|map| map.key.as_ref());
        if key.is_none_or(|key| !key.foot.is_empty()) {
            self.list(id, END, 1, &foot);
            foot.clear();
        }
        self.value_done(foot);
    }
}
