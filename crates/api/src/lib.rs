//! What the Engine API says on the wire: JSON types, query strings, filters, stream frames, versions.
//!
//! The only place with Docker's JSON field names. No IO; knows neither server, client nor engine.
//!
//! Read [`object`] first (how a wire type is declared and what it forgives), then [`container`]; [`query`] and [`filters`] are
//! the grammar of URLs, [`stdcopy`] that of streams, [`version`] which versions are spoken.

#[macro_use]
pub mod object;

pub mod build;
pub mod container;
pub mod event;
pub mod exec;
pub mod files;
pub mod filters;
pub mod image;
pub mod network;
pub mod progress;
pub mod prune;
pub mod query;
pub mod stdcopy;
pub mod system;
pub mod time;
pub mod usage;
pub mod version;
pub mod volume;

pub use filters::Filters;
pub use object::{Empty, Labels, decode};
pub use query::Query;
pub use time::Time;
pub use version::ApiVersion;

object! {
    /// Why a request failed.
    pub struct ErrorResponse {
        /// For people.
        pub message: String = "message",
        /// What to do about it: only this engine's.
        pub hint: String = "hint" omit,
    }
}

object! {
    /// An id, when that is all there is to say.
    pub struct IdResponse {
        /// The id.
        pub id: String = "Id",
    }
}
