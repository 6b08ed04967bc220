//! A registry of a few lines, for tests that need one to fail at a certain byte: images in memory, pushes, basic authorization,
//! and faults. What real registries do is tested with real ones.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::sandbox::Sandbox;

/// A Docker image manifest.
pub const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// An OCI index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// A request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`.
    pub method: String,
    /// The path and the query.
    pub path: String,
    /// Its headers, the names in small letters.
    pub headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// These bytes are sent in place of an answer.
    Raw(Vec<u8>),
}

type Trouble = dyn Fn(&Asked) -> Option<Fault> + Send + Sync;

#[derive(Default)]
struct Content {
    blobs: HashMap<String, Arc<Vec<u8>>>,
    /// By `repository:tag` and `repository:digest`.
    manifests: HashMap<String, (String, Vec<u8>)>,
    uploads: HashMap<String, Vec<u8>>,
    asked: Vec<Asked>,
    sent: u64,
    user: Option<String>,
    trouble: Option<Arc<Trouble>>,
}

/// A registry on this machine.
pub struct Registry {
    address: SocketAddr,
    content: Arc<Mutex<Content>>,
    _server: JoinHandle<()>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.address).finish()
    }
}

fn lock(content: &Mutex<Content>) -> MutexGuard<'_, Content> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The digest of some bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    let hash = sha2::Sha256::digest(bytes);
    let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

/// Bytes in gzip.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A tar of files by name, each with its content.
#[must_use]
pub fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

/// Bytes that no compression makes smaller.
#[must_use]
pub fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(count + 8);
    while out.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend(state.to_le_bytes());
    }
    out.truncate(count);
    out
}

impl Registry {
    /// Starts an empty one on 127.0.0.1, in the test's own network.
    #[must_use]
    pub fn start(sandbox: &Sandbox) -> Self {
        sandbox.raise_loopback();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let content = Arc::new(Mutex::new(Content::default()));
        let all = Arc::clone(&content);
        let server = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let content = Arc::clone(&all);
                std::thread::spawn(move || drop(serve(&stream, &content)));
            }
        });
        Self {
            address,
            content,
            _server: server,
        }
    }

    /// A name of an image in it: `127.0.0.1:4711/name`.
    #[must_use]
    pub fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Puts an image in, of these layers' tars, bottom first; gives its manifest.
    pub fn put_image(&self, name: &str, tag: &str, tars: &[Vec<u8>]) -> Vec<u8> {
        let layers: Vec<Vec<u8>> = tars.iter().map(|tar| gzip(tar)).collect();
        let diffs: Vec<String> = tars.iter().map(|tar| digest(tar)).collect();
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": { "Cmd": ["sh"], "Env": ["PATH=/bin"] },
            "rootfs": { "type": "layers", "diff_ids": diffs },
        });
        self.put_parts(name, tag, config.to_string().as_bytes(), &layers)
    }

    /// Puts an image in, of its configuration and its layers' blobs.
    pub fn put_parts(&self, name: &str, tag: &str, config: &[u8], layers: &[Vec<u8>]) -> Vec<u8> {
        let describe = |media: &str, bytes: &[u8]| json!({"mediaType": media, "size": bytes.len(), "digest": digest(bytes)});
        let described: Vec<Value> = layers.iter().map(|l| describe(LAYER, l)).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": describe(CONFIG, config),
            "layers": described,
        });
        self.put_blob(config);
        for layer in layers {
            self.put_blob(layer);
        }
        let bytes = manifest.to_string().into_bytes();
        self.put_manifest(name, tag, MANIFEST, &bytes);
        bytes
    }

    /// Puts a blob in.
    pub fn put_blob(&self, bytes: &[u8]) {
        let all = Arc::new(bytes.to_vec());
        lock(&self.content).blobs.insert(digest(bytes), all);
    }

    /// Puts a manifest in, under a tag and its digest.
    pub fn put_manifest(&self, name: &str, tag: &str, media: &str, bytes: &[u8]) {
        let entry = (media.to_owned(), bytes.to_vec());
        let mut content = lock(&self.content);
        let by_digest = format!("{name}:{}", digest(bytes));
        content.manifests.insert(by_digest, entry.clone());
        content.manifests.insert(format!("{name}:{tag}"), entry);
    }

    /// What a tag or digest leads to.
    #[must_use]
    pub fn manifest(&self, name: &str, tag: &str) -> Option<Value> {
        let content = lock(&self.content);
        let (_, bytes) = content.manifests.get(&format!("{name}:{tag}"))?;
        serde_json::from_slice(bytes).ok()
    }

    /// A blob.
    #[must_use]
    pub fn blob(&self, digest: &str) -> Option<Arc<Vec<u8>>> {
        lock(&self.content).blobs.get(digest).cloned()
    }

    /// All that was asked since the last time.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut lock(&self.content).asked)
    }

    /// How many bytes of blobs were sent since the last time.
    #[must_use]
    pub fn sent(&self) -> u64 {
        std::mem::take(&mut lock(&self.content).sent)
    }

    /// Asks for `name:password` from now on.
    pub fn require(&self, user: &str) {
        lock(&self.content).user = Some(user.to_owned());
    }

    /// Lets things go wrong from now on.
    pub fn trouble(&self, trouble: impl Fn(&Asked) -> Option<Fault> + Send + Sync + 'static) {
        lock(&self.content).trouble = Some(Arc::new(trouble));
    }

    /// Nothing goes wrong any more.
    pub fn peace(&self) {
        lock(&self.content).trouble = None;
    }
}

