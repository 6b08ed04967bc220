// The floor: what the kernel must do for `run --rm --network none IMAGE true`, and nothing else.
//
//   floor LAYER SCRATCH CGROUP PROGRAM [ARG]...
//
// LAYER is an attached read-only file system (one layer), SCRATCH a directory for the writable one, CGROUP a path
// below every hierarchy. Namespaces, cgroups with a device list, overlay, the mounts, devices, masked and read-only
// paths, capabilities, seccomp, keyring, pivot_root and exec are those of a container that asks for nothing. No image
// store, no state, no log, no second process: an engine can only come near.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

// Not in <linux/mount.h> together with <sys/mount.h>.
extern int mount(const char *, const char *, const char *, unsigned long, const void *);
extern int umount2(const char *, int);
#define DETACH 2

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(125);
}

#define MUST(call)                                                                                                     \
	({                                                                                                             \
		long result_ = (long)(call);                                                                           \
		if (result_ < 0)                                                                                       \
			die(#call);                                                                                    \
		result_;                                                                                               \
	})

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int ok = write(fd, text, strlen(text)) < 0 ? -1 : 0;
	close(fd);
	return ok;
}

// cgroups

// The hierarchies of version 1 that Docker uses too; where two controllers share one, their own names are links.
static const char *const KNOWN[] = {"cpu,cpuacct", "cpu",     "cpuacct", "cpuset", "memory",
				    "devices",	   "freezer", "blkio",	 "pids",   "systemd"};
static const char *V1[sizeof KNOWN / sizeof *KNOWN];
static size_t V1_COUNT;

static void find_hierarchies(void)
{
	for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
		char path[64];
		struct stat found;
		snprintf(path, sizeof path, "/sys/fs/cgroup/%s", KNOWN[i]);
		if (lstat(path, &found) == 0 && S_ISDIR(found.st_mode))
			V1[V1_COUNT++] = KNOWN[i];
	}
}

static const char *const DEVICE_RULES[] = {
    "c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",   "c 1:8 rwm",
    "c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm",
};

static int unified(void)
{
	return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
}

static const char *hierarchy(size_t index, const char *cgroup, const char *file)
{
	static char path[4096];
	if (unified())
		snprintf(path, sizeof path, "/sys/fs/cgroup/%s%s", cgroup, file);
	else
		snprintf(path, sizeof path, "/sys/fs/cgroup/%s/%s%s", V1[index], cgroup, file);
	return path;
}

static void limit_devices_v2(int cgroup)
{
	// A real list is some 40 instructions more, which the kernel checks in microseconds.
	struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1}, {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr load = {
	    .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE, .insns = (uintptr_t)code, .insn_cnt = 2, .license = (uintptr_t)"GPL"};
	int program = MUST(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load));
	union bpf_attr attach = {
	    .target_fd = cgroup, .attach_bpf_fd = program, .attach_type = BPF_CGROUP_DEVICE, .attach_flags = BPF_F_ALLOW_MULTI};
	MUST(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach));
	close(program);
}

// A new cpuset is empty, and takes no process before it has processors and memory.
static void inherit_cpuset(size_t index, const char *parent, const char *cgroup)
{
	static const char *const FILES[] = {"/cpuset.cpus", "/cpuset.mems"};
	for (size_t i = 0; i < 2; i++) {
		char text[4096] = "";
		int fd = MUST(open(hierarchy(index, parent, FILES[i]), O_RDONLY | O_CLOEXEC));
		MUST(read(fd, text, sizeof text - 1));
		close(fd);
		MUST(write_file(hierarchy(index, cgroup, FILES[i]), text));
	}
}

static void make_cgroups(const char *parent, const char *cgroup)
{
	for (size_t i = 0; i < (unified() ? 1 : V1_COUNT); i++) {
		MUST(mkdir(hierarchy(i, cgroup, ""), 0755));
		if (!unified() && strcmp(V1[i], "cpuset") == 0)
			inherit_cpuset(i, parent, cgroup);
	}
}

