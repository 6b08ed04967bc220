//! OCI and Docker vocabulary.
