//! AWS KMS.
//!
//! Owns: ARNs with role, profile and encryption context; which credentials are used; and the two calls. The
//! calls themselves, signatures and most sources of credentials are those of the official SDK.
//! Must not know: key groups, metadata, other services; but it finds credentials for those, for `publish`.
//!
//! Source: `kms/keysource.go` of sops 3.11.

mod account;
mod arn;
mod calls;
mod transport;

#[cfg(feature = "s3")]
pub(crate) use account::{Account, Wanted, configured_region};
#[cfg(feature = "s3")]
pub(crate) use calls::hint_for;

use super::remote::{Asking, Refusal, finish_wrap, listed};
use super::{Backend, Detail, Details, Environment, Opener, Stanza};
use crate::document::Value;
use crate::error::Result;
use calls::Kms;
use std::sync::OnceLock;

/// The back end.
pub struct AwsKms;

const ARN: &str = "arn";
const ROLE: &str = "role";
const CONTEXT: &str = "context";
const PROFILE: &str = "aws_profile";

impl Backend for AwsKms {
    fn name(&self) -> &'static str {
        "kms"
    }

    fn rule_field(&self) -> &'static str {
        "kms"
    }

    fn flag(&self) -> &'static str {
        "kms"
    }

    fn recipients_env(&self) -> &'static str {
        "SOPS_KMS_ARN"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[ARN, ROLE, CONTEXT, Stanza::CREATED_AT, Stanza::ENC, PROFILE]
    }

    fn details(&self) -> &'static [Detail] {
        &[
            Detail {
                flag: "aws-profile",
                name: PROFILE,
                value_name: "PROFILE",
                help: "The AWS profile for the KMS keys, also for those of the rules that name none",
                rule_field: Some(PROFILE),
            },
            Detail {
                flag: "encryption-context",
                name: CONTEXT,
                value_name: "NAME:VALUE,…",
                help: "The encryption context of the KMS keys, also of those of the rules that have none",
                rule_field: None,
            },
        ]
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn parse(&self, text: &str) -> Result<Vec<Stanza>> {
        self.parse_detailed(text, &Details::new())
    }

    fn parse_detailed(&self, text: &str, details: &Details) -> Result<Vec<Stanza>> {
        let context = arn::context(details)?;
        let detail = |name: &str| details.get(name).map(String::as_str).unwrap_or_default();
        let stanza = |item: &str| {
            let (arn, role) = arn::split_role(item);
            arn::region(&arn)?;
            let role = role.as_deref().unwrap_or(detail(ROLE));
            let mut fields = vec![(ARN.to_owned(), Value::Str(arn))];
            if !role.is_empty() {
                fields.push((ROLE.to_owned(), Value::Str(role.to_owned())));
            }
            if !context.is_empty() {
                fields.push((CONTEXT.to_owned(), Value::Map(context.clone())));
            }
            fields.push((PROFILE.to_owned(), Value::Str(detail(PROFILE).to_owned())));
            Ok(Stanza::new(self.name(), fields))
        };
        listed(text).into_iter().map(stanza).collect()
    }

    fn wrap(&self, stanza: &mut Stanza, part: &[u8]) -> Result<()> {
        static KMS: OnceLock<Kms> = OnceLock::new();
        let wrapped = KMS.get_or_init(|| Kms::new(Environment::of_process())).wrap(stanza, part);
        finish_wrap(stanza, wrapped)
    }

    fn opener(&self, environment: &Environment) -> Box<dyn Opener> {
        Box::new(Asking(Kms::new(environment.clone())))
    }
}
