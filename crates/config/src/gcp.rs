//! Google Cloud credentials, as the files that Google's tools write (`"type"` says which kind).
//!
//! Only what is needed to ask for an access token is read. What cannot work is refused here, so that `check` finds it
//! without any network; exchanging a credential for a token is the gateway's. Holds secrets: nothing here has `Debug`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::environment::Environment;
use crate::secret::Secret;

/// Where a machine on Google Cloud asks who it is.
const METADATA_HOST: &str = "metadata.google.internal";
/// Where tokens are made, unless the credential says otherwise.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// What an access token is asked for with.
pub enum GcpCredential {
    /// A service account: signs its own assertions.
    ServiceAccount(ServiceAccount),
    /// A person who logged in with `gcloud auth application-default login`.
    User(User),
    /// The machine's own account, told by its metadata server.
    Metadata {
        /// Host of the metadata server, with a port if it has one of its own.
        host: String,
    },
}

/// `"type": "service_account"`.
#[derive(Deserialize)]
pub struct ServiceAccount {
    /// Who signs.
    pub client_email: String,
    /// Names the key; left out of the assertion's head if absent.
    pub private_key_id: Option<String>,
    /// The RSA key, PKCS #8 in PEM form.
    #[serde(deserialize_with = "secret")]
    pub private_key: Secret,
    /// Where tokens are made.
    #[serde(default = "token_uri")]
    pub token_uri: String,
}

/// `"type": "authorized_user"`.
#[derive(Deserialize)]
pub struct User {
    /// The application that the person let in.
    pub client_id: String,
    /// Its secret.
    #[serde(deserialize_with = "secret")]
    pub client_secret: Secret,
    /// What stands for the person's consent.
    #[serde(deserialize_with = "secret")]
    pub refresh_token: Secret,
    /// Where tokens are made.
    #[serde(default = "token_uri")]
    pub token_uri: String,
}

/// Why a text is no credential. Shows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GcpCredentialError {
    /// The file of that path cannot be read.
    #[error("the credential file cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
    /// Not a JSON object with a `type`.
    #[error("is neither a file's path nor a credential in JSON")]
    Syntax,
    /// A kind that is not known.
    #[error("is a credential of the type `{0}`; `service_account` and `authorized_user` are known")]
    Kind(String),
    /// A member is missing or of another type.
    #[error("is a credential of the type `{kind}`, but {reason}")]
    Member {
        /// The credential's type.
        kind: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The token address would show the credential to whoever listens.
    #[error("names a `token_uri` that is not `https://`")]
    TokenUri,
}

impl GcpCredential {
    /// Reads a credential's text.
    ///
    /// # Errors
    /// If no token can be asked for with it.
    pub fn parse(text: &str) -> Result<Self, GcpCredentialError> {
        #[derive(Deserialize)]
        struct Kind {
            r#type: String,
            #[serde(default)]
            host: Option<String>,
        }
        let kind: Kind = serde_json::from_str(text).map_err(|_| GcpCredentialError::Syntax)?;
        match kind.r#type.as_str() {
            "service_account" => {
                let account: ServiceAccount = member("service_account", text)?;
                if !account.private_key.expose().contains("PRIVATE KEY-----") {
                    let reason = "its `private_key` is not in PEM form".to_owned();
                    let kind = "service_account";
                    return Err(GcpCredentialError::Member { kind, reason });
                }
                checked(&account.token_uri)?;
                Ok(Self::ServiceAccount(account))
            }
            "authorized_user" => {
                let user: User = member("authorized_user", text)?;
                checked(&user.token_uri)?;
                Ok(Self::User(user))
            }
            METADATA => Ok(Self::Metadata {
                host: kind.host.unwrap_or_else(|| METADATA_HOST.to_owned()),
            }),
            other => Err(GcpCredentialError::Kind(other.chars().take(40).collect())),
        }
    }
}

/// Our own type of credential, which no tool writes: it is what stands in for a missing file.
const METADATA: &str = "lingate_metadata_server";

/// The credential that `text` is or, as a path, leads to.
pub(crate) fn read(
    text: &str,
    environment: &dyn Environment,
) -> Result<Secret, GcpCredentialError> {
    let text = text.trim();
    let found = if text.starts_with('{') {
        text.to_owned()
    } else {
        let path = crate::document::home_expanded(text, environment);
        environment
            .read(&path)
            .map_err(|error| GcpCredentialError::Unreadable(error.kind()))?
    };
    GcpCredential::parse(&found)?;
    Ok(Secret::new(found))
}

