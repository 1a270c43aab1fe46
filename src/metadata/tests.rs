//! The block, both ways, and the data key through key groups.

use std::ffi::OsString;

use super::*;
use crate::key::{Environment, age, registry};

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn map(fields: &[(&str, Value)]) -> Value {
    Value::Map(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn list(items: &[Value]) -> Value {
    Value::List(items.to_vec())
}

fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::Map(fields) => fields.iter().map(|(name, _)| name.as_str()).collect(),
        _ => panic!("no map"),
    }
}

fn age_item() -> Value {
    map(&[("recipient", text("age1x")), ("enc", text("E\n"))])
}

fn pgp_item() -> Value {
    map(&[("created_at", text("2025-01-01T00:00:00Z")), ("enc", text("P")), ("fp", text("FBC7"))])
}

/// A valid block with `changes`: a field is replaced, or added at the end, or left out when `None`.
fn block(changes: &[(&str, Option<Value>)]) -> Value {
    let mut fields: Vec<(String, Value)> = vec![
        ("age".to_owned(), list(&[age_item()])),
        ("lastmodified".to_owned(), text("2026-11-22T04:33:28Z")),
        ("mac".to_owned(), text("ENC[m]")),
        ("unencrypted_suffix".to_owned(), text("_unencrypted")),
        ("version".to_owned(), text("3.11.0")),
    ];
    for (name, value) in changes {
        match (fields.iter().position(|(field, _)| field == name), value) {
            (Some(at), Some(value)) => fields[at].1 = value.clone(),
            (Some(at), None) => drop(fields.remove(at)),
            (None, Some(value)) => fields.push(((*name).to_owned(), value.clone())),
            (None, None) => {}
        }
    }
    Value::Map(fields)
}

fn refusal(changes: &[(&str, Option<Value>)]) -> String {
    Metadata::from_value(&block(changes)).unwrap_err().to_string()
}

/// An identity and its recipient.
fn key() -> (String, Stanza) {
    let (identity, recipient) = age::generate();
    let stanza = registry::backend("age").unwrap().parse(&recipient).unwrap().remove(0);
    (String::from_utf8(identity.expose().to_vec()).unwrap(), stanza)
}

fn keyring(identities: &[&str]) -> Keyring {
    Keyring::new(Environment::of([("SOPS_AGE_KEY", OsString::from(identities.join("\n")))]))
}

#[test]
fn a_block_of_sops_comes_back_as_it_was() {
    let value = block(&[]);
    let metadata = Metadata::from_value(&value).unwrap();
    assert_eq!(metadata.to_value(), value);
    assert_eq!(metadata.selection, Selection::default());
    assert_eq!(metadata.groups_needed(), 1);
}

#[test]
fn fields_are_written_in_the_order_of_sops() {
    let all = block(&[
        ("x_new", Some(map(&[("b", text("1")), ("a", Value::Null)]))),
        ("pgp", Some(list(&[pgp_item()]))),
        ("kms", Some(list(&[map(&[("arn", text("arn:x")), ("context", map(&[("k", text("v"))]))])]))),
        ("mac_only_encrypted", Some(Value::Bool(true))),
        ("leafcrypt_layout", Some(text("ENC[l]"))),
        ("unencrypted_suffix", None),
        ("encrypted_regex", Some(text("^data$"))),
        ("shamir_threshold", Some(Value::Int(5))),
    ]);
    let value = Metadata::from_value(&all).unwrap().to_value();
    let order = [
        "kms",
        "age",
        "lastmodified",
        "mac",
        "pgp",
        "encrypted_regex",
        "mac_only_encrypted",
        "leafcrypt_layout",
        "version",
        "x_new",
    ];
    assert_eq!(names(&value), order);
    for name in order {
        assert_eq!(value.get(name), all.get(name), "{name}");
    }
}

