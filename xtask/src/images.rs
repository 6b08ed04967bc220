//! The images that tests, demo and benches use, made from Debian's packages in `target/fixtures`:
//! `busybox-root.tar`, `busybox.tar` (a docker-archive tagged `busybox:latest`) and `debian-root.tar`.
//!
//! Nothing of a package is run but busybox, to ask for its applets; no right is needed.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::packages::{self, Package};
use crate::shell;
use crate::tree::{Tree, place};

/// Counted up whenever this file makes another tree of the same packages.
const RECIPE: &str = "3";

/// What Debian calls essential, without what only boots a machine, and what a person in a shell expects.
const DEBIAN: &[&str] = &[
    "base-files",
    "base-passwd",
    "bash",
    "bsdutils",
    "coreutils",
    "dash",
    "debianutils",
    "diffutils",
    "dpkg",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "libc-bin",
    "login",
    "mawk",
    "mount",
    "ncurses-base",
    "ncurses-bin",
    "procps",
    "sed",
    "tar",
    "usr-is-merged",
    "util-linux",
];

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Makes all images that are missing or of another recipe.
pub(crate) fn run() -> Result<()> {
    for path in [busybox_root()?, busybox()?, debian_root()?] {
        let size = fs::metadata(&path)?.len();
        shell::say(&format!("{} ({} KiB)", path.display(), size / 1024));
    }
    Ok(())
}

/// The busybox root file system as a tar.
pub(crate) fn busybox_root() -> Result<PathBuf> {
    cached("busybox-root.tar", "busybox-static", |out| {
        busybox_tree()?.write_tar(BufWriter::new(out))
    })
}

/// busybox as `docker save` writes it.
pub(crate) fn busybox() -> Result<PathBuf> {
    let root = busybox_root()?;
    cached("busybox.tar", "busybox-static", |out| {
        docker_archive(&fs::read(&root)?, "busybox:latest", BufWriter::new(out))
    })
}

/// A Debian root file system as a tar, of the release that the host's apt is set up for.
pub(crate) fn debian_root() -> Result<PathBuf> {
    debian("debian-root.tar", DEBIAN)
}

/// The same with what tests call as independent witnesses: the root file system of the guest.
pub(crate) fn guest_root() -> Result<PathBuf> {
    let witnesses = ["attr", "e2fsprogs", "erofs-utils", "nftables"];
    debian("guest-root.tar", &[DEBIAN, &witnesses].concat())
}

fn debian(name: &str, packages: &[&str]) -> Result<PathBuf> {
    cached(name, &packages.join(" "), |out| {
        debian_tree(packages)?.write_tar(BufWriter::new(out))
    })
}

/// Where the image `name` is, once made.
pub(crate) fn fixture(name: &str) -> PathBuf {
    packages::fixtures().join(name)
}

/// The static busybox binary, for whoever needs one outside an image.
pub(crate) fn busybox_binary() -> Result<PathBuf> {
    let path = fixture("busybox");
    if !path.exists() {
        let bytes = packaged_busybox()?;
        place(&path, |file| {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(fs::Permissions::from_mode(0o755))?;
            Ok(file.write_all(&bytes)?)
        })?;
    }
    Ok(path)
}

/// `target/fixtures/NAME`, made by `fill` unless it is there and of this recipe.
fn cached(
    name: &str,
    recipe: &str,
    fill: impl FnOnce(&mut fs::File) -> Result<()>,
) -> Result<PathBuf> {
    let path = fixture(name);
    let note = fixture(&format!("{name}.recipe"));
    let recipe = format!("{RECIPE} {recipe}\n");
    let same = fs::read_to_string(&note).is_ok_and(|found| found == recipe);
    if !(same && path.exists()) {
        shell::say(&format!("making target/fixtures/{name}"));
        place(&path, fill)?;
        place(&note, |file| Ok(file.write_all(recipe.as_bytes())?))?;
    }
    Ok(path)
}

fn packaged_busybox() -> Result<Vec<u8>> {
    let mut tree = Tree::default();
    for package in packages::fetch_only(&["busybox-static"])? {
        tree.add_package(&package)?;
    }
    let path = ["bin/busybox", "usr/bin/busybox"];
    let path = path.iter().find(|p| tree.get(p).is_some());
    Ok(tree
        .bytes(path.context("busybox-static without busybox")?)?
        .to_vec())
}

