//! A plugin of age for the tests, on the framework that real ones are written with. It protects nothing.
//!
//! Its keys carry a number, by which they know each other, and a word that says how the identity behaves:
//!
//!     age-plugin-pocket NUMBER [WORD]
//!
//! prints such a key: `open` opens, `pin` asks for the secret `1234`, `name` for a name that is no secret, `confirm`
//! asks whether it may, `refuse` complains, `die` ends in the middle, `slow` takes its time. The keys of `tag` and `tagpq` are
//! such as hardware has, for which age encrypts without a plugin (`age1tag1…`, `age1tagpq1…`). Each start is written down in the file that
//! `POCKET_LOG` names.

use age_core::format::{FileKey, Stanza};
use age_core::primitives::{bech32_encode, hpke_open};
use age_core::secrecy::ExposeSecret as _;
use age_plugin::identity::{self, IdentityPluginV1};
use age_plugin::recipient::{self, RecipientPluginV1};
use age_plugin::{Callbacks, PluginHandler, print_new_identity, run_state_machine};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hpke::kem::{DhP256HkdfSha256, Kem};
use hpke::{Deserializable as _, Serializable as _};
use ml_kem::EncodedSizeUser as _;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write as _};
use std::{env, fs};

mod quantum;

const NAME: &str = "pocket";

struct Plugin;

impl PluginHandler for Plugin {
    type RecipientV1 = Recipients;
    type IdentityV1 = Identities;

    fn recipient_v1(self) -> io::Result<Recipients> {
        Ok(Recipients(Vec::new()))
    }

    fn identity_v1(self) -> io::Result<Identities> {
        Ok(Identities(Vec::new()))
    }
}

/// The pair of keys with a number.
fn pair(number: u8) -> (<DhP256HkdfSha256 as Kem>::PrivateKey, <DhP256HkdfSha256 as Kem>::PublicKey) {
    DhP256HkdfSha256::derive_keypair(&[number; 32])
}

/// The recipient of [`pair`], as the word says: the point in its short form, or behind the post-quantum half.
///
/// Sources: <https://c2sp.org/age#the-p256tag-recipient-type>, and the next chapter there.
fn tagged_recipient(number: u8, word: &str) -> String {
    let (key, point) = pair(number);
    let point = point.to_bytes();
    let bytes = match word {
        "tag" => [&[2 + (point[64] & 1)], &point[1..33]].concat(),
        _ => [&quantum::pair(&key).1.as_bytes()[..], &point].concat(),
    };
    bech32_encode(bech32::Hrp::parse_unchecked(&format!("age1{word}")), &bytes)
}

/// Opens a stanza that age made for [`tagged_recipient`].
fn open_tagged(number: u8, word: &str, stanza: &Stanza) -> Option<FileKey> {
    fn open<K: Kem>(sent: &[u8], key: &K::PrivateKey, info: &str, body: &[u8]) -> Option<Vec<u8>> {
        hpke_open::<K>(&K::EncappedKey::from_bytes(sent).ok()?, key, info.as_bytes(), body).ok()
    }
    let [_, sent] = stanza.args.as_slice() else { return None };
    let sent = STANDARD_NO_PAD.decode(sent).ok()?;
    let info = format!("age-encryption.org/{}", stanza.tag);
    let key = match (word, &*stanza.tag) {
        ("tag", "p256tag") => open::<DhP256HkdfSha256>(&sent, &pair(number).0, &info, &stanza.body)?,
        ("tagpq", "mlkem768p256tag") => open::<quantum::Hybrid>(&sent, &pair(number).0, &info, &stanza.body)?,
        _ => return None,
    };
    Some(FileKey::init_with_mut(|to| to.copy_from_slice(&key)))
}

struct Recipients(Vec<u8>);

impl RecipientPluginV1 for Recipients {
    fn add_recipient(&mut self, index: usize, _: &str, bytes: &[u8]) -> Result<(), recipient::Error> {
        match bytes {
            [number] => self.0.push(*number),
            _ => return Err(recipient::Error::Recipient { index, message: "no such pocket".to_owned() }),
        }
        Ok(())
    }

    fn add_identity(&mut self, index: usize, _: &str, _: &[u8]) -> Result<(), recipient::Error> {
        Err(recipient::Error::Identity { index, message: "an identity is no recipient".to_owned() })
    }