#[test]
fn key_groups_are_written_in_the_order_of_sops() {
    let groups = list(&[
        map(&[("hc_vault", list(&[])), ("age", list(&[age_item()]))]),
        map(&[("age", list(&[age_item()])), ("pgp", list(&[pgp_item()])), ("hsm_new", list(&[age_item()]))]),
    ]);
    let metadata = Metadata::from_value(&block(&[
        ("age", None),
        ("key_groups", Some(groups)),
        ("shamir_threshold", Some(Value::Int(2))),
    ]))
    .unwrap();
    let value = metadata.to_value();
    assert_eq!(names(&value)[..2], ["shamir_threshold", "key_groups"]);
    let written = value.get("key_groups").unwrap().as_list().unwrap();
    assert_eq!(names(&written[0]), ["age"]);
    assert_eq!(names(&written[1]), ["pgp", "age", "hsm_new"]);
    assert_eq!(written[1].get("pgp"), Some(&list(&[pgp_item()])));
    assert_eq!(metadata.stanzas().count(), 4);
}

#[test]
fn what_old_versions_and_untyped_formats_write_is_read() {
    let metadata = Metadata::from_value(&block(&[
        ("kms", Some(list(&[Value::Null]))),
        ("pgp", Some(Value::Null)),
        ("encrypted_suffix", Some(text(""))),
        ("key_groups", Some(list(&[Value::Null]))),
        ("unencrypted_suffix", None),
        ("mac_only_encrypted", Some(text("true"))),
        ("version", Some(text("3.0.5"))),
        ("leafcrypt_layout", Some(Value::Int(1))),
    ]))
    .unwrap();
    assert_eq!(metadata.layout, None);
    assert_eq!(metadata.selection, Selection::UnencryptedSuffix("_unencrypted".to_owned()));
    assert!(metadata.mac_only_encrypted);
    assert_eq!(metadata.key_groups.len(), 1);
}

#[test]
fn every_selector_is_read_and_written() {
    for (field, make) in Selection::SELECTORS {
        let value = block(&[("unencrypted_suffix", None), (field, Some(text("x")))]);
        let metadata = Metadata::from_value(&value).unwrap();
        assert_eq!(metadata.selection, make("x".to_owned()));
        assert_eq!((metadata.selection.field(), metadata.selection.text()), (field, "x"));
        assert_eq!(metadata.to_value().get(field), Some(&text("x")));
    }
}

#[test]
fn what_is_wrong_is_said() {
    let cases: &[(&str, Option<Value>, &str)] = &[
        ("lastmodified", None, "lastmodified is missing"),
        ("lastmodified", Some(text("yesterday")), "lastmodified is no time"),
        ("version", None, "version is missing"),
        ("version", Some(text("3.11")), "no semantic version"),
        ("encrypted_regex", Some(text("x")), "both unencrypted_suffix and encrypted_regex"),
        ("age", None, "holds no key"),
        ("age", Some(text("age1x")), "age is no list"),
        ("age", Some(list(&[text("age1x")])), "age[0] is no map"),
        ("mac_only_encrypted", Some(Value::Int(1)), "neither true nor false"),
        ("shamir_threshold", Some(Value::Int(-1)), "shamir_threshold is no count"),
        ("mac", Some(Value::Int(1)), "mac is no string"),
    ];
    for (field, value, said) in cases {
        let refusal = refusal(&[(field, value.clone())]);
        assert!(refusal.contains(said), "{field}: {refusal}");
    }
    let groups = list(&[map(&[("age", list(&[age_item()]))]), map(&[("age", list(&[age_item()]))])]);
    let too_many = [("age", None), ("key_groups", Some(groups)), ("shamir_threshold", Some(Value::Int(3)))];
    assert!(refusal(&too_many).contains("only 2 key groups"));
    let groups = list(&vec![map(&[("age", list(&[age_item()]))]); 256]);
    assert!(refusal(&[("age", None), ("key_groups", Some(groups))]).contains("255 at most"));
    assert!(Metadata::from_value(&Value::Null).is_err());
}

#[test]
fn versions_are_those_that_sops_reads() {
    for (version, read) in [
        ("3.11.0", true),
        ("v3.11.0-rc.1+x", true),
        ("99.0.0", true),
        ("1.14", true),
        ("3", false),
        ("3.7", false),
        ("abc", false),
        ("", false),
    ] {
        assert_eq!(Metadata::from_value(&block(&[("version", Some(text(version)))])).is_ok(), read, "{version:?}");
    }
}

#[test]
fn a_missing_mac_has_a_code_of_its_own_and_can_be_ignored() {
    for mac in [None, Some(text("")), Some(Value::Null)] {
        let value = block(&[("mac", mac)]);
        assert_eq!(Metadata::from_value(&value).unwrap_err().kind(), Kind::MacMissing);
        assert_eq!(Metadata::from_value_ignoring_mac(&value).unwrap().mac, "");
    }
}