static void limit_devices_v1(const char *cgroup)
{
	for (size_t i = 0; i < V1_COUNT; i++) {
		if (strcmp(V1[i], "devices") != 0)
			continue;
		MUST(write_file(hierarchy(i, cgroup, "/devices.deny"), "a"));
		for (size_t rule = 0; rule < sizeof DEVICE_RULES / sizeof *DEVICE_RULES; rule++)
			MUST(write_file(hierarchy(i, cgroup, "/devices.allow"), DEVICE_RULES[rule]));
	}
}

// By the process itself, to `tasks`, as 0: the kernel then takes no lock over all processes. A pid written to
// `cgroup.procs` takes one, and the first to do so after a while waits 6 to 10 ms for an RCU grace period.
static void enter_cgroups(const char *cgroup)
{
	for (size_t i = 0; i < V1_COUNT; i++)
		MUST(write_file(hierarchy(i, cgroup, "/tasks"), "0"));
}

static void remove_cgroups(const char *cgroup)
{
	for (size_t i = 0; i < (unified() ? 1 : V1_COUNT); i++) {
		// The kernel lets go of a dead process a moment after its parent heard of it.
		int tries = 0;
		while (rmdir(hierarchy(i, cgroup, "")) < 0) {
			if (errno != EBUSY || tries++ > 1000)
				die("rmdir cgroup");
			usleep(100);
		}
	}
}

// mounts

static int filesystem(const char *kind, const char *const options[], unsigned int attributes)
{
	int context = MUST(syscall(SYS_fsopen, kind, FSOPEN_CLOEXEC));
	for (; *options; options += 2) {
		if (options[1])
			MUST(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, options[0], options[1], 0));
		else
			MUST(syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, options[0], NULL, 0));
	}
	MUST(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	int mounted = MUST(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes));
	close(context);
	return mounted;
}

static void attach(int mounted, int root, const char *at)
{
	MUST(syscall(SYS_move_mount, mounted, "", root, at, MOVE_MOUNT_F_EMPTY_PATH));
	close(mounted);
}

static void put(int root, const char *kind, const char *at, const char *const options[], unsigned int attributes)
{
	attach(filesystem(kind, options, attributes), root, at);
}

