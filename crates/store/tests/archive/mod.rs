//! Makes tars of whatever a test wants, valid or not.

#![allow(dead_code, reason = "each test uses a part")]

/// A tar being made.
#[derive(Debug, Default, Clone)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    pax: Vec<u8>,
}

impl Archive {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A PAX record for the next entry.
    pub(crate) fn pax(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        let body = key.len() + value.len() + 3;
        let mut len = body + 1;
        while len != body + len.to_string().len() {
            len = body + len.to_string().len();
        }
        self.pax
            .extend_from_slice(format!("{len} {key}=").as_bytes());
        self.pax.extend_from_slice(value);
        self.pax.push(b'\n');
        self
    }

    pub(crate) fn xattr(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.pax(&format!("SCHILY.xattr.{name}"), value)
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(b'0', path, "", 0o644, content.as_ref())
    }

    pub(crate) fn mode_file(self, path: &str, mode: u32, content: impl AsRef<[u8]>) -> Self {
        self.entry(b'0', path, "", mode, content.as_ref())
    }

    pub(crate) fn dir(self, path: &str, mode: u32) -> Self {
        self.entry(b'5', path, "", mode, b"")
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(b'2', path, target, 0o777, b"")
    }

    pub(crate) fn hard_link(self, path: &str, target: &str) -> Self {
        self.entry(b'1', path, target, 0o644, b"")
    }

    pub(crate) fn fifo(self, path: &str) -> Self {
        self.entry(b'6', path, "", 0o600, b"")
    }

    pub(crate) fn device(mut self, path: &str, major: u32, minor: u32) -> Self {
        let mut header = header(b'3', path, "", 0o666, 0);
        header[329..337].copy_from_slice(format!("{major:07o}\0").as_bytes());
        header[337..345].copy_from_slice(format!("{minor:07o}\0").as_bytes());
        self.flush_pax();
        self.bytes.extend_from_slice(&sealed(header));
        self
    }

    pub(crate) fn entry(
        mut self,
        flag: u8,
        path: &str,
        link: &str,
        mode: u32,
        content: &[u8],
    ) -> Self {
        self.flush_pax();
        self.push(
            header(flag, path, link, mode, content.len() as u64),
            content,
        );
        self
    }

    /// A header as it is, with the right checksum.
    pub(crate) fn raw(mut self, header: [u8; 512], content: &[u8]) -> Self {
        self.flush_pax();
        self.push(header, content);
        self
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 1024, 0);
        self.bytes
    }

    /// Without the two blocks at the end.
    pub(crate) fn unended(self) -> Vec<u8> {
        self.bytes
    }

    fn flush_pax(&mut self) {
        if !self.pax.is_empty() {
            let records = std::mem::take(&mut self.pax);
            self.push(
                header(b'x', "pax", "", 0o644, records.len() as u64),
                &records,
            );
        }
    }

    fn push(&mut self, header: [u8; 512], content: &[u8]) {
        self.bytes.extend_from_slice(&sealed(header));
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
    }
}

pub(crate) fn header(flag: u8, path: &str, link: &str, mode: u32, size: u64) -> [u8; 512] {
    let mut header = [0; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header[100..108].copy_from_slice(format!("{mode:07o}\0").as_bytes());
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[136..148].copy_from_slice(b"13000000000\0");
    header[156] = flag;
    header[257..265].copy_from_slice(b"ustar\x0000");
    header
}

/// With its checksum.
pub(crate) fn sealed(mut header: [u8; 512]) -> [u8; 512] {
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}
