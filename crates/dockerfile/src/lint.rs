//! The frontend's build checks: what builds and still is probably not meant.

pub mod rules;
pub mod scope;
mod stages;
#[cfg(test)]
mod tests;

use crate::diagnostic::{Diagnostic, Severity};
use crate::directive::Check;
use crate::document::Dockerfile;
use crate::ignore::Ignore;

/// What the checks may know beside the file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The context's `.dockerignore`.
    pub ignore: Option<&'a Ignore>,
    /// The names of the variables that each stage's base image brings; none where the image is not known.
    pub base_env: &'a [Option<Vec<String>>],
    /// `BUILDKIT_DOCKERFILE_CHECK`, which replaces the file's own directive.
    pub check: Option<&'a Check>,
    /// The names of the build arguments given.
    pub build_args: &'a [String],
}

/// Checks a file. Expansion mistakes are errors and always found; rules give warnings, or errors if `# check=error=true`.
#[must_use]
pub fn check(file: &Dockerfile, known: &Known<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    rules::statements(file, &mut found);
    stages::check(file, known, &mut found);
    scope::check(file, known, &mut found);
    let check = known.check.unwrap_or(&file.directives.check);
    found.retain(|d| d.rule.is_empty() || wanted(check, d.rule));
    if check.error {
        for diagnostic in found.iter_mut().filter(|d| !d.rule.is_empty()) {
            diagnostic.severity = Severity::Error;
        }
    }
    found.sort_by_key(|d| d.span.start);
    found
}

fn wanted(check: &Check, rule: &str) -> bool {
    let named = |list: &[String]| list.iter().any(|name| name.eq_ignore_ascii_case(rule));
    if rules::EXPERIMENTAL.contains(&rule) {
        return check.experimental_all || named(&check.experimental);
    }
    !check.skip_all && !named(&check.skip)
}
