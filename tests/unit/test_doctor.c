/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cgroup.h"
#include "doctor.h"
#include "leaks.h"
#include "mounts.h"
#include "tacit/fd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- a container as a tree of files ---------------------------------------------------------- */

struct entry {
	const char *path;
	const char *text; /* NULL: not there */
};

/* What all hardened containers have in common; what is below /ns/ is a link. */
#define COMMON_ENTRIES                                                                            \
	{"/proc/self/limits",                                                                     \
	    "Limit    Soft Limit  Hard Limit  Units\nMax core file size   0   0   bytes\n"},      \
	    {"/proc/self/uid_map", "         0          0 4294967295\n"},                         \
	    {"/proc/self/net/dev", "Inter-|   Receive\n face |bytes\n    lo: 0\n  eth0: 0\n"},    \
	    {"/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n"},                            \
	    {"/proc/self/ns/pid", "pid:[4026532257]"}, {"/proc/self/ns/net", "net:[4026532258]"}, \
	    {"/proc/self/ns/ipc", "ipc:[4026532256]"}, {"/proc/1/cmdline", "node\nserver.js\n"},  \
	    {"/proc/self/cmdline", "tacit-agent\ndoctor\n"},                                      \
	{                                                                                         \
		"/proc/self/status",                                                              \
		    STATUS("1001", "0000000000000000", "0000000000000000", "1", "2")              \
	}

#define STATUS(uid, held, bounding, new_privileges, seccomp)                                 \
	"Name:\tnode\nUid:\t" uid "\t" uid "\t" uid "\t" uid "\nCapInh:\t0000000000000000\n" \
	"CapPrm:\t" held "\nCapEff:\t" held "\nCapBnd:\t" bounding                           \
	"\nNoNewPrivs:\t" new_privileges "\nSeccomp:\t" seccomp "\nSeccomp_filters:\t1\n"

#define DEFAULT_CAPABILITIES "00000000a80425fb"
#define ALL_CAPABILITIES     "000001ffffffffff"

#define MOUNTS(root, sys, proc_sys)                                                           \
	"126 76 0:41 / / " root ",relatime master:4 - overlay overlay rw,lowerdir=/l\n"       \
	"127 126 0:44 / /proc rw,nosuid - proc proc rw\n" proc_sys "130 126 0:47 / /sys " sys \
	",nosuid - sysfs sysfs " sys "\n"                                                     \
	"142 128 0:49 / /dev/shm rw,nosuid - tmpfs shm rw,size=65536k\n"
#define PROC_SYS_PROTECTED "89 127 0:44 /sys /proc/sys ro,nosuid - proc proc rw\n"
#define MOUNTS_V1                                                                          \
	"132 131 0:29 /docker/90bc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n" \
	"135 131 0:32 /docker/90bc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"   \
	"139 131 0:36 /docker/90bc /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n"
#define MOUNTS_V2          "131 130 0:28 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"

#define HARDENED_V1_MOUNTS MOUNTS("ro", "ro", PROC_SYS_PROTECTED) MOUNTS_V1
#define HARDENED_V2_MOUNTS MOUNTS("ro", "ro", PROC_SYS_PROTECTED) MOUNTS_V2