/// What serves where nothing is configured, as Google's own libraries look for it: the file of a login, else the
/// machine's account. With it where it came from, for messages.
pub(crate) fn ambient(
    environment: &dyn Environment,
) -> Result<(Secret, String), GcpCredentialError> {
    let folder = environment
        .var("CLOUDSDK_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(environment.home()?.join(".config/gcloud")));
    let path = folder.map(|folder| folder.join("application_default_credentials.json"));
    if let Some(path) = path
        && let Ok(found) = environment.read(&path)
    {
        GcpCredential::parse(&found)?;
        return Ok((Secret::new(found), path.display().to_string()));
    }
    let host = environment.var("GCE_METADATA_HOST");
    let credential = serde_json::json!({ "type": METADATA, "host": host });
    Ok((
        Secret::new(credential.to_string()),
        "the machine's metadata server".to_owned(),
    ))
}

fn member<'t, T: Deserialize<'t>>(
    kind: &'static str,
    text: &'t str,
) -> Result<T, GcpCredentialError> {
    // A message of type "missing field `x` at line 1 column 2" names members and never shows values that are texts.
    serde_json::from_str(text).map_err(|error| {
        let reason = error.to_string();
        let reason = match reason.split_once(" at line ") {
            Some((reason, _)) if reason.starts_with("missing field") => reason.to_owned(),
            _ => "one of its members is not a text".to_owned(),
        };
        GcpCredentialError::Member { kind, reason }
    })
}

/// Plain `http` is for tests and machines' own proxies.
fn checked(token_uri: &str) -> Result<(), GcpCredentialError> {
    let base = crate::url::BaseUrl::parse(token_uri).map_err(|_| GcpCredentialError::TokenUri)?;
    if base.is_plain() && !crate::provider::is_loopback(&base.host()) {
        return Err(GcpCredentialError::TokenUri);
    }
    Ok(())
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

fn token_uri() -> String {
    TOKEN_URI.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::FixedEnvironment;

    const ACCOUNT: &str = r#"{"type":"service_account","client_email":"a@p.iam.gserviceaccount.com","private_key":"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"}"#;
    const USER: &str = r#"{"type":"authorized_user","client_id":"i","client_secret":"SECRET1","refresh_token":"SECRET2"}"#;

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        match GcpCredential::parse(text) {
            Ok(_) => panic!("{text} is taken"),
            Err(error) => assert_eq!(error.to_string(), expected),
        }
    }

    #[test]
    fn kinds() {
        for (text, expected) in [
            (ACCOUNT, "account https://oauth2.googleapis.com/token"),
            (USER, "user https://oauth2.googleapis.com/token"),
            (
                r#"{"type":"lingate_metadata_server","host":null}"#,
                "metadata metadata.google.internal",
            ),
        ] {
            let shown = match GcpCredential::parse(text) {
                Ok(GcpCredential::ServiceAccount(account)) => {
                    format!("account {}", account.token_uri)
                }
                Ok(GcpCredential::User(user)) => format!("user {}", user.token_uri),
                Ok(GcpCredential::Metadata { host }) => format!("metadata {host}"),
                Err(error) => error.to_string(),
            };
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn what_cannot_work_is_refused_without_showing_it() {
        refused(
            "sk-1234",
            "is neither a file's path nor a credential in JSON",
        );
        refused(
            r#"{"type":"external_account"}"#,
            "is a credential of the type `external_account`; `service_account` and `authorized_user` are known",
        );
        refused(
            r#"{"type":"service_account","private_key":"SECRET"}"#,
            "is a credential of the type `service_account`, but missing field `client_email`",
        );
        refused(
            r#"{"type":"service_account","client_email":"a","private_key":"SECRET"}"#,
            "is a credential of the type `service_account`, but its `private_key` is not in PEM form",
        );
        refused(
            r#"{"type":"authorized_user","client_id":"i","client_secret":77,"refresh_token":"SECRET"}"#,
            "is a credential of the type `authorized_user`, but one of its members is not a text",
        );
        refused(
            &USER.replace(
                "\"client_id\"",
                "\"token_uri\":\"http://evil.test/\",\"client_id\"",
            ),
            "names a `token_uri` that is not `https://`",
        );
    }

    #[test]
    fn a_path_the_json_itself_a_login_or_the_machine() {
        let environment =
            || FixedEnvironment::new([("HOME", "/home/u")]).with_file("/home/u/sa.json", ACCOUNT);
        for text in [" /home/u/sa.json\n", "~/sa.json", ACCOUNT] {
            let found = read(text, &environment()).map(|secret| secret.expose().to_owned());
            assert_eq!(found, Ok(ACCOUNT.to_owned()), "{text}");
        }
        let missing = read("/nowhere.json", &environment()).map(drop);
        let expected = GcpCredentialError::Unreadable(std::io::ErrorKind::NotFound);
        assert_eq!(missing, Err(expected));

        let origin = |environment: &FixedEnvironment| {
            ambient(environment).map(|(secret, origin)| (secret.expose().to_owned(), origin))
        };
        let login = "/home/u/.config/gcloud/application_default_credentials.json";
        assert_eq!(
            origin(&environment().with_file(login, USER)),
            Ok((USER.to_owned(), login.to_owned()))
        );
        let elsewhere = FixedEnvironment::new([("CLOUDSDK_CONFIG", "/c")])
            .with_file("/c/application_default_credentials.json", USER);
        assert!(origin(&elsewhere).is_ok_and(|(found, _)| found == USER));
        let machine = FixedEnvironment::new([("GCE_METADATA_HOST", "127.0.0.1:99")]);
        assert!(origin(&machine).is_ok_and(|(found, origin)| {
            found.contains("127.0.0.1:99") && origin == "the machine's metadata server"
        }));
    }
}
