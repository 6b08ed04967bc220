//! Flags → what is asked of the engine. Pure but for the files that flags name.

use super::process::Stream;
use super::{Options, endpoints, isolation, network, process, resources, storage};
use crate::error::{Error, Kind, Result};
use crate::flag::{self, Bind, MountKind, MountSpec};
use crate::settings;
use api::container::{
    BindOptions, BlkioLimit, BlkioWeight, ContainerConfig, CreateRequest, Device, DeviceRequest,
    Healthcheck, HostConfig, LogConfig, Mount, PortBinding, PortBindings, RestartPolicy,
    TmpfsOptions, Ulimit, VolumeDriver, VolumeOptions, Words,
};
use api::{Empty, Labels};
use std::collections::BTreeMap;

/// Builds the request of `create`, attached as the flags say.
pub(crate) fn build(options: &Options) -> Result<CreateRequest> {
    conflicts(options)?;
    let mut request = CreateRequest::default();
    program(options, &mut request.config)?;
    lifetime(&options.process, &mut request);
    files(&options.storage, &mut request)?;
    reachability(&options.network, &mut request)?;
    limits(&options.resources, &mut request.host_config);
    privileges(&options.isolation, &mut request.host_config)?;
    if let Some(path) = &options.cidfile {
        request.host_config.container_id_file = path.display().to_string();
    }
    Ok(request)
}

fn conflicts(options: &Options) -> Result<()> {
    let process = &options.process;
    let restarts = process
        .restart
        .as_ref()
        .is_some_and(|r| !matches!(r.name.as_str(), "" | "no"));
    if process.rm && restarts {
        return Err(Error::usage(
            "conflicting options: cannot specify both --restart and --rm",
        ));
    }
    let checks = process.health_cmd.is_some()
        || process.health_interval.is_some()
        || process.health_timeout.is_some()
        || process.health_retries.is_some()
        || process.health_start_period.is_some()
        || process.health_start_interval.is_some();
    if process.no_healthcheck && checks {
        return Err(Error::usage(
            "--no-healthcheck conflicts with --health-* options",
        ));
    }
    if options.resources.cpus.is_some()
        && (options.resources.cpu_quota.is_some() || options.resources.cpu_period.is_some())
    {
        return Err(Error::usage(
            "conflicting options: --cpus and --cpu-period or --cpu-quota",
        ));
    }
    Ok(())
}

fn program(options: &Options, config: &mut ContainerConfig) -> Result<()> {
    let process = &options.process;
    options.image().clone_into(&mut config.image);
    if let [_, command @ ..] = options.image_and_command.as_slice()
        && !command.is_empty()
    {
        config.cmd = Some(Words(command.to_vec()));
    }
    // An empty entry point takes the image's away.
    config.entrypoint = process.entrypoint.clone().map(|word| Words(vec![word]));
    config.env = Some(environment(&process.env_file, &process.env)?);
    config.user = process.user.clone().unwrap_or_default();
    config.working_dir = process.workdir.clone().unwrap_or_default();
    config.labels = labels(process)?;
    config.tty = process.tty;
    config.open_stdin = process.interactive;
    let wants = |stream| process.attach.contains(&stream);
    let all = process.attach.is_empty();
    config.attach_stdin = if all {
        process.interactive
    } else {
        wants(Stream::Stdin)
    };
    config.attach_stdout = all || wants(Stream::Stdout);
    config.attach_stderr = all || wants(Stream::Stderr);
    config.stdin_once = config.open_stdin && config.attach_stdin;
    config.stop_signal = process.stop_signal.clone().unwrap_or_default();
    config.stop_timeout = process.stop_timeout;
    config.healthcheck = healthcheck(process);
    Ok(())
}

