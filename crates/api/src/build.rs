//! Building images: what this engine's own door is asked, and what it tells meanwhile.
//!
//! What it tells is one JSON object a line, in the shape of BuildKit's `--progress=rawjson`, with two keys more: how it ended.

use std::collections::BTreeMap;

use crate::container::Ulimit;
use crate::time::Time;

object! {
    /// Where files of a context are.
    pub struct ContextSource {
        /// `directory`, `stream`, `image`, or nothing: there are no files.
        pub kind: String = "Kind",
        /// Of a directory: the descriptor that the client holds open on it.
        pub descriptor: i32 = "Descriptor" omit,
        /// What the descriptor leads to, so that another process's is never taken for it.
        pub device: u64 = "Device" omit,
        /// The same.
        pub inode: u64 = "Inode" omit,
        /// Of an image: its name.
        pub reference: String = "Reference" omit,
        /// Of a stream: the directory in it.
        pub prefix: String = "Prefix" omit,
    }
}

object! {
    /// A value that steps may see and that is never kept.
    pub struct Secret {
        /// Its name.
        pub id: String = "ID",
        /// Its bytes, in base64.
        pub data: String = "Data",
    }
}

object! {
    /// An SSH agent.
    pub struct Agent {
        /// Its name: `default`.
        pub id: String = "ID",
        /// The descriptor, opened as a path, that the client holds on its socket.
        pub socket: ContextSource = "Socket",
    }
}

object! {
    /// What is asked of a build.
    pub struct BuildOptions {
        /// A name for it, by which it can be cancelled.
        pub id: String = "ID" omit,
        /// The files that COPY takes.
        pub context: ContextSource = "Context",
        /// Contexts with names of their own.
        pub contexts: BTreeMap<String, ContextSource> = "Contexts",
        /// The Dockerfile's path: in the context, or, with a text, as it is shown.
        pub dockerfile: String = "Dockerfile",
        /// Its text, if it is not to be taken from the context.
        pub text: Option<String> = "Text" omit,
        /// The text of the `.dockerignore` that goes with it.
        pub ignore: Option<String> = "Ignore" omit,
        /// Names of the image.
        pub tags: Vec<String> = "Tags",
        /// The stage; the last if empty.
        pub target: String = "Target" omit,
        /// Values of ARG.
        pub build_args: BTreeMap<String, String> = "BuildArgs",
        /// Labels.
        pub labels: BTreeMap<String, String> = "Labels",
        /// For which platform; the machine's if empty.
        pub platform: String = "Platform" omit,
        /// Nothing from before is used.
        pub no_cache: bool = "NoCache" omit,
        /// Of these stages nothing from before is used.
        pub no_cache_filter: Vec<String> = "NoCacheFilter",
        /// Base images are looked for in their registries first.
        pub pull: bool = "Pull" omit,
        /// Only check the file.
        pub check: bool = "Check" omit,
        /// The failed step's file system becomes an image, so that it can be looked at.
        pub keep_failed: bool = "KeepFailed" omit,
        /// Values that steps may see.
        pub secrets: Vec<Secret> = "Secrets",
        /// Agents that steps may ask.
        pub agents: Vec<Agent> = "Agents",
        /// `network.host`, `security.insecure`.
        pub allow: Vec<String> = "Allow",
        /// The network of RUN.
        pub network: String = "NetworkMode" omit,
        /// Lines of /etc/hosts.
        pub extra_hosts: Vec<String> = "ExtraHosts",
        /// Bytes of /dev/shm.
        pub shm_size: i64 = "ShmSize" omit,
        /// Bytes of memory.
        pub memory: i64 = "Memory" omit,
        /// Bytes of memory and swap; -1 for no limit.
        pub memory_swap: i64 = "MemorySwap" omit,
        /// Weight.
        pub cpu_shares: i64 = "CpuShares" omit,
        /// Microseconds.
        pub cpu_period: i64 = "CpuPeriod" omit,
        /// Microseconds a period.
        pub cpu_quota: i64 = "CpuQuota" omit,
        /// `0-2`.
        pub cpuset_cpus: String = "CpusetCpus" omit,
        /// `0-2`.
        pub cpuset_mems: String = "CpusetMems" omit,
        /// Limits of processes.
        pub ulimits: Vec<Ulimit> = "Ulimits",
        /// Below which cgroup.
        pub cgroup_parent: String = "CgroupParent" omit,
        /// `seccomp=…`.
        pub security_opt: Vec<String> = "SecurityOpt",
    }
}

object! {
    /// A step.
    pub struct Vertex {
        /// Which.
        pub digest: String = "digest",
        /// What it needs.
        pub inputs: Vec<String> = "inputs" omit,
        /// For people.
        pub name: String = "name",
        /// When it began.
        pub started: Option<Time> = "started" omit,
        /// When it ended.
        pub completed: Option<Time> = "completed" omit,
        /// Its result was there.
        pub cached: bool = "cached" omit,
        /// Why it failed.
        pub error: String = "error" omit,
    }
}

object! {
    /// What a step wrote.
    pub struct VertexLog {
        /// Which.
        pub vertex: String = "vertex",
        /// 1, or 2 for errors.
        pub stream: i64 = "stream",
        /// In base64.
        pub data: String = "data",
        /// When.
        pub timestamp: Option<Time> = "timestamp",
    }
}

object! {
    /// Something that is probably not meant.
    pub struct VertexWarning {
        /// Where.
        pub vertex: String = "vertex",
        /// 1.
        pub level: i64 = "level",
        /// A line, in base64.
        pub short: String = "short",
        /// The source underlined, in base64.
        pub detail: Vec<String> = "detail" omit,
        /// The rule.
        pub rule: String = "rule" omit,
    }
}

object! {
    /// How a build ended well.
    pub struct BuildResult {
        /// The image; empty if none was wanted.
        pub id: String = "id",
        /// Its names.
        pub tags: Vec<String> = "tags" omit,
        /// The build in the history.
        pub build: String = "build" omit,
    }
}

object! {
    /// How a build failed.
    pub struct BuildFailure {
        /// What happened.
        pub message: String = "message",
        /// The source underlined, or what to do.
        pub hint: String = "hint" omit,
        /// The code of a command that failed.
        pub code: i64 = "code" omit,
        /// The step.
        pub vertex: String = "vertex" omit,
        /// The image of the failed step's file system, if it was to be kept.
        pub image: String = "image" omit,
    }
}

object! {
    /// One line.
    pub struct BuildStatus {
        /// Steps that are new or went on.
        pub vertexes: Vec<Vertex> = "vertexes" omit,
        /// What steps wrote.
        pub logs: Vec<VertexLog> = "logs" omit,
        /// What is probably not meant.
        pub warnings: Vec<VertexWarning> = "warnings" omit,
        /// The end, a good one.
        pub result: Option<BuildResult> = "result" omit,
        /// The end, a bad one.
        pub failure: Option<BuildFailure> = "failure" omit,
    }
}

object! {
    /// What was removed of the cache.
    pub struct BuildPruned {
        /// The keys of steps.
        pub caches_deleted: Vec<String> = "CachesDeleted",
        /// Bytes.
        pub space_reclaimed: i64 = "SpaceReclaimed",
    }
}
