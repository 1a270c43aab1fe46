//! Access keys: from the environment or a file.

use super::Refusal;
use crate::key::{Environment, named};
use zeroize::Zeroizing;

const FILE: &str = "HUAWEICLOUD_SDK_CREDENTIALS_FILE";
/// A file with more is none of credentials.
const LONGEST: u64 = 1 << 16;

/// An access key.
pub(super) struct Credentials {
    pub(super) access: String,
    pub(super) secret: Zeroizing<String>,
    /// Of a temporary key.
    pub(super) token: Option<Zeroizing<String>>,
    /// The project whose keys are used; asked for when it is not known.
    pub(super) project: Option<String>,
    /// Who it is, for messages.
    pub(super) identity: String,
}

/// Finds an access key.
pub(super) fn find(environment: &Environment) -> Result<Credentials, Refusal> {
    let text = |name: &str| environment.get_filled(name).and_then(|value| value.into_string().ok());
    let project = text("HUAWEICLOUD_SDK_PROJECT_ID");
    if let (Some(access), Some(secret)) = (text("HUAWEICLOUD_SDK_AK"), text("HUAWEICLOUD_SDK_SK")) {
        let identity = format!("the access key {access} of HUAWEICLOUD_SDK_AK");
        let token = text("HUAWEICLOUD_SDK_SECURITY_TOKEN").map(Zeroizing::new);
        return Ok(Credentials { access, secret: Zeroizing::new(secret), token, project, identity });
    }
    let file = named::path(environment, FILE)?;
    let file = file.or_else(|| Some(environment.home()?.join(".huaweicloud").join("credentials")));
    let shown = file.as_deref().map_or_else(|| "~/.huaweicloud/credentials".to_owned(), |file| environment.show(file));
    let none = |why: &str| {
        Refusal::without_identity(format!(
            "no Huawei Cloud credentials: HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK are not both set, {shown}: {why}"
        ))
        .hint("set HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and HUAWEICLOUD_SDK_PROJECT_ID")
    };
    let Some(file) = file else { return Err(none("there is no home folder")) };
    let content = std::fs::metadata(&file).and_then(|found| {
        if found.len() > LONGEST { Err(std::io::Error::other("too large")) } else { std::fs::read_to_string(&file) }
    });
    let content = match content {
        Ok(content) => Zeroizing::new(content),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(none("no such file")),
        Err(error) => return Err(none(&format!("cannot be read: {error}"))),
    };
    let setting = |name: &str| basic(&content, name);
    let (Some(access), Some(secret)) = (setting("ak"), setting("sk")) else {
        return Err(none("its section [basic] has not both ak and sk"));
    };
    Ok(Credentials {
        access: access.to_owned(),
        secret: Zeroizing::new(secret.to_owned()),
        token: setting("security_token").map(|token| Zeroizing::new(token.to_owned())),
        project: setting("project_id").map(ToOwned::to_owned).or(project),
        identity: format!("the access key {access} of {shown}"),
    })
}

/// A setting of the section `[basic]`.
fn basic<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut inside = false;
    text.lines().map(str::trim).find_map(|line| {
        if line.starts_with('[') {
            inside = line == "[basic]";
        }
        let (key, value) = line.split_once('=').filter(|_| inside)?;
        Some(value.trim()).filter(|value| key.trim() == name && !value.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_basic_section_of_the_file_counts() {
        let text = "[global]\nak = x\n[basic]\n# c\nak = a\nsk=b=c\nproject_id =\n[other]\nsecurity_token = t\n";
        assert_eq!((basic(text, "ak"), basic(text, "sk")), (Some("a"), Some("b=c")));
        assert_eq!((basic(text, "project_id"), basic(text, "security_token")), (None, None));
    }
}
