//! From a Dockerfile's tree to what a build does: a graph of steps, the configuration that comes out, and the keys by which a
//! step's result is found again.
//!
//! Pure: what a base image says is passed in ([`Bases`]), and the content of a context enters a key as a digest. It runs
//! nothing and reads nothing.
//!
//! Read [`graph`] (what a build is), [`plan`] (how a file becomes one), [`key`] (what a result depends on).

mod error;
pub mod graph;
pub mod key;
mod paths;
pub mod plan;
mod request;
mod variables;

pub use error::{Error, Result};
pub use graph::{Graph, Op, Vertex, VertexId};
pub use plan::{Bases, plan};
pub use request::{CacheUse, Request};
