//! Where a token comes from. Tokens given as arguments can be read by other users of the machine
//! (`ps`), so a file or the environment is the better way.

use std::path::{Path, PathBuf};

use crate::failure::{Context, Failure, Result};

/// The environment variable.
pub(crate) const VARIABLE: &str = "POCKETSYNC_TOKEN";

/// Chooses the token: the argument, else the file, else the environment, else none.
pub(crate) fn resolve(argument: Option<String>, file: Option<&PathBuf>) -> Result<Option<String>> {
    let (token, from) = match (argument, file) {
        (Some(token), _) => (token, "--token".to_owned()),
        (None, Some(file)) => (read(file)?, file.display().to_string()),
        (None, None) => match std::env::var(VARIABLE) {
            Ok(token) => (token, VARIABLE.to_owned()),
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(error) => return Err(Failure::new(format!("{VARIABLE}: {error}"))),
        },
    };
    if token.trim().is_empty() {
        return Err(Failure::new(format!("the token from {from} is empty"))
            .hint("make one: head -c 32 /dev/urandom | base64 > token"));
    }
    Ok(Some(token))
}

fn read(path: &Path) -> Result<String> {
    let text =
        std::fs::read_to_string(path).context(format!("cannot read the token file {}", path.display()))?;
    warn_if_readable_by_others(path);
    Ok(text.trim().to_owned())
}

#[cfg(unix)]
fn warn_if_readable_by_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    // The file is read for every connection.
    static SAID: std::sync::Once = std::sync::Once::new();
    if std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0) {
        SAID.call_once(|| tracing::warn!("{} can be read by others; chmod 600 helps", path.display()));
    }
}

#[cfg(not(unix))]
fn warn_if_readable_by_others(_path: &Path) {}