static int clone_of(int root, const char *path)
{
	return syscall(SYS_open_tree, root, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

static void set_attributes(int mounted, unsigned int attributes)
{
	struct mount_attr attr = {.attr_set = attributes};
	MUST(syscall(SYS_mount_setattr, mounted, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr));
}

#define NONE ((const char *const[]){NULL})
#define TIGHT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static void mount_cgroups(int root, const char *cgroup)
{
	if (unified()) {
		put(root, "cgroup2", "sys/fs/cgroup", NONE, TIGHT | MOUNT_ATTR_RDONLY);
		return;
	}
	const char *const options[] = {"mode", "755", NULL};
	put(root, "tmpfs", "sys/fs/cgroup", options, TIGHT);
	for (size_t i = 0; i < V1_COUNT; i++) {
		char at[64];
		snprintf(at, sizeof at, "sys/fs/cgroup/%s", V1[i]);
		MUST(mkdirat(root, at, 0755));
		int mounted = MUST(clone_of(AT_FDCWD, hierarchy(i, cgroup, "")));
		set_attributes(mounted, TIGHT | MOUNT_ATTR_RDONLY);
		attach(mounted, root, at);
	}
	int mounted = MUST(openat(root, "sys/fs/cgroup", O_PATH | O_CLOEXEC));
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	MUST(syscall(SYS_mount_setattr, mounted, "", AT_EMPTY_PATH, &attr, sizeof attr));
	close(mounted);
}

static void make_devices(int root)
{
	static const struct {
		const char *path;
		int major, minor;
	} NODES[] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
		     {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
	static const char *const LINKS[][2] = {{"/proc/self/fd", "dev/fd"},
					       {"/proc/self/fd/0", "dev/stdin"},
					       {"/proc/self/fd/1", "dev/stdout"},
					       {"/proc/self/fd/2", "dev/stderr"},
					       {"pts/ptmx", "dev/ptmx"}};
	for (size_t i = 0; i < sizeof NODES / sizeof *NODES; i++)
		MUST(mknodat(root, NODES[i].path, S_IFCHR | 0666, makedev(NODES[i].major, NODES[i].minor)));
	for (size_t i = 0; i < sizeof LINKS / sizeof *LINKS; i++)
		MUST(symlinkat(LINKS[i][0], root, LINKS[i][1]));
	MUST(mkdirat(root, "dev/pts", 0755));
	MUST(mkdirat(root, "dev/shm", 01777));
	MUST(mkdirat(root, "dev/mqueue", 0755));
}

static void mask(int root, const char *path)
{
	struct stat found;
	if (fstatat(root, path, &found, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISDIR(found.st_mode))
		put(root, "tmpfs", path, NONE, MOUNT_ATTR_RDONLY);
	else
		attach(MUST(clone_of(root, "dev/null")), root, path);
}

static void mask_paths(int root)
{
	static const char *const MASKED[] = {"proc/acpi",	"proc/asound",	      "proc/interrupts", "proc/kcore",
					     "proc/keys",	"proc/latency_stats", "proc/sched_debug", "proc/scsi",
					     "proc/timer_list", "proc/timer_stats",   "sys/firmware",
					     "sys/devices/virtual/powercap"};
	static const char *const READ_ONLY[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
	for (size_t i = 0; i < sizeof MASKED / sizeof *MASKED; i++)
		mask(root, MASKED[i]);
	for (int cpu = 0;; cpu++) {
		char path[96];
		snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d", cpu);
		if (faccessat(root, path, F_OK, 0) < 0)
			break;
		strcat(path, "/thermal_throttle");
		mask(root, path);
	}
	for (size_t i = 0; i < sizeof READ_ONLY / sizeof *READ_ONLY; i++) {
		int mounted = clone_of(root, READ_ONLY[i]);
		if (mounted < 0)
			continue;
		set_attributes(mounted, MOUNT_ATTR_RDONLY);
		attach(mounted, root, READ_ONLY[i]);
	}
}

static int mount_root(const char *layer, const char *scratch)
{
	char upper[4200], work[4200];
	snprintf(upper, sizeof upper, "%s/upper", scratch);
	snprintf(work, sizeof work, "%s/work", scratch);
	const char *const options[] = {"lowerdir", layer, "upperdir", upper, "workdir", work, "index", "off",
				       "metacopy", "off", "volatile", NULL, NULL};
	int mounted = filesystem("overlay", options, 0);
	// pivot_root wants its new root attached, and any directory will do: this namespace is our own.
	MUST(syscall(SYS_move_mount, mounted, "", AT_FDCWD, scratch, MOVE_MOUNT_F_EMPTY_PATH));
	return mounted;
}

// The process

static void loopback_up(void)
{
	int socket_fd = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	MUST(ioctl(socket_fd, SIOCSIFFLAGS, &request));
	close(socket_fd);
}

static const uint64_t KEPT = 0xa80425fb; // Docker's 14

static void drop_bounding_set(void)
{
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if (!(KEPT >> capability & 1))
			MUST(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.effective = KEPT, .permitted = KEPT}, {0}};
	MUST(syscall(SYS_capset, &header, data));
	MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
}

// A search tree over the numbers of the calls that Docker's profile refuses a process with these capabilities, about
// 150 instructions as a compiled profile has.
static const uint16_t REFUSED[] = {101, 103, 134, 136, 139, 153, 155, 156, 159, 161, 163, 164, 165, 166, 167, 168, 169,
				   170, 171, 172, 173, 174, 175, 176, 177, 178, 179, 180, 181, 182, 183, 184, 185, 205,
				   211, 212, 215, 227, 236, 237, 238, 239, 246, 248, 249, 250, 256, 272, 279, 298, 300,
				   301, 303, 304, 308, 310, 311, 312, 313, 320, 321, 323, 425, 426, 427, 428, 429, 430,
				   431, 432, 433, 438, 442, 443, 446};
static struct sock_filter filter[400];
static size_t filter_len;

static void search(size_t from, size_t to)
{
	if (to - from == 1) {
		filter[filter_len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, REFUSED[from], 0, 1);
		filter[filter_len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
		filter[filter_len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		return;
	}
	size_t middle = (from + to) / 2, jump = filter_len++;
	search(from, middle);
	filter[jump] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, REFUSED[middle], filter_len - jump - 1, 0);
	search(middle, to);
}

static void load_seccomp(void)
{
	const size_t count = sizeof REFUSED / sizeof *REFUSED;
	filter[filter_len++] =
	    (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	filter[filter_len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	filter[filter_len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	filter[filter_len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	// Two levels, so that no jump is longer than the 255 that fit.
	size_t jump = filter_len++;
	search(0, count / 2);
	filter[jump] =
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, REFUSED[count / 2], filter_len - jump - 1, 0);
	search(count / 2, count);
	struct sock_fprog program = {.len = filter_len, .filter = filter};
	MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

struct task {
	const char *layer, *scratch, *cgroup;
	char **argv;
};

static void be_the_container(const struct task *task)
{
	MUST(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
	MUST(setsid());
	if (!unified())
		enter_cgroups(task->cgroup);
	MUST(mount(NULL, "/", NULL, 1 << 18 | 1 << 14, NULL)); // private, recursive
	int root = mount_root(task->layer, task->scratch);
	const char *const dev[] = {"mode", "755", "size", "65536k", NULL};
	const char *const pts[] = {"newinstance", NULL, "ptmxmode", "0666", "mode", "0620", "gid", "5", NULL};
	const char *const shm[] = {"mode", "1777", "size", "67108864", NULL};
	put(root, "proc", "proc", NONE, TIGHT);
	put(root, "tmpfs", "dev", dev, MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
	make_devices(root);
	put(root, "devpts", "dev/pts", pts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	put(root, "sysfs", "sys", NONE, TIGHT | MOUNT_ATTR_RDONLY);
	put(root, "mqueue", "dev/mqueue", NONE, TIGHT);
	put(root, "tmpfs", "dev/shm", shm, TIGHT);
	MUST(sethostname("floor", 5));
	loopback_up();
	mount_cgroups(root, task->cgroup);
	mask_paths(root);
	MUST(fchdir(root));
	MUST(syscall(SYS_pivot_root, ".", "."));
	MUST(umount2(".", DETACH));
	MUST(chdir("/"));
	MUST(syscall(SYS_keyctl, 1 /* join session keyring */, "floor"));
	drop_bounding_set();
	load_seccomp(); // without no_new_privs it takes CAP_SYS_ADMIN
	drop_capabilities();
	MUST(syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */));
	char *env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", NULL};
	execve(task->argv[0], task->argv, env);
	die("execve");
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		fprintf(stderr, "floor LAYER SCRATCH CGROUP PROGRAM [ARG]...\n");
		return 125;
	}
	char scratch[4096], cgroup[4096], path[4200];
	umask(0);
	snprintf(scratch, sizeof scratch, "%s/floor-%d", argv[2], getpid());
	snprintf(cgroup, sizeof cgroup, "%s/floor-%d", argv[3], getpid());
	static const char *const DIRS[] = {"", "/upper", "/work"};
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s%s", scratch, DIRS[i]);
		MUST(mkdir(path, 0755));
	}
	int pidfd = -1;
	find_hierarchies();
	make_cgroups(argv[3], cgroup);
	struct clone_args args = {
	    .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD,
	    .pidfd = (uintptr_t)&pidfd,
	    .exit_signal = SIGCHLD,
	};
	if (unified()) {
		int fd = MUST(open(hierarchy(0, cgroup, ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		limit_devices_v2(fd);
		args.flags |= CLONE_INTO_CGROUP | CLONE_NEWCGROUP;
		args.cgroup = fd;
	} else {
		limit_devices_v1(cgroup);
	}
	pid_t pid = MUST(syscall(SYS_clone3, &args, sizeof args));
	if (pid == 0)
		be_the_container(&(struct task){argv[1], scratch, cgroup, argv + 4});
	siginfo_t end;
	MUST(waitid(P_PIDFD, pidfd, &end, WEXITED));
	remove_cgroups(cgroup);
	static const char *const GONE[] = {"/work/work/incompat/volatile/dirty",
					    "/work/work/incompat/volatile", "/work/work/incompat", "/work/work", "/work", "/upper", ""};
	for (size_t i = 0; i < sizeof GONE / sizeof *GONE; i++) {
		snprintf(path, sizeof path, "%s%s", scratch, GONE[i]);
		if (remove(path) < 0 && errno != ENOENT)
			die(path);
	}
	return end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
}
