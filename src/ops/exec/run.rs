//! Running the command, and leaving nothing behind.

use super::Content;
use crate::error::{Error, Kind, Result};
use crate::key::Environment;
use crate::secret::SecretBytes;
use crate::sys::{self, Back, Ended, Fifo, PrivateFolder, Program, Signals, User};
use crate::trace;
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// How a command is run.
pub struct Run {
    /// The command.
    pub program: Program,
    /// Whether it gets no variables but those of the document and of the user.
    pub pristine: bool,
    /// The user it runs as.
    pub user: Option<String>,
    /// Whether it takes the place of this process. Only variables can be given so: nobody would clean up after it.
    pub same_process: bool,
}

/// How a run ended.
pub enum Outcome {
    /// The command ended.
    Ended(Ended),
    /// The command runs on in the background.
    LeftAlone,
}

impl Run {
    /// Runs the command; with `back` in the background, without the terminal and without outputs.
    ///
    /// # Errors
    /// When the user cannot be had, there is no place for the plaintext, or the command cannot be started. That the command
    /// fails is none.
    pub fn run(&self, content: Content, back: Option<Back>) -> Result<Outcome> {
        let user = self.become_user()?;
        let variables = match content {
            Content::Variables(variables) => variables,
            Content::File { name, bytes, is_pipe } => {
                return self.with_folder(user.as_ref(), back, |folder| {
                    if !is_pipe {
                        return Ok((folder.write(OsStr::new(&name), bytes.expose())?, None));
                    }
                    let path = folder.path().join(&name);
                    let pipe = Fifo::serve(&path, bytes).map_err(|error| {
                        Error::new(Kind::WriteOutput, "the plaintext cannot be given through a named pipe")
                            .in_file(path.display().to_string())
                            .because(error)
                            .hint("leafcrypt exec-file --no-fifo")
                    })?;
                    Ok((path, Some(pipe)))
                });
            }
            Content::Folder(files) => {
                return self.with_folder(user.as_ref(), back, |folder| {
                    for (name, bytes) in &files {
                        folder.write(OsStr::new(name), bytes.expose())?;
                    }
                    Ok((folder.path().to_owned(), None))
                });
            }
        };
        let mut command = self.command(&self.program, user.as_ref(), &variables);
        drop(variables);
        if self.same_process {
            return Err(self.not_started(&sys::replace_process(&mut command)));
        }
        let Some(back) = back else {
            return self.start(&mut command, &mut catch()?, None).map(Outcome::Ended);
        };
        quiet(&mut command).spawn().map_err(|error| self.not_started(&error))?;
        tell(back)?;
        Ok(Outcome::LeftAlone)
    }

    /// For good, as in sops: what is made for the command afterwards is the user's as well.
    fn become_user(&self) -> Result<Option<User>> {
        let Some(name) = &self.user else { return Ok(None) };
        let user = User::named(name)?;
        user.switch()?;
        trace::note(|| format!("this process is the user {name} now"));
        Ok(Some(user))
    }

    fn command(&self, program: &Program, user: Option<&User>, variables: &[(String, SecretBytes)]) -> Command {
        let mut command = program.command();
        sys::give_originals(&mut command);
        if self.pristine {
            command.env_clear();
        }
        command.envs(user.map(User::variables).into_iter().flatten());
        let text = |value: &SecretBytes| sys::variable_text(value.expose()).map(OsStr::to_owned);
        command.envs(variables.iter().filter_map(|(name, value)| Some((name, text(value)?))));
        command
    }

    /// Runs the command on a folder that is filled by `fill`, which also says which path the command gets.
    fn with_folder(
        &self,
        user: Option<&User>,
        back: Option<Back>,
        fill: impl FnOnce(&PrivateFolder) -> Result<(PathBuf, Option<Fifo>)>,
    ) -> Result<Outcome> {
        // Before there is a folder that a signal could leave behind.
        let mut signals = catch()?;
        let folder = PrivateFolder::create(&Environment::of_process())?;
        let (path, pipe) = fill(&folder)?;
        trace::note(|| format!("the command gets {}", path.display()));
        let mut command = self.command(&self.program.with_path(&path), user, &[]);
        let ended = self.start(&mut command, &mut signals, back)?;
        drop(pipe);
        folder.remove()?;
        Ok(Outcome::Ended(ended))
    }

    /// Starts the command and waits for its end.
    fn start(&self, command: &mut Command, signals: &mut Signals, back: Option<Back>) -> Result<Ended> {
        trace::note(|| format!("starting {}", self.program.name().display()));
        let clock = trace::clock();
        let ended = match back {
            None => signals.run(command).map_err(|error| self.not_started(&error))?,
            Some(back) => {
                let mut child = quiet(command).spawn().map_err(|error| self.not_started(&error))?;
                tell(back)?;
                signals
                    .wait(&mut child)
                    .map_err(|error| Error::new(Kind::Generic, "the command cannot be waited for").because(error))?
            }
        };
        clock.done(|| format!("the command ended with {}", ended.exit_code()));
        Ok(ended)
    }

    fn not_started(&self, error: &io::Error) -> Error {
        let name = self.program.name().display();
        let is_shell = matches!(self.program, Program::Shell(_));
        match error.kind() {
            io::ErrorKind::NotFound if is_shell => Error::new(Kind::NoCommand, format!("there is no shell {name}"))
                .hint("run a program without a shell: leafcrypt exec-env FILE -- PROGRAM ARGUMENT"),
            io::ErrorKind::NotFound => Error::new(Kind::NoCommand, format!("there is no program {name}"))
                .because("behind -- stand a program and its arguments, and no line for the shell"),
            io::ErrorKind::ArgumentListTooLong => {
                Error::new(Kind::Generic, "the values are too large for variables of the environment")
                    .because(error)
                    .hint("leafcrypt exec-file or exec-dir gives values as files, of any size")
            }
            io::ErrorKind::PermissionDenied => Error::new(Kind::NotRunnable, format!("{name} cannot be run"))
                .because("it is no program that you may execute")
                .hint(format!("ls -ld {name}")),
            _ => Error::new(Kind::NotRunnable, format!("{name} cannot be run")).because(error),
        }
    }
}

fn catch() -> Result<Signals> {
    Signals::hand_on().map_err(|error| Error::new(Kind::Generic, "signals cannot be caught").because(error))
}

/// Without the terminal and the outputs of this process: nobody waits for what it says.
fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn tell(back: Back) -> Result<()> {
    back.begun().map_err(|error| Error::new(Kind::Generic, "the command cannot go to the background").because(error))
}
