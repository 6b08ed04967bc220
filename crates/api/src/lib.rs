//! Engine API wire types.
