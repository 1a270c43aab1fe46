//! `edit`: an encrypted file, or a new one, changed in an editor.
//!
//! The plaintext is in a private folder in memory for as long as the editor is open, and nowhere else. What
//! cannot be saved is kept as a draft, encrypted for the recipients of the file.

mod draft;
mod editor;

use super::encrypt::{self, Encrypt};
use super::manifest;
use super::secret_data::View;
use super::source::{self, Source};
use super::unsealed::Unsealed;
use crate::document::{Indent, Splicer, Value};
use crate::error::{Error, Kind, Result};
use crate::format::Format;
use crate::key::{Keyring, Stanza};
use crate::metadata::Metadata;
use crate::seal;
use crate::secret::{DataKey, SecretBytes};
use crate::sys::{self, Environment, PrivateFolder, Signal, Signals};
use draft::{Origin, Text};
use editor::Editor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zeroize::Zeroize;

/// An editor that comes back so soon was hardly used by a person.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What to edit.
pub struct Edit {
    /// The file.
    pub source: Source,
    /// For whom and how much to encrypt, which counts for a new file alone.
    pub encrypt: Encrypt,
    /// Whether a MAC that does not match is no failure.
    pub ignore_mac: bool,
    /// Whether the `sops` block is to be edited as well.
    pub show_master_keys: bool,
    /// Whether the `data` of Kubernetes Secrets is shown as text instead of base64.
    pub decode_data: bool,
    /// The draft to go on with.
    pub draft: Option<PathBuf>,
}

/// What a person is told and asked meanwhile.
pub trait Conversation {
    /// Tells something that is worth knowing before the editor opens.
    fn warn(&mut self, warnings: &[String]);

    /// Shows why a text cannot be saved, and asks what to do; watches `signals` meanwhile.
    fn choose(&mut self, error: &Error, signals: &mut Signals) -> Choice;
}

/// What to do about a text that cannot be saved.
pub enum Choice {
    /// Open the editor again, on the same text.
    Again,
    /// Stop here.
    GiveUp,
    /// There is nobody to ask, and nothing was shown.
    Nobody,
}

/// How it ended.
pub enum Outcome {
    /// The file has the new text.
    Saved,
    /// The text was not changed, and neither was the file.
    Unchanged {
        /// Whether the editor may be one that opens a window and does not wait for it.
        returned_at_once: bool,
    },
    /// A signal asked to end. The file is as it was.
    Interrupted {
        /// The signal.
        signal: Signal,
        /// What became of the text, if it was changed: lines to show.
        draft: Vec<String>,
    },
}

/// Lets the user change a file in an editor, and saves it.
///
/// # Errors
/// When the file cannot be opened; when there is no editor, it fails, or what it leaves cannot be saved. The file is
/// as it was then, and the message says where the draft is kept.
pub fn edit(
    request: &Edit,
    keyring: &Keyring,
    environment: &Environment,
    conversation: &mut dyn Conversation,
) -> Result<Outcome> {
    let path = &request.source.path;
    if sys::is_stdin(path) {
        return Err(Error::new(Kind::ConflictingArguments, "the standard input cannot be edited").hint("name a file"));
    }
    let editor = Editor::find(environment)?;
    let is_new = std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
    let mut session = if is_new { Session::create(request, keyring) } else { Session::open(request, keyring) }?;
    sys::require_replaceable(path)?;
    session.begin(request, keyring, environment)?;
    conversation.warn(&std::mem::take(&mut session.warnings));

    // From here on there is plaintext outside of this process.
    let mut signals =
        Signals::catch().map_err(|error| Error::new(Kind::Generic, "signals cannot be caught").because(error))?;
    let folder = PrivateFolder::create(environment)?;
    let outcome = session.run(&editor, &folder, &mut signals, environment, conversation);
    match (outcome, folder.remove()) {
        (Err(error), Err(remains)) => Err(remains.hints().iter().fold(error.because(&remains), Error::hint)),
        (outcome, Ok(())) => outcome,
        (Ok(_), Err(remains)) => Err(remains),
    }
}