/// Laid out as Docker's official busybox image is: every applet in /bin, and /usr/bin/env for scripts.
pub(crate) fn busybox_tree() -> Result<Tree> {
    let binary = busybox_binary()?;
    let mut tree = Tree::default();
    for dir in [
        "bin",
        "dev",
        "etc",
        "home",
        "home/user",
        "proc",
        "sys",
        "usr",
        "usr/bin",
        "usr/sbin",
        "sbin",
        "var",
        "var/spool",
        "var/spool/mail",
        "var/www",
    ] {
        tree.dir(dir, 0o755);
    }
    tree.chown("home/user", (1000, 1000));
    tree.dir("root", 0o700);
    tree.dir("tmp", 0o1777);
    tree.file("bin/busybox", 0o755, fs::read(&binary)?);
    let binary = binary.to_str().context("path is not UTF-8")?;
    for applet in shell::output(binary, &["--list"])?.lines() {
        if applet != "busybox" {
            tree.symlink(&format!("bin/{applet}"), "/bin/busybox");
        }
    }
    tree.symlink("usr/bin/env", "../../bin/env");
    tree.file(
        "etc/passwd",
        0o644,
        "root:x:0:0:root:/root:/bin/sh\n\
         daemon:x:1:1:daemon:/usr/sbin:/bin/false\n\
         bin:x:2:2:bin:/bin:/bin/false\n\
         www-data:x:33:33:www-data:/var/www:/bin/false\n\
         user:x:1000:1000:user:/home/user:/bin/sh\n\
         nobody:x:65534:65534:nobody:/home:/bin/false\n",
    );
    tree.file(
        "etc/group",
        0o644,
        "root:x:0:\ndaemon:x:1:\nbin:x:2:\ntty:x:5:\nwheel:x:10:root\naudio:x:29:user\n\
         www-data:x:33:\nusers:x:100:user\nuser:x:1000:\nnogroup:x:65534:\n",
    );
    tree.file("etc/shadow", 0o600, "root:*:::::::\nuser:*:::::::\n");
    Ok(tree)
}

/// Debian's packages unpacked, with what their installation scripts would have made.
fn debian_tree(packages: &[&str]) -> Result<Tree> {
    let mut packages = packages::fetch_with_dependencies(packages, &|_| false)?;
    // Its directories carry the modes that count: /tmp, /var/mail, /var/local.
    packages.sort_by_key(|package| (package.name != "base-files", package.name.clone()));
    let mut tree = Tree::default();
    for dir in ["usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64"] {
        tree.dir(dir, 0o755);
    }
    for dir in ["bin", "sbin", "lib", "lib64"] {
        tree.symlink(dir, &format!("usr/{dir}"));
    }
    tree.dir("var", 0o755);
    tree.dir("var/lib", 0o755);
    tree.dir("var/lib/dpkg", 0o755);
    tree.dir("var/lib/dpkg/info", 0o755);
    let mut status = String::new();
    for package in &packages {
        let paths = tree.add_package(package)?;
        record(package, &paths, &mut tree, &mut status)?;
    }
    tree.file("var/lib/dpkg/status", 0o644, status);
    tree.file("var/lib/dpkg/available", 0o644, "");
    // Says that names in info/ may carry an architecture.
    tree.file("var/lib/dpkg/info/format", 0o644, "1\n");
    tree.retain(wanted);
    configure(&mut tree)?;
    Ok(tree)
}

