//! Opening messages with the secret keys of gpg.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use super::gpg::{self, Reason, Trouble};
use super::message;
use crate::key::stanza::printable;
use crate::key::{Answer, Environment, Opener, Search, Stanza};
use crate::secret::SecretBytes;

/// More than a data key or a share of one ever has.
const PART_LIMIT: usize = 1024;
/// So many keys are listed in a message.
const LISTED: usize = 5;

/// gpg, and once it was asked, which secret keys it has.
pub(super) struct SecretKeys {
    environment: Environment,
    list: OnceLock<Result<List, Trouble>>,
}

/// The secret keys of gpg.
#[derive(Default)]
struct List {
    /// The fingerprints of the primary keys, for people.
    fingerprints: Vec<String>,
    /// The ids of all keys that can be used.
    ids: HashSet<u64>,
    /// The cards of those that are on one.
    cards: HashMap<u64, String>,
}

impl SecretKeys {
    pub(super) fn new(environment: Environment) -> Self {
        SecretKeys { environment, list: OnceLock::new() }
    }

    fn list(&self) -> &Result<List, Trouble> {
        self.list.get_or_init(|| gpg::list_secret_keys(&self.environment).map(|text| List::read(&text)))
    }

    /// What went wrong with `stanza`, and with which card, if its key is on one.
    fn about(&self, trouble: Trouble, stanza: &Stanza) -> Trouble {
        if matches!(trouble.reason, Reason::NoGpg | Reason::Misplaced) {
            return trouble;
        }
        match self.list().as_ref().ok().and_then(|list| list.card_of(stanza)) {
            Some(card) => trouble.about_card(card),
            None => trouble,
        }
    }

    /// Those that gpg may be able to open.
    fn candidates<'a>(&self, stanzas: &[&'a Stanza]) -> Vec<(usize, &'a Stanza)> {
        let all = stanzas.iter().copied().enumerate();
        // Whether there is a key for a single one is best told by trying.
        if stanzas.len() < 2 {
            return all.collect();
        }
        let Ok(list) = self.list() else { return Vec::new() };
        all.filter(|(_, stanza)| list.may_open(stanza)).collect()
    }
}

impl Opener for SecretKeys {
    /// gpg is run once for a file: of several messages, that one is tried for which it has a key. To know
    /// its keys takes another run, one for all files.
    fn unwrap(&self, stanzas: &[&Stanza]) -> Answer {
        let mut search = Search::default();
        for (by, stanza) in self.candidates(stanzas) {
            let trouble = match open(&self.environment, stanza) {
                Ok(part) => return Answer::Here { part, by },
                Err(trouble) if trouble.reason == Reason::NoSecretKey => continue,
                Err(trouble) => self.about(trouble, stanza),
            };
            search.failures.push(format!("{}: {}", stanza.title(), trouble.line()));
            search.hint(trouble.hint());
        }
        if !search.failures.is_empty() {
            return Answer::Failed(search);
        }
        let place = gpg::place(&self.environment);
        match self.list() {
            Ok(list) => {
                search.looked_at.push(format!("{place}: {}", list.show()));
                search.hint(Some("import the secret key, if you have it elsewhere: gpg --import KEYFILE"));
                search.own.extend(list.fingerprints.first().map(|own| format!("--add-pgp {own}")));
            }
            Err(trouble) => {
                search.looked_at.push(format!("{place}: {}", trouble.line()));
                search.hint(trouble.hint());
            }
        }
        Answer::NotMine(search)
    }
}

impl Search {
    fn hint(&mut self, hint: Option<&str>) {
        self.hints.extend(hint.map(str::to_owned));
    }
}

fn open(environment: &Environment, stanza: &Stanza) -> Result<SecretBytes, Trouble> {
    let message = stanza.text(Stanza::ENC);
    if message.is_empty() {
        return Err(Trouble::other("the field enc is missing"));
    }
    let part = gpg::decrypt(environment, message)?;
    if part.is_empty() || part.len() > PART_LIMIT {
        return Err(Trouble::other("the message in enc holds no data key"));
    }
    // A copy of the right size; the roomy one is wiped.
    Ok(SecretBytes::from(part.to_vec()))
}

