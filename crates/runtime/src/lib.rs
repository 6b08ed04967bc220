//! OCI runtime: a bundle becomes a process.
