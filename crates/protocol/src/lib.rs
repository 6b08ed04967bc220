//! The monitor's wire protocol and files.