fn serve(stream: &TcpStream, content: &Mutex<Content>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    // Whoever greets with TLS is hung up on.
    if reader.fill_buf()?.first() == Some(&0x16) {
        return Ok(());
    }
    while let Some(asked) = read(&mut reader)? {
        let (trouble, allowed) = {
            let mut content = lock(content);
            content.asked.push(asked.clone());
            let allowed = match &content.user {
                None => true,
                Some(user) => {
                    let given = asked.headers.get("authorization");
                    given.is_some_and(|g| *g == format!("Basic {}", STANDARD.encode(user)))
                }
            };
            (content.trouble.clone(), allowed)
        };
        let fault = trouble.and_then(|trouble| trouble(&asked));
        if let Some(Fault::Raw(bytes)) = fault {
            (&mut &*stream).write_all(&bytes)?;
            return Ok(());
        }
        let answer = if allowed {
            answer(&asked, content)
        } else {
            Answer::new("401 Unauthorized").header("WWW-Authenticate", "Basic realm=\"test\"")
        };
        let cut = match fault {
            Some(Fault::Cut(bytes)) => Some(bytes),
            _ => None,
        };
        let body: &[u8] = if asked.method == "HEAD" {
            b""
        } else {
            &answer.body
        };
        let mut head = format!("HTTP/1.1 {}\r\n", answer.status);
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", answer.body.len()));
        (&mut &*stream).write_all(head.as_bytes())?;
        let most = cut.unwrap_or(usize::MAX).min(body.len());
        (&mut &*stream).write_all(&body[..most])?;
        if asked.path.contains("/blobs/") {
            lock(content).sent += most as u64;
        }
        if cut.is_some() {
            return Ok(());
        }
    }
    Ok(())
}

fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words: VecDeque<&str> = line.split_whitespace().collect();
    let (method, path) = (words.pop_front(), words.pop_front());
    let mut asked = Asked {
        method: method.unwrap_or_default().to_owned(),
        path: path.unwrap_or_default().to_owned(),
        headers: HashMap::new(),
        body: Vec::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        let name = name.to_ascii_lowercase();
        asked.headers.insert(name, value.to_owned());
    }
    let number = |text: &String| text.parse::<usize>().ok();
    if let Some(length) = asked.headers.get("content-length").and_then(number) {
        asked.body = vec![0; length];
        reader.read_exact(&mut asked.body)?;
    } else if asked.headers.contains_key("transfer-encoding") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            if size == 0 {
                break;
            }
            asked.body.extend(&chunk[..size]);
        }
    }
    Ok(Some(asked))
}

struct Answer {
    status: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: &str) -> Self {
        Self {
            status: status.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }
}

fn unknown(code: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": "it is not here"}]});
    Answer::new("404 Not Found").body(body.to_string().as_bytes())
}

