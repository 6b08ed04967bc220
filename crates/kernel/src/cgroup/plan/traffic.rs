//! What limits devices' traffic: network classes and priorities, remote memory, weights of a group's own tasks.

use super::Planner;
use crate::cgroup::{Controller, Resources, Version, WeightDevice};
use crate::{Error, Result};

impl Planner<'_> {
    pub(super) fn traffic(&mut self, resources: &Resources) -> Result<()> {
        if let Some(class) = resources.net_class {
            self.version(Controller::NetCls, "network class")?;
            self.write(Controller::NetCls, "net_cls.classid", class);
        }
        for one in &resources.net_priorities {
            plain("network priority", &one.interface)?;
            self.version(Controller::NetPrio, "network priority")?;
            let value = format!("{} {}", one.interface, one.priority);
            self.write(Controller::NetPrio, "net_prio.ifpriomap", value);
        }
        for one in &resources.rdma {
            plain("rdma limit", &one.device)?;
            self.version(Controller::Rdma, "rdma limit")?;
            let number =
                |limit: Option<u32>| limit.map_or_else(|| "max".to_owned(), |it| it.to_string());
            let (handles, objects) = (number(one.handles), number(one.objects));
            let value = format!("{} hca_handle={handles} hca_object={objects}", one.device);
            self.write(Controller::Rdma, "rdma.max", value);
        }
        Ok(())
    }

    /// Only CFQ had them, which was removed from Linux 5.0: without it this is an error when it is written.
    pub(super) fn leaf_weights(
        &mut self,
        version: Version,
        all: Option<u16>,
        devices: &[WeightDevice],
    ) -> Result<()> {
        let devices: Vec<_> = devices
            .iter()
            .filter_map(|one| Some((one.major, one.minor, one.leaf_weight?)))
            .collect();
        if version == Version::V2 && (all.is_some() || !devices.is_empty()) {
            let why = "cgroup version 2 has no weights of leaves";
            return Err(Error::unsupported("set", "block device leaf weight", why));
        }
        if let Some(weight) = all {
            self.write(Controller::Io, "blkio.leaf_weight", weight);
        }
        for (major, minor, weight) in devices {
            let value = format!("{major}:{minor} {weight}");
            self.write(Controller::Io, "blkio.leaf_weight_device", value);
        }
        Ok(())
    }
}

/// A name that is one word of a line.
fn plain(what: &'static str, name: &str) -> Result<()> {
    let fine = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'=');
    if fine {
        Ok(())
    } else {
        Err(Error::invalid("set", what, "not a name of a device"))
    }
}
