//! The Dockerfile language and `.dockerignore`: text becomes a syntax tree with spans, and a list of diagnostics.
//!
//! Nothing here fails: a file with mistakes is a tree with holes and a diagnostic for each hole. Nothing here reads a
//! file, knows an image or a clock. Variables are expanded by whoever knows their values, with [`expand::Expander`].
//!
//! Read [`document`] first (what [`parse`] gives), then [`instruction`] (what a stage is made of), [`line`] and
//! [`statement`] (how text becomes words), [`lint`] (the frontend's rules) and [`ignore`] (`.dockerignore`).

pub mod diagnostic;
pub mod directive;
pub mod document;
pub mod expand;
pub mod glob;
pub mod heredoc;
pub mod ignore;
pub mod instruction;
pub mod json;
pub mod line;
pub mod lint;
pub mod source;
pub mod statement;
pub mod suggest;
pub mod word;

pub use diagnostic::{Diagnostic, Severity};
pub use document::{Dockerfile, Parsed, Stage, parse};
pub use expand::Expander;
pub use ignore::Ignore;
pub use instruction::{Instruction, Kind, Mount};
pub use source::{Source, Span};
pub use word::Word;