fn answer(asked: &Asked, content: &Mutex<Content>) -> Answer {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let Some(rest) = path.strip_prefix("/v2/") else {
        return unknown("UNSUPPORTED");
    };
    if rest.is_empty() {
        return Answer::new("200 OK").body(b"{}");
    }
    if let Some((name, upload)) = rest.split_once("/blobs/uploads/") {
        return upload_blob(asked, content, (name, upload, query));
    }
    if let Some((_, digest)) = rest.split_once("/blobs/") {
        return blob(asked, content, digest);
    }
    if let Some((name, tag)) = rest.split_once("/manifests/") {
        return manifest(asked, content, (name, tag));
    }
    if let Some(name) = rest.strip_suffix("/tags/list") {
        let content = lock(content);
        let prefix = format!("{name}:");
        let names = content.manifests.keys();
        let mut tags: Vec<&str> = names
            .filter_map(|key| key.strip_prefix(&prefix))
            .filter(|tag| !tag.contains(':'))
            .collect();
        tags.sort_unstable();
        let body = json!({"name": name, "tags": tags}).to_string();
        return Answer::new("200 OK").body(body.as_bytes());
    }
    unknown("UNSUPPORTED")
}

fn blob(asked: &Asked, content: &Mutex<Content>, digest: &str) -> Answer {
    let Some(bytes) = lock(content).blobs.get(digest).cloned() else {
        return unknown("BLOB_UNKNOWN");
    };
    let range = asked.headers.get("range").and_then(|range| {
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?))
    });
    match range {
        None => Answer::new("200 OK").body(&bytes),
        Some((from, to)) if from <= to && to < bytes.len() => {
            let range = format!("bytes {from}-{to}/{}", bytes.len());
            Answer::new("206 Partial Content")
                .header("Content-Range", range)
                .body(&bytes[from..=to])
        }
        Some(_) => Answer::new("416 Range Not Satisfiable"),
    }
}

fn manifest(asked: &Asked, content: &Mutex<Content>, (name, tag): (&str, &str)) -> Answer {
    let mut content = lock(content);
    let key = format!("{name}:{tag}");
    if asked.method == "PUT" {
        let media = asked.headers.get("content-type").cloned();
        let entry = (media.unwrap_or_default(), asked.body.clone());
        let own = digest(&asked.body);
        content
            .manifests
            .insert(format!("{name}:{own}"), entry.clone());
        content.manifests.insert(key, entry);
        return Answer::new("201 Created")
            .header("Docker-Content-Digest", own)
            .header("Location", asked.path.clone());
    }
    match content.manifests.get(&key) {
        None => unknown("MANIFEST_UNKNOWN"),
        Some((media, bytes)) => Answer::new("200 OK")
            .header("Content-Type", media.clone())
            .header("Docker-Content-Digest", digest(bytes))
            .body(bytes),
    }
}

fn upload_blob(
    asked: &Asked,
    content: &Mutex<Content>,
    (name, upload, query): (&str, &str, &str),
) -> Answer {
    let parameter = |wanted: &str| {
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == wanted).then(|| value.replace("%3A", ":").replace("%2F", "/"))
        })
    };
    let mut content = lock(content);
    let place = |upload: &str| format!("/v2/{name}/blobs/uploads/{upload}");
    if asked.method == "POST" {
        let mount = parameter("mount").filter(|digest| content.blobs.contains_key(digest));
        if mount.is_some() && parameter("from").is_some() {
            return Answer::new("201 Created");
        }
        let upload = format!("u{}", content.asked.len());
        content.uploads.insert(upload.clone(), Vec::new());
        return Answer::new("202 Accepted")
            .header("Location", place(&upload))
            .header("Range", "0-0");
    }
    let Some(mut bytes) = content.uploads.remove(upload) else {
        return unknown("BLOB_UPLOAD_UNKNOWN");
    };
    bytes.extend(&asked.body);
    if asked.method == "PUT" {
        let own = digest(&bytes);
        if parameter("digest").as_deref() != Some(own.as_str()) {
            return Answer::new("400 Bad Request");
        }
        content.blobs.insert(own, Arc::new(bytes));
        return Answer::new("201 Created");
    }
    let reached = bytes.len().saturating_sub(1);
    content.uploads.insert(upload.to_owned(), bytes);
    let status = if asked.method == "GET" {
        "204 No Content"
    } else {
        "202 Accepted"
    };
    Answer::new(status)
        .header("Location", place(upload))
        .header("Range", format!("0-{reached}"))
}
