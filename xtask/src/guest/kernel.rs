//! The kernel that a guest boots, and its modules in the order of loading.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::tree::{Tree, place};
use crate::{packages, shell};

/// What a guest needs that Debian's kernel has as modules: its disk, what the engine mounts and connects, and what the leak checker asks.
const MODULES: &[&str] = &[
    "virtio_pci",
    "virtio_blk",
    "virtio_rng",
    "overlay",
    "erofs",
    "loop",
    "nf_tables",
    "bridge",
    "veth",
    "nf_nat",
    "nft_chain_nat",
    "nft_nat",
    "nft_masq",
    "nft_redir",
    "nft_ct",
    "nft_fib_inet",
    "nft_reject_inet",
    "nft_meta_bridge",
    "nft_reject_bridge",
    "nft_dup_netdev",
    "nft_fwd_netdev",
    "nft_fib_netdev",
    "nf_conntrack_bridge",
    "nft_limit",
    "nft_numgen",
    "nft_log",
    "nft_hash",
    "nft_connlimit",
    "nft_objref",
    "nf_conntrack_netlink",
    "sch_ingress",
    "cls_bpf",
];

/// A kernel image with the modules that the guest loads.
#[derive(Debug)]
pub(crate) struct Kernel {
    name: String,
    image: PathBuf,
    modules: Vec<PathBuf>,
}

impl Kernel {
    /// Debian's kernel for virtual machines, fetched once.
    pub(crate) fn debian() -> Result<Self> {
        let dir = packages::fixtures().join("kernel");
        let image = dir.join("vmlinuz");
        if !image.exists() {
            fetch(&dir, &image)?;
        }
        Self::given(&image, &dir.join("modules"))
    }

    /// Another kernel: its image and the folder of its modules (`/lib/modules/VERSION` or any other).
    pub(crate) fn given(image: &Path, modules: &Path) -> Result<Self> {
        ensure!(image.is_file(), "{} is not a kernel", image.display());
        let mut found = BTreeMap::new();
        walk(modules, &mut found)?;
        let builtin = fs::read_to_string(modules.join("modules.builtin")).unwrap_or_default();
        let mut order = Vec::new();
        for name in MODULES {
            load(name, &found, &builtin, &mut order)?;
        }
        Ok(Self {
            name: image.display().to_string(),
            image: image.to_owned(),
            modules: order,
        })
    }

    /// For messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The bootable file.
    pub(crate) fn image(&self) -> &Path {
        &self.image
    }

    /// The modules, each after those that it needs, uncompressed.
    pub(crate) fn modules(&self) -> Result<Vec<Vec<u8>>> {
        self.modules.iter().map(|path| read(path)).collect()
    }
}

fn fetch(dir: &Path, image: &Path) -> Result<()> {
    let meta = "linux-image-cloud-amd64";
    let plan = packages::plan(&[meta])?;
    let is_image = |name: &str| name.starts_with("linux-image-") && name != meta;
    let name = plan.iter().find(|(name, _)| is_image(name));
    let (name, version) = name.with_context(|| format!("{meta} depends on no kernel"))?;
    shell::say(&format!("the guest's kernel is {name} {version}"));
    let mut tree = Tree::default();
    for package in packages::fetch_only(&[name])? {
        tree.add_package(&package)?;
    }
    let boot = format!("boot/{}", name.replace("linux-image", "vmlinuz"));
    let bytes = tree.bytes(&boot)?.to_vec();
    tree.retain(|path| path.ends_with(".builtin") || path.contains(".ko"));
    for path in tree.paths() {
        let file = path.rsplit('/').next().unwrap_or(path);
        let bytes = tree.bytes(path)?;
        place(&dir.join("modules").join(file), |out| {
            Ok(out.write_all(bytes)?)
        })?;
    }
    // Last: its presence says that all is there.
    place(image, |out| Ok(out.write_all(&bytes)?))
}

/// Every module below `dir` by its name.
fn walk(dir: &Path, found: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let entry = entry?;
        let path = entry.path();
        let file = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            walk(&path, found)?;
        } else if let Some((name, _)) = file.split_once(".ko") {
            found.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

/// Adds `name` to `order` behind what it depends on.
fn load(
    name: &str,
    found: &BTreeMap<String, PathBuf>,
    builtin: &str,
    order: &mut Vec<PathBuf>,
) -> Result<()> {
    let Some(path) = found.get(&name.replace('-', "_")) else {
        let file = format!("/{name}.ko");
        let is_builtin = builtin
            .lines()
            .any(|line| line.replace('-', "_").ends_with(&file));
        ensure!(is_builtin, "the kernel has no module {name}");
        return Ok(());
    };
    if order.contains(path) {
        return Ok(());
    }
    for needed in dependencies(&read(path)?) {
        load(&needed, found, builtin, order)?;
    }
    order.push(path.clone());
    Ok(())
}

/// The `depends=` of a module's `.modinfo`.
fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(start) = module.windows(KEY.len()).position(|w| w == KEY) else {
        return Vec::new();
    };
    let value = module[start + KEY.len()..].split(|byte| *byte == 0).next();
    String::from_utf8_lossy(value.unwrap_or_default())
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A module's bytes: newer Debian compresses them.
fn read(path: &Path) -> Result<Vec<u8>> {
    if path.extension().is_some_and(|e| e == "xz") {
        let path = path.to_str().context("path is not UTF-8")?;
        return shell::bytes("xz", &["-dc", path]);
    }
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_modules_dependencies_are_read() {
        let module = b"ELF\0license=GPL\0depends=libcrc32c,virtio-ring\0retpoline=Y\0";
        assert_eq!(super::dependencies(module), ["libcrc32c", "virtio-ring"]);
        assert!(super::dependencies(b"\0depends=\0").is_empty());
    }
}