/// What dpkg would remember of `package`.
fn record(package: &Package, paths: &[String], tree: &mut Tree, status: &mut String) -> Result<()> {
    let control = package.control()?;
    let field = |name: &str| {
        control
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let file = match (field("Multi-Arch"), field("Architecture")) {
        (Some("same"), Some(arch)) => format!("{}:{arch}", package.name),
        _ => package.name.clone(),
    };
    let list: String = paths
        .iter()
        .map(|path| match path.as_str() {
            "" => "/.\n".to_owned(),
            path => format!("/{path}\n"),
        })
        .collect();
    tree.file(&format!("var/lib/dpkg/info/{file}.list"), 0o644, list);
    let (first, rest) = control.split_once('\n').context("no control fields")?;
    status.push_str(&format!("{first}\nStatus: install ok installed\n{rest}"));
    if !status.ends_with('\n') {
        status.push('\n');
    }
    status.push('\n');
    Ok(())
}

/// Documentation stays out, as in Debian's slim images, but for the licences.
fn wanted(path: &str) -> bool {
    let left_out = [
        "usr/share/doc/",
        "usr/share/man/",
        "usr/share/info/",
        "usr/share/locale/",
        "usr/share/lintian/",
        "usr/share/menu/",
    ];
    let licence = path.ends_with("/copyright") || path.matches('/').count() == 3;
    let in_doc = path.starts_with("usr/share/doc/");
    !left_out.iter().any(|dir| path.starts_with(dir)) || (in_doc && licence)
}

/// What the packages' installation scripts make.
fn configure(tree: &mut Tree) -> Result<()> {
    for (path, from, mode) in [
        ("etc/passwd", "usr/share/base-passwd/passwd.master", 0o644),
        ("etc/group", "usr/share/base-passwd/group.master", 0o644),
        ("etc/profile", "usr/share/base-files/profile", 0o644),
        (
            "etc/nsswitch.conf",
            "usr/share/libc-bin/nsswitch.conf",
            0o644,
        ),
        ("root/.bashrc", "usr/share/base-files/dot.bashrc", 0o644),
        ("root/.profile", "usr/share/base-files/dot.profile", 0o644),
    ] {
        let bytes = tree.bytes(from)?.to_vec();
        tree.file(path, mode, bytes);
    }
    let passwd = String::from_utf8(tree.bytes("etc/passwd")?.to_vec())?;
    // The masters have `*` where a system with shadow passwords has `x`; root's shell is bash on Debian.
    let passwd = passwd
        .replace(":*:", ":x:")
        .replace("root:/root:/bin/sh", "root:/root:/bin/bash");
    let shadow: String = passwd
        .lines()
        .filter_map(|line| line.split(':').next())
        .map(|user| format!("{user}:*:20089:0:99999:7:::\n"))
        .collect();
    tree.file("etc/passwd", 0o644, passwd);
    tree.file("etc/shadow", 0o640, shadow);
    tree.chown("etc/shadow", (0, 42));
    let group = String::from_utf8(tree.bytes("etc/group")?.to_vec())?;
    tree.file("etc/group", 0o644, group.replace(":*:", ":x:"));
    for dir in [
        "media",
        "mnt",
        "opt",
        "srv",
        "usr/local",
        "usr/local/bin",
        "usr/local/sbin",
        "var/opt",
    ] {
        tree.dir(dir, 0o755);
    }
    tree.dir("var/mail", 0o2775);
    tree.chown("var/mail", (0, 8));
    tree.symlink("var/run", "/run");
    tree.symlink("var/lock", "/run/lock");
    tree.dir("run/lock", 0o1777);
    tree.dir("etc/alternatives", 0o755);
    for (name, target) in [
        ("awk", "/usr/bin/mawk"),
        ("nawk", "/usr/bin/mawk"),
        ("pager", "/bin/more"),
        ("which", "/usr/bin/which.debianutils"),
    ] {
        tree.symlink(&format!("etc/alternatives/{name}"), target);
        tree.symlink(
            &format!("usr/bin/{name}"),
            &format!("/etc/alternatives/{name}"),
        );
    }
    for kind in ["auth", "account", "password", "session"] {
        let line = format!("{kind} sufficient pam_rootok.so\n{kind} required pam_unix.so\n");
        let line = match kind {
            "auth" => line,
            _ => format!("{kind} required pam_unix.so\n"),
        };
        tree.file(&format!("etc/pam.d/common-{kind}"), 0o644, line);
    }
    Ok(())
}

/// Writes an image of one layer as `docker save` does.
fn docker_archive(layer: &[u8], tag: &str, out: impl Write) -> Result<()> {
    let diff_id = sha256(layer);
    let created = "2025-01-01T00:00:00Z";
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "created": created,
        "config": { "Env": [format!("PATH={PATH}")], "Cmd": ["sh"] },
        "history": [{ "created": created, "created_by": "made from Debian's busybox-static" }],
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{diff_id}")] },
    })
    .to_string();
    let config_name = format!("{}.json", sha256(config.as_bytes()));
    let layer_name = format!("{diff_id}/layer.tar");
    let manifest = json!([{
        "Config": config_name.as_str(),
        "RepoTags": [tag],
        "Layers": [layer_name.as_str()],
    }]);
    let mut tree = Tree::default();
    tree.file(&config_name, 0o644, config);
    tree.dir(&diff_id, 0o755);
    tree.file(&layer_name, 0o644, layer);
    tree.file("manifest.json", 0o644, manifest.to_string());
    tree.write_tar(out)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// This machine's architecture in the words of images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use serde_json::Value;

    use super::*;

    #[test]
    fn documentation_stays_out_and_licences_stay_in() {
        assert!(wanted("usr/share/doc/bash/copyright"));
        assert!(wanted("usr/share/doc/bash"));
        assert!(!wanted("usr/share/doc/bash/changelog.gz"));
        assert!(!wanted("usr/share/man/man1/sh.1.gz"));
        assert!(wanted("usr/bin/bash"));
    }

    #[test]
    fn a_docker_archive_names_its_layer_by_its_digest() {
        let mut bytes = Vec::new();
        docker_archive(b"layer", "x:latest", &mut bytes).unwrap();
        let mut files = std::collections::HashMap::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(name, bytes);
        }
        let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        let config = &files[manifest[0]["Config"].as_str().unwrap()];
        let config: Value = serde_json::from_slice(config).unwrap();
        let diff_id = config["rootfs"]["diff_ids"][0].as_str().unwrap();
        assert_eq!(diff_id, format!("sha256:{}", sha256(b"layer")));
        assert_eq!(files[manifest[0]["Layers"][0].as_str().unwrap()], b"layer");
    }
}
