//! User stories on real containers.
