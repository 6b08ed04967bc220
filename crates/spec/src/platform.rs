//! Platforms: operating system, processor, variant.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result, shown};

/// What an image was built for, in Go's words (`linux/arm64`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// The processor: Go's GOARCH.
    pub architecture: String,
    /// The operating system: Go's GOOS.
    pub os: String,
    /// The variant of the processor, such as `v7`; mostly none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The version of the operating system: Windows only.
    #[serde(
        default,
        rename = "os.version",
        skip_serializing_if = "Option::is_none"
    )]
    pub os_version: Option<String>,
    /// What the operating system must have: Windows only.
    #[serde(
        default,
        rename = "os.features",
        skip_serializing_if = "Option::is_none"
    )]
    pub os_features: Option<Vec<String>>,
}

impl Platform {
    /// The platform that this program was built for, which is the one it runs on.
    #[must_use]
    pub fn host() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "arm" => ("arm", Some("v7")),
            rust => normal(rust, None),
        };
        Self::of("linux", architecture, variant)
    }

    fn of(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let (os, architecture, variant) = (
            os.to_owned(),
            architecture.to_owned(),
            variant.map(str::to_owned),
        );
        Self {
            architecture,
            os,
            variant,
            os_version: None,
            os_features: None,
        }
    }

    /// How well a machine of this platform runs an image made for `image`: none if not at all, 0 if it was made for it,
    /// more the older the variant it was made for.
    #[must_use]
    pub fn runs(&self, image: &Self) -> Option<u32> {
        let (arch, variant) = normal(&self.architecture, self.variant.as_deref());
        let (image_arch, image_variant) = normal(&image.architecture, image.variant.as_deref());
        if self.os != image.os.to_ascii_lowercase() {
            return None;
        }
        match (arch, image_arch) {
            ("arm64", "arm") => 8_u32
                .checked_sub(level(image_variant, 7)?)
                .map(|age| age + 100),
            ("arm", "arm") => level(variant, 7)?.checked_sub(level(image_variant, 7)?),
            ("amd64", "amd64") => level(variant, 1)?.checked_sub(level(image_variant, 1)?),
            (ours, theirs) if ours == theirs => match (variant, image_variant) {
                (ours, Some(theirs)) if ours != Some(theirs) => None,
                _ => Some(0),
            },
            _ => None,
        }
    }
}

/// The number in a variant such as `v7`.
fn level(variant: Option<&str>, default: u32) -> Option<u32> {
    variant.map_or(Some(default), |v| v.strip_prefix('v')?.parse().ok())
}

/// Go's name of an architecture that somebody else named, as containerd's `platforms` does it.
fn normal<'a>(architecture: &'a str, variant: Option<&'a str>) -> (&'a str, Option<&'a str>) {
    match (architecture, variant) {
        ("i386", _) => ("386", None),
        ("x86_64" | "x86-64" | "amd64", Some("v1") | None) => ("amd64", None),
        ("x86_64" | "x86-64", v) => ("amd64", v),
        ("aarch64" | "arm64", Some("8" | "v8") | None) => ("arm64", None),
        ("aarch64", v) => ("arm64", v),
        ("armhf", _) => ("arm", Some("v7")),
        ("armel", _) => ("arm", Some("v6")),
        ("arm", None | Some("7")) => ("arm", Some("v7")),
        ("arm", Some("5")) => ("arm", Some("v5")),
        ("arm", Some("6")) => ("arm", Some("v6")),
        ("arm", Some("8")) => ("arm", Some("v8")),
        ("powerpc64le" | "powerpc64", v) => ("ppc64le", v),
        (same, v) => (same, v),
    }
}

const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "illumos",
    "js",
    "linux",
    "macos",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];
const PROCESSORS: &[&str] = &[
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mipsle", "mips64", "mips64le", "ppc64",
    "ppc64le", "riscv64", "s390x", "wasm",
];

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant
            .as_ref()
            .map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

impl FromStr for Platform {
    type Err = Error;

    /// Reads `os[/arch[/variant]]` or `arch[/variant]`; what is left out is the host's.
    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::new(Kind::Platform, format!("{:?}: {why}", shown(text)));
        let plain = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.len() <= 64
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        };
        let lower = text.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        if !parts.iter().all(|part| plain(part)) {
            return Err(bad("invalid platform: not os/arch or os/arch/variant"));
        }
        match parts[..] {
            [one] if SYSTEMS.contains(&one) => Ok(Self {
                os: system(one).to_owned(),
                ..Self::host()
            }),
            [one] => {
                let (architecture, variant) = normal(one, None);
                let known = PROCESSORS.contains(&architecture);
                known
                    .then(|| Self::of("linux", architecture, variant))
                    .ok_or_else(|| bad("unknown operating system or architecture"))
            }
            [os, architecture] => {
                let (architecture, variant) = normal(architecture, None);
                Ok(Self::of(system(os), architecture, variant))
            }
            [os, architecture, variant] => {
                let (architecture, variant) = normal(architecture, Some(variant));
                Ok(Self::of(system(os), architecture, variant))
            }
            _ => Err(bad("invalid platform: not os/arch or os/arch/variant")),
        }
    }
}

fn system(os: &str) -> &str {
    if os == "macos" { "darwin" } else { os }
}
