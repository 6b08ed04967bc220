//! Which versions of the API are spoken.

use std::fmt;
use std::str::FromStr;

/// A version of the API: `1.51`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// Always 1 so far.
    pub major: u16,
    /// What it is known by.
    pub minor: u16,
}

impl ApiVersion {
    /// The newest spoken, and what a request without a version means.
    pub const MAX: Self = Self::new(1, 51);
    /// The oldest spoken.
    pub const MIN: Self = Self::new(1, 24);

    /// A version.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Refuses a version that is not spoken, in Docker's words.
    ///
    /// # Errors
    /// It is older than [`ApiVersion::MIN`] or newer than [`ApiVersion::MAX`].
    pub fn check(self) -> Result<Self, String> {
        if self < Self::MIN {
            Err(format!(
                "client version {self} is too old. Minimum supported API version is {}, please upgrade your client to a newer version",
                Self::MIN
            ))
        } else if self > Self::MAX {
            Err(format!(
                "client version {self} is too new. Maximum supported API version is {}",
                Self::MAX
            ))
        } else {
            Ok(self)
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text that is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoVersion;

impl fmt::Display for NoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an API version")
    }
}

impl std::error::Error for NoVersion {}

impl FromStr for ApiVersion {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| digits).ok_or(NoVersion)
        };
        let (major, minor) = text.split_once('.').ok_or(NoVersion)?;
        Ok(Self::new(number(major)?, number(minor)?))
    }
}

/// Takes the version from the front of a path: `/v1.41/info` is (`1.41`, `/info`); a path without one is left alone.
#[must_use]
pub fn split_path(path: &str) -> (Option<ApiVersion>, &str) {
    let Some(rest) = path.strip_prefix("/v") else {
        return (None, path);
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].parse() {
        Ok(version) => (Some(version), &rest[end..]),
        Err(NoVersion) => (None, path),
    }
}

#[cfg(test)]
mod tests;