#[test]
fn a_single_group_wraps_the_whole_key_for_everyone() {
    let (a, b) = (key(), key());
    let mut metadata = Metadata::new(vec![vec![a.1, b.1]], 3, Selection::default(), false);
    let data_key = DataKey::generate().unwrap();
    metadata.wrap(&data_key, &Keyring::of_process()).unwrap();
    assert_eq!(metadata.shamir_threshold, 0);
    for identity in [&a.0, &b.0] {
        assert_eq!(metadata.unwrap(&keyring(&[identity])).unwrap().expose(), data_key.expose());
    }
}

#[test]
fn several_groups_share_the_key() {
    let keys: Vec<_> = (0..4).map(|_| key()).collect();
    let groups = || vec![vec![keys[0].1.clone(), keys[3].1.clone()], vec![keys[1].1.clone()], vec![keys[2].1.clone()]];
    let data_key = DataKey::generate().unwrap();

    let mut two = Metadata::new(groups(), 2, Selection::default(), false);
    two.wrap(&data_key, &Keyring::of_process()).unwrap();
    for (i, j) in [(0, 1), (1, 2), (2, 3), (0, 2)] {
        let got = two.unwrap(&keyring(&[&keys[i].0, &keys[j].0])).unwrap();
        assert_eq!(got.expose(), data_key.expose());
    }
    let error = two.unwrap(&keyring(&[&keys[0].0, &keys[3].0])).err().unwrap();
    assert_eq!(error.kind(), Kind::NoDataKey);
    assert_eq!(error.message(), "1 of 3 key groups opened, and 2 are needed");
    for note in [
        format!("key group 1 was opened by age {}", keys[0].1.recipient()),
        format!("key group 2 is for age {}", keys[1].1.recipient()),
        format!("key group 3 is for age {}", keys[2].1.recipient()),
    ] {
        assert!(error.notes().contains(&note), "{error}");
    }

    two.key_groups[1][0].set("enc", text("damaged"));
    let error = two.unwrap(&keyring(&[&keys[0].0, &keys[1].0])).err().unwrap();
    let note = format!("key group 2: {}: the age file in enc is damaged", keys[1].1.recipient());
    assert!(error.notes().contains(&note), "{error}");

    let mut all = Metadata::new(groups(), 0, Selection::default(), false);
    all.wrap(&data_key, &Keyring::of_process()).unwrap();
    assert_eq!(all.shamir_threshold, 3);
    assert!(all.unwrap(&keyring(&[&keys[0].0, &keys[1].0])).is_err());
    assert_eq!(all.unwrap(&keyring(&[&keys[0].0, &keys[1].0, &keys[2].0])).unwrap().expose(), data_key.expose());

    let mut one = Metadata::new(groups(), 1, Selection::default(), false);
    assert!(one.wrap(&data_key, &Keyring::of_process()).unwrap_err().to_string().contains("at least 2"));
    assert!(one.stanzas().all(|stanza| !stanza.is_wrapped()));
}

#[test]
fn what_is_wrapped_stays_as_it_is_unless_the_key_is_split() {
    let (a, b) = (key(), key());
    let data_key = DataKey::generate().unwrap();
    let mut metadata = Metadata::new(vec![vec![a.1.clone()]], 0, Selection::default(), false);
    metadata.wrap(&data_key, &Keyring::of_process()).unwrap();
    let before = metadata.key_groups[0][0].clone();
    metadata.key_groups[0].insert(0, b.1.clone());
    metadata.wrap_for_new(&data_key, &Keyring::of_process()).unwrap();
    assert_eq!(metadata.key_groups[0][1], before);
    assert_eq!(metadata.unwrap(&keyring(&[&b.0])).unwrap().expose(), data_key.expose());

    metadata.key_groups.push(vec![b.1]);
    metadata.wrap_for_new(&data_key, &Keyring::of_process()).unwrap();
    assert_ne!(metadata.key_groups[0][1], before);
    assert_eq!(metadata.unwrap(&keyring(&[&a.0, &b.0])).unwrap().expose(), data_key.expose());
}