/* Docker on version 1, the group's own directory as the root of each mount. */
static const struct entry hardened_v1[] = {
    COMMON_ENTRIES,
    {"/proc/self/mountinfo", HARDENED_V1_MOUNTS},
    {"/proc/self/cgroup", "8:pids:/docker/90bc\n4:memory:/docker/90bc\n"
                          "1:cpu,cpuacct:/docker/90bc\n0::/docker/90bc\n"},
    {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n"},
    {"/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "134217728\n"},
    {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n"},
    {"/sys/fs/cgroup/pids/pids.max", "100\n"},
    {NULL, NULL},
};

/* Version 2 with a group namespace. */
static const struct entry hardened_v2[] = {
    COMMON_ENTRIES,
    {"/proc/self/mountinfo", HARDENED_V2_MOUNTS},
    {"/proc/self/cgroup", "0::/\n"},
    {"/sys/fs/cgroup/memory.max", "67108864\n"},
    {"/sys/fs/cgroup/memory.swap.max", "67108864\n"},
    {"/sys/fs/cgroup/cpu.max", "50000 100000\n"},
    {"/sys/fs/cgroup/pids.max", "100\n"},
    {NULL, NULL},
};

static const struct entry nothing[] = {{NULL, NULL}};

struct scene {
	const char *what;
	const struct entry *base;
	struct entry changes[6]; /* take the place of what the base has, or are added */
	const char *environment[4];
	const char *dir;
	int packages_days;      /* age of /var/lib/dpkg/status; 0: none */
	const char *not_passed; /* "name=verdict, ..." of what does not pass */
};

#define SWAPS "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 1048572 0 -2\n"

static const struct scene scenes[] = {
    {.what = "hardened, version 1", .base = hardened_v1, .not_passed = ""},
    {.what = "hardened, version 2", .base = hardened_v2, .not_passed = ""},
    {.what = "root",
        .base = hardened_v1,
        .changes = {{"/proc/self/status",
            STATUS("0", "0000000000000000", "0000000000000000", "1", "2")}},
        .not_passed = "user=fail"},
    {.what = "rootless: root in a user namespace, with its capabilities",
        .base = hardened_v2,
        .changes = {{"/proc/self/status",
                        STATUS("0", DEFAULT_CAPABILITIES, DEFAULT_CAPABILITIES, "0", "2")},
            {"/proc/self/uid_map", "0 1000 1\n1 100000 65536\n"}},
        .not_passed = "user=warn, capabilities=fail, new privileges=fail"},
    {.what = "one uid of the four is root",
        .base = hardened_v1,
        .changes = {{"/proc/self/status",
            "Uid:\t1001\t1001\t0\t1001\nCapInh:\t0\nCapPrm:\t0\nCapEff:\t0\n"
            "CapBnd:\t0\nNoNewPrivs:\t1\nSeccomp:\t2\n"}},
        .not_passed = "user=fail"},
    {.what = "a user, but capabilities can be gained",
        .base = hardened_v1,
        .changes = {{"/proc/self/status",
            STATUS("1001", "0000000000000000", DEFAULT_CAPABILITIES, "0", "2")}},
        .not_passed = "capabilities=warn, new privileges=fail"},
    {.what = "privileged",
        .base = hardened_v1,
        .changes = {{"/proc/self/status",
                        STATUS("0", ALL_CAPABILITIES, ALL_CAPABILITIES, "0", "0")},
            {"/proc/self/mountinfo", MOUNTS("rw", "rw", "") MOUNTS_V1}},
        .not_passed = "user=fail, capabilities=fail, new privileges=fail, seccomp=fail, "
                      "root file system=fail, privileged=fail"},
    {.what = "privileged, as a user",
        .base = hardened_v2,
        .changes =
            {{"/proc/self/status", STATUS("1001", "0000000000000000", ALL_CAPABILITIES, "1", "0")},
                {"/proc/self/mountinfo", MOUNTS("ro", "rw", "") MOUNTS_V2}},
        .not_passed = "capabilities=warn, seccomp=fail, privileged=fail"},
    {.what = "as good as privileged: an administrator without protected paths",
        .base = hardened_v1,
        .changes =
            {{"/proc/self/status", STATUS("1001", "0000000000000000", ALL_CAPABILITIES, "1", "2")},
                {"/proc/self/mountinfo", MOUNTS("ro", "ro", "") MOUNTS_V1}},
        .not_passed = "capabilities=warn, privileged=fail"},
    {.what = "a capability that is only inheritable",
        .base = hardened_v1,
        .changes = {{"/proc/self/status", "Uid:\t1\t1\t1\t1\nCapInh:\t8\nCapPrm:\t0\nCapEff:\t0\n"
                                          "CapBnd:\t0\nNoNewPrivs:\t1\nSeccomp:\t2\n"}},
        .not_passed = "capabilities=fail"},
    {.what = "unmasked paths alone",
        .base = hardened_v1,
        .changes = {{"/proc/self/mountinfo", MOUNTS("ro", "ro", "") MOUNTS_V1}},
        .not_passed = "privileged=warn"},
    {.what = "a writable root",
        .base = hardened_v1,
        .changes = {{"/proc/self/mountinfo", MOUNTS("rw", "ro", PROC_SYS_PROTECTED) MOUNTS_V1}},
        .not_passed = "root file system=fail"},
    {.what = "namespaces of the host",
        .base = hardened_v1,
        .changes = {{"/proc/self/ns/pid", "pid:[4026531836]"},
            {"/proc/self/ns/net", "net:[4026531833]"}, {"/proc/self/ns/ipc", "ipc:[4026531839]"}},
        .not_passed = "pid namespace=fail, net namespace=fail, ipc namespace=fail"},
    {.what = "the host's network, on Linux 6.1",
        .base = hardened_v1,
        .changes = {{"/proc/self/ns/net", "net:[4026531840]"}},
        .not_passed = "net namespace=fail"},
    {.what = "the host's network, known by the engine's bridge",
        .base = hardened_v1,
        .changes = {{"/proc/self/net/dev", " face |bytes\n    lo: 0\ndocker0: 0\n"}},
        .not_passed = "net namespace=fail"},
    {.what = "the host's processes, in a machine inside a container",
        .base = hardened_v1,
        .changes = {{"/proc/2/comm", "kthreadd\n"}},
        .not_passed = "pid namespace=fail"},
    {.what = "the engine's socket under another name",
        .base = hardened_v1,
        .changes = {{"/proc/self/mountinfo",
            HARDENED_V1_MOUNTS "121 104 254:0 /run/docker.sock /x rw - ext4 /dev/vda rw\n"}},
        .not_passed = "engine socket=fail"},
    {.what = "the engine's socket from a tmpfs at /run",
        .base = hardened_v1,
        .changes = {{"/proc/self/mountinfo",
            HARDENED_V1_MOUNTS "121 104 0:21 /docker.sock /x rw - tmpfs tmpfs rw\n"}},
        .not_passed = "engine socket=fail"},
    {.what = "the engine's directory mounted",
        .base = hardened_v1,
        .changes = {{"/var/run/docker.sock", ""}},
        .not_passed = "engine socket=fail"},
    {.what = "no limits, version 1",
        .base = hardened_v1,
        .changes = {{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"},
            {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
            {"/sys/fs/cgroup/pids/pids.max", "max\n"}},
        .not_passed = "memory limit=fail, cpu limit=fail, pids limit=fail"},
    {.what = "no limits, version 2",
        .base = hardened_v2,
        .changes = {{"/sys/fs/cgroup/memory.max", "max\n"},
            {"/sys/fs/cgroup/cpu.max", "max 100000\n"}, {"/sys/fs/cgroup/pids.max", "max\n"}},
        .not_passed = "memory limit=fail, cpu limit=fail, pids limit=fail"},
    {.what = "a controller that is not switched on limits nothing",
        .base = hardened_v2,
        .changes = {{"/sys/fs/cgroup/pids.max", NULL}},
        .not_passed = "pids limit=fail"},
    {.what = "a limit of a group above, version 2",
        .base = hardened_v2,
        .changes = {{"/proc/self/cgroup", "0::/app.slice/app.service\n"},
            {"/sys/fs/cgroup/memory.max", NULL},
            {"/sys/fs/cgroup/app.slice/memory.max", "1048576\n"},
            {"/sys/fs/cgroup/app.slice/app.service/memory.max", "max\n"}},
        .not_passed = ""},
    {.what = "no group at all",
        .base = hardened_v1,
        .changes = {{"/proc/self/cgroup", NULL}},
        .not_passed = "memory limit=unknown, cpu limit=unknown, pids limit=unknown"},
    {.what = "swap, version 1",
        .base = hardened_v1,
        .changes = {{"/proc/swaps", SWAPS}},
        .not_passed = "swap=warn"},
    {.what = "swap that is not allowed, version 1",
        .base = hardened_v1,
        .changes = {{"/proc/swaps", SWAPS},
            {"/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "67108864\n"}},
        .not_passed = ""},
    {.what = "swap, version 2",
        .base = hardened_v2,
        .changes = {{"/proc/swaps", SWAPS}},
        .not_passed = "swap=warn"},
    {.what = "swap that is not allowed, version 2",
        .base = hardened_v2,
        .changes = {{"/proc/swaps", SWAPS}, {"/sys/fs/cgroup/memory.swap.max", "0\n"}},
        .not_passed = ""},
    {.what = "core dumps",
        .base = hardened_v1,
        .changes = {{"/proc/self/limits",
            "Max core file size        unlimited  unlimited  bytes\n"}},
        .not_passed = "core dumps=warn"},
    {.what = "a secret in a variable",
        .base = hardened_v1,
        .environment = {"HOME=/", "DB_PASSWORD=hunter2-value"},
        .not_passed = "variables=fail"},
    {.what = "a secret in the arguments of PID 1",
        .base = hardened_v1,
        .changes = {{"/proc/1/cmdline", "app\n--password=hunter2-value\n"}},
        .not_passed = "arguments=fail"},
    {.what = "a secret in our own arguments, the last",
        .base = hardened_v1,
        .changes = {{"/proc/self/cmdline", "tacit-agent\nrun\n--\napp\n--token\nhunter2-value\n"}},
        .not_passed = "arguments=fail"},
    {.what = "arguments that cannot be seen",
        .base = hardened_v1,
        .changes = {{"/proc/1/cmdline", NULL}},
        .not_passed = "arguments=unknown"},
    {.what = "packages of thirty days", .base = hardened_v1, .packages_days = 30, .not_passed = ""},
    {.what = "packages of a month and a day",
        .base = hardened_v1,
        .packages_days = 31,
        .not_passed = "packages=warn"},
    {.what = "packages of a reproducible build",
        .base = hardened_v1,
        .packages_days = 20000,
        .not_passed = "packages=unknown"},
    {.what = "a tmpfs for the secrets",
        .base = hardened_v1,
        .changes = {{"/proc/self/mountinfo",
            HARDENED_V1_MOUNTS "5 1 0:9 / /run/secrets rw - tmpfs tmpfs rw,uid=1001\n"}},
        .not_passed = ""},
    {.what = "a disk for the secrets",
        .base = hardened_v1,
        .changes = {{"/proc/self/mountinfo",
            HARDENED_V1_MOUNTS "5 1 8:1 /s /run/secrets rw - ext4 /dev/sda rw\n"}},
        .not_passed = "secrets directory=fail"},
    {.what = "a wished directory inside a tmpfs",
        .base = hardened_v1,
        .dir = "/dev/shm/app",
        .not_passed = ""},
    {.what = "a wished directory on a disk",
        .base = hardened_v1,
        .dir = "/dev/shmoo",
        .not_passed = "secrets directory=fail"},
    {.what = "no tmpfs",
        .base = hardened_v1,
        .changes = {{"/proc/self/mountinfo",
            "126 76 0:41 / / ro - overlay overlay rw\n" PROC_SYS_PROTECTED MOUNTS_V1}},
        .not_passed = "secrets directory=fail"},
    {.what = "nothing can be read",
        .base = nothing,
        .not_passed =
            "user=unknown, capabilities=unknown, new privileges=unknown, seccomp=unknown, "
            "root file system=unknown, privileged=unknown, pid namespace=unknown, "
            "net namespace=unknown, ipc namespace=unknown, engine socket=unknown, "
            "memory limit=unknown, cpu limit=unknown, pids limit=unknown, swap=unknown, "
            "core dumps=unknown, arguments=unknown, secrets directory=unknown"},
};

static void parents_make(const char *path)
{
	char part[PATH_MAX];

	for (const char *slash = path; (slash = strchr(slash + 1, '/'));) {
		(void)snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		assert_true(mkdir(part, 0700) == 0 || errno == EEXIST);
	}
}

/* A command line has a NUL behind each argument, which stands here as a new line. */
static void file_make(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool is_arguments = strstr(path, "cmdline") != NULL;

	assert_true(fd >= 0);
	for (const char *c = text; *c; c++)
		assert_int_equal(fd_write_all(fd, is_arguments && *c == '\n' ? "" : c, 1), 0);
}

static const struct entry *entry_find(const struct entry *entries, const char *path)
{
	for (; entries->path; entries++)
		if (!strcmp(entries->path, path))
			return entries;

	return NULL;
}

static void entry_make(const char *root, const struct entry *entry)
{
	char path[PATH_MAX];

	if (!entry->text)
		return;

	(void)snprintf(path, sizeof(path), "%s%s", root, entry->path);
	parents_make(path);
	if (strstr(path, "/ns/"))
		assert_int_equal(symlink(entry->text, path), 0);
	else
		file_make(path, entry->text);
}

static void packages_make(const char *root, int days)
{
	const struct timespec times[2] = {
	    {.tv_sec = time(NULL) - days * 86400L}, {.tv_sec = time(NULL) - days * 86400L}};
	char path[PATH_MAX];

	entry_make(root, &(struct entry){"/var/lib/dpkg/status", "Package: x\n"});
	(void)snprintf(path, sizeof(path), "%s/var/lib/dpkg/status", root);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void tree_make(const char *root, const struct scene *scene)
{
	for (const struct entry *entry = scene->base; entry->path; entry++)
		if (!entry_find(scene->changes, entry->path))
			entry_make(root, entry);
	for (const struct entry *entry = scene->changes; entry->path; entry++)
		entry_make(root, entry);
	if (scene->packages_days)
		packages_make(root, scene->packages_days);
}

static void tree_remove(const char *root)
{
	char command[PATH_MAX + 16];

	(void)snprintf(command, sizeof(command), "rm -rf %s", root);
	assert_int_equal(system(command), 0);
}

static void diagnose(const struct scene *scene, struct diagnosis *ret_diagnosis)
{
	char root[] = "/tmp/tacit-test-doctor-XXXXXX";
	char *environment[COUNT(scene->environment) + 1] = {NULL};
	cleanup_facts struct facts facts;

	for (size_t i = 0; i < COUNT(scene->environment) && scene->environment[i]; i++)
		assert_non_null(environment[i] = strdup(scene->environment[i]));
	assert_non_null(mkdtemp(root));
	tree_make(root, scene);
	facts_read(root, environment, &facts);
	tree_remove(root);

	facts.dir = scene->dir;
	doctor_examine(&facts, ret_diagnosis);
	for (size_t i = 0; environment[i]; i++)
		free(environment[i]);
}

static void not_passed_text(const struct diagnosis *diagnosis, char *text, size_t size)
{
	static const char *const words[] = {"pass", "warn", "fail", "unknown"};

	text[0] = '\0';
	for (size_t i = 0; doctor_checks[i].name; i++) {
		enum verdict verdict = diagnosis->findings[i].verdict;
		size_t used = strlen(text);

		assert_true(diagnosis->findings[i].detail[0]);
		assert_null(strstr(diagnosis->findings[i].detail, "hunter2"));
		if (verdict != VERDICT_PASS)
			(void)snprintf(text + used, size - used, "%s%s=%s", used ? ", " : "",
			    doctor_checks[i].name, words[verdict]);
	}
}

static void each_scene_gets_the_expected_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(scenes); i++) {
		struct diagnosis diagnosis;
		char text[1024];

		diagnose(&scenes[i], &diagnosis);
		not_passed_text(&diagnosis, text, sizeof(text));
		if (strcmp(text, scenes[i].not_passed) != 0)
			print_error("%s\n", scenes[i].what);
		assert_string_equal(text, scenes[i].not_passed);
	}
}

static const char *detail_of(const struct diagnosis *diagnosis, const char *name)
{
	for (size_t i = 0; doctor_checks[i].name; i++)
		if (!strcmp(doctor_checks[i].name, name))
			return diagnosis->findings[i].detail;

	return NULL;
}

static void variables_are_named_as_far_as_there_is_room(void **state)
{
	struct diagnosis diagnosis;
	char long_name[160];
	const struct scene scene = {.base = hardened_v1,
	    .environment = {"A\nB=postgres://u:hunter2@h/", long_name,
	        "BBBBBBBBBBBBBBBB_TOKEN=hunter2", "C_TOKEN=hunter2"}};

	(void)state;
	(void)snprintf(long_name, sizeof(long_name), "%0120d_TOKEN=hunter2", 0);
	diagnose(&scene, &diagnosis);
	(void)snprintf(long_name, sizeof(long_name), "A?B, %0120d_TOKEN, ...", 0);
	assert_string_equal(detail_of(&diagnosis, "variables"), long_name);
}

/* --- what is good enough --------------------------------------------------------------------- */

static void set_verdict(struct diagnosis *diagnosis, const char *name, enum verdict verdict)
{
	for (size_t i = 0; doctor_checks[i].name; i++)
		if (!strcmp(doctor_checks[i].name, name))
			diagnosis->findings[i].verdict = verdict;
}

static const struct {
	const char *check;
	enum verdict verdict;
	bool is_good, is_strictly_good;
} judgements[] = {
    {"user", VERDICT_PASS, true, true},
    {"user", VERDICT_WARN, true, false},
    {"user", VERDICT_FAIL, false, false},
    {"user", VERDICT_UNKNOWN, false, false},
    {"packages", VERDICT_UNKNOWN, true, true},
    {"packages", VERDICT_WARN, true, false},
    {"secrets directory", VERDICT_FAIL, false, false},
};

static void what_is_unknown_is_not_good_enough(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(judgements); i++) {
		struct diagnosis diagnosis = {0};
		size_t first = DOCTOR_CHECKS_MAX;

		set_verdict(&diagnosis, judgements[i].check, judgements[i].verdict);
		assert_int_equal(diagnosis_is_good(&diagnosis, false, NULL), judgements[i].is_good);
		assert_int_equal(
		    diagnosis_is_good(&diagnosis, true, &first), judgements[i].is_strictly_good);
		if (!judgements[i].is_strictly_good)
			assert_string_equal(doctor_checks[first].name, judgements[i].check);
	}
}

static void every_check_has_a_remedy_and_there_is_room(void **state)
{
	size_t count = 0;

	(void)state;
	for (; doctor_checks[count].name; count++)
		assert_true(doctor_checks[count].look && doctor_checks[count].remedy[0]);
	assert_true(count > 15 && count <= DOCTOR_CHECKS_MAX);
}

/* --- what looks like a secret ---------------------------------------------------------------- */

static const struct {
	const char *variable;
	bool is_leak;
} variables[] = {
    {"DB_PASSWORD=x", true},
    {"db-password=x", true},
    {"PGPASSWORD=x", true},
    {"MYSQL_PWD=x", true},
    {"API_KEY=x", true},
    {"AWS_SECRET_ACCESS_KEY=x", true},
    {"GITHUB_TOKEN=x", true},
    {"DATABASE_URL=postgres://app:x@db/app", true},
    {"CERT=-----BEGIN EC PRIVATE KEY-----\nx", true},
    {"DB_PASSWORD=", false},
    {"DB_PASSWORD", false},
    {"DB_PASSWORD_FILE=/run/secrets/db", false},
    {"SECRET_DIR=/x", false},
    {"PWD=/srv", false},
    {"OLDPWD=/", false},
    {"PASSENGER=x", false},
    {"KEYBOARD=us", false},
    {"AWS_ACCESS_KEY_ID=x", false},
    {"TACIT_TOKEN=tacit1.x", false},
    {"DATABASE_URL=postgres://app@db/app", false},
    {"URL=https://h:8443/a@b", false},
    {"CERT=-----BEGIN CERTIFICATE-----\nx", false},
    {"PATH=/bin", false},
};

static void variables_are_told_by_name_and_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(variables); i++) {
		if (leak_in_variable(variables[i].variable) != variables[i].is_leak)
			print_error("%s\n", variables[i].variable);
		assert_int_equal(leak_in_variable(variables[i].variable), variables[i].is_leak);
	}
}

static const struct {
	const char *argument, *next;
	bool is_leak;
} arguments[] = {
    {"--password=x", NULL, true},
    {"--db-password", "x", true},
    {"export DB_PASSWORD=x; exec app", NULL, true},
    {"PASSWORD='x' app", NULL, true},
    {"postgres://u:x@h", NULL, true},
    {"--password-file=/run/secrets/x", NULL, false},
    {"--password", NULL, false},
    {"--password", "--other", false},
    {"PASSWORD=$(cat /run/secrets/x) app", NULL, false},
    {"PASSWORD=\"$X\" app", NULL, false},
    {"PASSWORD= app", NULL, false},
    {"PASSWORD=", NULL, false},
    {"PASSWORD='", NULL, false},
    {"server.js", "x", false},
    {"=x", NULL, false},
    {"", NULL, false},
};

static void arguments_are_told_by_name_and_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(arguments); i++) {
		bool is_leak = leak_in_argument(arguments[i].argument, arguments[i].next);

		if (is_leak != arguments[i].is_leak)
			print_error("%s\n", arguments[i].argument);
		assert_int_equal(is_leak, arguments[i].is_leak);
	}
}

/* --- groups and mounts ----------------------------------------------------------------------- */

static const struct {
	const char *mountinfo, *cgroup, *controller;
	const char *dir; /* NULL: not found */
	bool is_v2;
} places[] = {
    {MOUNTS_V1, "4:memory:/docker/90bc\n", "memory", "/sys/fs/cgroup/memory", false},
    {MOUNTS_V1, "4:memory:/docker/90bc/init\n", "memory", "/sys/fs/cgroup/memory/init", false},
    {MOUNTS_V1, "4:memory:/docker/90bcde\n", "memory", "/sys/fs/cgroup/memory", false},
    {MOUNTS_V1, "1:cpu,cpuacct:/docker/90bc/a\n", "cpu", "/sys/fs/cgroup/cpu/a", false},
    {MOUNTS_V1, "4:memory:/\n", "memory", "/sys/fs/cgroup/memory", false},
    {MOUNTS_V1, "malformed\n4:memory\n", "memory", "/sys/fs/cgroup/memory", false},
    {MOUNTS_V2, "0::/a.slice/b\n", "memory", "/sys/fs/cgroup/a.slice/b", true},
    {MOUNTS_V2, "0::/../../b\n", "memory", "/sys/fs/cgroup", true},
    {MOUNTS_V1 MOUNTS_V2, "4:memory:/docker/90bc\n0::/x\n", "memory", "/sys/fs/cgroup/memory",
        false},
    {MOUNTS_V1, "4:memory:/x\n", "hugetlb", NULL, false},
    {"", "0::/\n", "memory", NULL, false},
    {"garbage - - -\n\n1 2 3\n", "0::/\n", "memory", NULL, false},
};

static void groups_are_found_in_both_versions(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(places); i++) {
		struct cgroup_place place;
		bool is_found = cgroup_locate(
		    places[i].mountinfo, places[i].cgroup, places[i].controller, &place);

		assert_int_equal(is_found, places[i].dir != NULL);
		if (!is_found)
			continue;
		assert_string_equal(place.dir, places[i].dir);
		assert_int_equal(place.is_v2, places[i].is_v2);
	}
}

