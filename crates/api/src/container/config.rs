//! What runs in a container.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::host::HostConfig;
use crate::network::EndpointSettings;
use crate::object::{Empty, Labels, Object};

/// A program's words: a JSON list, or one string which is one word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl From<Vec<String>> for Words {
    fn from(words: Vec<String>) -> Self {
        Self(words)
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E>(self, word: &str) -> Result<Words, E> {
                Ok(Words(vec![word.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = list.next_element()? {
                    words.push(word);
                }
                Ok(Words(words))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

object! {
    /// How to tell whether a container is well. Durations in nanoseconds.
    pub struct Healthcheck {
        /// Empty for the image's, `NONE`, or `CMD` and arguments, or `CMD-SHELL` and a command.
        pub test: Vec<String> = "Test" omit,
        /// Between two checks.
        pub interval: i64 = "Interval" omit,
        /// For one check.
        pub timeout: i64 = "Timeout" omit,
        /// While failures do not count.
        pub start_period: i64 = "StartPeriod" omit,
        /// Between two checks in the start period.
        pub start_interval: i64 = "StartInterval" omit,
        /// How many failures in a row make it unwell.
        pub retries: i64 = "Retries" omit,
    }
}

object! {
    /// What runs in a container.
    pub struct ContainerConfig {
        /// The name that it has for itself.
        pub hostname: String = "Hostname",
        /// The domain that it has for itself.
        pub domainname: String = "Domainname",
        /// `user[:group]`.
        pub user: String = "User",
        /// The creator will attach to standard input.
        pub attach_stdin: bool = "AttachStdin",
        /// The creator will attach to standard output.
        pub attach_stdout: bool = "AttachStdout",
        /// The creator will attach to standard error.
        pub attach_stderr: bool = "AttachStderr",
        /// Ports that it serves: `80/tcp`.
        pub exposed_ports: BTreeMap<String, Empty> = "ExposedPorts" omit,
        /// With a terminal.
        pub tty: bool = "Tty",
        /// Standard input stays open when nobody is attached.
        pub open_stdin: bool = "OpenStdin",
        /// Standard input ends with the first that was attached.
        pub stdin_once: bool = "StdinOnce",
        /// `NAME=value`, or `NAME` to take one of the image's away.
        pub env: Option<Vec<String>> = "Env",
        /// The arguments; the image's if none.
        pub cmd: Option<Words> = "Cmd",
        /// How to tell whether it is well.
        pub healthcheck: Option<Healthcheck> = "Healthcheck" omit,
        /// Windows.
        pub args_escaped: bool = "ArgsEscaped" omit,
        /// The image.
        pub image: String = "Image",
        /// Directories that become volumes without a name.
        pub volumes: Option<BTreeMap<String, Empty>> = "Volumes",
        /// Where the program starts.
        pub working_dir: String = "WorkingDir",
        /// The program; the image's if none.
        pub entrypoint: Option<Words> = "Entrypoint",
        /// No network at all.
        pub network_disabled: bool = "NetworkDisabled" omit,
        /// The address of its link: the network's since 1.44.
        pub mac_address: String = "MacAddress" omit,
        /// Instructions of builds upon it.
        pub on_build: Option<Vec<String>> = "OnBuild",
        /// Data for people and tools.
        pub labels: Labels = "Labels",
        /// The signal that stops it.
        pub stop_signal: String = "StopSignal" omit,
        /// Seconds until a stop becomes a kill.
        pub stop_timeout: Option<i64> = "StopTimeout" omit,
        /// The shell of instructions in shell form.
        pub shell: Option<Vec<String>> = "Shell" omit,
    }
}

object! {
    /// The networks to attach to.
    pub struct NetworkingConfig {
        /// By name.
        pub endpoints_config: BTreeMap<String, Option<EndpointSettings>> = "EndpointsConfig",
    }
}

/// A container to make. On the wire the fields of `config` stand beside the two others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CreateRequest {
    /// What runs in it.
    pub config: ContainerConfig,
    /// What the host does for it.
    pub host_config: HostConfig,
    /// Its networks.
    pub networking_config: NetworkingConfig,
}

impl Object for CreateRequest {
    fn read<'de, A: serde::de::MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        if key.eq_ignore_ascii_case("HostConfig") {
            self.host_config = map.next_value::<Option<_>>()?.unwrap_or_default();
        } else if key.eq_ignore_ascii_case("NetworkingConfig") {
            self.networking_config = map.next_value::<Option<_>>()?.unwrap_or_default();
        } else {
            return self.config.read(key, map);
        }
        Ok(true)
    }

    fn write<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.config.write(map)?;
        map.serialize_entry("HostConfig", &self.host_config)?;
        map.serialize_entry("NetworkingConfig", &self.networking_config)
    }
}

object!(@serde CreateRequest);

object! {
    /// A container that was made.
    pub struct CreateResponse {
        /// Its id.
        pub id: String = "Id",
        /// What is not as was asked.
        pub warnings: Vec<String> = "Warnings",
    }
}
