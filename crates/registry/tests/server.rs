//! The server as its clients see it, over every storage; the checks are those of the specification (distribution-spec 1.1).
#![allow(
    clippy::unwrap_used,
    reason = "a fixture that fails is a test that fails"
)]

#[path = "server/access.rs"]
mod access;
#[path = "server/blobs.rs"]
mod blobs;
#[path = "server/buckets.rs"]
mod buckets;
#[path = "server/garbage.rs"]
mod garbage;
#[path = "server/hostile.rs"]
mod hostile;
#[path = "server/lists.rs"]
mod lists;
#[path = "server/manifests.rs"]
mod manifests;
#[path = "server/mirrors.rs"]
mod mirrors;
#[path = "server/own_client.rs"]
mod own_client;
#[path = "server/place.rs"]
mod place;
#[path = "server/storages.rs"]
mod storages;
#[path = "server/tls.rs"]
mod tls;
#[path = "server/uploads.rs"]
mod uploads;