/// The variables of files, then those of flags; a lone name takes the caller's value, or is left out.
pub(crate) fn environment(files: &[String], flags: &[String]) -> Result<Vec<String>> {
    let mut variables = Vec::new();
    for path in files {
        let text = read(path)?;
        variables.extend(flag::env_file(path, &text, settings::environment).map_err(Error::usage)?);
    }
    for text in flags {
        match text.split_once('=') {
            Some(("", _)) => {
                return Err(Error::usage(format!(
                    "invalid environment variable: {text}"
                )));
            }
            Some(_) => variables.push(text.clone()),
            None if text.is_empty() => {
                return Err(Error::usage("invalid environment variable: it is empty"));
            }
            None => {
                variables.extend(settings::environment(text).map(|value| format!("{text}={value}")))
            }
        }
    }
    Ok(variables)
}

fn labels(process: &process::Options) -> Result<Labels> {
    let mut labels = Labels::new();
    for path in &process.label_file {
        labels.extend(flag::label_file(path, &read(path)?).map_err(Error::usage)?);
    }
    labels.extend(process.label.iter().cloned());
    Ok(labels)
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).map_err(|why| Error::file(path, why))
}

fn healthcheck(process: &process::Options) -> Option<Healthcheck> {
    if process.no_healthcheck {
        return Some(Healthcheck {
            test: vec!["NONE".into()],
            ..Healthcheck::default()
        });
    }
    let check = Healthcheck {
        test: process
            .health_cmd
            .iter()
            .flat_map(|cmd| ["CMD-SHELL".to_owned(), cmd.clone()])
            .collect(),
        interval: process.health_interval.unwrap_or_default(),
        timeout: process.health_timeout.unwrap_or_default(),
        start_period: process.health_start_period.unwrap_or_default(),
        start_interval: process.health_start_interval.unwrap_or_default(),
        retries: process.health_retries.unwrap_or_default(),
    };
    (check != Healthcheck::default()).then_some(check)
}

fn lifetime(process: &process::Options, request: &mut CreateRequest) {
    let host = &mut request.host_config;
    host.auto_remove = process.rm;
    if let Some(restart) = &process.restart {
        host.restart_policy = RestartPolicy {
            name: restart.name.clone(),
            maximum_retry_count: restart.retries,
        };
    }
    host.log_config = LogConfig {
        kind: process.log_driver.clone().unwrap_or_default(),
        config: process.log_opt.iter().cloned().collect(),
    };
    host.init = process.init.then_some(true);
    host.annotations = process.annotation.iter().cloned().collect();
    host.group_add = list(&process.group_add);
}

fn files(storage: &storage::Options, request: &mut CreateRequest) -> Result<()> {
    let mut anonymous = BTreeMap::new();
    let mut binds = Vec::new();
    for bind in &storage.volume {
        match bind {
            Bind::Anonymous(target) => drop(anonymous.insert(target.clone(), Empty)),
            Bind::Named {
                source,
                target,
                options,
            } => {
                let colon = if options.is_empty() { "" } else { ":" };
                binds.push(format!("{}:{target}{colon}{options}", host_path(source)?));
            }
        }
    }
    request.config.volumes = (!anonymous.is_empty()).then_some(anonymous);
    let host = &mut request.host_config;
    host.binds = list(&binds);
    let mounts = storage
        .mount
        .iter()
        .map(mount)
        .collect::<Result<Vec<_>>>()?;
    host.mounts = list(&mounts);
    host.tmpfs = storage.tmpfs.iter().cloned().collect();
    host.volumes_from = list(&storage.volumes_from);
    host.volume_driver = storage.volume_driver.clone().unwrap_or_default();
    host.readonly_rootfs = storage.read_only;
    host.shm_size = storage.shm_size.unwrap_or_default();
    host.storage_opt = storage.storage_opt.iter().cloned().collect();
    Ok(())
}

/// A path that begins with a dot or tilde's place is relative to this process; a name is a volume.
fn host_path(source: &str) -> Result<String> {
    if source != "." && source != ".." && !source.starts_with("./") && !source.starts_with("../") {
        return Ok(source.to_owned());
    }
    let mut path = settings::current_dir()?;
    for part in source.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(path.pop()),
            name => path.push(name),
        }
    }
    Ok(path.display().to_string())
}