impl List {
    /// Reads the records of gpg: `sec` and `ssb` are keys, the fifth field their id, the fifteenth `#` when
    /// the secret half is elsewhere, or the number of the card that has it; the `fpr` behind a `sec` is its fingerprint.
    fn read(text: &str) -> Self {
        let mut list = List::default();
        let mut primary = false;
        for line in text.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let field = |number: usize| fields.get(number - 1).copied().unwrap_or_default();
            match field(1) {
                kind @ ("sec" | "ssb") => {
                    primary = kind == "sec";
                    let Ok(id) = u64::from_str_radix(field(5), 16) else { continue };
                    match field(15) {
                        "#" => continue,
                        "" | "+" => {}
                        card => drop(list.cards.insert(id, shown_card(card))),
                    }
                    list.ids.insert(id);
                }
                "fpr" if std::mem::take(&mut primary) => list.fingerprints.push(field(10).to_owned()),
                _ => {}
            }
        }
        list
    }

    /// The card that has the key for which the message is.
    fn card_of(&self, stanza: &Stanza) -> Option<&str> {
        let ids = message::recipients(stanza.text(Stanza::ENC))?;
        ids.iter().find_map(|id| self.cards.get(id)).map(String::as_str)
    }

    /// Whether one of the keys may open the message, by what the message says: the fingerprint beside it
    /// names the primary key, and may be wrong.
    fn may_open(&self, stanza: &Stanza) -> bool {
        let ids = message::recipients(stanza.text(Stanza::ENC));
        ids.is_none_or(|ids| ids.iter().any(|id| *id == 0 || self.ids.contains(id)))
    }

    fn show(&self) -> String {
        let count = match self.fingerprints.len() {
            0 => return "no secret key".to_owned(),
            1 => "1 secret key".to_owned(),
            n => format!("{n} secret keys"),
        };
        let shown: Vec<String> = self.fingerprints.iter().take(LISTED).map(|name| printable(name)).collect();
        let more = self.fingerprints.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{count}, {}{more}", shown.join(", "))
    }
}

/// The number of a card as it stands on it: its maker and its own number, which are a part of what gpg has.
///
/// Source: section 4.2.1 of the specification of OpenPGP cards 3.4.
fn shown_card(id: &str) -> String {
    match (id.starts_with("D27600012401"), id.get(16..20), id.get(20..28)) {
        (true, Some(maker), Some(number)) => format!("{maker} {number}"),
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: &str = "\
sec:u:255:22:287EC684C31A4DD3:1795332506:::u:::scaESCA:::+::ed25519:::0:
fpr:::::::::EF772602F26DC806628984CA287EC684C31A4DD3:
uid:u::::1795332506::92405CC1::Test <test@example.com>::::::::::0:
ssb:u:255:18:0172ADE93141B884:1795332506::::::e:::+::cv25519::
fpr:::::::::DAFD4F55A92069A601DC2AE40172ADE93141B884:
sec:u:255:22:1111111111111111:1795332506:::u:::scaESCA:::#::ed25519:::0:
fpr:::::::::AAAAAAAAAAAAAAAAAAAAAAAA1111111111111111:
ssb:u:255:18:2222222222222222:1795332506::::::e:::D2760001240102010006012345670000::cv25519::
";

    #[test]
    fn secret_keys_are_read_from_gpg_those_elsewhere_aside() {
        let list = List::read(RECORDS);
        assert_eq!(
            list.show(),
            "2 secret keys, EF772602F26DC806628984CA287EC684C31A4DD3, AAAAAAAAAAAAAAAAAAAAAAAA1111111111111111"
        );
        let ids = HashSet::from([0x287E_C684_C31A_4DD3, 0x0172_ADE9_3141_B884, 0x2222_2222_2222_2222]);
        assert_eq!(list.ids, ids);
        assert_eq!(list.cards, HashMap::from([(0x2222_2222_2222_2222, "0006 01234567".to_owned())]));
        assert_eq!(List::read("").show(), "no secret key");
    }
}