static void going_up_ends_at_the_mount_point(void **state)
{
	struct cgroup_place place;

	(void)state;
	assert_true(cgroup_locate(MOUNTS_V2, "0::/a/b\n", "memory", &place));
	assert_true(cgroup_place_up(&place));
	assert_string_equal(place.dir, "/sys/fs/cgroup/a");
	assert_true(cgroup_place_up(&place));
	assert_string_equal(place.dir, "/sys/fs/cgroup");
	assert_false(cgroup_place_up(&place));
}

static void the_last_mount_at_a_point_is_the_one_that_is_seen(void **state)
{
	static const char text[] =
	    "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
	    "2 1 8:1 /s /run/secrets rw - ext4 /dev/sda rw\n"
	    "3 2 0:9 / /run/secrets rw shared:1 master:2 - tmpfs tmpfs rw,noswap\n"
	    "4 1 0:3 / /run rw - ext4 /dev/sdb rw\n";
	struct mount mount;

	(void)state;
	assert_true(mount_find(text, "/run/secrets", &mount));
	assert_true(mount_is_memory(&mount));
	assert_true(part_lists(mount.super, "noswap"));
	assert_false(part_lists(mount.super, "nosw"));
	assert_true(mount_holding(text, "/run/secrets/a", &mount) && mount_is_memory(&mount));
	assert_true(mount_holding(text, "/run/secretsa", &mount) && !mount_is_memory(&mount));
	assert_false(mount_holding(text, "run/secrets", &mount));
	assert_false(mount_find(text, "/run/secre", &mount));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_scene_gets_the_expected_verdicts),
	    cmocka_unit_test(variables_are_named_as_far_as_there_is_room),
	    cmocka_unit_test(what_is_unknown_is_not_good_enough),
	    cmocka_unit_test(every_check_has_a_remedy_and_there_is_room),
	    cmocka_unit_test(variables_are_told_by_name_and_value),
	    cmocka_unit_test(arguments_are_told_by_name_and_value),
	    cmocka_unit_test(groups_are_found_in_both_versions),
	    cmocka_unit_test(going_up_ends_at_the_mount_point),
	    cmocka_unit_test(the_last_mount_at_a_point_is_the_one_that_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