/// Whether reading `path` may wait without an end.
fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|facts| !facts.is_file() && !facts.is_dir())
}

/// What the editor left.
fn read_edited(file: &Path) -> Result<SecretBytes> {
    let read = match is_pipe(file) {
        true => Err(Error::new(Kind::ReadInput, format!("{} is no file", file.display()))),
        false => sys::read_input(file).map(SecretBytes::from),
    };
    read.map_err(|error| Error::new(Kind::ReadInput, "the editor left no file to read").because(error.message()))
}

/// What an editor that was ended by a signal had not saved and put beside the file: nano and emacs do so.
fn read_rescued(file: &Path) -> Result<SecretBytes> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let rescued = [format!("{name}.save"), format!("#{name}#")].map(|name| file.with_file_name(name));
    rescued.iter().find(|file| file.is_file()).map_or_else(|| read_edited(file), |rescued| read_edited(rescued))
}

/// One edit, from the first time the editor opens to the last.
struct Session<'a> {
    request: &'a Edit,
    keyring: &'a Keyring,
    unsealed: Unsealed,
    /// The encrypted file as it was; `None` when there was none.
    version: Option<Vec<u8>>,
    /// What the editor is to show first.
    shown: SecretBytes,
    /// What the editor would show of the file as it is: who leaves it so has changed nothing. `None`: a new file.
    unchanged: SecretBytes,
    /// What makes a plaintext of what is shown, if that is another text.
    view: Option<View>,
    warnings: Vec<String>,
}

/// Why a text was not saved.
enum Refusal {
    /// Something in it is wrong, and the user can put it right.
    Text(Error),
    /// It cannot be written.
    File(Error),
}

impl<'a> Session<'a> {
    /// A file that is there.
    fn open(request: &'a Edit, keyring: &'a Keyring) -> Result<Self> {
        let source = &request.source;
        let opened = source.open()?;
        let version = opened.bytes.clone();
        let open = || {
            let mut unsealed = Unsealed::open(opened.bytes, opened.input, keyring, request.ignore_mac)?;
            let mut text = unsealed.plaintext().to_vec();
            if opened.input.name() != opened.output.name() {
                let rules = &request.encrypt.rules;
                let indent = rules.indent(source.name(), opened.output, &mut unsealed.warnings)?;
                text = opened.output.emit(&opened.input.index_plaintext(text)?, indent)?;
                (unsealed.format, unsealed.block_indent) = (opened.output, indent);
            }
            Ok((unsealed, text))
        };
        let (unsealed, text) = open().map_err(|error: Error| error.in_file(source.shown()))?;
        Self::of(request, keyring, unsealed, text, Some(version))
    }

    /// A file that is to be made, with an example in it. Its data key is wrapped first: who cannot encrypt need not write.
    fn create(request: &'a Edit, keyring: &'a Keyring) -> Result<Self> {
        request.source.announce();
        let mut warnings = Vec::new();
        let (_, output) = request.source.formats();
        let mut metadata = encrypt::metadata(&request.source, &request.encrypt, &mut warnings)?;
        let data_key = DataKey::generate()?;
        metadata.wrap(&data_key, keyring)?;
        metadata.last_modified = seal::now(); // a block that is shown is read again
        let indent = request.encrypt.rules.indent(request.source.name(), output, &mut warnings)?;
        let mut text = output.example().as_bytes().to_vec();
        if indent != Indent::OfSops {
            text = output.emit(&output.index_plaintext(text)?, indent)?;
        }
        let mut unsealed = Unsealed::new(output, metadata, data_key);
        unsealed.block_indent = indent;
        Ok(Session { warnings, ..Self::of(request, keyring, unsealed, text, None)? })
    }

