//! The two calls.

use super::account::{Account, Wanted};
use super::{ARN, CONTEXT, PROFILE, ROLE, Refusal, arn};
use crate::document::Value;
use crate::key::remote::{Places, Service, answered, cause, is_unconnected, wait_for};
use crate::key::{Environment, Stanza};
use crate::secret::SecretBytes;
use aws_sdk_kms::config::interceptors::InterceptorContext;
use aws_sdk_kms::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::{Client, config};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use std::sync::Arc;

/// All keys, as this environment has access to them.
pub(super) struct Kms {
    environment: Environment,
    /// Credentials are found once for many keys.
    accounts: Places<Wanted, Account>,
}

impl Kms {
    pub(super) fn new(environment: Environment) -> Self {
        Kms { environment, accounts: Places::default() }
    }

    /// Has the service wrap `part`.
    pub(super) fn wrap(&self, stanza: &Stanza, part: &[u8]) -> Result<String, Refusal> {
        let account = self.account(stanza)?;
        let request = client(&account)
            .encrypt()
            .key_id(stanza.text(ARN))
            .set_encryption_context(context(stanza))
            .plaintext(Blob::new(part));
        let output = wait_for(request.send())?.map_err(|error| refused(error).with(&account.identity))?;
        answered(stanza, &account.identity);
        let wrapped = output.ciphertext_blob.ok_or_else(|| no_answer().with(&account.identity))?;
        Ok(STANDARD.encode(wrapped.into_inner()))
    }

    fn account(&self, stanza: &Stanza) -> Result<Arc<Account>, Refusal> {
        let region = arn::region(stanza.text(ARN)).map_err(|error| Refusal::new(error.to_string()))?;
        let text = |field: &str| stanza.text(field).to_owned();
        let wanted = Wanted { profile: text(PROFILE), role: text(ROLE), region: region.to_owned() };
        self.accounts.of(wanted.clone()).get(Account::is_fresh, || wait_for(Account::find(&self.environment, &wanted))?)
    }
}

impl Service for Kms {
    fn unwrap(&self, stanza: &Stanza) -> Result<SecretBytes, Refusal> {
        let wrapped = STANDARD
            .decode(stanza.text(Stanza::ENC).trim())
            .map_err(|_| Refusal::new("its wrapped data key is damaged, it is no base64"))?;
        let account = self.account(stanza)?;
        let request = client(&account)
            .decrypt()
            .key_id(stanza.text(ARN))
            .set_encryption_context(context(stanza))
            .ciphertext_blob(Blob::new(wrapped));
        let output = wait_for(request.send())?.map_err(|error| refused(error).with(&account.identity))?;
        answered(stanza, &account.identity);
        let part = output.plaintext.ok_or_else(|| no_answer().with(&account.identity))?;
        Ok(SecretBytes::from(part.into_inner()))
    }
}

fn client(account: &Account) -> Client {
    let settings = config::Builder::from(&account.config).retry_classifier(OnceConnected);
    Client::from_conf(settings.build())
}

/// Where no connection can be made none is tried again.
#[derive(Debug)]
struct OnceConnected;

impl ClassifyRetry for OnceConnected {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        let Some(error) = error.as_connector_error() else { return RetryAction::NoActionIndicated };
        if is_unconnected(error) { RetryAction::RetryForbidden } else { RetryAction::NoActionIndicated }
    }

    fn name(&self) -> &'static str {
        "no connection"
    }
}

/// The encryption context of a stanza. An entry without a value is none, as in sops.
fn context(stanza: &Stanza) -> Option<HashMap<String, String>> {
    let context = stanza.fields().iter().find(|(name, _)| name == CONTEXT);
    let Some((_, Value::Map(entries))) = context else { return None };
    let text = |(name, value): &(String, Value)| Some((name.clone(), value.as_str()?.to_owned()));
    Some(entries.iter().filter_map(text).collect())
}

fn no_answer() -> Refusal {
    Refusal::new("its answer is none of KMS").hint("do AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_KMS name KMS?")
}

/// What the service, or the way to it, said.
fn refused<E>(error: SdkError<E>) -> Refusal
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match &error {
        SdkError::TimeoutError(_) => Refusal::late(),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) => cause(error),
            None => cause(&error),
        },
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let Some(code) = answer.err().code() else {
                return Refusal::strange("KMS", status, answer.raw().body().bytes().unwrap_or_default())
                    .hint("do AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_KMS and the proxy variables lead to KMS?");
            };
            let message = answer.err().message().unwrap_or("no reason was given");
            let refusal = Refusal::new(format!("it answered {status} {code}: {message}"));
            match code {
                "AccessDeniedException" => {
                    refusal.hint("the identity needs kms:Encrypt to encrypt and kms:Decrypt to decrypt")
                }
                "NotFoundException" => {
                    refusal.hint("is it the right account and region? aws kms describe-key --key-id ARN")
                }
                "DisabledException" | "KMSInvalidStateException" => {
                    refusal.hint("enable it: aws kms enable-key --key-id ARN")
                }
                "InvalidCiphertextException" | "IncorrectKeyException" => {
                    refusal.hint("the data key was wrapped with another key, or under another encryption context")
                }
                other => match hint_for(other, message) {
                    Some(hint) => refusal.hint(hint),
                    None => refusal,
                },
            }
        }
        SdkError::ResponseError(_) => no_answer(),
        other => cause(other),
    }
}

/// A signature is of use for some minutes (its message says that it is expired, or not yet current).
const CLOCK: &str = "is the clock of this machine right? date -u";

/// What can be done when any service of AWS refuses for this reason.
pub(crate) fn hint_for(code: &str, message: &str) -> Option<&'static str> {
    match code {
        "RequestTimeTooSkewed" => Some(CLOCK),
        "InvalidSignatureException" if message.starts_with("Signature ") => Some(CLOCK),
        "ExpiredTokenException" | "ExpiredToken" | "RequestExpired" => Some("log in again: aws sso login"),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "AuthFailure" => Some("the access key or its secret is wrong: aws sts get-caller-identity"),
        _ => None,
    }
}