    fn labels(&mut self) -> HashSet<String> {
        HashSet::new()
    }

    fn wrap_file_keys(
        &mut self,
        file_keys: Vec<FileKey>,
        _: impl Callbacks<recipient::Error>,
    ) -> io::Result<Result<Vec<Vec<Stanza>>, Vec<recipient::Error>>> {
        if self.0.contains(&0) {
            let message = "pocket 0 has a hole".to_owned();
            return Ok(Err(vec![recipient::Error::Recipient { index: 0, message }]));
        }
        let wrap = |key: &FileKey, number: &u8| Stanza {
            tag: NAME.to_owned(),
            args: vec![number.to_string()],
            body: key.expose_secret().iter().map(|byte| byte ^ number).collect(),
        };
        Ok(Ok(file_keys.iter().map(|key| self.0.iter().map(|number| wrap(key, number)).collect()).collect()))
    }
}

struct Identities(Vec<(u8, String)>);

impl IdentityPluginV1 for Identities {
    fn add_identity(&mut self, _: usize, _: &str, bytes: &[u8]) -> Result<(), identity::Error> {
        self.0.push((bytes[0], String::from_utf8_lossy(&bytes[1..]).into_owned()));
        Ok(())
    }

    fn unwrap_file_keys(
        &mut self,
        files: Vec<Vec<Stanza>>,
        mut callbacks: impl Callbacks<identity::Error>,
    ) -> io::Result<HashMap<usize, Result<FileKey, Vec<identity::Error>>>> {
        let mut keys = HashMap::new();
        for (file, stanzas) in files.iter().enumerate() {
            let open = |(number, word): &(u8, String)| stanzas.iter().find_map(|it| open_tagged(*number, word, it));
            if let Some(key) = self.0.iter().find_map(open) {
                keys.insert(file, Ok(key));
                continue;
            }
            let matching = |stanza: &&Stanza| stanza.tag == NAME;
            let found = stanzas.iter().filter(matching).find_map(|stanza| {
                let (number, word) = self.0.iter().find(|(number, _)| stanza.args[0] == number.to_string())?;
                Some((number, word, stanza))
            });
            let Some((number, word, stanza)) = found else { continue };
            let may = match word.as_str() {
                "pin" => {
                    let pin = callbacks.request_secret(&format!("PIN of pocket {number}"))?;
                    pin.is_ok_and(|pin| pin.expose_secret() == "1234")
                }
                "name" => callbacks.request_public("your name")?.is_ok_and(|name| name == "alice"),
                "confirm" => callbacks.confirm("open the pocket?", "open it", Some("leave it"))?.unwrap_or(false),
                "refuse" => false,
                "die" => {
                    io::stderr().write_all(b"the pocket is torn\n")?;
                    std::process::exit(3);
                }
                "slow" => {
                    std::thread::sleep(std::time::Duration::from_secs(6));
                    true
                }
                _ => {
                    let _ = callbacks.message(&format!("opening pocket {number}"))?;
                    true
                }
            };
            let key = may.then(|| {
                FileKey::init_with_mut(|key| {
                    key.iter_mut().zip(&stanza.body).for_each(|(to, from)| *to = from ^ number);
                })
            });
            let message = format!("pocket {number} stays closed");
            keys.insert(file, key.ok_or(vec![identity::Error::Stanza { file_index: file, stanza_index: 0, message }]));
        }
        Ok(keys)
    }
}

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    if let Some(machine) = args.first().and_then(|arg| arg.strip_prefix("--age-plugin=")) {
        if let Some(log) = env::var_os("POCKET_LOG") {
            writeln!(fs::File::options().create(true).append(true).open(log)?, "{machine}")?;
        }
        return run_state_machine(machine, Plugin);
    }
    let number = args[0].parse().map_err(io::Error::other)?;
    let word = args.get(1).map_or("open", String::as_str);
    if word.starts_with("tag") {
        io::stdout().write_all(format!("# recipient: {}\n", tagged_recipient(number, word)).as_bytes())?;
    }
    print_new_identity(NAME, &[&[number], word.as_bytes()].concat(), &[number]);
    Ok(())
}
