//! `--volume`, `--mount` and `--tmpfs`.

/// What `--volume` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bind {
    /// A new volume without a name at this path.
    Anonymous(String),
    /// A host path or a named volume, at a path, with options.
    Named {
        source: String,
        target: String,
        options: String,
    },
}

/// `[source:]target[:options]`.
pub(crate) fn bind(text: &str) -> Result<Bind, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [target] => return absolute(target).map(|t| Bind::Anonymous(t.to_owned())),
        [source, target] => (*source, *target, ""),
        [source, target, options] => (*source, *target, *options),
        _ => {
            return Err(format!(
                "invalid volume specification: '{text}'; at most SOURCE:TARGET:OPTIONS"
            ));
        }
    };
    if source.is_empty() {
        return Err(format!(
            "invalid volume specification: '{text}': nothing before the first ':'"
        ));
    }
    Ok(Bind::Named {
        source: source.to_owned(),
        target: absolute(target)?.to_owned(),
        options: options.to_owned(),
    })
}

fn absolute(target: &str) -> Result<&str, String> {
    match target {
        "" => Err("invalid volume specification: no path in the container".into()),
        "/" => Err("invalid volume specification: the path in the container can't be '/'".into()),
        path if path.starts_with('/') => Ok(path),
        path => Err(format!(
            "invalid mount path: '{path}': the path in the container must be absolute"
        )),
    }
}

/// `--tmpfs`: path and options.
pub(crate) fn tmpfs(text: &str) -> Result<(String, String), String> {
    let (path, options) = text.split_once(':').unwrap_or((text, ""));
    Ok((absolute(path)?.to_owned(), options.to_owned()))
}

/// What `--mount` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountSpec {
    pub(crate) kind: MountKind,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) read_only: bool,
    /// For binds: `rprivate`, `rshared`, …
    pub(crate) propagation: Option<String>,
    pub(crate) non_recursive: bool,
    /// What is mounted in it stays writable.
    pub(crate) writable_inside: bool,
    /// What is mounted in it must be read-only too.
    pub(crate) all_read_only: bool,
    pub(crate) create_source: bool,
    /// For volumes.
    pub(crate) no_copy: bool,
    pub(crate) driver: Option<String>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) driver_options: Vec<(String, String)>,
    pub(crate) subpath: Option<String>,
    /// For tmpfs.
    pub(crate) size: Option<i64>,
    pub(crate) mode: Option<u32>,
}

/// The type of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MountKind {
    Bind,
    Volume,
    Tmpfs,
}

/// `type=bind,source=…,target=…[,readonly]…`, comma-separated values with CSV quotes.
pub(crate) fn mount(text: &str) -> Result<MountSpec, String> {
    let mut spec = MountSpec {
        kind: MountKind::Volume,
        source: String::new(),
        target: String::new(),
        read_only: false,
        propagation: None,
        non_recursive: false,
        writable_inside: false,
        all_read_only: false,
        create_source: false,
        no_copy: false,
        driver: None,
        labels: Vec::new(),
        driver_options: Vec::new(),
        subpath: None,
        size: None,
        mode: None,
    };
    for field in csv(text)? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.trim().to_ascii_lowercase(), Some(value.trim())),
            None => (field.trim().to_ascii_lowercase(), None),
        };
        set(&mut spec, &key, value)?;
    }
    if spec.target.is_empty() {
        return Err("target is required: give target=PATH".into());
    }
    if spec.kind == MountKind::Bind && spec.source.is_empty() {
        return Err("source is required for type=bind: give source=PATH".into());
    }
    if spec.kind == MountKind::Tmpfs && !spec.source.is_empty() {
        return Err("type=tmpfs takes no source".into());
    }
    absolute(&spec.target)?;
    Ok(spec)
}

fn set(spec: &mut MountSpec, key: &str, value: Option<&str>) -> Result<(), String> {
    if let Some(switch) = switch(spec, key) {
        *switch = value.map_or(Ok(true), super::boolean)?;
        return Ok(());
    }
    let value = value.ok_or_else(|| format!("invalid field '{key}' must be a key=value pair"))?;
    match key {
        "type" => {
            spec.kind = match value {
                "bind" => MountKind::Bind,
                "volume" => MountKind::Volume,
                "tmpfs" => MountKind::Tmpfs,
                other => {
                    return Err(format!(
                        "mount type '{other}' is not supported; one of bind, volume, tmpfs"
                    ));
                }
            }
        }
        "source" | "src" => value.clone_into(&mut spec.source),
        "target" | "dst" | "destination" => value.clone_into(&mut spec.target),
        "bind-propagation" => spec.propagation = Some(value.to_owned()),
        "bind-recursive" => match value {
            "enabled" => {}
            "disabled" => spec.non_recursive = true,
            "writable" => spec.writable_inside = true,
            "readonly" => spec.all_read_only = true,
            other => {
                return Err(format!(
                    "invalid value for bind-recursive: {other} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
                ));
            }
        },
        "volume-subpath" => spec.subpath = Some(value.to_owned()),
        "volume-driver" => spec.driver = Some(value.to_owned()),
        "volume-label" => spec.labels.push(super::pair(value)?),
        "volume-opt" => spec.driver_options.push(super::pair(value)?),
        "tmpfs-size" => spec.size = Some(super::bytes(value)?),
        "tmpfs-mode" => {
            let mode = u32::from_str_radix(value, 8)
                .ok()
                .filter(|mode| *mode <= 0o7777);
            spec.mode =
                Some(mode.ok_or_else(|| format!("tmpfs-mode={value} is not an octal mode"))?);
        }
        "consistency" => {}
        _ => return Err(format!("unexpected key '{key}' in '{key}={value}'")),
    }
    Ok(())
}

/// The field that the key turns on or off, if it is such a key.
fn switch<'a>(spec: &'a mut MountSpec, key: &str) -> Option<&'a mut bool> {
    match key {
        "readonly" | "ro" => Some(&mut spec.read_only),
        "volume-nocopy" => Some(&mut spec.no_copy),
        "bind-nonrecursive" => Some(&mut spec.non_recursive),
        "bind-create-src" | "create-host-path" => Some(&mut spec.create_source),
        _ => None,
    }
}

/// One record of comma-separated values (RFC 4180 quotes).
fn csv(text: &str) -> Result<Vec<String>, String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let field = fields
            .last_mut()
            .expect("starts with one field and only grows");
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    if quoted {
        Err(format!("unbalanced quotes in '{text}'"))
    } else {
        Ok(fields)
    }
}
