//! Arguments that say who may open a file: flags, and a variable, for each key back end of the registry.

use crate::error::Result;
use crate::key::{Backend, GivenDetails, Stanza, registry};
use crate::ops::Given;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};

/// For whom to encrypt: a flag and a variable for each back end.
pub(super) struct RecipientArgs {
    /// What was given.
    pub(super) given: Given,
    /// The flags among it, as they were typed; the rest is of variables.
    pub(super) typed: Vec<String>,
}

/// Recipients to add and to remove: `--add-age`, `--rm-age` and so on.
pub(super) struct ChangedRecipientArgs {
    add: Given,
    remove: Given,
}

impl ChangedRecipientArgs {
    /// Those to add.
    pub(super) fn added(&self) -> Result<Vec<Stanza>> {
        self.add.stanzas()
    }

    /// Those to remove.
    pub(super) fn removed(&self) -> Result<Vec<Stanza>> {
        self.remove.stanzas()
    }
}

/// The recipients of a key group: each flag may be given several times. The variables are not looked at: they say for
/// whom new files are.
pub(super) struct GroupArgs {
    /// What was given.
    pub(super) given: Given,
}

/// What flags may say of the recipients that rules name.
pub(super) struct DetailArgs {
    /// What was given.
    pub(super) given: GivenDetails,
}

/// Adds what `flags` makes of each back end, and the flags that say more of its recipients.
fn augment(command: clap::Command, flags: impl Fn(&dyn Backend) -> Vec<Arg>) -> clap::Command {
    registry::backends().iter().fold(command, |command, backend| {
        let detail = |of: &crate::key::Detail| Arg::new(of.flag).long(of.flag).value_name(of.value_name).help(of.help);
        command.args(flags(*backend)).args(backend.details().iter().map(detail))
    })
}

/// A flag that names recipients.
fn flag(name: String, help: String) -> Arg {
    Arg::new(name.clone()).long(name).value_name("RECIPIENTS").help(help)
}

/// What was given by the flags that `name` makes of each back end's.
fn given(matches: &ArgMatches, name: impl Fn(&str) -> String) -> Given {
    let texts = |backend: &'static dyn Backend| {
        let texts = matches.get_many::<String>(&name(backend.flag())).into_iter().flatten();
        texts.filter(|text| !text.is_empty()).map(move |text| (backend, text.clone()))
    };
    Given { recipients: registry::backends().iter().copied().flat_map(texts).collect(), details: details(matches) }
}

fn details(matches: &ArgMatches) -> GivenDetails {
    let value = |flag: &str| matches.get_one::<String>(flag).filter(|text| !text.is_empty()).cloned();
    let said = |backend: &dyn Backend| {
        backend.details().iter().filter_map(|detail| Some((detail.name.to_owned(), value(detail.flag)?))).collect()
    };
    registry::backends().iter().map(|backend| (backend.name(), said(*backend))).collect()
}

fn added(name: &str) -> String {
    format!("add-{name}")
}

fn removed(name: &str) -> String {
    format!("rm-{name}")
}

/// The letters that sops has for some back ends.
const LETTERS: [(&str, char); 3] = [("age", 'a'), ("pgp", 'p'), ("kms", 'k')];

impl RecipientArgs {
    fn augment(command: clap::Command) -> clap::Command {
        augment(command, |backend| {
            let name = backend.flag();
            let flag =
                flag(name.to_owned(), format!("Encrypt for these {} recipients, separated by commas", backend.name()));
            let letter = LETTERS.iter().find(|(of, _)| *of == name).map(|(_, letter)| *letter);
            vec![flag.env(backend.recipients_env()).hide_env_values(true).short(letter)]
        })
    }

    fn of(matches: &ArgMatches) -> Self {
        let backends = registry::backends().iter();
        let flags = backends.flat_map(|backend| {
            std::iter::once(backend.flag()).chain(backend.details().iter().map(|detail| detail.flag))
        });
        let is_typed = |flag: &&str| matches.value_source(flag) == Some(ValueSource::CommandLine);
        let typed = flags.filter(is_typed).map(|flag| format!("--{flag}")).collect();
        RecipientArgs { given: given(matches, str::to_owned), typed }
    }
}

impl ChangedRecipientArgs {
    fn augment(command: clap::Command) -> clap::Command {
        augment(command, |backend| {
            let name = backend.name();
            let add = format!("Let these {name} recipients open the file too, separated by commas");
            let remove = format!("Take these {name} recipients off the file");
            vec![flag(added(backend.flag()), add), flag(removed(backend.flag()), remove)]
        })
    }

    fn of(matches: &ArgMatches) -> Self {
        ChangedRecipientArgs { add: given(matches, added), remove: given(matches, removed) }
    }
}

impl GroupArgs {
    fn augment(command: clap::Command) -> clap::Command {
        augment(command, |backend| {
            let help = format!("The {} recipients of the group, separated by commas", backend.name());
            vec![flag(backend.flag().to_owned(), help).action(ArgAction::Append)]
        })
    }

    fn of(matches: &ArgMatches) -> Self {
        GroupArgs { given: given(matches, str::to_owned) }
    }
}

impl DetailArgs {
    fn augment(command: clap::Command) -> clap::Command {
        augment(command, |_| Vec::new())
    }

    fn of(matches: &ArgMatches) -> Self {
        DetailArgs { given: details(matches) }
    }
}

/// What `derive` would write, if the flags were known when it runs.
macro_rules! args {
    ($($name:ident),*) => {$(
        impl Args for $name {
            fn augment_args(command: clap::Command) -> clap::Command {
                $name::augment(command)
            }

            fn augment_args_for_update(command: clap::Command) -> clap::Command {
                $name::augment(command)
            }
        }

        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok($name::of(matches))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = $name::of(matches);
                Ok(())
            }
        }
    )*};
}

args!(RecipientArgs, ChangedRecipientArgs, GroupArgs, DetailArgs);