#[test]
fn a_stanza_of_an_unknown_back_end_is_kept_and_named() {
    let (identity, mine) = key();
    let mut metadata = Metadata::new(vec![vec![mine]], 0, Selection::default(), false);
    metadata.wrap(&DataKey::generate().unwrap(), &Keyring::of_process()).unwrap();
    metadata.key_groups[0].push(Stanza::new("hsm_new", vec![("enc".to_owned(), text("E"))]));

    assert!(metadata.unwrap(&keyring(&[&identity])).is_ok());
    assert_eq!(metadata.to_value().get("hsm_new"), Some(&list(&[map(&[("enc", text("E"))])])));
    let error = metadata.unwrap(&keyring(&[])).err().unwrap();
    assert_eq!(error.exit_code(), 128);
    for note in [
        "the file is for hsm_new (unnamed)",
        "hsm_new (unnamed): this build cannot open hsm_new keys",
        "SOPS_AGE_KEY_FILE: not set",
    ] {
        assert!(error.notes().iter().any(|line| line == note), "{error}");
    }
    let before = metadata.to_value();
    assert!(
        metadata
            .wrap(&DataKey::generate().unwrap(), &Keyring::of_process())
            .unwrap_err()
            .to_string()
            .contains("no hsm_new keys")
    );
    assert_eq!(metadata.to_value(), before);
}

#[test]
fn nobody_to_encrypt_for_is_refused() {
    let data_key = DataKey::generate().unwrap();
    for groups in [vec![], vec![vec![]], vec![vec![key().1], vec![]]] {
        let mut metadata = Metadata::new(groups, 0, Selection::default(), false);
        assert_eq!(metadata.wrap(&data_key, &Keyring::of_process()).unwrap_err().kind(), Kind::NoRecipient);
    }
}

#[test]
fn a_key_of_the_wrong_size_is_refused() {
    let (identity, mut mine) = key();
    registry::backend("age").unwrap().wrap(&mut mine, &[1; 31]).unwrap();
    let metadata = Metadata::new(vec![vec![mine]], 0, Selection::default(), false);
    assert!(metadata.unwrap(&keyring(&[&identity])).err().unwrap().to_string().contains("31 bytes"));
}

#[test]
fn a_hundred_recipients_open_at_once() {
    let keys: Vec<_> = (0..100).map(|_| key()).collect();
    let data_key = DataKey::generate().unwrap();
    let stanzas = keys.iter().map(|(_, stanza)| stanza.clone()).collect();
    let mut metadata = Metadata::new(vec![stanzas], 0, Selection::default(), false);
    metadata.wrap(&data_key, &Keyring::of_process()).unwrap();
    assert_eq!(metadata.unwrap(&keyring(&[&keys[99].0])).unwrap().expose(), data_key.expose());
    let error = metadata.unwrap(&keyring(&[&key().0])).err().unwrap();
    assert!(error.notes().iter().any(|note| note == "and for 50 more"), "{error}");
}

fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(bool) => Value::Bool(*bool),
        serde_json::Value::Number(number) => Value::Int(number.as_i64().unwrap()),
        serde_json::Value::String(text) => Value::Str(text.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(from_json).collect()),
        serde_json::Value::Object(fields) => {
            Value::Map(fields.iter().map(|(name, value)| (name.clone(), from_json(value))).collect())
        }
    }
}

#[test]
fn key_groups_of_real_sops_open_to_one_data_key() {
    let vector: serde_json::Value = serde_json::from_str(include_str!("testdata/three_groups.json")).unwrap();
    let metadata = Metadata::from_value(&from_json(&vector["file"]["sops"])).unwrap();
    assert_eq!((metadata.key_groups.len(), metadata.shamir_threshold), (3, 2));
    assert_eq!(metadata.selection, Selection::UnencryptedRegex("^x".to_owned()));
    assert!(metadata.mac_only_encrypted);

    let identity = |at: usize| vector["identities"][at].as_str().unwrap();
    let data_key = metadata.unwrap(&keyring(&[identity(0), identity(1)])).unwrap();
    // A wrong interpolation would give another key for each pair.
    for (a, b) in [(0, 2), (1, 2)] {
        let again = metadata.unwrap(&keyring(&[identity(a), identity(b)])).unwrap();
        assert_eq!(again.expose(), data_key.expose());
    }
    for alone in 0..3 {
        assert_eq!(metadata.unwrap(&keyring(&[identity(alone)])).err().unwrap().kind(), Kind::NoDataKey);
    }
}
