//! Events.

use crate::object::Labels;

object! {
    /// What an event happened to.
    pub struct Actor {
        /// Its id.
        pub id: String = "ID",
        /// More about it.
        pub attributes: Labels = "Attributes",
    }
}

object! {
    /// Something that happened.
    pub struct Event {
        /// The old name of `Action`.
        pub status: String = "status" omit,
        /// The old place of the actor's id.
        pub id: String = "id" omit,
        /// The old place of a container's image.
        pub from: String = "from" omit,
        /// `container`, `image`, `volume`, `network`.
        pub kind: String = "Type",
        /// What happened.
        pub action: String = "Action",
        /// To what.
        pub actor: Actor = "Actor",
        /// `local` or `swarm`.
        pub scope: String = "scope" omit,
        /// When, in seconds.
        pub time: i64 = "time" omit,
        /// When, in nanoseconds.
        pub time_nano: i64 = "timeNano" omit,
    }
}