fn mount(spec: &MountSpec) -> Result<Mount> {
    let mut mount = Mount {
        source: spec.source.clone(),
        target: spec.target.clone(),
        read_only: spec.read_only,
        ..Mount::default()
    };
    match spec.kind {
        MountKind::Bind => {
            mount.kind = "bind".into();
            mount.source = host_path(&spec.source)?;
            let options = BindOptions {
                propagation: spec.propagation.clone().unwrap_or_default(),
                non_recursive: spec.non_recursive,
                create_mountpoint: spec.create_source,
                read_only_non_recursive: spec.writable_inside,
                read_only_force_recursive: spec.all_read_only,
            };
            mount.bind_options = (options != BindOptions::default()).then_some(options);
        }
        MountKind::Volume => {
            mount.kind = "volume".into();
            let driver = VolumeDriver {
                name: spec.driver.clone().unwrap_or_default(),
                options: spec.driver_options.iter().cloned().collect(),
            };
            let options = VolumeOptions {
                no_copy: spec.no_copy,
                labels: spec.labels.iter().cloned().collect(),
                subpath: spec.subpath.clone().unwrap_or_default(),
                driver_config: (driver != VolumeDriver::default()).then_some(driver),
            };
            mount.volume_options = (options != VolumeOptions::default()).then_some(options);
        }
        MountKind::Tmpfs => {
            mount.kind = "tmpfs".into();
            let options = TmpfsOptions {
                size_bytes: spec.size.unwrap_or_default(),
                mode: spec.mode.unwrap_or_default(),
                ..TmpfsOptions::default()
            };
            mount.tmpfs_options = (options != TmpfsOptions::default()).then_some(options);
        }
    }
    Ok(mount)
}

fn reachability(network: &network::Options, request: &mut CreateRequest) -> Result<()> {
    let config = &mut request.config;
    config.hostname = network.hostname.clone().unwrap_or_default();
    config.domainname = network.domainname.clone().unwrap_or_default();
    config.mac_address = network.mac_address.clone().unwrap_or_default();
    let host = &mut request.host_config;
    let mut bindings = PortBindings::new();
    for published in &network.publish {
        for port in &published.0 {
            config.exposed_ports.insert(port.port.clone(), Empty);
            let binding = PortBinding {
                host_ip: port.host_ip.clone(),
                host_port: port.host_port.clone(),
            };
            bindings
                .entry(port.port.clone())
                .or_default()
                .get_or_insert_default()
                .push(binding);
        }
    }
    for exposed in &network.expose {
        config
            .exposed_ports
            .extend(exposed.0.iter().map(|port| (port.clone(), Empty)));
    }
    host.port_bindings = (!bindings.is_empty()).then_some(bindings);
    host.publish_all_ports = network.publish_all;
    host.links = list(&network.link);
    host.extra_hosts = list(&network.add_host);
    host.dns = list(&network.dns);
    host.dns_options = list(&network.dns_option);
    host.dns_search = list(&network.dns_search);
    endpoints::networks(network, request)
}

fn limits(resources: &resources::Options, host: &mut HostConfig) {
    host.memory = resources.memory.unwrap_or_default();
    host.memory_reservation = resources.memory_reservation.unwrap_or_default();
    host.memory_swap = resources.memory_swap.unwrap_or_default();
    host.memory_swappiness = resources.memory_swappiness;
    host.oom_kill_disable = resources.oom_kill_disable.then_some(true);
    host.oom_score_adj = resources.oom_score_adj.unwrap_or_default();
    host.nano_cpus = resources.cpus.unwrap_or_default();
    host.cpu_shares = resources.cpu_shares.unwrap_or_default();
    host.cpu_period = resources.cpu_period.unwrap_or_default();
    host.cpu_quota = resources.cpu_quota.unwrap_or_default();
    host.cpu_realtime_period = resources.cpu_rt_period.unwrap_or_default();
    host.cpu_realtime_runtime = resources.cpu_rt_runtime.unwrap_or_default();
    host.cpuset_cpus = resources.cpuset_cpus.clone().unwrap_or_default();
    host.cpuset_mems = resources.cpuset_mems.clone().unwrap_or_default();
    host.pids_limit = resources.pids_limit;
    host.blkio_weight = resources.blkio_weight.unwrap_or_default();
    let weight = |(path, weight): &(String, u64)| BlkioWeight {
        path: path.clone(),
        weight: u16::try_from(*weight).unwrap_or(u16::MAX),
    };
    let weights: Vec<BlkioWeight> = resources.blkio_weight_device.iter().map(weight).collect();
    host.blkio_weight_device = list(&weights);
    host.blkio_device_read_bps = rates(&resources.device_read_bps);
    host.blkio_device_write_bps = rates(&resources.device_write_bps);
    host.blkio_device_read_iops = rates(&resources.device_read_iops);
    host.blkio_device_write_iops = rates(&resources.device_write_iops);
    let limit = |limit: &flag::Ulimit| Ulimit {
        name: limit.name.clone(),
        hard: limit.hard,
        soft: limit.soft,
    };
    let ulimits: Vec<Ulimit> = resources.ulimit.iter().map(limit).collect();
    host.ulimits = list(&ulimits);
}