    fn of(
        request: &'a Edit,
        keyring: &'a Keyring,
        mut unsealed: Unsealed,
        text: Vec<u8>,
        version: Option<Vec<u8>>,
    ) -> Result<Self> {
        let shown = if request.show_master_keys { with_block(&unsealed, text)? } else { text };
        let (unchanged, warnings) = (SecretBytes::from(shown.clone()), std::mem::take(&mut unsealed.warnings));
        let shown = SecretBytes::from(shown);
        let mut session = Session { request, keyring, unsealed, version, shown, unchanged, view: None, warnings };
        if request.decode_data {
            session.decode_data().map_err(|error| error.in_file(request.source.shown()))?;
        }
        Ok(session)
    }

    /// Shows the `data` of Secrets as text from here on.
    fn decode_data(&mut self) -> Result<()> {
        let mut view = View::of(self.unsealed.format, self.unchanged.expose().to_vec())?;
        self.unchanged = SecretBytes::from(view.text().to_vec());
        self.shown = SecretBytes::from(view.text().to_vec());
        self.warnings.append(&mut view.warnings);
        self.view = Some(view);
        Ok(())
    }

    fn path(&self) -> &'a Path {
        &self.request.source.path
    }

    fn origin(&self) -> Origin<'_> {
        Origin { path: self.path(), version: self.version.as_deref() }
    }

    /// Takes up the draft, or tells of those that there are.
    fn begin(&mut self, request: &Edit, keyring: &Keyring, environment: &Environment) -> Result<()> {
        let Some(draft) = &request.draft else {
            self.warnings.extend(match &self.origin().drafts(environment)[..] {
                [] => None,
                [draft] => Some(format!("there is a draft of this file; to go on with it: {}", self.resume(draft))),
                [newest, others @ ..] => Some(format!(
                    "there are {} drafts of this file; to go on with the newest: {}\nthe others: {}",
                    others.len() + 1,
                    self.resume(newest),
                    others.iter().map(|draft| draft.display().to_string()).collect::<Vec<_>>().join(", ")
                )),
            });
            return Ok(());
        };
        let (text, is_decoded) = draft::open(draft, keyring)?;
        match (&self.view, is_decoded) {
            (None, true) => self.decode_data()?,
            (Some(_), false) => {
                (self.view, self.unchanged) = (None, SecretBytes::default());
                self.warnings.push("the draft is of an edit without --decode-data, and so is this one".to_owned());
            }
            _ => {}
        }
        self.shown = text;
        if !self.origin().is_base_of(draft) {
            self.warnings.push(format!(
                "{} has changed since the draft was made: if you save the draft, what was changed is lost",
                self.path().display()
            ));
        }
        Ok(())
    }

    /// What to type to go on with a draft.
    fn resume(&self, draft: &Path) -> String {
        format!("leafcrypt edit --draft {} {}", sys::quoted(draft), sys::quoted(self.path()))
    }

    /// Runs the editor until there is something to save, or nothing.
    fn run(
        &mut self,
        editor: &Editor,
        folder: &PrivateFolder,
        signals: &mut Signals,
        environment: &Environment,
        conversation: &mut dyn Conversation,
    ) -> Result<Outcome> {
        let name = self.path().file_name().unwrap_or_default();
        let file = folder.write(name, self.shown.expose())?;
        let mut last = SecretBytes::default();
        let keep = |session: &Self, text: &SecretBytes| session.keep(text, folder, environment);
        loop {
            if let Some(signal) = signals.asked() {
                return Ok(Outcome::Interrupted { signal, draft: keep(self, &last).lines() });
            }
            let started = Instant::now();
            let ended = editor.run(&file, folder.path(), signals);
            let returned_at_once = started.elapsed() < AT_ONCE && !editor.is_known_to_wait();
            let edited = read_edited(&file);
            let ended = match ended {
                Ok(ended) => ended,
                Err(error) => return Err(keep(self, &last).tell(error)),
            };
            if let Some(signal) = ended.interrupted() {
                let left = read_rescued(&file).unwrap_or(last);
                return Ok(Outcome::Interrupted { signal, draft: keep(self, &left).lines() });
            }
            if !ended.status.success() {
                let error = editor.failed(&ended.status.to_string());
                return Err(keep(self, &read_rescued(&file).unwrap_or(last)).tell(error));
            }
            last = match edited {
                Ok(edited) => edited,
                Err(error) => return Err(keep(self, &last).tell(error)),
            };
            if last.expose() == self.unchanged.expose() {
                return Ok(Outcome::Unchanged { returned_at_once });
            }
            match self.save(&last, conversation) {
                Ok(()) => {
                    // It is encrypted, and what is in it is saved.
                    self.request.draft.iter().for_each(|draft| drop(std::fs::remove_file(draft)));
                    return Ok(Outcome::Saved);
                }
                Err(Refusal::File(error)) => return Err(keep(self, &last).tell(error)),
                Err(Refusal::Text(error)) => {
                    let error = error.in_file(format!("{} (as edited)", self.path().display()));
                    match conversation.choose(&error, signals) {
                        Choice::Again => {}
                        Choice::GiveUp => {
                            if signals.asked().is_none() {
                                let path = self.path().display();
                                let given_up = Error::new(Kind::Generic, format!("given up; {path} is as it was"));
                                return Err(keep(self, &last).tell(given_up));
                            }
                        }
                        Choice::Nobody => {
                            let error = error.because("there is no terminal to ask on, so this was the only try");
                            return Err(keep(self, &last).tell(error));
                        }
                    }
                }
            }
        }
    }

    /// Seals the text and writes the file.
    fn save(&mut self, edited: &SecretBytes, conversation: &mut dyn Conversation) -> Result<(), Refusal> {
        let sealed = self.seal(edited, conversation).map_err(Refusal::Text)?;
        let path = self.path();
        if is_pipe(path) {
            return Err(Refusal::File(self.changed_meanwhile(true)));
        }
        let is_as_before = || {
            let now = match std::fs::read(path) {
                Ok(now) => Some(now),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => {
                    let message = format!("{} cannot be read any more", path.display());
                    return Err(Error::new(Kind::ReadInput, message).because(error));
                }
            };
            if now == self.version { Ok(()) } else { Err(self.changed_meanwhile(now.is_some())) }
        };
        let bytes = sealed.as_bytes();
        let written = match self.version {
            Some(_) => sys::replace_file_if(path, bytes, is_as_before),
            None => is_as_before().and_then(|()| sys::create_file(path, bytes)),
        };
        written.map_err(Refusal::File)
    }

    fn seal(&mut self, edited: &SecretBytes, conversation: &mut dyn Conversation) -> Result<String> {
        let text = edited.expose().to_vec();
        let text = match &self.view {
            Some(view) => view.plaintext(text)?,
            None => text,
        };
        let warnings = manifest::before_use(self.unsealed.format, &text);
        if !self.request.show_master_keys {
            return self.unsealed.seal(text).inspect(|_| conversation.warn(&warnings));
        }
        let (text, metadata) = without_block(self.unsealed.format, text)?;
        let old = std::mem::replace(&mut self.unsealed.metadata, metadata);
        let sealed = self.rewrap(&old, conversation).and_then(|()| self.unsealed.seal(text));
        if sealed.is_err() {
            self.unsealed.metadata = old;
        }
        sealed
    }

    /// Wraps the data key for the recipients that are new.
    fn rewrap(&mut self, old: &Metadata, conversation: &mut dyn Conversation) -> Result<()> {
        let new = &mut self.unsealed.metadata;
        if new.key_groups == old.key_groups && new.shamir_threshold == old.shamir_threshold {
            return Ok(());
        }
        // Also a stanza in which somebody changed the name alone still wraps the data key for whom it was.
        let is_new = |stanza: &&mut Stanza| !old.stanzas().any(|known| known == &**stanza);
        for stanza in new.key_groups.iter_mut().flatten().filter(is_new) {
            stanza.set(Stanza::ENC, Value::Str(String::new()));
        }
        new.wrap_for_new(&self.unsealed.data_key, self.keyring)?;
        let named = |metadata: &Metadata| metadata.stanzas().map(|stanza| stanza.title()).collect::<Vec<_>>();
        let now = named(new);
        let gone: Vec<String> = named(old).into_iter().filter(|title| !now.contains(title)).collect();
        if !gone.is_empty() {
            conversation.warn(&[format!(
                "{} can open the file no more, but knows its data key; for a new one: leafcrypt rotate -i {}",
                gone.join(", "),
                sys::quoted(self.path())
            )]);
        }
        Ok(())
    }

    fn changed_meanwhile(&self, exists: bool) -> Error {
        source::changed_meanwhile(self.path(), self.version.is_some(), exists)
    }

    /// Keeps a text that was changed and not saved.
    fn keep(&self, text: &SecretBytes, folder: &PrivateFolder, environment: &Environment) -> Kept {
        let unchanged = [&self.unchanged, &self.shown].iter().any(|known| known.expose() == text.expose());
        if text.expose().is_empty() || unchanged {
            return Kept::Nothing;
        }
        let memory = folder.path().parent().unwrap_or(Path::new("/"));
        let old = self.request.draft.as_deref();
        let text = Text { bytes: text.expose(), is_decoded: self.view.is_some() };
        match draft::keep(text, &self.unsealed, &self.origin(), old, memory, environment) {
            Ok(path) => Kept::Draft { resume: self.resume(&path), path },
            Err(error) => Kept::Lost(error),
        }
    }
}

