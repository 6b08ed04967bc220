//! What is asked of a build, as far as the plan depends on it.

use std::collections::{BTreeMap, BTreeSet};

use spec::Platform;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// The stage that is wanted: a name or a number; none for the last.
    pub target: Option<String>,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// The platform that the image is for.
    pub platform: Platform,
    /// The platform that builds.
    pub build_platform: Platform,
    /// The names given with `--build-context`.
    pub contexts: BTreeSet<String>,
    /// What of the cache may be used.
    pub cache: CacheUse,
}

/// What of the cache may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheUse {
    /// All.
    All,
    /// None: `--no-cache`.
    None,
    /// All but these stages': `--no-cache-filter`.
    Except(BTreeSet<String>),
}

impl Default for Request {
    fn default() -> Self {
        Self {
            target: None,
            build_args: BTreeMap::new(),
            labels: BTreeMap::new(),
            platform: Platform::host(),
            build_platform: Platform::host(),
            contexts: BTreeSet::new(),
            cache: CacheUse::All,
        }
    }
}
