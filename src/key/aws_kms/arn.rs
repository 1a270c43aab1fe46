//! The name of a key: its ARN, and what sops writes beside it.

use super::CONTEXT;
use crate::document::Value;
use crate::error::{Error, Kind, Result};
use crate::key::Details;

const FORM: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Splits `ARN+ROLE`. Spaces do not count, as in sops.
pub(super) fn split_role(text: &str) -> (String, Option<String>) {
    let text: String = text.chars().filter(|c| *c != ' ').collect();
    match text.split_once("+arn:") {
        Some((arn, role)) => (arn.to_owned(), Some(format!("arn:{role}"))),
        None => (text, None),
    }
}

/// The region of a key, which is where it is asked for: that of the ARN, and of no setting.
///
/// # Errors
/// When `arn` is no ARN of a KMS key or alias.
pub(super) fn region(arn: &str) -> Result<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let is_partition = |text: &str| text.starts_with("aws") && text.chars().all(|c| c.is_alphanumeric() || c == '-');
    let is_key = |text: &str| {
        let name = text.strip_prefix("key/").or_else(|| text.strip_prefix("alias/"));
        name.is_some_and(|name| !name.is_empty() && !name.contains(char::is_whitespace))
    };
    match parts[..] {
        ["arn", partition, "kms", region, account, key]
            if is_partition(partition)
                && !region.is_empty()
                && region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && !account.is_empty()
                && account.bytes().all(|b| b.is_ascii_digit())
                && is_key(key) =>
        {
            Ok(region)
        }
        _ => Err(Error::new(Kind::Generic, format!("not the ARN of a KMS key: {arn:?}"))
            .because("sops takes full ARNs alone, of keys and of aliases")
            .hint(format!("write it as {FORM}"))),
    }
}

/// The encryption context of `details`: entries of its own, or a text as on the command line.
///
/// # Errors
/// When the text is not of the form `NAME:VALUE,NAME:VALUE`.
pub(super) fn context(details: &Details) -> Result<Vec<(String, Value)>> {
    let text = |value: &str| Value::Str(value.to_owned());
    let mut context: Vec<(String, Value)> = details
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(CONTEXT)?.strip_prefix('.')?.to_owned(), text(value))))
        .collect();
    for pair in details.get(CONTEXT).into_iter().flat_map(|all| all.split(',')) {
        match pair.split(':').collect::<Vec<_>>()[..] {
            [name, value] => {
                context.retain(|(other, _)| other != name);
                context.push((name.to_owned(), text(value)));
            }
            _ => {
                return Err(Error::new(Kind::EncryptionContext, "the encryption context is not of its form")
                    .because("each of its parts between commas has a name, a colon and a value")
                    .hint("--encryption-context Environment:production,Team:platform"));
            }
        }
    }
    context.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_aliases_are_known_by_their_arn() {
        for (arn, expected) in [
            ("arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab", "us-east-1"),
            ("arn:aws-cn:kms:cn-north-1:1:alias/a/b", "cn-north-1"),
            ("arn:aws-us-gov:kms:us-gov-west-1:1:key/mrk-1", "us-gov-west-1"),
        ] {
            assert_eq!(region(arn).unwrap(), expected);
        }
        for wrong in [
            "",
            "alias/x",
            "1234abcd-12ab",
            "arn:aws:s3:us-east-1:1:key/x",
            "arn:aws:kms::1:key/x",
            "arn:aws:kms:us-east-1::key/x",
            "arn:aws:kms:us-east-1:1:key/",
            "arn:aws:kms:us.evil/:1:key/x",
            "arn:aws:kms:us-east-1:1:grant/x",
        ] {
            assert!(region(wrong).unwrap_err().hints()[0].contains("arn:aws:kms"), "{wrong}");
        }
    }

    #[test]
    fn a_role_stands_behind_a_plus() {
        let (arn, role) = split_role("arn:aws:kms:r:1:key/k + arn:aws:iam::1:role/r+x");
        assert_eq!((arn.as_str(), role.as_deref()), ("arn:aws:kms:r:1:key/k", Some("arn:aws:iam::1:role/r+x")));
        assert_eq!(split_role("arn:aws:kms:r:1:alias/a+b").1, None);
    }

    #[test]
    fn a_context_is_a_text_or_entries() {
        let of = |details: &[(&str, &str)]| {
            let details = details.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            context(&details).map(|context| {
                context
                    .into_iter()
                    .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(of(&[("context", "b:2,a:1")]).unwrap(), ["a=1", "b=2"]);
        assert_eq!(of(&[("context.b", "2"), ("context.a", "x:y"), ("role", "r")]).unwrap(), ["a=x:y", "b=2"]);
        assert!(of(&[]).unwrap().is_empty());
        for wrong in ["a", "a:b:c", "a:b,", ""] {
            assert_eq!(of(&[("context", wrong)]).unwrap_err().exit_code(), 6, "{wrong}");
        }
    }
}