fn rates(rates: &[(String, u64)]) -> Option<Vec<BlkioLimit>> {
    let limit = |(path, rate): &(String, u64)| BlkioLimit {
        path: path.clone(),
        rate: *rate,
    };
    let limits: Vec<BlkioLimit> = rates.iter().map(limit).collect();
    list(&limits)
}

fn privileges(isolation: &isolation::Options, host: &mut HostConfig) -> Result<()> {
    host.cap_add = list(&isolation.cap_add);
    host.cap_drop = list(&isolation.cap_drop);
    host.privileged = isolation.privileged;
    host.isolation = isolation.isolation.clone().unwrap_or_default();
    // Docker's command line makes lists of it, and its engine knows no such option.
    let bare = |option: &&String| option.as_str() == "systempaths=unconfined";
    if isolation.security_opt.iter().any(|option| bare(&option)) {
        host.masked_paths = Some(Vec::new());
        host.readonly_paths = Some(Vec::new());
    }
    let options = isolation
        .security_opt
        .iter()
        .filter(|option| !bare(option))
        .map(|o| security_option(o))
        .collect::<Result<Vec<_>>>()?;
    host.security_opt = list(&options);
    host.sysctls = isolation.sysctl.iter().cloned().collect();
    let device = |device: &flag::Device| Device {
        path_on_host: device.host.clone(),
        path_in_container: device.container.clone(),
        cgroup_permissions: device.permissions.clone(),
    };
    let devices: Vec<Device> = isolation.device.iter().map(device).collect();
    host.devices = list(&devices);
    host.device_cgroup_rules = list(&isolation.device_cgroup_rule);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    host.pid_mode = text(&isolation.pid);
    host.ipc_mode = text(&isolation.ipc);
    host.uts_mode = text(&isolation.uts);
    host.userns_mode = text(&isolation.userns);
    host.cgroupns_mode = text(&isolation.cgroupns);
    host.cgroup_parent = text(&isolation.cgroup_parent);
    host.runtime = text(&isolation.runtime);
    if isolation.gpus.is_some() {
        let gpu = DeviceRequest {
            count: -1,
            capabilities: Some(vec![vec!["gpu".into()]]),
            ..DeviceRequest::default()
        };
        host.device_requests = Some(vec![gpu]);
    }
    Ok(())
}

/// A seccomp profile is a file of this side; the engine gets its text.
fn security_option(option: &str) -> Result<String> {
    let (key, value) = option
        .split_once('=')
        .or_else(|| option.split_once(':'))
        .unwrap_or((option, ""));
    if key != "seccomp" || matches!(value, "" | "unconfined" | "builtin") {
        return Ok(option.to_owned());
    }
    let text = std::fs::read_to_string(value)
        .map_err(|why| Error::io("open seccomp profile", value, why).with_kind(Kind::Usage))?;
    let json: Box<serde_json::value::RawValue> = serde_json::from_str(&text)
        .map_err(|why| Error::usage(format!("seccomp profile {value} is not JSON: {why}")))?;
    Ok(format!("seccomp={}", json.get()))
}

/// Docker's JSON has null where nothing was given.
fn list<T: Clone>(items: &[T]) -> Option<Vec<T>> {
    (!items.is_empty()).then(|| items.to_vec())
}
