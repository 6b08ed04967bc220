//! `--network`.

/// A network to join, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NetworkSpec {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) ip: String,
    pub(crate) ip6: String,
    pub(crate) link_local: Vec<String>,
    pub(crate) mac: String,
    pub(crate) driver_options: Vec<(String, String)>,
    pub(crate) gateway_priority: i64,
    /// Whether it was said with `name=`: then it says it all.
    pub(crate) is_long: bool,
}

/// `NAME`, or `name=NAME,alias=A,ip=ADDRESS,ip6=ADDRESS,link-local-ip=ADDRESS,mac-address=MAC,driver-opt=KEY=VALUE,gw-priority=N`.
pub(crate) fn network(text: &str) -> Result<NetworkSpec, String> {
    if !text.contains('=') || text.starts_with("container:") {
        return Ok(NetworkSpec {
            name: text.to_owned(),
            ..NetworkSpec::default()
        });
    }
    let mut spec = NetworkSpec {
        is_long: true,
        ..NetworkSpec::default()
    };
    for field in text.split(',') {
        let (key, value) = field
            .split_once('=')
            .ok_or_else(|| format!("invalid field {field}; expected KEY=VALUE"))?;
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "name" => value.clone_into(&mut spec.name),
            "alias" => spec.aliases.push(value.to_owned()),
            "ip" => value.clone_into(&mut spec.ip),
            "ip6" => value.clone_into(&mut spec.ip6),
            "link-local-ip" => spec.link_local.push(value.to_owned()),
            "mac-address" => value.clone_into(&mut spec.mac),
            "driver-opt" => {
                let (key, value) = value
                    .split_once('=')
                    .ok_or_else(|| format!("invalid key value pair: {value}"))?;
                spec.driver_options.push((key.to_owned(), value.to_owned()));
            }
            "gw-priority" => {
                spec.gateway_priority = value
                    .parse()
                    .map_err(|_| format!("invalid gw-priority: {value}; a number"))?;
            }
            other => return Err(format!("invalid field key {other}")),
        }
    }
    if spec.name.is_empty() {
        return Err("network name/id is not specified".to_owned());
    }
    Ok(spec)
}