/// What became of a text that was not saved.
enum Kept {
    /// There was nothing to keep.
    Nothing,
    /// It is in an encrypted file.
    Draft { path: PathBuf, resume: String },
    /// It could not be kept.
    Lost(Error),
}

impl Kept {
    fn tell(self, error: Error) -> Error {
        match self {
            Kept::Nothing => error,
            Kept::Draft { path, resume } => error
                .because(format!("what was written is kept, encrypted, in {}", path.display()))
                .hint(format!("to go on with it: {resume}")),
            Kept::Lost(why) => error.because(format!("what was written is lost: {why}")),
        }
    }

    fn lines(self) -> Vec<String> {
        match self {
            Kept::Nothing => Vec::new(),
            Kept::Draft { path, resume } => vec![
                format!("what was written is kept, encrypted, in {}", path.display()),
                format!("to go on with it: {resume}"),
            ],
            Kept::Lost(why) => vec![format!("what was written is lost: {why}")],
        }
    }
}

/// The plaintext with the `sops` block in it.
fn with_block(unsealed: &Unsealed, text: Vec<u8>) -> Result<Vec<u8>> {
    let mut document = unsealed.format.index_plaintext(text)?;
    document.block_indent = unsealed.block_indent;
    let blocks = unsealed.format.metadata_insertions(&document, &unsealed.metadata.to_value());
    let mut splicer = Splicer::new(document.bytes(), blocks.iter().map(|(_, block)| block.len()).sum());
    for (at, block) in &blocks {
        splicer.replace(*at..*at).extend_from_slice(block.as_bytes());
    }
    let whole = splicer.finish();
    document.into_bytes().zeroize();
    Ok(whole)
}

/// Takes the `sops` block out again.
fn without_block(format: &dyn Format, text: Vec<u8>) -> Result<(Vec<u8>, Metadata)> {
    let document = format.index_plaintext(text)?;
    let block = format.metadata(&document).ok_or_else(|| {
        Error::new(Kind::Generic, "the `sops` block is gone")
            .because("with --show-master-keys it is edited as well, and a file cannot be without")
    })?;
    let metadata = Metadata::from_value_ignoring_mac(&block)?;
    let mut splicer = Splicer::new(document.bytes(), 0);
    for span in format.metadata_spans(&document) {
        splicer.replace(span);
    }
    let plain = splicer.finish();
    document.into_bytes().zeroize();
    Ok((plain, metadata))
}
