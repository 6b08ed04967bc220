//! The Engine API router.
