//! Programs run in a running container.

object! {
    /// A program to run.
    pub struct ExecConfig {
        /// `user[:group]`.
        pub user: String = "User",
        /// Nearly all that root of the host can do.
        pub privileged: bool = "Privileged",
        /// With a terminal.
        pub tty: bool = "Tty",
        /// Rows and columns of its terminal.
        pub console_size: Option<(u16, u16)> = "ConsoleSize" omit,
        /// The caller writes its standard input.
        pub attach_stdin: bool = "AttachStdin",
        /// The caller reads its standard error.
        pub attach_stderr: bool = "AttachStderr",
        /// The caller reads its standard output.
        pub attach_stdout: bool = "AttachStdout",
        /// Not attached at all.
        pub detach: bool = "Detach",
        /// Keys that detach.
        pub detach_keys: String = "DetachKeys",
        /// `NAME=value`.
        pub env: Option<Vec<String>> = "Env",
        /// Where it starts.
        pub working_dir: String = "WorkingDir",
        /// The program and its arguments.
        pub cmd: Option<Vec<String>> = "Cmd",
    }
}

object! {
    /// How to start a program.
    pub struct ExecStart {
        /// Leave it alone: no streams.
        pub detach: bool = "Detach",
        /// With a terminal.
        pub tty: bool = "Tty",
        /// Rows and columns of its terminal.
        pub console_size: Option<(u16, u16)> = "ConsoleSize" omit,
    }
}

object! {
    /// The program and its arguments, as inspection shows them.
    pub struct ProcessConfig {
        /// With a terminal.
        pub tty: bool = "tty",
        /// The program.
        pub entrypoint: String = "entrypoint",
        /// Its arguments.
        pub arguments: Vec<String> = "arguments",
        /// Nearly all that root of the host can do.
        pub privileged: bool = "privileged",
        /// `user[:group]`.
        pub user: String = "user" omit,
    }
}

object! {
    /// What is known of a program.
    pub struct ExecInspect {
        /// Its id.
        pub id: String = "ID",
        /// Whether it runs.
        pub running: bool = "Running",
        /// Its exit code, once it ended.
        pub exit_code: Option<i64> = "ExitCode",
        /// What runs.
        pub process_config: ProcessConfig = "ProcessConfig",
        /// Its standard input is open.
        pub open_stdin: bool = "OpenStdin",
        /// Its standard error is read.
        pub open_stderr: bool = "OpenStderr",
        /// Its standard output is read.
        pub open_stdout: bool = "OpenStdout",
        /// It can be removed.
        pub can_remove: bool = "CanRemove",
        /// Its container.
        pub container_id: String = "ContainerID",
        /// Keys that detach.
        pub detach_keys: String = "DetachKeys",
        /// Its pid on the host.
        pub pid: u32 = "Pid",
    }
}
